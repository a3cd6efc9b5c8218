import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkId, type GroupId, type ServerId } from '../base/ids.ts'
import { UnprovenCopies } from './unproven-copies.ts'

const group = 1 as GroupId
const [one, other] = ['a', 'b'].map((letter) => letter.repeat(32)) as [ServerId, ServerId]
const copyOf = (sequence: number) => ({ id: chunkId({ group, generation: 0, sequence }), length: 1, crc: sequence })

test('UnprovenCopies keeps what each member owes until it is removed', () => {
  const copies = new UnprovenCopies()
  copies.add({ group, server: one }, copyOf(1))
  copies.add({ group, server: one }, copyOf(2))
  copies.add({ group, server: one }, copyOf(1))
  copies.add({ group, server: other }, copyOf(3))
  assert.deepEqual(copies.of({ group, server: one }), [copyOf(1), copyOf(2)])
  for (const { id } of copies.of({ group, server: one })) copies.remove({ group, server: one }, id)
  assert.deepEqual(
    [one, other].map((server) => copies.isEmpty({ group, server })),
    [true, false],
  )
  assert.deepEqual(copies.of({ group, server: other }), [copyOf(3)])
})

// It grew with every failed copy, and servers that left never paid.
test('UnprovenCopies is bounded: a member is full, and those that left owe nothing', () => {
  const copies = new UnprovenCopies()
  const place = { group, server: one }
  let count = 0
  for (; !copies.isFull(place); count++) copies.add(place, copyOf(count))
  assert.equal(copies.of(place).length, count)
  assert.ok(count < 1000)
  copies.add({ group, server: other }, copyOf(0))
  copies.keepMembers(group, [{ server: other }])
  assert.deepEqual(
    [one, other].map((server) => copies.isEmpty({ group, server })),
    [true, false],
  )
})
