import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { KVUnderTest } from '../../test/contract/kv-under-test.ts'
import { testTxnKV } from '../../test/contract/txn-kv.ts'
import { type AshlarError, isAshlarError } from '../base/errors.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { createNodeDisk } from '../env/node-disk.ts'
import { createNodeLog } from '../env/node-log.ts'
import { openSqliteKV, type SqliteKV, type SqliteKVOptions } from './sqlite-kv.ts'

const clock = createNodeClock()
const log = createNodeLog('silent')
const disk = createNodeDisk()

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'ashlar-kv-'))
  readonly file = join(this.path, 'metadata.db')
  readonly fatal: Error[] = [];

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true })
  }

  open(options: Partial<SqliteKVOptions> = {}): Promise<SqliteKV & AsyncDisposable> {
    const onFatal = (error: Error) => void this.fatal.push(error)
    return openSqliteKV({ path: this.file, clock, log, disk, reserveBytes: 0, onFatal, ...options }).then((kv) =>
      Object.assign(kv, { [Symbol.asyncDispose]: () => kv.close() }),
    )
  }
}

async function underTest(folder: Folder): Promise<KVUnderTest> {
  const kv = await folder.open()
  return {
    kv,
    crashAndReopen: () => {
      const copy = new Folder()
      for (const suffix of ['', '-wal']) copyFileSync(folder.file + suffix, copy.file + suffix)
      return underTest(copy)
    },
    [Symbol.asyncDispose]: async () => {
      await kv.close()
      assert.deepEqual(folder.fatal, [])
      folder[Symbol.dispose]()
    },
  }
}

testTxnKV('SQLite', () => underTest(new Folder()))

const code =
  (...codes: readonly AshlarError['code'][]) =>
  (error: unknown): error is AshlarError =>
    isAshlarError(error, ...codes)

const put = (kv: SqliteKV, key: string, value = 'v', freesRoom = false) =>
  kv.transact(async (tx) => tx.put(Buffer.from(key), Buffer.from(value)), { freesRoom })
const get = (kv: SqliteKV, key: string) => kv.transact(async (tx) => (await tx.get(Buffer.from(key)))?.toString())
const all = (kv: SqliteKV) =>
  kv.transact((tx) => tx.range({ start: Buffer.of(0), end: Buffer.from('~'), limit: 100_000 }))

test('transact() commits many transactions by one sync', async () => {
  using folder = new Folder()
  await using kv = await folder.open()
  await Promise.all(Array.from({ length: 200 }, (_, index) => put(kv, `k${index}`)))
  const { commits, batched } = kv.statistics
  assert.equal(batched, 200)
  // A batch ends after some milliseconds too, so a slow machine needs a few.
  assert.ok(commits <= 20, `${commits} syncs`)
  await put(kv, 'alone')
  assert.equal(kv.statistics.commits, commits + 1)
})

test('transact() does not sync for transactions that write nothing', async () => {
  using folder = new Folder()
  await using kv = await folder.open()
  await Promise.all([get(kv, 'a'), get(kv, 'b'), all(kv)])
  assert.equal(kv.statistics.commits, 0)
})

test('transact() answers a reader of an unsynced write only after the sync', async () => {
  using folder = new Folder()
  await using kv = await folder.open()
  const commitsSeen: number[] = []
  const note = () => commitsSeen.push(kv.statistics.commits)
  const before = get(kv, 'k').then(note)
  const write = put(kv, 'k')
  const reader = get(kv, 'k').then((value) => {
    note()
    assert.equal(value, 'v')
  })
  const refused = kv
    .transact(async (tx) => tx.insert(Buffer.from('k'), Buffer.of(1)))
    .catch((error) => {
      note()
      assert.ok(code('already-exists')(error))
    })
  await Promise.all([before, write, reader, refused])
  assert.deepEqual(commitsSeen, [0, 1, 1])
})

test('transact() gives up a body that awaits something else, and goes on with the others', async () => {
  using folder = new Folder()
  await using kv = await folder.open({ commitTimeoutMs: 30 })
  const never = kv.transact(async (tx) => {
    tx.put(Buffer.from('hung'), Buffer.of(1))
    await new Promise(() => undefined)
  })
  const after = put(kv, 'after')
  await assert.rejects(never, (error) => code('timeout')(error) && error.applied === 'no')
  await after
  assert.deepEqual(
    (await all(kv)).map(({ key }) => key.toString()),
    ['after'],
  )
  assert.deepEqual(folder.fatal, [])
})

