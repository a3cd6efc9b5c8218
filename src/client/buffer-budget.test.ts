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
  await budget.takeRoom(2 * MiB)
  const order: number[] = []
  const waiting = [1, 2].map((turn) => budget.takeRoom(MiB).then(() => order.push(turn)))
  await pressed.promise
  assert.equal(budget.tryTakeRoom(1), false, 'nobody overtakes those who wait')
  budget.giveRoom(MiB)
  await waiting[0]
  assert.deepEqual(order, [1])
  budget.giveRoom(MiB)
  await waiting[1]
  assert.deepEqual(order, [1, 2])
  end()
})

test('BufferBudget gives room for a chunk as a whole', async () => {
  const budget = new BufferBudget(8 * MiB, createNodeClock())
  await budget.takeRoom(4 * MiB)
  let isGiven = false
  const waiting = budget.takeRoom(3 * MiB).then(() => {
    isGiven = true
  })
  const cancel = new AbortController()
  const later = budget.takeRoom(MiB)
  const cancelled = budget.takeRoom(MiB, cancel.signal)
  cancel.abort()
  await assert.rejects(cancelled, (error) => isAshlarError(error, 'cancelled'))
  budget.giveRoom(MiB)
  await Promise.resolve()
  assert.equal(isGiven, false, 'two blocks are free, and three are wanted')
  budget.giveRoom(MiB)
  await waiting
  budget.giveRoom(2 * MiB)
  await later
  assert.equal(budget.bytesOut, 4 * MiB)
})

test('BufferBudget serves who is next when the first one gives up waiting', async () => {
  const budget = new BufferBudget(8 * MiB, createNodeClock())
  await budget.takeRoom(3 * MiB)
  const stop = new AbortController()
  const large = budget.takeRoom(4 * MiB, stop.signal)
  const small = budget.takeRoom(MiB)
  stop.abort()
  await assert.rejects(large, (error) => isAshlarError(error, 'cancelled'))
  await small
  assert.equal(budget.bytesOut, 4 * MiB)
})

test('BufferBudget.fairChunkBytes leaves room for two chunks of each writer, in whole blocks', () => {
  const budget = new BufferBudget(64 * MiB, createNodeClock())
  const sizes = [budget.fairChunkBytes]
  for (let writers = 1; writers <= 100; writers++) {
    budget.onPressure(() => undefined)
    sizes.push(budget.fairChunkBytes)
  }
  assert.deepEqual(
    [0, 1, 2, 3, 4, 8, 20, 100].map((writers) => sizes[writers]),
    [20, 20, 10, 6, 5, 2, 1, 1].map((blocks) => blocks * MiB),
  )
})

test('BufferBudget uses a block again only when it came back clean', async () => {
  const budget = new BufferBudget(4 * MiB, createNodeClock())
  await budget.takeRoom(2 * MiB)
  const [kept, first] = [budget.block(MiB), budget.block(MiB)]
  budget.giveBlock(first, { isClean: false })
  await budget.takeRoom(MiB)
  const second = budget.block(MiB)
  assert.notEqual(second, first)
  budget.giveBlock(second, { isClean: true })
  await budget.takeRoom(MiB)
  assert.equal(budget.block(MiB), second)
  assert.notEqual(kept, second)
})

// Or small files, written while a large one goes on, would take as much again as its blocks did.
test('BufferBudget keeps no more blocks beside smaller ones than there is room for', async () => {
  const budget = new BufferBudget(8 * MiB, createNodeClock())
  await budget.takeRoom(5 * MiB)
  const blocks = Array.from({ length: 5 }, () => budget.block(MiB))
  for (const block of blocks.slice(1)) budget.giveBlock(block, { isClean: true })
  assert.equal(budget.keptBytes, 4 * MiB)
  const half = MiB / 2
  for (let outBytes = MiB; outBytes < 5 * MiB; ) {
    await budget.takeRoom(half)
    budget.block(half)
    outBytes += half
    assert.ok(budget.keptBytes + outBytes <= 5 * MiB, `${budget.keptBytes} bytes kept beside ${outBytes}`)
  }
})

test('BufferBudget.takeRoom() stops waiting when it is cancelled, without taking memory', async () => {
  const budget = new BufferBudget(4 * MiB, createNodeClock())
  await budget.takeRoom(2 * MiB)
  const stop = new AbortController()
  const waiting = budget.takeRoom(MiB, stop.signal)
  stop.abort()
  await assert.rejects(waiting, (error) => isAshlarError(error, 'cancelled'))
  budget.giveRoom(2 * MiB)
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
