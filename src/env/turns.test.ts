import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runTurns } from './turns.ts'

test('runTurns() lets microtasks and next ticks run their course between two steps', async () => {
  const order: string[] = []
  let step = 0
  await runTurns(() => {
    const name = `step ${++step}`
    order.push(name)
    process.nextTick(() => order.push(`${name} tick`))
    Promise.resolve()
      .then(() => undefined)
      .then(() => order.push(`${name} promise`))
    return step < 200
  })
  assert.deepEqual(order.slice(0, 6), [
    ...['step 1', 'step 1 tick', 'step 1 promise'],
    ...['step 2', 'step 2 tick', 'step 2 promise'],
  ])
  assert.equal(step, 200)
})

test('runTurns() rejects with what a step throws, and takes no further step', async () => {
  let steps = 0
  const failing = runTurns(() => {
    if (++steps === 3) throw new Error('third')
    return true
  })
  await assert.rejects(failing, /third/)
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.equal(steps, 3)
})
