/** What the embedded engine does when the real disk beneath it fails or is full. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { createNodeClock } from '../env/node-clock.ts'
import { createNodeDisk } from '../env/node-disk.ts'
import { createNodeLog } from '../env/node-log.ts'
import { openSqliteKV } from './sqlite-kv.ts'

const contract = join(import.meta.dirname, '../../test/contract')

function inFolder(run: (folder: string) => Promise<void> | void): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ashlar-kv-disk-'))
    try {
      await run(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

const mountsAllowed = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

test(
  'a full disk takes deletes, keeps all it acknowledged, and takes writes again when it has room',
  { skip: mountsAllowed ? false : 'needs a mount namespace' },
  inFolder((folder) => {
    mkdirSync(join(folder, 'small'))
    const script = 'mount -t tmpfs -o size=40m none "$1/small" && exec "$2" "$3" "$1/small"'
    const argv = ['-rm', 'sh', '-c', script, 'sh', folder, process.execPath, join(contract, 'kv-full-disk.ts')]
    const child = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 60_000 })
    assert.equal(child.status, 0, child.stderr)
  }),
)

test(
  'a write that the disk refuses ends the engine at once, and loses nothing that was acknowledged',
  inFolder(async (folder) => {
    const path = join(folder, 'metadata.db')
    // Past the limit the kernel answers EFBIG, which is no lack of room: SQLite reports an I/O error.
    const script = `trap '' XFSZ; ulimit -f 2000; exec "$1" "$2" "$3"`
    const argv = ['-c', script, 'sh', process.execPath, join(contract, 'kv-writer.ts'), path]
    const child = spawnSync('sh', argv, { encoding: 'utf8', timeout: 60_000, maxBuffer: 64e6 })
    assert.notEqual(child.status, 0)
    assert.match(child.stderr, /disk I\/O error/)
    const acknowledged = child.stdout.trim().split('\n')
    assert.ok(acknowledged.length > 10)
    const kv = await openSqliteKV({
      path,
      clock: createNodeClock(),
      disk: createNodeDisk(),
      reserveBytes: 0,
      log: createNodeLog('silent'),
      onFatal: (error) => assert.fail(error),
    })
    const range = { start: Buffer.from('key'), end: Buffer.from('l'), limit: 1_000_000 }
    const stored = new Set(await kv.transact(async (tx) => (await tx.range(range)).map(({ key }) => key.toString())))
    await kv.close()
    assert.deepEqual(
      acknowledged.filter((key) => !stored.has(key)),
      [],
    )
  }),
)
