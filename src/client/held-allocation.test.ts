import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AllocationId, ChunkId, GroupId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import type { Allocation } from '../wire/types/extent.ts'
import { HeldAllocation } from './held-allocation.ts'
import { OpenedSession } from './session.ts'

const allocation: Allocation = {
  allocation: 1 as AllocationId,
  group: 2 as GroupId,
  generation: 0,
  firstSequence: 10,
  count: 3,
  epoch: rising(0, 1),
  policy: 'replicated-3',
  chunkSizeBytes: 100,
  token: Buffer.alloc(0),
  lifeMs: 1000,
}

function hold() {
  const burned: (readonly ChunkId[])[] = []
  const settled: HeldAllocation[] = []
  const session = new OpenedSession(1, {
    lifeMs: 1000,
    keptAtMs: 0,
    giveBackBurned: (given, ids) => {
      assert.equal(given, allocation)
      burned.push([...ids])
    },
  })
  const held = new HeldAllocation(allocation, { session, usableUntilMs: 1000, isPartial: false })
  return { held, burned, settled, take: () => held.take((each) => settled.push(each)) }
}

test('HeldAllocation goes back to its pool when all of its ids are committed', () => {
  const { held, burned, settled, take } = hold()
  const slots = [take(), take(), take()]
  for (const slot of slots) {
    assert.equal(settled.length, 0)
    slot.commit()
    slot.settle()
  }
  assert.deepEqual([settled, burned], [[held], []])
})

// Others may still commit under it: closing it earlier would refuse them.
test('HeldAllocation with a burned id is used no more, and goes back when nothing waits for a commit', () => {
  const { held, burned, settled, take } = hold()
  const [kept, lost] = [take(), take()]
  lost.settle()
  assert.equal(held.left, 0)
  assert.deepEqual(burned, [])
  kept.commit()
  lost.commit()
  assert.deepEqual([settled, burned], [[], [[lost.chunk]]])
})