test('transact() refuses with busy past the bound of its queue', async () => {
  using folder = new Folder()
  await using kv = await folder.open()
  const asked = Array.from({ length: 16_385 }, () => get(kv, 'k'))
  const results = await Promise.allSettled(asked)
  const refused = results.filter(({ status }) => status === 'rejected')
  assert.equal(refused.length, 1)
  assert.ok(code('busy')((refused[0] as PromiseRejectedResult).reason))
})

test('openSqliteKV() refuses a database that is open elsewhere, in this process and in another', async () => {
  using folder = new Folder()
  await using kv = await folder.open()
  await put(kv, 'k')
  await assert.rejects(folder.open(), code('in-use'))
})

test('openSqliteKV() keeps what was there, and its own settings', async () => {
  using folder = new Folder()
  {
    await using kv = await folder.open()
    await put(kv, 'k', 'kept')
  }
  await using kv = await folder.open()
  assert.equal(await get(kv, 'k'), 'kept')
})

// The worked example of docs/formats/metadata.md.
test('openSqliteKV() writes rows as their format says', async () => {
  using folder = new Folder()
  await (await folder.open()).close()
  const kv = await folder.open()
  await put(kv, 'k', 'v')
  await kv.close()
  using database = new DatabaseSync(folder.file)
  assert.deepEqual(
    { ...database.prepare('SELECT hex(k) AS k, hex(v) AS v, c FROM kv').get() },
    { k: '6B', v: '76', c: 2125886618 },
  )
  assert.equal(database.prepare('PRAGMA user_version').get()?.['user_version'], 1)
  assert.equal(database.prepare('PRAGMA application_id').get()?.['application_id'], 0x4173686c)
})

test('openSqliteKV() refuses a newer format, and a database of another program', async () => {
  using folder = new Folder()
  await (await folder.open()).close()
  const alter = (sql: string) => {
    using database = new DatabaseSync(folder.file)
    database.exec(sql)
  }
  alter('PRAGMA user_version = 2')
  await assert.rejects(folder.open(), code('version-unsupported'))
  alter('PRAGMA application_id = 7')
  await assert.rejects(folder.open(), code('bad-store'))
  await assert.rejects(folder.open({ path: join(folder.path, 'missing', 'metadata.db') }), code('bad-store'))
})

test('SIGKILL after acknowledged commits loses none, and frees the lock', async () => {
  using folder = new Folder()
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../test/contract/kv-writer.ts'), folder.file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const acknowledged: string[] = []
  let refused: Promise<void> | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line)
    refused ??= assert.rejects(folder.open(), code('in-use'))
    if (acknowledged.length === 500) child.kill('SIGKILL')
  }
  await refused
  assert.ok(acknowledged.length >= 500)
  await using kv = await folder.open()
  const stored = new Set((await all(kv)).map(({ key }) => key.toString()))
  assert.deepEqual(
    acknowledged.filter((key) => !stored.has(key)),
    [],
  )
})

