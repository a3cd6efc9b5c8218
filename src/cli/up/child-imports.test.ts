import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const folder = import.meta.dirname
const sources = join(folder, '../..')

/** All that a file imports before it runs, itself included: paths below `src`, and packages by name. */
function importedBy(file: string, found = new Set<string>()): Set<string> {
  const name = relative(sources, file)
  if (found.has(name)) return found
  found.add(name)
  const statements = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )(?:[^'";]*? from )?'([^']+)'/gm)
  for (const [, target = ''] of statements) {
    if (target.startsWith('.')) importedBy(join(dirname(file), target), found)
    else found.add(target)
  }
  return found
}

// Each start of each server would pay for it.
for (const role of ['master', 'chunkserver', 'gateway']) {
  test(`the ${role} of up loads neither verbs nor what parses them`, () => {
    const loaded = [...importedBy(join(folder, `${role}-child.ts`))]
    assert.ok(loaded.includes('cli/up/run-child.ts') && loaded.length > 50, 'the imports were followed')
    const needless = loaded.filter((name) =>
      /^(commander|pino|prom-client)$|^cli\/(verbs|program|main|up\/up\.)/.test(name),
    )
    assert.deepEqual(needless, [])
  })
}
