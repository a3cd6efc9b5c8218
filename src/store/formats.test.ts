/** Golden bytes: what `docs/formats/` specifies. Changing one means a new format version. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { idAt, someBytes } from '../../test/contract/chunk-store.ts'
import { crc32 } from '../base/crc.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { combineBlocks, sumBlocks } from './block-sums.ts'
import {
  type ChunkFooter,
  chunkFileBytes,
  decodeFooter,
  encodeFooter,
  footerBytes,
  footerLengthIn,
} from './chunk-file-format.ts'
import {
  decodeRecordHead,
  decodeSegmentHeader,
  deleteRecord,
  encodeRecordHead,
  encodeSegmentHeader,
  putRecord,
  recordBytes,
  segmentSeed,
} from './segment-format.ts'

const server = '000102030405060708090a0b0c0d0e0f' as ServerId
const id = idAt(0x123456, 7, 1)

function footerOf(bytes: Buffer, sequence = 42): ChunkFooter {
  const blockCrcs = sumBlocks(bytes)
  const crc = combineBlocks(blockCrcs, bytes.length)
  const { length } = bytes
  return { id, sequence, slot: 0, length, crc, storedLength: length, storedCrc: crc, blockCrcs }
}

suite('chunk file format', () => {
  const bytes = Buffer.alloc(limits.chunkFileMinBytes, 'ashlar')
  const footer = footerOf(bytes)
  const encoded = Buffer.alloc(footerBytes(bytes.length))
  encodeFooter(footer, encoded)

  test('encodeFooter() golden bytes', () => {
    assert.equal(encoded.length, 4096)
    assert.equal(
      encoded.subarray(0, 56 + 8).toString('hex'),
      '0001000000010000000000000000002a000000070001000000000012345600000000000000100000b21ad95a00100000b21ad95a00000010d44282af53c019fd',
    )
    assert.equal(encoded.subarray(-16).toString('hex'), '08c0f813000010004153484c43484e4b')
  })

  test('decodeFooter() reads what was written', () => {
    assert.equal(footerLengthIn(encoded), 4096)
    assert.deepEqual(decodeFooter(encoded), footer)
  })

  test('decodeFooter() refuses any flipped bit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: encoded.length * 8 - 1 }), (bit) => {
        const copy = Buffer.from(encoded)
        copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
        assert.equal(decodeFooter(copy), undefined)
      }),
      { numRuns: 500 },
    )
  })

  test('the largest chunk has a footer of more than a page, found from the last one', () => {
    const length = limits.chunkSizeMaxBytes
    const blockCrcs = new Uint32Array(length / limits.blockBytes)
    const crc = combineBlocks(blockCrcs, length)
    const large = { id, sequence: 1, slot: 3, length, crc, storedLength: length, storedCrc: crc, blockCrcs }
    const target = Buffer.alloc(footerBytes(length))
    encodeFooter(large, target)
    assert.equal(footerLengthIn(target.subarray(-4096)), target.length)
    assert.deepEqual(decodeFooter(target), large)
    assert.equal(chunkFileBytes(length), length + target.length)
  })

  test('decodeFooter() refuses block checksums that do not combine to the stored crc', () => {
    const target = Buffer.alloc(4096)
    encodeFooter({ ...footer, storedCrc: (footer.storedCrc ^ 1) >>> 0 }, target)
    assert.equal(decodeFooter(target), undefined)
  })
})

suite('segment format', () => {
  const place = { seed: segmentSeed({ server, number: 5 }), offset: 40 }
  const payload = Buffer.from('a small chunk')
  const put = putRecord(id, { bytes: payload, sequence: 2 ** 40 + 3 })

  test('golden bytes of the header and of the three kinds of record', () => {
    assert.equal(
      encodeSegmentHeader({ number: 5, kind: 'log', server }).toString('hex'),
      '4153484c5345474d0001000000000005000102030405060708090a0b0c0d0e0f000000005f7e4163',
    )
    assert.equal(
      encodeRecordHead(put, place).toString('hex'),
      'a5524543010100000000010000000003000000070001000000000012345600000000000d533ba0140000000d533ba0140000000049905791',
    )
    assert.equal(
      encodeRecordHead(deleteRecord(id, 9), place).toString('hex'),
      'a5524543010200000000000000000009000000070001000000000012345600000000000000000000000000000000000000000000823e0a7a',
    )
    const file = { ...footerOf(Buffer.alloc(limits.chunkFileMinBytes, 'ashlar')), kind: 'file' as const }
    assert.equal(
      encodeRecordHead(file, place).toString('hex'),
      'a552454301030000000000000000002a0000000700010000000000123456000000100000b21ad95a00100000b21ad95a00000000e8d61556',
    )
  })

  test('decodeSegmentHeader() reads what was written, and refuses any flipped bit', () => {
    const header = { number: 5, kind: 'compacted', server } as const
    const encoded = encodeSegmentHeader(header)
    assert.deepEqual(decodeSegmentHeader(encoded), header)
    for (let bit = 0; bit < encoded.length * 8; bit++) {
      const copy = Buffer.from(encoded)
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
      assert.equal(decodeSegmentHeader(copy), undefined)
    }
  })

  test('decodeRecordHead() reads what was written, at its place and nowhere else', () => {
    for (const length of [1, 65_536, 65_537, limits.chunkFileMinBytes - 1]) {
      const record = putRecord(id, { bytes: someBytes(length), sequence: 77 })
      const head = encodeRecordHead(record, place)
      assert.equal(recordBytes(record), head.length + length)
      assert.deepEqual(decodeRecordHead(head, place), record)
      assert.equal(decodeRecordHead(head, { ...place, offset: 41 }), undefined)
      assert.equal(decodeRecordHead(head, { ...place, seed: segmentSeed({ server, number: 6 }) }), undefined)
      assert.equal(decodeRecordHead(head.subarray(0, head.length - 1), place), undefined)
    }
    assert.equal(put.crc, crc32(payload))
  })

  test('decodeRecordHead() refuses any flipped bit', () => {
    const head = encodeRecordHead(put, place)
    for (let bit = 0; bit < head.length * 8; bit++) {
      const copy = Buffer.from(head)
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
      assert.equal(decodeRecordHead(copy, place), undefined)
    }
  })
})
