import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Fifo } from './fifo.ts'

test('Fifo gives back what it took, in order, like an array', () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat({ max: 3000 }) }),
    fc.record({ shift: fc.nat({ max: 3000 }) }),
    fc.record({ unshift: fc.nat({ max: 5 }) }),
  )
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const fifo = new Fifo<number>()
      const model: number[] = []
      let next = 0
      for (const { push = 0, shift = 0, unshift = 0 } of steps as {
        push?: number
        shift?: number
        unshift?: number
      }[]) {
        for (let count = 0; count < push; count++) {
          fifo.push(next)
          model.push(next++)
        }
        for (let count = 0; count < shift; count++) assert.equal(fifo.shift(), model.shift())
        const back = Array.from({ length: unshift }, () => next++)
        if (unshift > 0) fifo.unshift(back)
        model.unshift(...back)
        assert.equal(fifo.length, model.length)
      }
    }),
    { numRuns: 50 },
  )
})

// A queue that is never quite empty must not grow for ever.
test('shift() keeps the array short under a steady load', () => {
  const fifo = new Fifo<number>()
  for (let index = 0; index < 100; index++) fifo.push(index)
  for (let index = 0; index < 100_000; index++) {
    fifo.push(index)
    fifo.shift()
  }
  assert.equal(fifo.length, 100)
  assert.ok(fifo.slots < 3000, `${fifo.slots} slots`)
})
