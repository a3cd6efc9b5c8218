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

test('BufferBudget.tryReadAhead() gives each reader its part', () => {
  const budget = new BufferBudget(16 * MiB, createNodeClock())
  budget.beginReading()
  assert.ok(budget.tryReadAhead(MiB) && budget.tryReadAhead(MiB, MiB))
  budget.beginReading()
  assert.equal(budget.tryReadAhead(MiB, 2 * MiB), false, 'the first has more than half')
  assert.ok(budget.tryReadAhead(MiB), 'and the second its own')
  for (let readers = 2; readers < 4; readers++) budget.beginReading()
  for (let pieces = 0; pieces < 3; pieces++) budget.endReadAhead(MiB)
  assert.equal(budget.tryReadAhead(MiB), false, 'a piece is more than the part of four')
})

test('BufferBudget.fairPieceBytes halves as readers come, down to a block, and grows as they go', () => {
  const budget = new BufferBudget(4 * MiB, createNodeClock())
  const sizes = new Map<number, number>()
  for (let readers = 1; readers <= 100; readers++) {
    budget.beginReading()
    sizes.set(readers, budget.fairPieceBytes)
    assert.ok(budget.fairPieceBytes * readers <= 4 * MiB || budget.fairPieceBytes === MiB / 16)
  }
  assert.deepEqual(
    [1, 4, 5, 8, 64, 100].map((readers) => sizes.get(readers)),
    [1, 1, 0.5, 0.5, 1 / 16, 1 / 16].map((part) => part * MiB),
  )
  for (let readers = 100; readers > 4; readers--) budget.endReading()
  assert.equal(budget.fairPieceBytes, MiB)
})
