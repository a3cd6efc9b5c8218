import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AshlarError } from '../base/errors.ts'
import type { Clock } from '../env/clock.ts'
import { AllSourcesFailed, Hedger } from './hedge.ts'

/** Timers fire when the test says so. */
function handClock(): { readonly clock: Clock; fire(): void; readonly pending: number } {
  const timers = new Set<() => void>()
  return {
    clock: {
      monotonicMs: () => 0,
      wallMs: () => 0,
      soon: queueMicrotask,
      after: (_delayMs, callback) => {
        timers.add(callback)
        return { cancel: () => timers.delete(callback) }
      },
    },
    fire() {
      for (const callback of [...timers]) {
        timers.delete(callback)
        callback()
      }
    },
    get pending() {
      return timers.size
    },
  }
}

const hedgeAfterMs = () => 50

test('Hedger.first() asks only the best source while that answers in time', async () => {
  const { clock, ...hand } = handClock()
  const asked: string[] = []
  const ask = async (source: string) => {
    asked.push(source)
    return source
  }
  assert.equal(await new Hedger(clock).first(['a', 'b'], { ask, hedgeAfterMs }), 'a')
  assert.deepEqual(asked, ['a'])
  hand.fire()
  assert.deepEqual(asked, ['a'])
})

test('Hedger.first() asks the next source when the first is late, and takes whichever answers first', async () => {
  const hand = handClock()
  const late = Promise.withResolvers<string>()
  const result = new Hedger(hand.clock).first(['slow', 'fast'], {
    ask: (source) => (source === 'slow' ? late.promise : Promise.resolve('from fast')),
    hedgeAfterMs,
  })
  hand.fire()
  assert.equal(await result, 'from fast')
  late.reject(new AshlarError('timeout', 'too late to matter'))
  await late.promise.catch(() => undefined)
})

test('Hedger.first() goes to the next source at once when one fails, and tells of all when all failed', async () => {
  const { clock } = handClock()
  const ask = async (source: string) => {
    if (source !== 'good') throw new AshlarError('chunk-missing', source)
    return source
  }
  assert.equal(await new Hedger(clock).first(['x', 'y', 'good'], { ask, hedgeAfterMs }), 'good')
  await assert.rejects(new Hedger(clock).first(['x', 'y'], { ask, hedgeAfterMs }), (failed) => {
    assert.ok(failed instanceof AllSourcesFailed)
    assert.deepEqual(
      failed.failures.map(({ source }) => source),
      ['x', 'y'],
    )
    return true
  })
})

test('Hedger.first() hedges a tenth of the requests at most, once its savings are spent', async () => {
  const hand = handClock()
  const hedger = new Hedger(hand.clock)
  let hedges = 0
  for (let request = 0; request < 100; request++) {
    const first = Promise.withResolvers<void>()
    const result = hedger.first(['slow', 'other'], {
      ask: async (source) => {
        if (source === 'other') hedges++
        await (source === 'slow' ? first.promise : undefined)
      },
      hedgeAfterMs,
    })
    hand.fire()
    first.resolve()
    await result
  }
  assert.ok(hedges <= 20, `${hedges} hedges`)
  assert.ok(hedges >= 10, `${hedges} hedges`)
})

test('Hedger.first() tells of each late source, also when no more hedges are allowed', async () => {
  const hand = handClock()
  const hedger = new Hedger(hand.clock)
  const lateSources: string[] = []
  const results: Promise<string>[] = []
  const slow = Promise.withResolvers<string>()
  let hedges = 0
  for (let count = 0; count < 15; count++) {
    const ask = async (source: string) => {
      if (source === 'fast') hedges++
      return source === 'slow' ? await slow.promise : source
    }
    const onLate = (source: string) => lateSources.push(source)
    results.push(hedger.first(['slow', 'fast'], { ask, hedgeAfterMs, onLate }))
  }
  hand.fire()
  slow.resolve('slow')
  await Promise.all(results)
  assert.equal(lateSources.length, 15)
  assert.equal(hedges, 10)
})
