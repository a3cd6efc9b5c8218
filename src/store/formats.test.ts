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
import { chunkIdOfKey, decodeLive, encodeLive, liveKey } from './index-rows.ts'
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

  const shard = { ...put, slot: 3, length: 30, crc: 0x01020304 }

  test('golden bytes of the header, of the three kinds of record, and of a shard', () => {
    assert.equal(
      encodeSegmentHeader({ number: 5, kind: 'log', server }).toString('hex'),
      '4153484c5345474d0002000000000005000102030405060708090a0b0c0d0e0f00000000ecea6ca0',
    )
    assert.equal(
      encodeRecordHead(put, place).toString('hex'),
      'a552454302010001000000000300000007000100000000001234560000000d533ba0143b07f5b5',
    )
    assert.equal(
      encodeRecordHead(deleteRecord(id, 9), place).toString('hex'),
      'a5524543020200000000000009000000070001000000000012345600000000000000002ef7bb67',
    )
    const file = { ...footerOf(Buffer.alloc(limits.chunkFileMinBytes, 'ashlar')), kind: 'file' as const }
    assert.equal(
      encodeRecordHead(file, place).toString('hex'),
      'a552454302030000000000002a000000070001000000000012345600100000b21ad95a7cc7970f',
    )
    assert.equal(
      encodeRecordHead(shard, place).toString('hex'),
      'a552454302810001000000000300000007000100000000001234560000000d533ba01400030000001e010203044c4c616c',
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
    for (const head of [encodeRecordHead(shard, place), Buffer.concat([encodeRecordHead(shard, place), payload])]) {
      assert.deepEqual(decodeRecordHead(head, place), shard)
    }
    assert.equal(recordBytes(shard), encodeRecordHead(shard, place).length + payload.length)
    const last = { ...put, sequence: Number.MAX_SAFE_INTEGER }
    assert.deepEqual(decodeRecordHead(encodeRecordHead(last, place), place), last)
  })

  test('decodeRecordHead() refuses any flipped bit', () => {
    for (const record of [put, shard]) {
      const head = encodeRecordHead(record, place)
      for (let bit = 0; bit < head.length * 8; bit++) {
        const copy = Buffer.concat([head, payload])
        copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7))
        assert.equal(decodeRecordHead(copy, place), undefined)
      }
    }
  })
})

suite('rows of the index', () => {
  const facts = {
    id,
    sequence: 2 ** 40 + 3,
    slot: 0,
    length: 4096,
    crc: 0xdeadbeef,
    storedLength: 4096,
    storedCrc: 0xdeadbeef,
  }
  const inSegment = { ...facts, location: { kind: 'segment', segment: 9, offset: 60_000_000 } } as const
  const inFile = { ...facts, location: { kind: 'file' } } as const
  const shard = { ...inSegment, slot: 3, storedLength: 1024, storedCrc: 7 }

  test('decodeLive() reads what was written, in no more bytes than the facts need', () => {
    for (const chunk of [inSegment, inFile, shard, { ...inFile, slot: 1 }, { ...inSegment, sequence: 1 }]) {
      assert.deepEqual(decodeLive(id, encodeLive(chunk)), chunk)
    }
    assert.equal(encodeLive({ ...inSegment, sequence: 100_000 }).length, 15)
    assert.equal(encodeLive(inSegment).toString('hex'), '20' + '838080808020' + '8020' + 'deadbeef' + '09' + '808ece1c')
  })

  test('decodeLive() refuses a row of another version, or length', () => {
    const row = encodeLive(shard)
    for (const wrong of [row.subarray(0, -1), Buffer.concat([row, Buffer.of(0)]), Buffer.alloc(0), Buffer.of(1)]) {
      assert.throws(() => decodeLive(id, wrong), { code: 'metadata-corrupt' })
    }
  })

  test('liveKey() keeps the order of ids, which chunkIdOfKey() gives back', () => {
    const ids = [idAt(0), idAt(1), idAt(255), idAt(256), idAt(0, 7, 2), idAt(0, 8, 1)]
    const keys = ids.map(liveKey)
    assert.deepEqual(keys.map(chunkIdOfKey), ids)
    assert.deepEqual(keys.toSorted(Buffer.compare).map(chunkIdOfKey), ids.toSorted())
    assert.throws(() => chunkIdOfKey(Buffer.concat([liveKey(id), Buffer.alloc(2)])), { code: 'metadata-corrupt' })
  })
})
