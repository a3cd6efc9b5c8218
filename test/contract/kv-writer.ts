/**
 * Writes to a database until it is killed, and prints each key once its transaction was acknowledged.
 * @module
 */
import { writeSync } from 'node:fs'
import { createNodeClock } from '../../src/env/node-clock.ts'
import { createNodeDisk } from '../../src/env/node-disk.ts'
import { createNodeLog } from '../../src/env/node-log.ts'
import { openSqliteKV } from '../../src/kv/sqlite-kv.ts'

const [path = ''] = process.argv.slice(2)
const kv = await openSqliteKV({
  path,
  clock: createNodeClock(),
  disk: createNodeDisk(),
  reserveBytes: 0,
  log: createNodeLog('silent'),
  onFatal: (error) => {
    throw error
  },
})

async function write(writer: number): Promise<void> {
  // Bounded, so that a parent that went away does not leave it running for ever.
  for (let index = 0; index < 100_000; index++) {
    const key = `key-${writer}-${index}`
    await kv.transact(async (tx) => tx.put(Buffer.from(key), Buffer.alloc(100, index)))
    writeSync(1, `${key}\n`)
  }
}

await Promise.all(Array.from({ length: 16 }, (_, writer) => write(writer)))
