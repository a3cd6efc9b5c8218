import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkId, type GroupId } from '../base/ids.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import { ChunkIndex } from './chunk-index.ts'
import type { LiveChunk } from './chunk-state.ts'
import { segmentHeaderBytes } from './segment-format.ts'
import { SegmentTable } from './segment-table.ts'

// Found by simulation (seed 32317): the chunk was there again, was deleted again, and its bytes were freed twice.
test('ChunkIndex.get() does not bring back what was deleted while a checkpoint wrote it', async () => {
  const memory = createMemoryKV({ clock: createNodeClock(), random: seededRandom(1) })
  let onCommitted: (() => void) | undefined
  const kv: TxnKV = {
    transact: async (body, options) => {
      const value = await memory.transact(body, options)
      onCommitted?.()
      return value
    },
    isReadOnly: false,
    usedBytes: () => memory.usedBytes(),
    close: () => memory.close(),
  }
  const table = new SegmentTable()
  table.add({ number: 1, kind: 'log', endBytes: segmentHeaderBytes, isSealed: false })
  const index = new ChunkIndex({ kv, table, sequence: () => 2 })
  const id = chunkId({ group: 1 as GroupId, generation: 0, sequence: 1 })
  const facts = { id, sequence: 1, slot: 0, length: 44, crc: 1, storedLength: 44, storedCrc: 1 }
  const chunk: LiveChunk = { ...facts, location: { kind: 'segment', segment: 1, offset: segmentHeaderBytes } }
  index.add({ kind: 'put', chunk }, { before: undefined, after: chunk })
  onCommitted = () => {
    onCommitted = undefined
    index.add({ kind: 'delete', id, sequence: 2, segment: 1 }, { before: chunk, after: undefined })
  }
  await index.checkpoint()
  await index.checkpoint()
  assert.equal(await index.get(id), undefined)
  assert.equal(await index.find(id), undefined)
  await index.close()
})

// Found by simulation (seed 33151): the store was fenced, and never opened again.
test('ChunkIndex.checkpoint() takes a delete of an id whose grave lay in a segment that is gone', async () => {
  const kv = createMemoryKV({ clock: createNodeClock(), random: seededRandom(1) })
  const table = new SegmentTable()
  for (const number of [1, 2]) table.add({ number, kind: 'log', endBytes: segmentHeaderBytes, isSealed: false })
  const index = new ChunkIndex({ kv, table, sequence: () => 5 })
  const id = chunkId({ group: 1 as GroupId, generation: 0, sequence: 1 })
  const facts = { id, sequence: 1, slot: 0, length: 44, crc: 1, storedLength: 44, storedCrc: 1 }
  const chunk: LiveChunk = { ...facts, location: { kind: 'segment', segment: 1, offset: segmentHeaderBytes } }
  index.add({ kind: 'put', chunk }, { before: undefined, after: chunk })
  index.add({ kind: 'delete', id, sequence: 2, segment: 1 }, { before: chunk, after: undefined })
  await index.checkpoint()
  // The record of the put was damaged: nobody knows any more that it was there.
  await index.forgetSegment(1, [])
  index.add({ kind: 'delete', id, sequence: 5, segment: 2 }, { before: undefined, after: undefined })
  await index.checkpoint()
  assert.equal(await index.get(id), undefined)
  await index.close()
})
