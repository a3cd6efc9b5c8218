import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChunkFacts } from '../base/digest.ts'
import { chunkId, type GroupId, type ServerId } from '../base/ids.ts'
import { judgeChunk, type MemberList, replicasOf, straysOf } from './judge-replicas.ts'

const facts = (sequence: number, crc = 1): ChunkFacts => ({
  id: chunkId({ group: 1 as GroupId, generation: 0, sequence }),
  length: 10,
  crc,
})
const member = (name: string, slot: number, ...held: readonly ChunkFacts[]): MemberList => ({
  server: name as ServerId,
  slot,
  held: new Map(held.map((each) => [each.id, each])),
})

test('judgeChunk() tells good replicas from wrong and absent ones', () => {
  const shorter = { ...facts(1), length: 9 }
  const members = [member('a', 0, facts(1)), member('b', 1, facts(1, 2)), member('c', 2), member('d', 3, shorter)]
  const { good, wrong, absent } = judgeChunk(facts(1), members)
  assert.deepEqual([good.map(({ server }) => server), wrong, absent], [['a'], ['b', 'd'], ['c']])
})

// Planted: a leaving member and the one that fills its slot counted as two.
test('replicasOf() counts one replica a slot', () => {
  assert.equal(replicasOf([member('leaving', 0), member('filling', 0), member('other', 1)]), 2)
})

test('straysOf() names what members hold and the metadata does not', () => {
  const members = [member('a', 0, facts(1), facts(2)), member('b', 1, facts(2))]
  assert.deepEqual(straysOf(members, new Set([facts(1).id])), [
    { chunk: facts(2).id, server: 'a' },
    { chunk: facts(2).id, server: 'b' },
  ])
})
