import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../env/clock.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { createNodeDisk } from '../env/node-disk.ts'
import { createNodeLog } from '../env/node-log.ts'
import { BatchEngine } from './batch-engine.ts'
import { DiskReserve } from './disk-reserve.ts'
import { type CommitFailure, SqliteTable, type WrittenRow } from './sqlite-table.ts'
import type { TransactOptions } from './txn-kv.ts'
import type { WriteSet } from './write-set.ts'

/** A table whose commits fail as told, before anything is written. */
class FailingTable extends SqliteTable {
  fault: ((batch: WriteSet) => CommitFailure | undefined) | undefined
  checkpointFault: CommitFailure | undefined
  commits = 0
  checkpoints = 0

  override commit(batch: WriteSet): readonly WrittenRow[] | CommitFailure {
    this.commits++
    return this.fault?.(batch) ?? super.commit(batch)
  }

  override checkpoint(): CommitFailure | undefined {
    this.checkpoints++
    return this.checkpointFault ?? super.checkpoint()
  }

  override checkpointIfLong(): CommitFailure | undefined {
    return this.checkpointFault
  }
}

const cause = new AshlarError('disk-failed', 'Cannot write: as told')
const full: CommitFailure = { outcome: 'clean', full: true, error: cause }
const lost: CommitFailure = { outcome: 'unknown', full: false, error: cause }
const refused: CommitFailure = { outcome: 'clean', full: false, error: new AshlarError('metadata-corrupt', 'as told') }

class Rig {
  readonly folder = mkdtempSync(join(tmpdir(), 'ashlar-batch-'))
  readonly table = new FailingTable({ path: join(this.folder, 'db'), cacheBytes: 1e6, unsafeNoSync: true })
  readonly reserve = new DiskReserve({ disk: createNodeDisk(), path: join(this.folder, 'reserve'), sizeBytes: 10_000 })
  readonly fatal: Error[] = []
  syncs = 0
  /** What the next syncs wait for. */
  gate: Promise<void> = Promise.resolve()
  /** Added to the real clock. */
  aheadMs = 0
  readonly engine: BatchEngine

  constructor({ commitTimeoutMs = 1000 } = {}) {
    const real = createNodeClock()
    const clock: Clock = { ...real, monotonicMs: () => real.monotonicMs() + this.aheadMs }
    this.engine = new BatchEngine({
      table: this.table,
      sync: () => {
        this.syncs++
        return this.gate
      },
      reserve: this.reserve,
      reserved: true,
      clock,
      log: createNodeLog('silent'),
      onFatal: (error) => void this.fatal.push(error),
      commitTimeoutMs,
    })
  }

  put(key: string, options: TransactOptions = {}): Promise<unknown> {
    return this.engine.transact(async (tx) => tx.put(Buffer.from(key), Buffer.from('v')), options)
  }

  async keys(): Promise<string> {
    const range = { start: Buffer.of(0), end: Buffer.of(0xff), limit: 100 }
    return (await this.engine.transact(
      async (tx) => (await tx.range(range)).map(({ key }) => key.toString()).join(),
      {},
    )) as string
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.close()
    this.table.close()
    rmSync(this.folder, { recursive: true })
  }
}

const code =
  (...codes: readonly AshlarError['code'][]) =>
  (error: unknown): error is AshlarError =>
    isAshlarError(error, ...codes)

test('a full disk refuses writes, and lets reads and what frees room go on', async () => {
  await using rig = new Rig()
  await rig.reserve.fill()
  await rig.put('a')
  rig.table.fault = () => (rig.reserve.held ? full : undefined)
  const together = [rig.put('b'), rig.keys(), rig.put('free', { freesRoom: true })] as const
  const [write, read, free] = await Promise.allSettled(together)
  assert.ok(write.status === 'rejected' && code('read-only')(write.reason) && write.reason.applied === 'no')
  assert.deepEqual(read, { status: 'fulfilled', value: 'a' })
  assert.equal(free.status, 'fulfilled')
  assert.equal(rig.engine.room, 'none')
  assert.equal(rig.reserve.held, false)
  await assert.rejects(rig.put('c'), code('read-only'))
  await rig.put('free2', { freesRoom: true })
  assert.equal(await rig.keys(), 'a,free,free2')
  assert.deepEqual(rig.fatal, [])
})

// The reserve is room for the database; the log finds its own room only once it was moved there.
test('what frees room is written after a checkpoint when the disk is too full for a longer log', async () => {
  await using rig = new Rig()
  rig.table.fault = () => (rig.table.checkpoints > 0 ? undefined : full)
  await rig.put('free', { freesRoom: true })
  assert.equal(await rig.keys(), 'free')
  assert.equal(rig.engine.room, 'none')
})

