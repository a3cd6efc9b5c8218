import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ChunkId, chunkId, type GroupId } from '../base/ids.ts'
import { factMaxBytes } from '../store/store-facts.ts'
import {
  lastChunk,
  mostSpans,
  newLedger,
  noChunk,
  notAfter,
  noteScrubbed,
  oldestRange,
  type ScrubLedger,
  scrubPlace,
} from './scrub-ledger.ts'

const ids = Array.from({ length: 300 }, (_, sequence) =>
  chunkId({ group: (sequence % 7) as GroupId, generation: 0, sequence }),
).sort()

function timeOf(ledger: ScrubLedger, id: ChunkId): number {
  return ledger.find(({ upTo }) => upTo >= id)?.scrubbedMs as number
}

function checkShape(ledger: ScrubLedger): void {
  assert.ok(ledger.length >= 1 && ledger.length <= mostSpans)
  assert.equal(ledger.at(-1)?.upTo, lastChunk)
  for (let index = 1; index < ledger.length; index++) {
    assert.ok((ledger[index - 1]?.upTo as ChunkId) < (ledger[index]?.upTo as ChunkId), 'spans in order')
  }
}

const ranges = fc.array(fc.tuple(fc.nat(299), fc.nat(299), fc.nat(50)), { maxLength: 400 })

test('noteScrubbed() never says that a chunk was read later than it was, and stays small', () => {
  fc.assert(
    fc.property(ranges, (notes) => {
      let ledger = newLedger(10)
      const truth = new Map(ids.map((id) => [id, 10]))
      let nowMs = 10
      for (const [one, other, passedMs] of notes) {
        nowMs += passedMs
        const [low, high] = [Math.min(one, other), Math.max(one, other)]
        const after = low === 0 ? noChunk : (ids[low - 1] as ChunkId)
        ledger = noteScrubbed(ledger, { after, upTo: ids[high] as ChunkId, scrubbedMs: nowMs })
        for (let index = low; index <= high; index++) truth.set(ids[index] as ChunkId, nowMs)
        checkShape(ledger)
      }
      for (const id of ids) assert.ok(timeOf(ledger, id) <= (truth.get(id) as number), id)
    }),
  )
})

test('oldestRange() and noteScrubbed() in turns read everything, the oldest first, exactly once a round', () => {
  let ledger = newLedger(0)
  const read: ChunkId[] = []
  for (let nowMs = 1; nowMs <= ids.length; nowMs++) {
    const { after, upTo } = oldestRange(ledger)
    const next = ids.find((id) => id > after && id <= upTo)
    assert.ok(next !== undefined)
    read.push(next)
    const isLast = next === ids.at(-1)
    ledger = noteScrubbed(ledger, { after, upTo: isLast ? upTo : next, scrubbedMs: nowMs })
  }
  assert.deepEqual(read, ids)
  // What is told as the oldest is not far from the truth: the round, in as many parts as there are spans.
  const { scrubbedMs, after } = oldestRange(ledger)
  assert.equal(after, noChunk)
  assert.equal(scrubbedMs, 1)
  const shares = ledger.map(({ scrubbedMs: ms }, index) => (ledger[index + 1]?.scrubbedMs ?? ids.length) - ms)
  assert.ok(Math.max(...shares) <= ids.length / 20, `${Math.max(...shares)}`)
})

test('notAfter() takes times back that lie in the future', () => {
  const ledger = noteScrubbed(newLedger(100), { after: noChunk, upTo: ids[3] as ChunkId, scrubbedMs: 900 })
  assert.equal(notAfter(ledger, 900), ledger)
  assert.deepEqual(notAfter(ledger, 500)[0], { upTo: ids[3], scrubbedMs: 500 })
  assert.deepEqual(notAfter(ledger, 50), newLedger(50))
})

test('a place of the scrub fits into one fact of the store, and reads back', () => {
  const ledger = Array.from({ length: mostSpans }, (_, index) => ({
    upTo: index === mostSpans - 1 ? lastChunk : (ids[index] as ChunkId),
    scrubbedMs: Number.MAX_SAFE_INTEGER - index,
  }))
  const bytes = scrubPlace.encode({ ledger, sweptMs: Number.MAX_SAFE_INTEGER })
  assert.ok(bytes.length <= factMaxBytes, `${bytes.length}`)
  assert.deepEqual(scrubPlace.decode(bytes).ledger, ledger)
})
