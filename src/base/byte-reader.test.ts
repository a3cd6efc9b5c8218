import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { isAshlarError } from './errors.ts'

const safe = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 0x7f, 0x80, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER))
const protocol = (error: unknown) => isAshlarError(error, 'protocol')

function written(write: (writer: ByteWriter) => void, initialBytes = 1): Buffer {
  const writer = new ByteWriter(initialBytes)
  write(writer)
  return writer.finish()
}

test('ByteWriter and ByteReader agree on every kind of value, in any order, while the buffer grows', () => {
  const value = fc.oneof(
    fc.record({ kind: fc.constant('varint' as const), value: safe }),
    fc.record({ kind: fc.constant('u64' as const), value: safe }),
    fc.record({ kind: fc.constant('u32' as const), value: fc.nat(2 ** 32 - 1) }),
    fc.record({ kind: fc.constant('u16' as const), value: fc.nat(2 ** 16 - 1) }),
    fc.record({ kind: fc.constant('u8' as const), value: fc.nat(255) }),
  )
  fc.assert(
    fc.property(fc.array(value, { maxLength: 50 }), (values) => {
      const bytes = written((writer) => {
        for (const { kind, value } of values) writer[kind](value)
      })
      const reader = new ByteReader(bytes)
      for (const { kind, value } of values) assert.equal(reader[kind](), value)
      assert.equal(reader.remaining, 0)
    }),
  )
})

test('ByteWriter.varint() takes as few bytes as LEB128 does', () => {
  assert.deepEqual([...written((writer) => writer.varint(300))], [0xac, 0x02])
  for (const [value, length] of [
    [0, 1],
    [127, 1],
    [128, 2],
    [2 ** 35 - 1, 5],
    [2 ** 35, 6],
    [Number.MAX_SAFE_INTEGER, 8],
  ] as const) {
    assert.equal(written((writer) => writer.varint(value)).length, length, String(value))
  }
})

test('ByteWriter refuses numbers that are not unsigned safe integers', () => {
  for (const bad of [-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1]) {
    assert.throws(() => written((writer) => writer.varint(bad)), AssertionError)
    assert.throws(() => written((writer) => writer.u64(bad)), AssertionError)
  }
})

test('ByteWriter.endDelimited() puts the length before what is written, whatever its length, nested too', () => {
  for (const length of [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000]) {
    const content = Buffer.alloc(length, 7)
    const bytes = written((writer) => {
      delimited(writer, () => {
        writer.u8(1)
        delimited(writer, () => writer.bytes(content))
      })
      writer.u8(9)
    })
    const reader = new ByteReader(bytes)
    const read = within(reader, reader.varint(), () => {
      assert.equal(reader.u8(), 1)
      return within(reader, reader.varint(), () => reader.bytes(reader.remaining))
    })
    assert.deepEqual(read, content)
    assert.equal(reader.u8(), 9)
    assert.equal(reader.remaining, 0)
  }
})

test('ByteReader refuses numbers past 2^53 and numbers without end', () => {
  const past = Buffer.from('0020000000000000', 'hex')
  assert.throws(() => new ByteReader(past).u64(), protocol)
  assert.equal(new ByteReader(Buffer.from('001fffffffffffff', 'hex')).u64(), Number.MAX_SAFE_INTEGER)
  assert.throws(() => new ByteReader(Buffer.from('ffffffffffffff7f', 'hex')).varint(), protocol)
  assert.throws(() => new ByteReader(Buffer.alloc(20, 0xff)).varint(), protocol)
  assert.throws(() => new ByteReader(Buffer.from('808080808080808000', 'hex')).varint(), protocol)
})

test('ByteReader refuses to read past the end, and to leave over what it was told to read', () => {
  const reader = new ByteReader(Buffer.alloc(3))
  assert.throws(() => reader.u32(), protocol)
  assert.throws(() => reader.bytes(4), protocol)
  assert.throws(() => reader.bytes(2 ** 52), protocol)
  assert.throws(() => within(reader, 4, () => reader.u8()), protocol)
  assert.equal(reader.remaining, 3)
  assert.throws(() => within(new ByteReader(Buffer.alloc(3)), 2, () => 0), protocol)
})

test('ByteReader.enter() bounds what is read inside', () => {
  const reader = new ByteReader(Buffer.from([1, 2, 3, 4]))
  assert.throws(() => within(reader, 2, () => reader.u32()), protocol)
})

test('ByteReader.text() takes strict UTF-8 only, and keeps a byte order mark', () => {
  for (const bad of ['c328', 'ff', 'eda080', 'c080', 'e28200']) {
    const bytes = Buffer.from(bad, 'hex')
    assert.throws(() => new ByteReader(bytes).text(bytes.length), protocol, bad)
  }
  const marked = Buffer.from('\ufeffa')
  assert.equal(new ByteReader(marked).text(marked.length), '\ufeffa')
})

test('ByteReader reads within a view, not within the memory beneath it', () => {
  const memory = Buffer.from([0, 1, 2, 3])
  const reader = new ByteReader(memory.subarray(1, 3))
  assert.equal(reader.u16(), 0x0102)
  assert.throws(() => reader.u8(), protocol)
})

function delimited(writer: ByteWriter, write: () => void): void {
  const start = writer.beginDelimited()
  write()
  writer.endDelimited(start)
}

function within<T>(reader: ByteReader, length: number, read: () => T): T {
  const outerEnd = reader.enter(length)
  const value = read()
  reader.leave(outerEnd)
  return value
}
