import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from '../base/byte-writer.ts'
import { optional, struct, text, uint } from '../base/codec.ts'
import type { ChunkId, ContentId, InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { listedObject, listObjects } from '../wire/methods/file-methods.ts'
import { attributesOf } from './entries.ts'
import { listedPage, writeListedObject } from './listed-object.ts'
import { type Entry, entryRow } from './rows.ts'

const number = fc.oneof(fc.nat(), fc.maxSafeNat())
const optionally = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const extent = fc.record({
  chunk: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => value.toString(16).padStart(32, '0') as ChunkId),
  ...{ offset: number, length: number, chunkLength: number, crc: fc.nat() },
})
/** Every field that a row has: one that is new has to be here before this compiles, and then to be listed as it is told. */
const fields: { readonly [Field in keyof Entry]-?: fc.Arbitrary<Entry[Field]> } = {
  kind: fc.constantFrom('file', 'directory', 'marker', 'delete-marker'),
  version: number.map((value) => value as Rising),
  ...{ modifiedMs: number, createdMs: number, mode: fc.nat(0o777) },
  owner: optionally(fc.string({ unit: 'grapheme', maxLength: 20 })),
  ownerGroup: optionally(fc.string({ maxLength: 8 })),
  xattrs: optionally(
    fc.array(
      fc.record({
        name: fc.string({ maxLength: 6 }),
        value: fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b)),
      }),
      { maxLength: 3 },
    ),
  ),
  accessedMs: optionally(number),
  content: optionally(
    fc.record({
      id: number.map((value) => value as ContentId),
      ...{ length: number, extentCount: number, crc: optionally(fc.nat()) },
      inline: fc.array(extent, { maxLength: 3 }),
    }),
  ),
  inode: optionally(number.map((value) => value as InodeId)),
  policy: optionally(fc.string({ maxLength: 8 })),
  implicit: optionally(fc.boolean()),
  objectVersion: optionally(number),
  retention: optionally(fc.record({ mode: fc.constantFrom('governance', 'compliance'), untilMs: number })),
  legalHold: optionally(fc.boolean()),
  versioning: optionally(fc.constantFrom('enabled', 'suspended')),
  objectLock: optionally(fc.record({ mode: fc.constant('compliance' as const), days: number })),
}
const entries: fc.Arbitrary<Entry> = fc.record(fields)

function written(name: string, entry: Buffer | undefined, wantXattrs: boolean): Buffer {
  const writer = new ByteWriter()
  writeListedObject(writer, { name: Buffer.from(name), ...(entry === undefined ? {} : { entry }), wantXattrs })
  return writer.finish()
}

/** As an element of a list stands: with its length before it. */
function delimited(bytes: Buffer): Buffer {
  const writer = new ByteWriter()
  writer.varint(bytes.length)
  writer.bytes(bytes)
  return writer.finish()
}

test('writeListedObject() writes what decoding the row, making its attributes and encoding them gives', () => {
  const property = fc.property(entries, fc.string({ maxLength: 40 }), fc.boolean(), (entry, name, wantXattrs) => {
    const row = entryRow.encode(entry)
    const attributes = attributesOf(entryRow.decode(row), { wantXattrs })
    const expected = listedObject.encode({ name, attributes })
    assert.deepEqual(written(name, row, wantXattrs), delimited(expected))
  })
  fc.assert(property, { numRuns: 1000 })
})

test('writeListedObject() leaves out what a newer master wrote into a row, and refuses a newer row', () => {
  const entry = { kind: 'file', version: 5 as Rising, modifiedMs: 1, createdMs: 2, mode: 0o600 } as const
  const newer = struct('newer', 1, { number: optional(400, uint), text: optional(401, text(90)) })
  const more = newer.encode({ number: 77, text: 'x' }).subarray(1)
  const row = Buffer.concat([entryRow.encode(entry), more])
  assert.deepEqual(written('a', row, true), written('a', entryRow.encode(entry), true))
  row[0] = 2
  assert.throws(() => written('a', row, true), { code: 'version-unsupported' })
})

test('listedPage() is the response that its struct encodes', () => {
  for (const count of [0, 1, 127, 128, limits.listPageEntries]) {
    for (const cursor of [undefined, Buffer.from('k\0')]) {
      const objects = Array.from({ length: count }, (_, index) => ({ name: `p${index}/` }))
      const elements = Buffer.concat(objects.map(({ name }) => written(name, undefined, false)))
      const expected = listObjects.response.encode({ objects, cursor })
      assert.deepEqual(listedPage({ count, objects: elements }, cursor), expected)
    }
  }
})
