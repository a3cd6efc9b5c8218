import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeClock } from './node-clock.ts'

const clock = createNodeClock()

test('after() never runs early by the monotonic clock', async () => {
  for (const delayMs of [0, 0.2, 1, 1.5, 3.7, 12.1]) {
    const startMs = clock.monotonicMs()
    await new Promise<void>((resolve) => clock.after(delayMs, resolve))
    assert.ok(clock.monotonicMs() >= startMs + delayMs)
  }
})

test('after() takes a delay longer than one timer of Node holds', async () => {
  let ran = false
  const timer = clock.after(40 * 24 * 3_600_000, () => {
    ran = true
  })
  await new Promise<void>((resolve) => clock.after(5, resolve))
  timer.cancel()
  assert.equal(ran, false)
})

test('Timer.cancel() is idempotent, and then nothing runs', async () => {
  let ran = false
  const timer = clock.after(1, () => {
    ran = true
  })
  timer.cancel()
  timer.cancel()
  await new Promise<void>((resolve) => clock.after(10, resolve))
  assert.equal(ran, false)
})

test('soon() runs in a later turn, after promises', async () => {
  const order: string[] = []
  await new Promise<void>((resolve) => {
    clock.soon(() => {
      order.push('soon')
      resolve()
    })
    void Promise.resolve().then(() => order.push('promise'))
    order.push('now')
  })
  assert.deepEqual(order, ['now', 'promise', 'soon'])
})
