import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import { createNodeClock } from './node-clock.ts'
import { Limiter, sleep, throwIfCancelled, withTimeout } from './waiting.ts'

const clock = createNodeClock()
const cancelled = (error: unknown) => isAshlarError(error, 'cancelled') && error.applied === 'no'

test('sleep() rejects as soon as its signal aborts, also before it began', async () => {
  await assert.rejects(sleep(clock, 1e6, AbortSignal.abort()), cancelled)
  const controller = new AbortController()
  const sleeping = sleep(clock, 1e6, controller.signal)
  controller.abort(new Error('enough'))
  await assert.rejects(sleeping, (error) => cancelled(error) && /enough/.test(String((error as Error).cause)))
  await sleep(clock, 1, new AbortController().signal)
})

test('withTimeout() passes a result or an error on, and gives up on what does not settle', async () => {
  assert.equal(await withTimeout(clock, 1e6, 'count', Promise.resolve(7)), 7)
  await assert.rejects(withTimeout(clock, 1e6, 'count', Promise.reject(new Error('no'))), /^Error: no$/)
  await assert.rejects(
    withTimeout(clock, 1, 'count', new Promise(() => undefined)),
    (error) => isAshlarError(error, 'timeout') && error.message.startsWith('Cannot count:'),
  )
})

test('throwIfCancelled() throws only after the abort', () => {
  throwIfCancelled(undefined, 'go on')
  throwIfCancelled(new AbortController().signal, 'go on')
  assert.throws(() => throwIfCancelled(AbortSignal.abort(), 'go on'), cancelled)
})

test('Limiter lets so many units through, and the rest in order', async () => {
  const limiter = new Limiter({ name: 'slots', slots: 3, maxWaiting: 10 })
  const started: string[] = []
  await limiter.acquire(2)
  const waiting = (['big', 'small'] as const).map(async (name) => {
    await limiter.acquire(name === 'big' ? 2 : 1)
    started.push(name)
  })
  await settle()
  // One slot is free, and the small one must not overtake: else the big one may wait for ever.
  assert.deepEqual(started, [])
  limiter.release(2)
  await Promise.all(waiting)
  assert.deepEqual(started, ['big', 'small'])
  limiter.release(3)
  assert.throws(() => limiter.release())
})

test('Limiter refuses when too many wait, and forgets who gave up', async () => {
  const limiter = new Limiter({ name: 'slots', slots: 2, maxWaiting: 2 })
  await limiter.acquire(2)
  const controller = new AbortController()
  const big = limiter.acquire(2, controller.signal)
  const small = limiter.acquire(1)
  await assert.rejects(limiter.acquire(), (error) => isAshlarError(error, 'busy'))
  await assert.rejects(limiter.acquire(1, AbortSignal.abort()), (error) => isAshlarError(error, 'busy', 'cancelled'))
  limiter.release(1)
  await settle()
  assert.equal(limiter.waiting, 2)
  // The one behind it fits already.
  controller.abort()
  await assert.rejects(big, cancelled)
  await small
  assert.equal(limiter.waiting, 0)
})

test('Limiter.run() gives its slot back, whatever becomes of the work', async () => {
  const limiter = new Limiter({ name: 'slots', slots: 1, maxWaiting: 5 })
  await assert.rejects(
    limiter.run(() => Promise.reject(new Error('broken'))),
    /broken/,
  )
  let running = 0
  let most = 0
  const work = async () => {
    most = Math.max(most, ++running)
    await settle()
    running--
  }
  await Promise.all([1, 2, 3, 4].map(() => limiter.run(work)))
  assert.equal(most, 1)
})

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
