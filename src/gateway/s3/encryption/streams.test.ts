/** Encrypted streams: what goes in comes out, by any range, and nothing that was changed, moved or cut does. @module */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isAshlarError } from '../../../base/errors.ts'
import { wrapDataKey } from './data-key.ts'
import { frameBytes, headerBytes, nonceOf, sealedFrameBytes, sealedSize } from './frames.ts'
import { openStream, type ReadSealed } from './open-stream.ts'
import { sealStream } from './seal-stream.ts'
import { openRange } from './sealed-object.ts'

const dataKey = randomBytes(32)

async function* cut(bytes: Buffer, pieceBytes: number) {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  // A piece is whole until the next is asked for, and no longer.
  for await (const piece of pieces) all.push(Buffer.from(piece))
  return Buffer.concat(all)
}

async function sealed(plain: Buffer, pieceBytes = 50_000): Promise<Buffer> {
  return await joined(sealStream(cut(plain, pieceBytes), { dataKey, random: randomBytes }))
}

function reading(file: Buffer, pieceBytes = 30_000): ReadSealed {
  return ({ start, end }) => cut(file.subarray(start, end), pieceBytes)
}

async function opened(file: Buffer, plainBytes: number, range = { start: 0, end: plainBytes }): Promise<Buffer> {
  return await joined(openStream(reading(file), { dataKey, offset: 0, plainBytes }, range))
}

const isCorrupt = (error: unknown) => isAshlarError(error, 'corrupt')
const edges = [0, 1, frameBytes - 1, frameBytes, frameBytes + 1, 3 * frameBytes, 3 * frameBytes + 5]

describe('sealStream()', () => {
  test('makes a file of the size that sealedSize() says, which opens again, at every edge', async () => {
    for (const length of edges) {
      const plain = randomBytes(length)
      const file = await sealed(plain)
      assert.equal(file.length, sealedSize(length), `${length}`)
      assert.ok((await opened(file, length)).equals(plain))
    }
  })

  test('never makes the same bytes twice, and shows nothing of the plain ones', async () => {
    const plain = Buffer.alloc(4 * frameBytes + 100, 'secret. ')
    const [first, second] = [await sealed(plain), await sealed(plain)]
    const frames = [first, second].flatMap((file) =>
      [0, 1, 2, 3].map((frame) =>
        file
          .subarray(headerBytes + frame * sealedFrameBytes)
          .subarray(0, 64)
          .toString('hex'),
      ),
    )
    assert.equal(new Set(frames).size, frames.length)
    assert.ok(!first.includes('secret'))
    const numbers = [0, 1, 2, 255, 256, 65_536, 2 ** 31]
    assert.equal(new Set(numbers.map((frame) => nonceOf(frame).toString('hex'))).size, numbers.length)
  })
})

// So that what was stored can be read for ever.
test('the bytes are those of docs/formats/s3-encryption.md', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/formats/s3-encryption.md'), 'utf8')
  const key = Buffer.from(Array.from({ length: 32 }, (_, index) => index))
  const random = (length: number) => Buffer.alloc(length, 0xab)
  const stream = (await joined(sealStream(cut(Buffer.from('ashlar'), 6), { dataKey: key, random }))).toString('hex')
  assert.ok(page.includes(`    ${stream.slice(0, 64)}\n    ${stream.slice(64)}\n`))
  assert.ok(page.includes(`    ${wrapDataKey(key, Buffer.alloc(32, 0xcd), random)}\n`))
})