test('a disk too full even for what frees room refuses that too, and stays readable', async () => {
  await using rig = new Rig()
  await rig.put('a')
  rig.table.fault = () => full
  await assert.rejects(rig.put('free', { freesRoom: true }), code('read-only'))
  assert.equal(await rig.keys(), 'a')
})

test('a full disk that has room again takes writes again, asked at most once a second', async () => {
  await using rig = new Rig()
  await rig.reserve.fill()
  rig.table.fault = () => full
  await assert.rejects(rig.put('a'), code('read-only'))
  const commitsBefore = rig.table.commits
  rig.table.fault = undefined
  await assert.rejects(rig.put('b'), code('read-only'))
  assert.equal(rig.table.commits, commitsBefore)
  rig.aheadMs += 1001
  await rig.put('c')
  assert.equal(rig.engine.room, 'plenty')
  assert.equal(rig.reserve.held, true)
  assert.equal(await rig.keys(), 'c')
})

test('a trial that finds no room leaves the engine as it was', async () => {
  await using rig = new Rig()
  rig.table.fault = () => full
  await assert.rejects(rig.put('a'), code('read-only'))
  rig.aheadMs += 1001
  await assert.rejects(rig.put('b'), code('read-only'))
  assert.equal(rig.engine.room, 'none')
})

test('a checkpoint without room makes the store full, one that failed ends it', async () => {
  await using rig = new Rig()
  rig.table.checkpointFault = full
  await rig.put('a')
  assert.equal(rig.engine.room, 'none')
  rig.table.checkpointFault = lost
  await rig.put('b', { freesRoom: true })
  assert.equal(rig.engine.life, 'dead')
  assert.equal(rig.fatal.length, 1)
})

test('an unknown commit ends the engine: its batch is unknown, the rest unapplied, nothing is tried again', async () => {
  await using rig = new Rig()
  await rig.put('a')
  rig.table.fault = () => lost
  const commitsBefore = rig.table.commits
  const writes = Array.from({ length: limits.transactionsPerBatch + 5 }, (_, index) => rig.put(`k${index}`))
  const results = await Promise.allSettled(writes)
  const codes = results.map((result) =>
    result.status === 'rejected' ? (result.reason as AshlarError).code : 'fulfilled',
  )
  assert.ok(codes.includes('commit-unknown') && codes.includes('disk-failed'))
  assert.ok(codes.lastIndexOf('commit-unknown') < codes.indexOf('disk-failed'))
  assert.ok(!codes.includes('fulfilled'))
  assert.equal(rig.table.commits, commitsBefore + 1)
  assert.deepEqual(rig.fatal, [cause])
  rig.table.fault = undefined
  await assert.rejects(rig.put('later'), code('disk-failed'))
  assert.equal(rig.fatal.length, 1)
})

test('an overdue commit ends the engine, though it succeeded', async () => {
  await using rig = new Rig()
  rig.table.fault = () => {
    rig.aheadMs += 1001
    return undefined
  }
  await assert.rejects(rig.put('a'), code('commit-unknown'))
  assert.equal(rig.fatal.length, 1)
  assert.equal(rig.engine.life, 'dead')
})

test('a transaction that cannot be written is refused alone, and the others of its batch are written', async () => {
  await using rig = new Rig()
  rig.table.fault = (batch) => ([...batch.writes()].some(([text]) => text === 'bad') ? refused : undefined)
  const [a, bad, b] = await Promise.allSettled([rig.put('a'), rig.put('bad'), rig.put('b')])
  assert.equal(a.status, 'fulfilled')
  assert.ok(bad.status === 'rejected' && code('metadata-corrupt')(bad.reason))
  assert.equal(b.status, 'fulfilled')
  assert.equal(await rig.keys(), 'a,b')
})

test('a batch that has run is not taken back by a signal', async () => {
  await using rig = new Rig()
  const controller = new AbortController()
  const write = rig.put('a', { signal: controller.signal })
  const later = rig.engine.transact(async () => controller.abort(), {})
  await Promise.all([write, later])
  assert.equal(await rig.keys(), 'a')
})

