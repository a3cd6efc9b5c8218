import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Fifo, type FifoPlace } from './fifo.ts'

test('Fifo keeps the order of an array from which items are removed', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 60 }), (draws) => {
      const fifo = new Fifo<number>()
      const model: FifoPlace<number>[] = []
      for (const [step, draw] of draws.entries()) {
        const place = model[draw]
        if (place === undefined) model.push(fifo.push(step))
        else fifo.remove(model.splice(draw, 1)[0] as FifoPlace<number>)
        assert.deepEqual(
          [...fifo],
          model.map(({ item }) => item),
        )
        assert.equal(fifo.first, model[0])
        assert.equal(fifo.size, model.length)
      }
    }),
  )
})
