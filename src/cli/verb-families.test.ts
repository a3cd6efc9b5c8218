/** The table of families must say what their files register, or a verb would not be found, or not be helped with. @module */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Command } from 'commander'
import { registerAllVerbs } from './all-verbs.ts'
import { buildProgram } from './program.ts'
import { type Register, verbFamilies, verbsFor } from './verb-families.ts'

function commandsOf(register: Register): readonly Command[] {
  return buildProgram({ host: { stop: new AbortController().signal }, register }).commands
}

const namesOf = (commands: readonly Command[]) => commands.flatMap((one) => [one.name(), ...one.aliases()]).sort()

for (const { verbs, load } of verbFamilies) {
  test(`verbFamilies: ${verbs.join(', ')} are what their file registers, no more and no fewer`, async () => {
    assert.deepEqual(namesOf(commandsOf(await load())), [...verbs].sort())
  })
}

test('verbsFor() registers a known verb as all verbs together do', async () => {
  const all = commandsOf(registerAllVerbs)
  for (const name of verbFamilies.flatMap(({ verbs }) => verbs)) {
    const find = (commands: readonly Command[]) =>
      commands.find((one) => one.name() === name || one.aliases().includes(name))?.helpInformation()
    assert.equal(find(commandsOf(await verbsFor([name]))), find(all))
  }
})

test('verbsFor() registers every verb for help, for a mistyped one and for none', async () => {
  const all = namesOf(commandsOf(registerAllVerbs))
  for (const argv of [
    [],
    ['help', 'ls'],
    ['--help'],
    ['--version'],
    ['sl'],
    ['completion', 'bash'],
    ['__complete', ''],
  ])
    assert.deepEqual(namesOf(commandsOf(await verbsFor(argv))), all)
})