/** Enough for everything that can go on without the sync. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

test('while a batch is synced the next one collects, reads what was written, and is written when that is durable', async () => {
  await using rig = new Rig()
  const gate = Promise.withResolvers<void>()
  rig.gate = gate.promise
  const settled: string[] = []
  const note = (name: string) => () => void settled.push(name)
  const first = rig.put('a').then(note('first'))
  await turns()
  assert.deepEqual([rig.table.commits, rig.syncs], [1, 1])
  const reader = rig.keys().then((keys) => void settled.push(`reader of ${keys}`))
  const second = rig.put('b').then(note('second'))
  const late = rig.keys().then((keys) => void settled.push(`reader of ${keys}`))
  await turns()
  assert.deepEqual(settled, [], 'nobody hears of what is not durable')
  assert.deepEqual([rig.table.commits, rig.syncs], [1, 1], 'one batch at a time')
  rig.gate = Promise.resolve()
  gate.resolve()
  await Promise.all([first, reader, second, late])
  assert.deepEqual(settled, ['first', 'reader of a', 'second', 'reader of a,b'])
  assert.deepEqual([rig.table.commits, rig.syncs], [2, 2])
})

test('a reader waits for the disk only if it saw a row that is not durable', async () => {
  await using rig = new Rig()
  await rig.put('old')
  const gate = Promise.withResolvers<void>()
  rig.gate = gate.promise
  const get = (name: string) =>
    rig.engine.transact(async (tx) => `${name}: ${await tx.get(Buffer.from(name))}`, {}) as Promise<string>
  const range = (start: string, end: string) =>
    rig.engine.transact(
      async (tx) => (await tx.range({ start: Buffer.from(start), end: Buffer.from(end), limit: 9 })).length,
      {},
    )
  const writes = [rig.put('synced')]
  await turns()
  writes.push(rig.put('waiting'))
  assert.equal(await get('old'), 'old: v')
  assert.equal(await get('absent'), 'absent: undefined')
  assert.equal(await range('a', 'p'), 1)
  await assert.rejects(
    rig.engine.transact(async (tx) => tx.insert(Buffer.from('old'), Buffer.of(1)), {}),
    code('already-exists'),
  )
  let settled = 0
  const readers = [get('synced'), get('waiting'), range('a', 'z'), range('w', 'x')].map((reader) =>
    reader.finally(() => settled++),
  )
  await turns()
  assert.equal(settled, 0)
  rig.gate = Promise.resolve()
  gate.resolve()
  assert.deepEqual(await Promise.all(readers), ['synced: v', 'waiting: v', 3, 1])
  await Promise.all(writes)
})

// Else nobody would ever settle it.
test('a reader whose rows became durable while it ran settles at once', async () => {
  await using rig = new Rig()
  const gate = Promise.withResolvers<void>()
  rig.gate = gate.promise
  const write = rig.put('a')
  await turns()
  const reader = rig.engine.transact(async (tx) => {
    const before = await tx.get(Buffer.from('a'))
    gate.resolve()
    await write
    return before?.toString()
  }, {})
  assert.equal(await reader, 'v')
})

test('what collects while a batch is synced is bounded like any batch', async () => {
  await using rig = new Rig()
  const gate = Promise.withResolvers<void>()
  rig.gate = gate.promise
  let ran = 0
  const write = (name: string) =>
    rig.engine.transact(async (tx) => {
      ran++
      tx.put(Buffer.from(name), Buffer.of(1))
    }, {})
  const first = write('a')
  await turns()
  const writes = Array.from({ length: limits.transactionsPerBatch + 5 }, (_, index) => write(`k${index}`))
  await turns()
  assert.equal(ran, 1 + limits.transactionsPerBatch)
  rig.gate = Promise.resolve()
  gate.resolve()
  await Promise.all([first, ...writes])
  assert.equal(ran, 6 + limits.transactionsPerBatch)
})

test('a sync that fails ends the engine: whoever saw its batch cannot tell, and no sync is tried again', async () => {
  await using rig = new Rig()
  const gate = Promise.withResolvers<void>()
  rig.gate = gate.promise
  const write = rig.put('a')
  await turns()
  const others = [rig.keys(), rig.put('b')]
  await turns()
  gate.reject(cause)
  for (const unknown of [write, ...others]) await assert.rejects(unknown, code('commit-unknown'))
  await assert.rejects(rig.put('later'), code('disk-failed'))
  assert.deepEqual([rig.engine.life, rig.syncs, rig.table.commits], ['dead', 1, 1])
  assert.deepEqual(rig.fatal, [cause])
})

test('a sync that never ends is overdue after the time of a commit', async () => {
  await using rig = new Rig({ commitTimeoutMs: 20 })
  rig.gate = new Promise(() => undefined)
  await assert.rejects(rig.put('a'), code('commit-unknown'))
  assert.equal(rig.engine.life, 'dead')
})

test('close() waits for the sync under way', async () => {
  await using rig = new Rig()
  const gate = Promise.withResolvers<void>()
  rig.gate = gate.promise
  const write = rig.put('a')
  await turns()
  let isClosed = false
  const closing = rig.engine.close().then(() => {
    isClosed = true
  })
  await turns()
  assert.equal(isClosed, false)
  gate.resolve()
  await Promise.all([write, closing])
  assert.equal(rig.engine.life, 'closed')
})

// Else nobody would hear of it, and the queue would stand still.
test('what fails behind a durable batch ends the engine', async () => {
  await using rig = new Rig()
  rig.table.checkpointIfLong = () => {
    throw new RangeError('as told')
  }
  await rig.put('a')
  await turns()
  assert.equal(rig.engine.life, 'dead')
  assert.equal(rig.fatal.length, 1)
  await assert.rejects(rig.put('b'), code('disk-failed'))
})
