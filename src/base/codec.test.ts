import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssertionError } from './assert.ts'
import { ByteWriter } from './byte-writer.ts'
import { bool, bytes, choice, field, float, hex, type Infer, id, list, optional, struct, text, uint } from './codec.ts'
import { isAshlarError } from './errors.ts'
import type { InodeId, ServerId } from './ids.ts'

const protocol = (error: unknown) => isAshlarError(error, 'protocol')
const tooLarge = (error: unknown) => isAshlarError(error, 'too-large')

const point = struct('point', 1, { x: field(1, uint), y: optional(2, float) })
const shape = struct('shape', 3, {
  inode: field(1, id<InodeId>()),
  name: field(2, text(64)),
  isClosed: field(3, bool),
  kind: field(4, choice('line', 'circle', 'path')),
  server: field(5, hex<ServerId>(16)),
  points: field(6, list(point, 100)),
  lengths: optional(7, list(uint, 100)),
  tags: optional(8, list(text(8), 10)),
  note: optional(20, bytes(32)),
  inner: optional(300, point),
})

const anyPoint = fc.record(
  { x: fc.maxSafeNat(), y: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { requiredKeys: ['x'], noNullPrototype: true },
)
const anyShape: fc.Arbitrary<Infer<typeof shape>> = fc.record(
  {
    inode: fc.maxSafeNat().map((value) => value as InodeId),
    name: fc.string({ unit: 'grapheme', maxLength: 16 }).filter((name) => Buffer.byteLength(name) <= 64),
    isClosed: fc.boolean(),
    kind: fc.constantFrom('line' as const, 'circle' as const, 'path' as const),
    server: fc
      .uint8Array({ minLength: 16, maxLength: 16 })
      .map((value) => Buffer.from(value).toString('hex') as ServerId),
    points: fc.array(anyPoint, { maxLength: 100 }),
    lengths: fc.array(fc.maxSafeNat(), { maxLength: 100 }),
    tags: fc.array(fc.constantFrom('', 'a', 'naïve', '\0'), { maxLength: 10 }),
    note: fc.uint8Array({ maxLength: 32 }).map((value) => Buffer.from(value)),
    inner: anyPoint,
  },
  { requiredKeys: ['inode', 'name', 'isClosed', 'kind', 'server', 'points'], noNullPrototype: true },
)

const sample: Infer<typeof shape> = {
  inode: 7 as InodeId,
  name: 'a',
  isClosed: true,
  kind: 'circle',
  server: '00112233445566778899aabbccddeeff' as ServerId,
  points: [{ x: 300, y: 0.5 }],
}

/** A struct by hand: its version, then raw fields. */
function raw(version: number, write: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter()
  writer.u8(version)
  write(writer)
  return writer.finish()
}

test('struct() decodes what it encoded', () => {
  fc.assert(fc.property(anyShape, (value) => assert.deepEqual(shape.decode(shape.encode(value)), value)))
})

test('struct() writes these very bytes', () => {
  assert.equal(
    shape.encode(sample).toString('hex'),
    [
      '03', // version
      '0207', // tag 1, varint 7
      '050161', // tag 2, 1 byte, "a"
      '0601', // tag 3, true
      '0801', // tag 4, the second word
      '0b1000112233445566778899aabbccddeeff', // tag 5, 16 bytes
      '0d10010e0102ac0205083fe0000000000000', // tag 6, 1 point of 14 bytes: version 1, x = 300, y = 0.5
    ].join(''),
  )
})

test('struct() leaves out optional fields that are undefined, and refuses to write without a required one', () => {
  assert.deepEqual(point.decode(point.encode({ x: 1, y: undefined })), { x: 1 })
  assert.throws(() => point.encode({} as Infer<typeof point>), AssertionError)
})

test('struct() keeps the fields that it does not know, through a decode, a change and an encode', () => {
  const newer = struct('point', 1, {
    x: field(1, uint),
    label: optional(9, text(100)),
    y: optional(2, float),
    colour: optional(10, uint),
    more: optional(11, list(point, 5)),
  })
  const value = { x: 1, label: 'kept', y: 2, colour: 3, more: [{ x: 4 }] }
  const changed = { ...point.decode(newer.encode(value)), x: 5 }
  assert.deepEqual(newer.decode(point.encode(changed)), { ...value, x: 5 })
})

test('struct() keeps unknown fields that lie between known ones, and in nested structs', () => {
  const encoded = raw(1, (writer) => {
    writer.varint(50 * 2)
    writer.varint(1)
    writer.varint(1 * 2)
    writer.varint(8)
    writer.varint(51 * 2 + 1)
    delimited(writer, () => writer.text('abc'))
  })
  const back = point.encode(point.decode(encoded))
  assert.equal(back.toString('hex'), '010208640167' + '03616263')
  const outer = struct('outer', 1, { inner: field(1, point) })
  const nested = raw(1, (writer) => {
    writer.varint(1 * 2 + 1)
    delimited(writer, () => writer.bytes(encoded))
  })
  assert.deepEqual(outer.encode(outer.decode(nested)).subarray(3), back)
})

test('struct() reads a message full of unknown fields in linear time, and copies what it keeps', () => {
  const encoded = raw(1, (writer) => {
    writer.varint(1 * 2)
    writer.varint(8)
    for (let count = 0; count < 500_000; count++) writer.bytes(Buffer.from([100, 1]))
  })
  const decoded = point.decode(encoded)
  encoded.fill(0)
  const again = point.encode(decoded)
  assert.equal(again.length, 3 + 1_000_000)
  assert.equal(again.subarray(3).indexOf(0), -1)
})

test('struct() writes fields by rising tag, however they were declared', () => {
  const unordered = struct('unordered', 1, { b: field(2, uint), a: field(1, uint) })
  assert.equal(unordered.encode({ b: 9, a: 8 }).toString('hex'), '0102080409')
})

test('struct() takes a known tag of another shape as unknown, and does not misread it', () => {
  const shifted = struct('point', 1, { x: field(1, uint), y: optional(2, uint) })
  const encoded = shifted.encode({ x: 1, y: 2 })
  assert.equal(point.decode(encoded).y, undefined)
  assert.deepEqual(shifted.decode(point.encode(point.decode(encoded))), { x: 1, y: 2 })
})

test('struct() refuses another version by name', () => {
  const encoded = shape.encode(sample)
  for (const version of [0, 2, 4, 255]) {
    encoded[0] = version
    assert.throws(
      () => shape.decode(encoded),
      (error) => isAshlarError(error, 'version-unsupported') && /shape: version \d+, where 3/.test(error.message),
    )
  }
})

test('struct() refuses input that is cut at any byte, and input with a byte too many', () => {
  const encoded = shape.encode({ ...sample, inner: { x: 1 }, note: Buffer.from('note') })
  const fields = new Set([1, 3])
  for (let length = 0; length < encoded.length; length++) {
    const cut = encoded.subarray(0, length)
    // A cut between two fields is a shorter message: required fields are missing, or only optional ones were lost.
    try {
      const { inner, note, ...rest } = shape.decode(cut)
      assert.deepEqual(rest, sample)
      assert.ok(inner === undefined)
      fields.add(note === undefined ? 1 : 2)
    } catch (error) {
      assert.ok(protocol(error), String(error))
    }
  }
  assert.deepEqual(fields, new Set([1, 2, 3]))
  assert.throws(() => shape.decode(Buffer.concat([encoded, Buffer.from([2])])), protocol)
})

test('struct() answers any bytes with a value or an AshlarError', () => {
  const encoded = shape.encode({ ...sample, tags: ['a', 'b'], lengths: [1, 2], inner: { x: 1, y: 1 } })
  const flipped = fc.tuple(fc.nat(encoded.length - 1), fc.nat(255)).map(([at, value]) => {
    const copy = Buffer.from(encoded)
    copy[at] = value
    return copy
  })
  const garbage = fc.uint8Array({ maxLength: 200 }).map((body) => Buffer.from([3, ...body]))
  fc.assert(
    fc.property(fc.oneof(flipped, garbage), (bytes) => {
      try {
        shape.decode(bytes)
      } catch (error) {
        assert.ok(isAshlarError(error, 'protocol', 'version-unsupported'), String(error))
      }
    }),
    { numRuns: 5000 },
  )
})

test('struct() refuses a message without a required field, and a declaration with one tag twice', () => {
  assert.throws(
    () => point.decode(Buffer.from([1])),
    (error) => protocol(error) && /x is missing/.test(String(error)),
  )
  assert.throws(() => struct('twice', 1, { a: field(1, uint), b: field(1, uint) }), AssertionError)
})

test('list() refuses a count past its limit or past the input, before it allocates', () => {
  const numbers = struct('numbers', 1, { values: field(1, list(uint, 2 ** 45)) })
  const points = struct('points', 1, { values: field(1, list(point, 2 ** 45)) })
  for (const declared of [numbers, points]) {
    for (const count of [2 ** 40, 2 ** 31, 4]) {
      const encoded = raw(1, (writer) => {
        writer.varint(1 * 2 + 1)
        delimited(writer, () => {
          writer.varint(count)
          writer.bytes(Buffer.alloc(3))
        })
      })
      const before = process.memoryUsage().heapTotal
      assert.throws(() => declared.decode(encoded), protocol)
      assert.ok(process.memoryUsage().heapTotal - before < 2 ** 26)
    }
  }
  const three = struct('three', 1, { values: field(1, list(uint, 3)) })
  const many = numbers.encode({ values: [1, 2, 3, 4] })
  assert.throws(() => three.decode(many), protocol)
})

test('text(), bytes() and list() refuse past their limits on both sides, so that nothing is stored that cannot be read', () => {
  const small = struct('small', 1, {
    name: optional(1, text(4)),
    data: optional(2, bytes(4)),
    values: optional(3, list(uint, 4)),
  })
  const large = struct('large', 1, {
    name: optional(1, text(9)),
    data: optional(2, bytes(9)),
    values: optional(3, list(uint, 9)),
  })
  const fits = { name: 'éé', data: Buffer.alloc(4), values: [1, 2, 3, 4] }
  assert.deepEqual(small.decode(small.encode(fits)), fits)
  for (const past of [{ name: 'ééé' }, { data: Buffer.alloc(5) }, { values: [1, 2, 3, 4, 5] }]) {
    assert.throws(() => small.encode(past), tooLarge)
    assert.throws(() => small.decode(large.encode(past)), protocol)
  }
})

test('bytes() copies: the message may be reused', () => {
  const holder = struct('holder', 1, { data: field(1, bytes(8)) })
  const encoded = holder.encode({ data: Buffer.from('abc') })
  const { data } = holder.decode(encoded)
  encoded.fill(0)
  assert.equal(data.toString(), 'abc')
})

test('float, hex() and choice() refuse what is not theirs', () => {
  const mixed = struct('mixed', 1, {
    rate: optional(1, float),
    server: optional(2, hex(2)),
    word: optional(3, choice('a', 'b')),
  })
  for (const rate of [Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => mixed.encode({ rate }), AssertionError)
  for (const server of ['', '00', '000000', 'zzzz']) assert.throws(() => mixed.encode({ server }), AssertionError)
  assert.throws(() => mixed.encode({ word: 'c' as 'a' }), AssertionError)
  assert.throws(() => mixed.decode(Buffer.from('0103087ff0000000000000', 'hex')), protocol)
  assert.throws(() => mixed.decode(Buffer.from('010503aabbcc', 'hex')), protocol)
  assert.throws(() => mixed.decode(Buffer.from('010501aa', 'hex')), protocol)
  assert.throws(() => mixed.decode(Buffer.from('010602', 'hex')), protocol)
})

function delimited(writer: ByteWriter, write: () => void): void {
  const start = writer.beginDelimited()
  write()
  writer.endDelimited(start)
}
