import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { BufferBudget } from './buffer-budget.ts'

const MiB = 1024 * 1024

test('BufferBudget makes writers wait in order, and tells all of them of the pressure', async () => {
  const budget = new BufferBudget(4 * MiB, createNodeClock())
  const pressed = Promise.withResolvers<void>()
  const end = budget.onPressure(pressed.resolve)
  const held = [await budget.takeBlock(MiB), await budget.takeBlock(MiB)]
  const order: number[] = []
  const waiting = [1, 2].map((turn) =>
    budget.takeBlock(MiB).then((block) => {
      order.push(turn)
      held.push(block)
    }),
  )
  await pressed.promise
  assert.equal(budget.tryTakeBlock(1), undefined, 'nobody overtakes those who wait')
  budget.giveBlock(held[0] as Buffer, { isClean: true })
  await waiting[0]
  assert.deepEqual(order, [1])
  budget.giveBlock(held[1] as Buffer, { isClean: true })
  await waiting[1]
  assert.deepEqual(order, [1, 2])
  end()
})

test('BufferBudget uses a block again only when it came back clean', async () => {
  const budget = new BufferBudget(4 * MiB, createNodeClock())
  const kept = await budget.takeBlock(MiB)
  const first = await budget.takeBlock(MiB)
  budget.giveBlock(first, { isClean: false })
  const second = await budget.takeBlock(MiB)
  assert.notEqual(second, first)
  budget.giveBlock(second, { isClean: true })
  assert.equal(await budget.takeBlock(MiB), second)
  assert.notEqual(kept, second)
})

test('BufferBudget.takeBlock() stops waiting when it is cancelled, without taking memory', async () => {
  const budget = new BufferBudget(4 * MiB, createNodeClock())
  const held = [await budget.takeBlock(MiB), await budget.takeBlock(MiB)]
  const stop = new AbortController()
  const waiting = budget.takeBlock(MiB, stop.signal)
  stop.abort()
  await assert.rejects(waiting, (error) => isAshlarError(error, 'cancelled'))
  for (const block of held) budget.giveBlock(block, { isClean: true })
  assert.equal(budget.bytesOut, 0)
})

test('BufferBudget.tryReadAhead() never takes more than its share', () => {
  const budget = new BufferBudget(16 * MiB, createNodeClock())
  let taken = 0
  while (budget.tryReadAhead(MiB)) taken++
  assert.equal(taken, 3)
  budget.endReadAhead(MiB)
  assert.ok(budget.tryReadAhead(MiB))
})
