/**
 * Durable file creations a second on the embedded engine: transactions of 2 reads and 3 writes with keys of about 60 bytes
 * and values of 60 to 250, as the namespace makes them: an entry, a chunk row, and the allocation read and counted down.
 *
 * Run: `node bench/kv.ts [preloaded files, 0] [files per run, 40000] [folder on the disk to measure]`
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNodeClock } from '../src/env/node-clock.ts'
import { createNodeDisk } from '../src/env/node-disk.ts'
import { createNodeLog } from '../src/env/node-log.ts'
import { openSqliteKV, type SqliteKV } from '../src/kv/sqlite-kv.ts'

const [preloaded = 0, files = 40_000] = process.argv.slice(2, 4).map(Number)
const folder = mkdtempSync(join(process.argv[4] ?? tmpdir(), 'ashlar-bench-kv-'))
const directories = 100
const groups = 96
const filesPerDirectory = 5000
const filesPerAllocation = 1024
const entry = Buffer.alloc(250, 0x2a)
const chunkRow = Buffer.alloc(60, 0x2b)
const allocationRow = Buffer.alloc(100, 0x2c)

let next = 0

/** `in order`: names and chunk ids rise, as when a tree is copied. `spread`: each create touches pages of its own. */
type Pattern = 'in order' | 'spread'

async function create(kv: SqliteKV, pattern: Pattern): Promise<void> {
  const file = next++
  const spread = pattern === 'spread'
  const directory = spread ? file % directories : Math.floor(file / filesPerDirectory)
  const group = spread ? file % groups : Math.floor(file / filesPerAllocation) % groups
  const name = (spread ? Math.imul(file, 0x9e3779b1) >>> 0 : file).toString(16).padStart(8, '0')
  const entryKey = Buffer.from(`D${String(directory).padStart(12, '0')}part-${name}-of-a-data-set-with-names.parquet`)
  const chunkKey = Buffer.from(`C${String(group).padStart(8, '0')}${String(file).padStart(24, '0')}`)
  const allocationKey = Buffer.from(`A${String(group).padStart(8, '0')}-client-session-and-range`)
  await kv.transact(async (tx) => {
    const [existing] = await tx.getMany([entryKey, allocationKey])
    if (existing !== undefined) throw new Error('the name is taken')
    tx.put(entryKey, entry)
    tx.put(chunkKey, chunkRow)
    tx.put(allocationKey, allocationRow)
  })
}

/** @returns a second */
async function measure(
  kv: SqliteKV,
  count: number,
  options: { readonly inFlight: number; readonly pattern: Pattern },
): Promise<number> {
  let left = count
  const worker = async () => {
    while (left-- > 0) await create(kv, options.pattern)
  }
  const startedMs = performance.now()
  await Promise.all(Array.from({ length: options.inFlight }, worker))
  return (1000 * count) / (performance.now() - startedMs)
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`

const kv = await openSqliteKV({
  path: join(folder, 'metadata.db'),
  clock: createNodeClock(),
  disk: createNodeDisk(),
  reserveBytes: 0,
  log: createNodeLog('info'),
  onFatal: (error) => {
    throw error
  },
})
try {
  if (preloaded > 0) await measure(kv, preloaded, { inFlight: 256, pattern: 'spread' })
  for (const pattern of ['in order', 'spread'] as const) {
    for (const inFlight of [1, 16, 64, 256]) {
      const commits = kv.statistics.commits
      const count = inFlight === 1 ? files / 10 : files
      const rate = await measure(kv, count, { inFlight, pattern })
      const perCommit = (count / (kv.statistics.commits - commits)).toFixed(1)
      const resident = megabytes(process.memoryUsage().rss)
      console.log(
        `${pattern}, ${inFlight} in flight: ${Math.round(rate)} creates/s, ${perCommit} a commit, ${resident} resident`,
      )
    }
  }
  console.log(`${Math.round((await kv.usedBytes()) / next)} bytes a file, ${next} files`)
} finally {
  await kv.close()
  rmSync(folder, { recursive: true })
}
