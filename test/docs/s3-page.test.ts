/** `docs/s3.md`: its declared set-up is one, and its verbs are there. What it shows of clients is run by `test/compat/s3`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { registerAllVerbs } from '../../src/cli/all-verbs.ts'
import { buildProgram } from '../../src/cli/program.ts'
import { bucketSections, sectionNames } from '../../src/cli/s3/setup/bucket-sections.ts'
import { parseSetup } from '../../src/cli/s3/setup/declared-setup.ts'
import { projectFolder } from './shell-page.ts'

const page = readFileSync(join(projectFolder, 'docs/s3.md'), 'utf8')

function blocks(language: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)
}

test('the declared set-up of docs/s3.md can be applied, and shows every section', async () => {
  const [config = ''] = blocks('json')
  const setup = await parseSetup(config, {
    environment: (name) => (name === 'ANNS_SECRET' ? 'a-secret-that-is-long-enough' : undefined),
    file: async () => assert.fail('it names no file'),
  })
  const [bucket] = setup.buckets
  assert.deepEqual([...(bucket?.sections.keys() ?? [])], sectionNames)
  for (const [section, value] of bucket?.sections ?? []) {
    if (value === null) continue
    const { bodyOf, isSame } = bucketSections[section]
    assert.ok(isSame(value, Buffer.from(bodyOf(value))), section)
  }
})

test('every command of docs/s3.md names a verb and options that there are', () => {
  const program = buildProgram({ host: { stop: new AbortController().signal }, register: registerAllVerbs })
  const commands = [...page.matchAll(/\bashlar ([a-z0-9-]+)([^`\n)]*)/g)]
  assert.ok(commands.length >= 10)
  for (const [whole, verb, rest = ''] of commands) {
    const command = program.commands.find((known) => known.name() === verb)
    assert.ok(command, whole)
    const known = command
      .createHelp()
      .visibleOptions(command)
      .map(({ long }) => long)
    for (const [option] of rest.replace(/#.*/, '').matchAll(/--[a-z-]+/g)) assert.ok(known.includes(option), whole)
  }
})
