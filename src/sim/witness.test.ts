import assert from 'node:assert/strict'
import { glob, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loggedMessages } from './witness.ts'

// A message that was reworded would never be heard again, and nobody would notice.
test('every line of the log that a Witness listens for is written somewhere', async () => {
  const folder = join(import.meta.dirname, '..')
  const sources: string[] = []
  for await (const path of glob(['master/*.ts', 'store/*.ts', 'chunkserver/*.ts'], { cwd: folder })) {
    if (!path.endsWith('.test.ts')) sources.push(await readFile(join(folder, path), 'utf8'))
  }
  for (const message of loggedMessages) {
    assert.ok(
      sources.some((source) => source.includes(`'${message}'`)),
      message,
    )
  }
})
