/** `docs/cli.md` and `ashlar help` name every verb and option that the program has. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { registerAllVerbs } from '../../src/cli/all-verbs.ts'
import { buildProgram } from '../../src/cli/program.ts'

const page = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')
const program = buildProgram({ host: { stop: new AbortController().signal }, register: registerAllVerbs })
const verbs = program.commands.filter((verb) => !verb.name().startsWith('_'))
const common = ['--json', '--cluster', '--timeout', '--help']

test('docs/cli.md has every verb with its options', () => {
  assert.ok(verbs.length >= 30)
  for (const verb of verbs) {
    const row = page.split('\n').find((line) => new RegExp(`^\\| \`${verb.name()}[ \`]`).test(line))
    assert.ok(row, `no row of ${verb.name()}`)
    for (const { long } of verb.createHelp().visibleOptions(verb)) {
      if (long && !common.includes(long)) assert.ok(row.includes(`\`${long}\``), `${verb.name()} ${long}`)
    }
  }
})

test('help of every verb shows examples', () => {
  for (const verb of verbs) {
    let text = ''
    verb.configureOutput({ writeOut: (part) => (text += part) })
    verb.outputHelp()
    assert.match(text, /\nExamples?:\n {2}.*ashlar /, verb.name())
  }
})
