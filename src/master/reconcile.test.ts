import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf, digestToLanes } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import { chunkId, type GroupId, type ServerId } from '../base/ids.ts'
import { silentLog } from '../env/node-log.ts'
import { type ComparisonOptions, MemberComparison } from './member-comparison.ts'
import { Reconcile, type ReconcileOptions } from './reconcile.ts'

const group = 1 as GroupId
const server = 'a'.repeat(32) as ServerId
const facts = { id: chunkId({ group, generation: 0, sequence: 0 }), length: 1, crc: 1 }

/** One member that holds what it should, over the connection `peer()` at the moment of asking. */
function reconcileOver(peer: () => object, duringScan: () => void) {
  const noted: boolean[] = []
  const options = {
    env: { log: silentLog, clock: { monotonicMs: () => 0 } },
    map: {
      index: { map: { generation: 0, groups: [{ id: group, epoch: 1, members: [{ server, slot: 0, state: 'in' }] }] } },
    },
    registry: {
      peerOf: peer,
      get: () => ({ digests: new Map(), comparisons: new Map() }),
      isCompared: () => true,
      noteComparison: (_server: ServerId, _group: object, isSynced: boolean) => noted.push(isSynced),
    },
    orders: { pageDigests: async () => new Map(), listPage: async () => [facts] },
    namespace: {
      pageDigests: async () => [{ page: 0, digest: digestOf(facts) }],
      pageIsClosed: async () => true,
      pageChunks: async () => {
        duringScan()
        return { chunks: [facts], digest: digestOf(facts), nextSequence: 1 }
      },
    },
    lostFuture: { isFound: false },
    isHolding: () => false,
  }
  const comparison = new MemberComparison(options as unknown as ComparisonOptions)
  return { noted, reconcile: new Reconcile({ ...options, comparison } as unknown as ReconcileOptions) }
}

// A new start may be of an older copy of the disk: what its former process listed says nothing about it.
test('Reconcile.step() concludes nothing about a member that registered again meanwhile', async () => {
  let peer = {}
  const { noted, reconcile } = reconcileOver(
    () => peer,
    () => (peer = {}),
  )
  await reconcile.step(new AbortController().signal)
  assert.deepEqual(noted, [])
})

test('Reconcile.step() notes a member that holds everything as synced', async () => {
  const peer = {}
  const { noted, reconcile } = reconcileOver(
    () => peer,
    () => undefined,
  )
  await reconcile.step(new AbortController().signal)
  assert.deepEqual(noted, [true])
})

// The answer to an order to copy was lost, and the member says that it holds what it should: it is no proof yet (promise P4).
test('Reconcile.step() has a copy without a receipt read by an order before equal digests count', async () => {
  const read: unknown[] = []
  let held: (typeof facts)[] = []
  const noted: boolean[] = []
  const expected = digestOf(facts)
  const options = {
    env: { log: silentLog, clock: { monotonicMs: () => 0 } },
    map: {
      index: { map: { generation: 0, groups: [{ id: group, epoch: 1, members: [{ server, slot: 0, state: 'in' }] }] } },
    },
    registry: {
      peerOf: () => options,
      get: () => ({
        digests: new Map(held.length > 0 ? [[group, digestToLanes(expected)]] : []),
        comparisons: new Map(),
      }),
      isCompared: () => true,
      noteComparison: (_server: ServerId, _group: object, isSynced: boolean) => noted.push(isSynced),
    },
    orders: {
      pageDigests: async () => new Map(held.length > 0 ? [[0, expected]] : []),
      listPage: async () => held,
      copy: async () => {
        held = [facts]
        throw new AshlarError('timeout', 'Cannot copy chunk: no answer')
      },
      verify: async (_server: ServerId, copy: typeof facts) => read.push(copy.id),
    },
    namespace: {
      pageDigests: async () => [{ page: 0, digest: expected }],
      pageIsClosed: async () => true,
      pageChunks: async () => ({ chunks: [facts], digest: expected, nextSequence: 1 }),
    },
    lostFuture: { isFound: false },
    isHolding: () => false,
  }
  const comparison = new MemberComparison(options as unknown as ComparisonOptions)
  const reconcile = new Reconcile({ ...options, comparison } as unknown as ReconcileOptions)
  await reconcile.step(new AbortController().signal)
  assert.deepEqual([read, noted], [[], [false]])
  await reconcile.step(new AbortController().signal)
  assert.deepEqual([read, noted], [[facts.id], [false, true]])
})
