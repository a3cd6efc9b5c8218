import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ChunkFacts } from '../base/digest.ts'
import { type ChunkId, chunkId, type GroupId } from '../base/ids.ts'
import { type PageComparison, planLeftovers, planPage } from './reconcile.ts'

const facts = fc
  .record({ sequence: fc.nat({ max: 20 }), length: fc.integer({ min: 1, max: 3 }), crc: fc.nat({ max: 2 }) })
  .map(
    ({ sequence, length, crc }): ChunkFacts => ({
      id: chunkId({ group: 1 as GroupId, generation: 0, sequence }),
      length,
      crc,
    }),
  )
const pages = fc.uniqueArray(facts, { maxLength: 12, selector: ({ id }) => id })
const comparisons: fc.Arbitrary<PageComparison> = fc.record({
  expected: pages,
  held: pages,
  scanEqualsDigest: fc.boolean(),
  isClosed: fc.boolean(),
  mayDelete: fc.boolean(),
  nextSequence: fc.constant(21),
  generation: fc.constant(0),
})

function byId(list: readonly ChunkFacts[]): Map<ChunkId, ChunkFacts> {
  return new Map(list.map((each) => [each.id, each]))
}

test('planPage() makes the member equal the metadata when all circumstances allow it', () => {
  fc.assert(
    fc.property(comparisons, (some) => {
      const comparison = { ...some, scanEqualsDigest: true, isClosed: true, mayDelete: true }
      const member = byId(comparison.held)
      for (const step of planPage(comparison)) {
        assert.notEqual(step.kind, 'leave')
        if (step.kind === 'delete') member.delete(step.facts.id)
        else member.set(step.facts.id, step.facts)
      }
      assert.deepEqual(
        [...member.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
        [...comparison.expected].sort((a, b) => (a.id < b.id ? -1 : 1)),
      )
    }),
  )
})

// The rule that others broke, and deleted live data: an error or a gap never means "absent, so delete".
test('planPage() deletes only unknown chunks, only with every proof in hand', () => {
  fc.assert(
    fc.property(comparisons, (comparison) => {
      const live = byId(comparison.expected)
      const proven = comparison.scanEqualsDigest && comparison.isClosed && comparison.mayDelete
      for (const step of planPage(comparison)) {
        if (step.kind === 'delete') assert.ok(proven && !live.has(step.facts.id))
        if (step.kind === 'leave') assert.ok(!proven && !live.has(step.facts.id))
      }
    }),
  )
})

test('planPage() copies what is missing even when nothing may be deleted', () => {
  const expected = [{ id: chunkId({ group: 1 as GroupId, generation: 0, sequence: 1 }), length: 1, crc: 1 }]
  const doubts = { scanEqualsDigest: false, isClosed: false, mayDelete: false }
  const steps = planPage({ expected, held: [], ...doubts, nextSequence: 2, generation: 0 })
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ['copy'],
  )
})

// Metadata restored from an older copy knows nothing of later chunks, and is whole in itself.
test('planPage() never deletes a chunk of another generation, nor one whose id was never given out', () => {
  const proven = { expected: [], scanEqualsDigest: true, isClosed: true, mayDelete: true }
  const kindOf = (id: { generation: number; sequence: number }, nextSequence: number) => {
    const held = [{ id: chunkId({ group: 1 as GroupId, ...id }), length: 1, crc: 1 }]
    return planPage({ ...proven, held, nextSequence, generation: 1 })[0]?.kind
  }
  assert.equal(kindOf({ generation: 1, sequence: 7 }, 8), 'delete')
  assert.equal(kindOf({ generation: 1, sequence: 8 }, 8), 'leave')
  assert.equal(kindOf({ generation: 0, sequence: 7 }, 8), 'leave')
  assert.equal(kindOf({ generation: 2, sequence: 7 }, 8), 'leave')
})

test('planLeftovers() drops what all members hold and what no file names, and only with the whole proof', () => {
  const group = 9 as GroupId
  const factsOf = (sequence: number, generation = 1) => ({
    id: chunkId({ group, generation, sequence }),
    length: 1,
    crc: sequence,
  })
  const [live, orphan, older, future] = [factsOf(1), factsOf(2), factsOf(3, 0), factsOf(50)] as const
  const olderLive = factsOf(4, 0)
  const page = {
    expected: [live, olderLive],
    held: [live, orphan, older, olderLive, future],
    nextSequence: 50,
    generation: 1,
    isClosed: true,
    scanEqualsDigest: true,
    heldByMembers: [
      [live, olderLive],
      [live, olderLive, orphan],
    ],
  }
  assert.deepEqual(planLeftovers(page), [live, orphan, olderLive])
  assert.deepEqual(
    planLeftovers({ ...page, isClosed: false }),
    [live, olderLive],
    'what is unknown may yet be committed',
  )
  assert.deepEqual(planLeftovers({ ...page, scanEqualsDigest: false }), [])
  assert.deepEqual(planLeftovers({ ...page, heldByMembers: [] }), [])
  assert.deepEqual(planLeftovers({ ...page, heldByMembers: [[live, olderLive], [live]] }), [], 'a member lacks one')
  const otherBytes = { ...olderLive, crc: 77 }
  assert.deepEqual(planLeftovers({ ...page, heldByMembers: [[live, otherBytes]] }), [], 'a member holds other bytes')
})
