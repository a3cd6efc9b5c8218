import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../env/seeded-random.ts'
import { Scheduler } from './scheduler.ts'

const newScheduler = (seed = 1) => new Scheduler(seededRandom(seed))

test('run() takes events in the order of their time, whatever the order of their making', async () => {
  const plans = fc.array(fc.record({ delayMs: fc.nat(50), isCancelled: fc.boolean() }), { maxLength: 300 })
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const scheduler = newScheduler()
      const ran: number[] = []
      const events = plan.map(({ delayMs }) =>
        scheduler.schedule(delayMs, 'timer', undefined, () => {
          assert.equal(scheduler.nowMs, delayMs)
          ran.push(delayMs)
        }),
      )
      for (const [index, event] of events.entries()) if (plan[index]?.isCancelled) scheduler.cancel(event)
      await scheduler.run(100)
      const expected = plan.filter(({ isCancelled }) => !isCancelled).map(({ delayMs }) => delayMs)
      assert.deepEqual(
        ran,
        expected.sort((a, b) => a - b),
      )
      assert.equal(scheduler.nowMs, 100)
    }),
    { numRuns: 50 },
  )
})

async function orderOf(seed: number): Promise<{ readonly order: string; readonly hash: string }> {
  const scheduler = newScheduler(seed)
  const order: string[] = []
  for (const name of 'abcdefgh') scheduler.schedule(5, 'timer', undefined, () => order.push(name))
  await scheduler.run(10)
  return { order: order.join(''), hash: scheduler.trace.hex }
}

test('events of one time run in an order that the seed draws', async () => {
  assert.deepEqual(await orderOf(3), await orderOf(3))
  const orders = new Set<string>()
  for (let seed = 1; seed <= 10; seed++) orders.add((await orderOf(seed)).order)
  assert.ok(orders.size > 5, `only ${orders.size} orders`)
})

test('trace.hex differs as soon as one event has another time, or kind', async () => {
  const hashOf = async (delayMs: number, kind: 'timer' | 'disk') => {
    const scheduler = newScheduler()
    scheduler.schedule(delayMs, kind, undefined, () => undefined)
    await scheduler.run(10)
    return scheduler.trace.hex
  }
  const hashes = [await hashOf(1, 'timer'), await hashOf(1 + 1e-9, 'timer'), await hashOf(1, 'disk')]
  assert.equal(new Set(hashes).size, 3)
  assert.match(hashes[0] as string, /^[0-9a-f]{16}$/)
})

test('run() stops at once when it is done, and goes on from there', async () => {
  const scheduler = newScheduler()
  let events = 0
  for (let at = 1; at <= 10; at++) scheduler.schedule(at, 'timer', undefined, () => events++)
  assert.equal(await scheduler.run(100, () => events === 4), true)
  assert.deepEqual([events, scheduler.nowMs], [4, 4])
  assert.equal(await scheduler.run(100, () => events === 99), false)
  assert.deepEqual([events, scheduler.nowMs], [10, 100])
})

test('run() rejects with what an event throws, and refuses to run twice at once', async () => {
  const scheduler = newScheduler()
  scheduler.schedule(1, 'timer', undefined, () => {
    throw new Error('it broke')
  })
  const running = scheduler.run(10)
  await assert.rejects(scheduler.run(10), /runs already/)
  await assert.rejects(running, /it broke/)
})
