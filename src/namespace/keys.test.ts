import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chunkId, type GroupId, type InodeId, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import * as keys from './keys.ts'

/** Names with many of the bytes that are escaped, and with what sorts around them. */
const name = fc.oneof(
  fc.string({ unit: fc.constantFrom('\0', '\u0001', '\u0002', '/', 'a', 'é', '\u{1f600}'), maxLength: 6 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
)
const directory = 5 as InodeId

test('entryKey() orders entries as the bytes of their names, a directory with "/" at its end', () => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      const byKey = Buffer.compare(keys.entryKey(directory, a), keys.entryKey(directory, b))
      assert.equal(byKey, Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
    { numRuns: 1000 },
  )
})

test('entryKey() of a text is that of its bytes', () => {
  fc.assert(
    fc.property(fc.oneof(name, fc.string()), (text) => {
      assert.deepEqual(keys.entryKey(directory, text), keys.entryKey(directory, Buffer.from(text)))
    }),
    { numRuns: 1000 },
  )
})

test('entryKey() is never a prefix of another entry key', () => {
  fc.assert(
    fc.property(name, name, (a, b) => {
      const [first, second] = [keys.entryKey(directory, a), keys.entryKey(directory, b)]
      assert.equal(second.subarray(0, first.length).equals(first), a === b)
    }),
    { numRuns: 1000 },
  )
})

test('entryName() gives back the name of a key', () => {
  fc.assert(fc.property(name, (text) => assert.equal(keys.entryName(keys.entryKey(directory, text)), text)))
})

test('entryPrefix() covers exactly the names that begin so', () => {
  fc.assert(
    fc.property(name, name, (prefix, text) => {
      const start = keys.entryPrefix(directory, prefix)
      const key = keys.entryKey(directory, text)
      const isInside = Buffer.compare(key, start) >= 0 && Buffer.compare(key, prefixEnd(start)) < 0
      assert.equal(isInside, Buffer.from(text).subarray(0, Buffer.byteLength(prefix)).equals(Buffer.from(prefix)))
    }),
    { numRuns: 1000 },
  )
})

test('the longest names and paths fit a key', () => {
  const worst = '\u0001'.repeat(limits.nameBytes)
  assert.ok(keys.entryKey(directory, `${worst}/`).length <= limits.keyBytes)
  assert.ok(keys.trashKey(`/${'\u0001'.repeat(limits.pathBytes - 1)}`, 1 as Rising).length <= limits.keyBytes)
})

test('pageRange() holds the chunks of a page, and no other', () => {
  const group = 3 as GroupId
  const idAt = (sequence: number, generation = 1) => keys.chunkKey(chunkId({ group, generation, sequence }))
  const { start, end } = keys.pageRange('C', group, 1 * 2 ** 40 + 1)
  const isInside = (key: Buffer) => Buffer.compare(key, start) >= 0 && Buffer.compare(key, end) < 0
  assert.deepEqual(
    [4095, 4096, 8191, 8192].map((sequence) => isInside(idAt(sequence))),
    [false, true, true, false],
  )
  assert.equal(isInside(idAt(4096, 2)), false)
})

test('keys give back what they name', () => {
  const chunk = chunkId({ group: 0xfedcba98 as GroupId, generation: 513, sequence: 2 ** 51 + 3 })
  const server = 'ab'.repeat(16) as ServerId
  assert.equal(keys.chunkOf(keys.deleteKey(chunk)), chunk)
  assert.equal(keys.groupOfKey(keys.deleteKey(chunk)), 0xfedcba98)
  assert.equal(keys.tombstoneOf(keys.tombstoneKey(2 ** 50, chunk)), chunk)
  assert.deepEqual(keys.repairOf(keys.repairKey(chunk, server)), { chunk, server })
  assert.deepEqual(keys.heldOf(keys.heldKey(9, 'lock', 'a\0b')), { kind: 'lock', id: 0, name: 'a\0b' })
  assert.deepEqual(keys.heldOf(keys.heldKey(9, 'inode', 2 ** 52)), { kind: 'inode', id: 2 ** 52, name: '' })
  assert.equal(keys.expiryIdOf(keys.expiryKey('session', 77, 2 ** 52)), 2 ** 52)
  assert.equal(keys.trashIdOf(keys.trashKey('/a', 12 as Rising)), 12)
  assert.equal(keys.digestPageOf(keys.digestKey(3 as GroupId, 2 ** 41)), 2 ** 41)
})

test('trashKey() puts the newest of a path first', () => {
  assert.ok(Buffer.compare(keys.trashKey('/a', 2 as Rising), keys.trashKey('/a', 1 as Rising)) < 0)
  assert.ok(
    keys
      .trashKey('/a', 2 as Rising)
      .subarray(0, 4)
      .equals(keys.trashPathPrefix('/a')),
  )
})