describe('openStream()', () => {
  test('gives any range, however the file comes in pieces', async () => {
    const length = 2 * frameBytes + 777
    const plain = randomBytes(length)
    const file = await sealed(plain)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(length),
        fc.nat(length),
        fc.integer({ min: 1000, max: 200_000 }),
        async (a, b, pieceBytes) => {
          const range = { start: Math.min(a, b), end: Math.max(a, b) }
          const found = await joined(
            openStream(reading(file, pieceBytes), { dataKey, offset: 0, plainBytes: length }, range),
          )
          assert.ok(found.equals(plain.subarray(range.start, range.end)))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('refuses bits that were changed, wherever they are', async () => {
    const length = frameBytes + 10
    const file = await sealed(randomBytes(length))
    for (const at of [0, 4, 20, headerBytes, headerBytes + frameBytes, file.length - 20, file.length - 1]) {
      const changed = Buffer.from(file)
      changed[at] = (changed[at] as number) ^ 1
      await assert.rejects(opened(changed, length), isCorrupt, `byte ${at}`)
    }
  })

  test('refuses frames in another order, from another stream, or repeated', async () => {
    const length = 3 * frameBytes
    const [file, other] = [await sealed(randomBytes(length)), await sealed(randomBytes(length))]
    const frame = (of: Buffer, index: number) =>
      of.subarray(headerBytes + index * sealedFrameBytes, headerBytes + (index + 1) * sealedFrameBytes)
    const header = file.subarray(0, headerBytes)
    const last = file.subarray(headerBytes + 3 * sealedFrameBytes)
    const build = (...frames: Buffer[]) => Buffer.concat([header, ...frames, last])
    assert.ok(build(frame(file, 0), frame(file, 1), frame(file, 2)).equals(file))
    await assert.rejects(opened(build(frame(file, 1), frame(file, 0), frame(file, 2)), length), isCorrupt)
    await assert.rejects(opened(build(frame(file, 0), frame(file, 0), frame(file, 2)), length), isCorrupt)
    await assert.rejects(opened(build(frame(file, 0), frame(other, 1), frame(file, 2)), length), isCorrupt)
    await assert.rejects(
      opened(Buffer.concat([other.subarray(0, headerBytes), file.subarray(headerBytes)]), length),
      isCorrupt,
    )
  })

  // Also where whoever cut it changes the length that is told.
  test('refuses a stream that was cut, at a frame or within one', async () => {
    const length = 2 * frameBytes + 100
    const file = await sealed(randomBytes(length))
    for (const claimed of [0, 50, frameBytes, frameBytes + 50, 2 * frameBytes, 2 * frameBytes + 99]) {
      await assert.rejects(opened(file.subarray(0, sealedSize(claimed)), claimed), isCorrupt, `cut to ${claimed}`)
    }
    await assert.rejects(opened(file.subarray(0, -1), length), isCorrupt)
    await assert.rejects(opened(file.subarray(0, headerBytes + sealedFrameBytes), length), isCorrupt)
  })

  test('refuses another key', async () => {
    const file = await sealed(randomBytes(10))
    const pieces = openStream(
      reading(file),
      { dataKey: randomBytes(32), offset: 0, plainBytes: 10 },
      { start: 0, end: 10 },
    )
    await assert.rejects(joined(pieces), isCorrupt)
  })

  test('lets the file end when its reader stops', async () => {
    const file = await sealed(randomBytes(3 * frameBytes))
    let isEnded = false
    async function* source() {
      try {
        yield* cut(file, 1000)
      } finally {
        isEnded = true
      }
    }
    const stream = { dataKey, offset: 0, plainBytes: 3 * frameBytes }
    for await (const _ of openStream(source, stream, { start: 0, end: 3 * frameBytes })) break
    assert.ok(isEnded)
  })
})

test('sealStream() and openStream() give the memory of a piece back when the next is asked for', async () => {
  const plain = randomBytes(3 * frameBytes)
  const file = await sealed(plain)
  const range = { start: 0, end: plain.length }
  for (const pieces of [
    sealStream(cut(plain, 50_000), { dataKey, random: randomBytes }),
    openStream(reading(file), { dataKey, offset: 0, plainBytes: plain.length }, range),
  ]) {
    let before: Uint8Array | undefined
    let ended = 0
    for await (const piece of pieces) {
      assert.ok(piece.length > 0)
      if (before?.buffer.byteLength === 0) ended++
      before = piece
    }
    assert.ok(ended >= 2)
  }
})

describe('openRange()', () => {
  test('reads over parts of any size as if they were one', async () => {
    const sizes = [10, 10, 0, frameBytes, frameBytes, frameBytes + 1, 0, 7]
    const plains = sizes.map((size) => randomBytes(size))
    const file = Buffer.concat(await Promise.all(plains.map((plain) => sealed(plain))))
    const plain = Buffer.concat(plains)
    const parts = [
      [10, 2],
      [0, 1],
      [frameBytes, 2],
      [frameBytes + 1, 1],
      [0, 1],
      [7, 1],
    ] as const
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length), fc.nat(plain.length), async (a, b) => {
        const range = { start: Math.min(a, b), end: Math.max(a, b) }
        const found = await joined(openRange(reading(file), { dataKey, parts }, range))
        assert.ok(found.equals(plain.subarray(range.start, range.end)))
      }),
      { numRuns: 60 },
    )
  })
})