test('a flipped byte in a key or a value is detected and the record named, by point and by range', async () => {
  using folder = new Folder()
  const keyOf = (index: number) => `key-${String(index).padStart(6, '0')}`
  {
    await using kv = await folder.open()
    await kv.transact(async (tx) => {
      for (let index = 0; index < 400; index++)
        tx.put(Buffer.from(keyOf(index)), Buffer.from(`value-${index}`.repeat(9)))
    })
  }
  const image = readFileSync(folder.file)
  for (const index of [0, 7, 57, 123, 200, 311, 399]) {
    for (const [text, offset] of [
      [keyOf(index), 2],
      [keyOf(index), 4],
      [keyOf(index), 9],
      [`value-${index}`.repeat(9), 20],
    ] as const) {
      const at = image.indexOf(text)
      assert.ok(at > 0)
      for (const bit of [0x01, 0x10, 0x80]) {
        const damaged = Buffer.from(image)
        damaged[at + offset] = (damaged[at + offset] as number) ^ bit
        writeFileSync(folder.file, damaged)
        await using kv = await folder.open()
        const named = (error: unknown) =>
          code('metadata-corrupt')(error) && /^[0-9a-f]+$/.test(String(error.details['key']))
        await assert.rejects(get(kv, keyOf(index)), named, `${text} + ${offset} ^ ${bit}`)
        await assert.rejects(all(kv), named)
        const next = { start: Buffer.from(keyOf(index)), end: Buffer.from(`${keyOf(index)}~`), limit: 2 }
        await assert.rejects(
          kv.transact((tx) => tx.range(next)),
          named,
        )
        await assert.rejects(
          kv.transact((tx) => tx.range({ ...next, reverse: true })),
          named,
        )
        // Where it reads as lying behind the end, all between it and the end would be missing.
        const around = { start: Buffer.from(keyOf(index - 3)), end: Buffer.from(keyOf(index + 3)), limit: 9 }
        for (const reverse of [false, true]) {
          await assert.rejects(
            kv.transact((tx) => tx.range({ ...around, reverse })),
            named,
          )
        }
        await assert.rejects(
          kv.transact(async (tx) => tx.insert(Buffer.from(keyOf(index)), Buffer.of(1))),
          named,
        )
      }
    }
  }
})

test('range() goes through more rows than are taken at once, past deletes that are not written yet', async () => {
  using folder = new Folder()
  await using kv = await folder.open()
  const keys = Array.from({ length: 900 }, (_, index) => `key-${String(index).padStart(4, '0')}`)
  await kv.transact(async (tx) => {
    for (const key of keys) tx.put(Buffer.from(key), Buffer.from(key))
  })
  await kv.transact(async (tx) => {
    for (const key of keys.slice(0, 600)) if (!key.endsWith('7')) tx.del(Buffer.from(key))
    const left = keys.filter((key, index) => index >= 600 || key.endsWith('7'))
    for (const limit of [1, 40, 256, 257, 330, 1000]) {
      const range = { start: Buffer.from('key-'), end: Buffer.from('key-~'), limit }
      const names = (pairs: readonly { key: Buffer }[]) => pairs.map(({ key }) => key.toString())
      assert.deepEqual(names(await tx.range(range)), left.slice(0, limit))
      assert.deepEqual(names(await tx.range({ ...range, reverse: true })), left.toReversed().slice(0, limit))
    }
  })
})

test('a file that is not a database, or is cut short, is metadata-corrupt', async () => {
  using folder = new Folder()
  {
    await using kv = await folder.open()
    await kv.transact(async (tx) => {
      for (let index = 0; index < 2000; index++) tx.put(Buffer.from(`key-${index}`), Buffer.alloc(200, index))
    })
  }
  const image = readFileSync(folder.file)
  writeFileSync(folder.file, image.subarray(0, 40_960))
  const cut = async () => {
    await using kv = await folder.open()
    await all(kv)
  }
  await assert.rejects(cut(), code('metadata-corrupt'))
  writeFileSync(folder.file, Buffer.alloc(8192, 0x55))
  await assert.rejects(folder.open(), code('metadata-corrupt'))
})

test('backup() makes a database of its own that holds what was committed', async () => {
  using folder = new Folder()
  using copy = new Folder()
  await using kv = await folder.open()
  await kv.transact(async (tx) => {
    for (let index = 0; index < 3000; index++) tx.put(Buffer.from(`k${index}`), Buffer.alloc(300, index))
  })
  const backup = kv.backup(copy.file)
  await put(kv, 'later')
  await backup
  await using restored = await copy.open()
  assert.ok((await all(restored)).length >= 3000)
  assert.equal((await all(kv)).length, 3001)
})

test('a checkpoint moves a long log into the database and keeps all', async () => {
  using folder = new Folder()
  await using kv = await folder.open({ unsafeNoSync: true })
  const rounds = 60
  for (let round = 0; round < rounds; round++) {
    await kv.transact(async (tx) => {
      for (let index = 0; index < 20; index++) tx.put(Buffer.from(`k${round}-${index}`), Buffer.alloc(100_000, round))
    })
  }
  const logBytes = statSync(`${folder.file}-wal`).size
  assert.ok(logBytes < 80e6, `the log has ${logBytes} bytes`)
  assert.equal((await all(kv)).length, rounds * 20)
})
