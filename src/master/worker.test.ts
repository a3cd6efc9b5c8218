import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import { AshlarError } from '../base/errors.ts'
import type { Env } from '../env/env.ts'
import { inlineHashes } from '../env/hashes.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createMemoryNetwork } from '../env/memory-network.ts'
import { silentLog } from '../env/node-log.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { type StepResult, Worker } from './worker.ts'

function start(step: (signal: AbortSignal) => Promise<StepResult>, intervalMs = 1000) {
  const clock = new ManualClock()
  const env: Env = {
    clock,
    random: seededRandom(1),
    disk: createMemoryDisk({ clock }),
    network: createMemoryNetwork({ clock, log: silentLog }).at('host'),
    hashes: inlineHashes,
    log: silentLog,
    buggify: () => false,
  }
  const fatal: AshlarError[] = []
  const worker = new Worker({ name: 'test', env, intervalMs, step, onFatal: (error) => fatal.push(error) })
  worker.start()
  return { worker, clock, fatal }
}

test('Worker steps about every interval, and on while a step leaves more', async () => {
  const results: StepResult[] = ['more', 'more', 'idle', 'idle']
  let steps = 0
  const { worker, clock } = start(async () => {
    steps++
    return results.shift() ?? 'idle'
  })
  await clock.advance(700)
  assert.equal(steps, 0)
  await clock.advance(600)
  assert.equal(steps, 3)
  await clock.advance(1300)
  assert.equal(steps, 4)
  await worker.stop()
  await clock.advance(10_000)
  assert.equal(steps, 4)
})

test('Worker never overlaps steps; a wake during one brings exactly one more', async () => {
  let under = 0
  let most = 0
  let steps = 0
  let finish: () => void = () => assert.fail('no step is under way')
  const { worker, clock } = start(async () => {
    steps++
    most = Math.max(most, ++under)
    await new Promise<void>((resolve) => {
      finish = resolve
    })
    under--
    return 'idle'
  })
  worker.wake()
  await clock.advance(0)
  worker.wake()
  worker.wake()
  await clock.advance(5000)
  assert.equal(steps, 1)
  finish()
  await clock.advance(0)
  assert.equal(steps, 2)
  finish()
  await clock.advance(0)
  assert.equal(steps, 2)
  assert.equal(most, 1)
  await worker.stop()
})

test('Worker goes on after failures, later and later', async () => {
  let steps = 0
  const { worker, clock } = start(async () => {
    steps++
    throw new Error('not now')
  })
  await clock.advance(10_000)
  assert.ok(steps >= 3 && steps <= 5, `${steps} steps`)
  await clock.advance(200_000)
  assert.ok(steps >= 9 && steps <= 14, `${steps} steps`)
  await worker.stop()
})

test('Worker ends and tells when the leadership is lost', async () => {
  let steps = 0
  const { clock, fatal } = start(async () => {
    steps++
    throw new AshlarError('stale-leader', 'Cannot go on: another leads')
  })
  await clock.advance(60_000)
  assert.equal(steps, 1)
  assert.deepEqual(
    fatal.map(({ code }) => code),
    ['stale-leader'],
  )
})

test('Worker.stop() aborts the signal of the step under way and waits for its end', async () => {
  let ended = false
  const { worker, clock } = start(async (signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    ended = true
    return 'more'
  })
  worker.wake()
  await clock.advance(0)
  await worker.stop()
  assert.equal(ended, true)
})
