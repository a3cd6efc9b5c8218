import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from '../base/crc.ts'
import { rising } from '../base/rising.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { BlockSeal, blockHeadBytes, blockSizeOf, isAtPlace } from './backup-blocks.ts'

const seal = new BlockSeal(Buffer.alloc(32, 1), seededRandom(1))
const place = { kind: 'log', leaderEpoch: rising(1, 4), start: rising(1, 99), index: 3 } as const
const text = Buffer.from('a name that nobody may read')

test('BlockSeal.open() gives back what was sealed, and where it belongs', () => {
  const block = seal.seal(place, text)
  const opened = seal.open(Buffer.concat([block, Buffer.from('what follows')]))
  assert.deepEqual(opened, { place, text, sizeBytes: blockHeadBytes + text.length })
  assert.ok(opened && isAtPlace(opened, place, 3))
  for (const other of [
    { ...place, start: rising(1, 98) },
    { ...place, leaderEpoch: rising(0, 4) },
    { ...place, kind: 'base' as const },
  ]) {
    assert.equal(isAtPlace(opened, other, 3), false)
  }
  assert.equal(isAtPlace(opened, place, 4), false)
  assert.equal(block.includes(text), false, 'it is not to be read')
  assert.notDeepEqual(seal.seal(place, text), block, 'sealed again it is another one')
})

test('BlockSeal.open() asks for more bytes of a block that is cut short, and never takes a changed one', () => {
  const block = seal.seal(place, text)
  for (let length = 0; length < block.length; length++) assert.equal(seal.open(block.subarray(0, length)), undefined)
  for (let at = 0; at < block.length; at++) {
    const changed = Buffer.from(block)
    changed[at] = (changed[at] as number) ^ 1
    try {
      assert.equal(seal.open(changed), undefined, `byte ${at}`)
    } catch (error) {
      assert.ok(['corrupt', 'version-unsupported'].includes((error as { code: string }).code), `byte ${at}: ${error}`)
    }
  }
})

// The checksum tells rot; only the seal tells a liar.
test('BlockSeal.open() takes no block of another secret, nor one that was moved by somebody without it', () => {
  const block = seal.seal(place, text)
  assert.throws(() => new BlockSeal(Buffer.alloc(32, 2), seededRandom(1)).open(block), { code: 'forbidden' })
  const moved = Buffer.from(block)
  moved.writeUInt32BE(4, 24)
  moved.writeUInt32BE(
    crc32(moved.subarray(blockHeadBytes), crc32(moved.subarray(0, blockHeadBytes - 4))),
    blockHeadBytes - 4,
  )
  assert.throws(() => seal.open(moved), { code: 'forbidden' })
})

test('blockSizeOf() refuses a length past the limit before anything is taken for it', () => {
  const head = seal.seal(place, text).subarray(0, blockHeadBytes)
  const long = Buffer.from(head)
  long.writeUInt32BE(0xffff_ffff, 28)
  assert.throws(() => blockSizeOf(long), { code: 'corrupt' })
  assert.equal(blockSizeOf(head.subarray(0, 20)), undefined)
})

test('the block of docs/formats/backup.md is what seal() makes and open() reads', () => {
  const page = readFileSync(new URL('../../docs/formats/backup.md', import.meta.url), 'utf8')
  const golden = Buffer.from((/```\n([0-9a-f\n]+)```/.exec(page)?.[1] ?? '').replaceAll('\n', ''), 'hex')
  const counting = (count: number) => Buffer.from(Array.from({ length: count }, (_, at) => at + 1))
  const key = Buffer.from(Array.from({ length: 32 }, (_, at) => at))
  const described = new BlockSeal(key, { ...seededRandom(1), bytes: counting })
  const at = { kind: 'log', leaderEpoch: rising(0, 1), start: rising(0, 5), index: 0 } as const
  assert.deepEqual(described.seal(at, Buffer.from('text')), golden)
  assert.equal(described.open(golden)?.text.toString(), 'text')
})
