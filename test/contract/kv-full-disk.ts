/**
 * Fills the disk beneath a database, deletes on the full disk, makes room and goes on. Run on a small file system of its own;
 * `filler` on it is what is removed to make room. Exits with 0 if all held.
 * @module
 */
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAshlarError } from '../../src/base/errors.ts'
import { createNodeClock } from '../../src/env/node-clock.ts'
import { createNodeDisk } from '../../src/env/node-disk.ts'
import { createNodeLog } from '../../src/env/node-log.ts'
import { openSqliteKV } from '../../src/kv/sqlite-kv.ts'

const [folder = ''] = process.argv.slice(2)
const reserveBytes = 6 * 1024 * 1024
const filler = join(folder, 'filler')
writeFileSync(filler, Buffer.alloc(8 * 1024 * 1024, 1))
const clock = createNodeClock()
const kv = await openSqliteKV({
  path: join(folder, 'metadata.db'),
  clock,
  disk: createNodeDisk(),
  log: createNodeLog('silent'),
  reserveBytes,
  onFatal: (error) => {
    throw error
  },
})
const key = (index: number): Buffer => Buffer.from(`key-${String(index).padStart(6, '0')}`)
const put = (index: number): Promise<void> => kv.transact(async (tx) => tx.put(key(index), Buffer.alloc(20_000, index)))
const count = (): Promise<number> =>
  kv.transact(async (tx) => (await tx.range({ start: key(0), end: Buffer.from('l'), limit: 100_000 })).length)

let stored = 0
const isReadOnly = (error: unknown): boolean => isAshlarError(error, 'read-only') && error.applied === 'no'
for (let refused = false; !refused; ) {
  try {
    await put(stored)
    stored++
  } catch (error) {
    assert.ok(isReadOnly(error), String(error))
    refused = true
  }
}
assert.ok(stored > 100, `only ${stored} fitted`)
assert.equal(await count(), stored)
const deletes = Math.floor(stored / 2)
for (let index = 0; index < deletes; index++) {
  await kv.transact(async (tx) => tx.del(key(index)), { freesRoom: true })
}
assert.equal(await count(), stored - deletes)
assert.equal(kv.room, 'none')
await assert.rejects(put(0), isReadOnly)
rmSync(filler)
await new Promise((resolve) => clock.after(1100, () => resolve(undefined)))
await put(0)
assert.equal(kv.room, 'plenty')
assert.equal(await count(), stored - deletes + 1)
await kv.close()
