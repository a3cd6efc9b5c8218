import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { Fill, type FillOptions, groupsAtOnceOf } from './fill.ts'

const peer = {}

// So that the disks bound a repair, and not the master, until its memory does.
test('groupsAtOnceOf() rises with the servers, within bounds', () => {
  assert.deepEqual(
    [3, 32, 100, 10_000].map((servers) => groupsAtOnceOf(servers)),
    [32, 32, 100, limits.groupsFilledAtOnce],
  )
})

test('groupsAtOnceOf() leaves the disks to groups down to their last copy, while there are some', () => {
  assert.equal(groupsAtOnceOf(200, 1), 32)
  assert.equal(groupsAtOnceOf(200, 90), 90)
  assert.equal(groupsAtOnceOf(200, 900), 200)
})

// One server fills a group: begun last, a large one goes on alone when all others are done.
test('Fill.step() begins with the largest of equally urgent groups', async () => {
  const chunks = [5, 70, 0, 900, 20]
  const changingGroups = chunks.map((_, id) => ({
    id,
    epoch: 1,
    members: [
      { server: 'old', slot: 0, state: 'leaving' },
      { server: 'new', slot: 0, state: 'filling', duty: 'rebalance' },
    ],
  }))
  const begun: number[] = []
  const fill = new Fill({
    env: { clock: { monotonicMs: () => 0 }, log: { debug: () => undefined, info: () => undefined } },
    map: { index: { changingGroups, map: { servers: [] } }, settleMembers: async () => ({ changed: [], refused: [] }) },
    registry: { peerOf: () => peer, loadOf: () => ({ state: 'up' }), noteComparison: () => undefined },
    sizes: { of: (group: number) => ({ chunks: chunks[group] ?? 0, sizeBytes: 0 }) },
    comparison: {
      compare: async ({ group }: { readonly group: Group }) => {
        begun.push(group.id)
        return { closedCopies: 0, isComplete: true }
      },
    },
    isPaused: () => false,
    onSettled: () => undefined,
  } as unknown as FillOptions)
  await fill.step(new AbortController().signal)
  assert.deepEqual(begun, [3, 1, 4, 0, 2])
})
