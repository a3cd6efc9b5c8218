import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkId, type GroupId } from '../base/ids.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import { ChunkIndex } from './chunk-index.ts'
import type { LiveChunk } from './chunk-state.ts'
import { NeededRecords } from './needed-records.ts'
import { deleteRecord, segmentHeaderBytes } from './segment-format.ts'
import { SegmentTable } from './segment-table.ts'

test('NeededRecords.fate() retires a segment with its deletes, but not on the word of one that was outdone since', async () => {
  const kv = createMemoryKV({ clock: createNodeClock(), random: seededRandom(1) })
  const table = new SegmentTable()
  const [first] = [1, 2].map((number) =>
    table.add({ number, kind: 'log', endBytes: segmentHeaderBytes, isSealed: true }),
  )
  const index = new ChunkIndex({ kv, table, sequence: () => 4 })
  const id = chunkId({ group: 1 as GroupId, generation: 0, sequence: 1 })
  const put = (segment: number, sequence: number): LiveChunk => {
    const facts = { id, sequence, slot: 0, length: 44, crc: 1, storedLength: 44, storedCrc: 1 }
    return { ...facts, location: { kind: 'segment', segment, offset: segmentHeaderBytes } }
  }
  const putAndDelete = (segment: number, sequence: number) => {
    const chunk = put(segment, sequence)
    index.add({ kind: 'put', chunk }, { before: undefined, after: chunk })
    index.add({ kind: 'delete', id, sequence: sequence + 1, segment }, { before: chunk, after: undefined })
  }
  putAndDelete(1, 1)
  await index.checkpoint()
  const liveBytes = () => first?.liveBytes as number
  const asked = async () => {
    const needs = new NeededRecords(1, index)
    const items = [{ record: deleteRecord(id, 2), offset: segmentHeaderBytes, bytes: Buffer.alloc(0) }]
    return { needs, areNeeded: await needs.among(items) }
  }

  const { needs, areNeeded } = await asked()
  assert.deepEqual(areNeeded, [false], 'its put is in the same segment')
  assert.equal(needs.fate(liveBytes()), 'retire')
  assert.equal(needs.fate(liveBytes() + 1), 'stuck', 'something else is live')

  putAndDelete(2, 3)
  await index.checkpoint()
  assert.equal(needs.fate(liveBytes()), 'later')
  const again = await asked()
  assert.equal(again.needs.fate(liveBytes()), 'retire')
  await index.close()
})
