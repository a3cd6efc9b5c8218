/** The five ways in which a body travels: AWS's published examples, and each way to get them wrong. @module */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createNodeEnv } from '../../../env/node-env.ts'
import { signingKey } from '../auth/signature-v4.ts'
import { checksumOf } from '../rules/checksums/checksum-hasher.ts'
import { S3Error } from '../rules/s3-error.ts'
import { BodyReader } from './body-reader.ts'
import type { Payload } from './payload.ts'

const scope = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', day: '20130524', region: 'us-east-1', service: 's3' }
const signing = {
  key: signingKey('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', scope),
  timestamp: '20130524T000000Z',
  scope: '20130524/us-east-1/s3/aws4_request',
  seedSignature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
}
const plain: Payload = {
  framing: undefined,
  declaredLength: undefined,
  sha256: undefined,
  md5: undefined,
  checksum: undefined,
}
const env = createNodeEnv({ log: 'silent' })
let heldBytes = 0

function reader(
  wire: string | Buffer,
  payload: Partial<Payload>,
  { pieceBytes = 1000, maxBytes = 1 << 20, isShort = false } = {},
): BodyReader {
  const bytes = Buffer.from(wire)
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  const hold = async (sizeBytes: number) => {
    heldBytes += sizeBytes
    return () => {
      heldBytes -= sizeBytes
    }
  }
  const source = isShort ? async () => bytes : pieces()
  return new BodyReader(source, { env, payload: { ...plain, ...payload }, hold, maxChunkBytes: 100_000, maxBytes })
}

/** Pieces of memory of their own, as HTTP gives them. */
async function* ownPieces(bytes: Buffer, given: Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) {
    const piece = new Uint8Array(bytes.subarray(at, at + 1000))
    given.push(piece)
    yield piece
  }
}

function refusedAs(code: string) {
  return (error: unknown) => error instanceof S3Error && error.code === code
}

const content = Buffer.alloc(66_560, 'a')
const signatures = [
  'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
  '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
  'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
]
const chunks = [content.subarray(0, 65_536), content.subarray(65_536), Buffer.alloc(0)]

function framed(parts: readonly { readonly bytes: Buffer; readonly signature: string | undefined }[]): Buffer {
  return Buffer.concat(
    parts.flatMap(({ bytes, signature }) => [
      Buffer.from(`${bytes.length.toString(16)}${signature === undefined ? '' : `;chunk-signature=${signature}`}\r\n`),
      bytes,
      Buffer.from(bytes.length === 0 ? '' : '\r\n'),
    ]),
  )
}

const signedWire = Buffer.concat([
  framed(chunks.map((bytes, index) => ({ bytes, signature: signatures[index] }))),
  Buffer.from('\r\n'),
])
const signed: Partial<Payload> = { framing: { signing, hasTrailer: false }, declaredLength: content.length }

describe('BodyReader of signed chunks', () => {
  test('takes the published example, in pieces of any size', async () => {
    for (const pieceBytes of [97, 1000, 1 << 20]) {
      const body = reader(signedWire, signed, { pieceBytes })
      assert.ok((await body.whole()).equals(content))
      assert.equal(body.digests.md5, createHash('md5').update(content).digest('hex'))
    }
    assert.equal(heldBytes, 0)
  })

  test('releases no byte of a chunk whose signature is wrong, is missing, or stands elsewhere', async () => {
    const [first = '', second = '', last = ''] = signatures
    for (const order of [
      [second, first, last],
      [first, first, last],
      [first, 'f'.repeat(64), last],
      [first, undefined, last],
    ]) {
      const wire = framed(chunks.map((bytes, index) => ({ bytes, signature: order[index] })))
      let released = 0
      const body = reader(Buffer.concat([wire, Buffer.from('\r\n')]), signed)
      await assert.rejects(async () => {
        for await (const piece of body.pieces()) released += piece.length
      }, refusedAs('SignatureDoesNotMatch'))
      assert.equal(released, order[0] === first ? 65_536 : 0)
    }
    assert.equal(heldBytes, 0)
  })

  test('refuses what is cut off, longer or shorter than declared, swapped, or followed by more', async () => {
    for (const end of [10, 66_000, signedWire.length - 90]) {
      await assert.rejects(reader(signedWire.subarray(0, end), signed).whole(), refusedAs('IncompleteBody'))
    }
    await assert.rejects(reader(signedWire, { ...signed, declaredLength: 66_559 }).whole(), refusedAs('IncompleteBody'))
    await assert.rejects(reader(signedWire, { ...signed, declaredLength: 66_561 }).whole(), refusedAs('IncompleteBody'))
    await assert.rejects(
      reader(Buffer.concat([signedWire, Buffer.from('x')]), signed).whole(),
      refusedAs('InvalidRequest'),
    )
    const changed = Buffer.from(signedWire)
    changed[5_000] = 0x62
    await assert.rejects(reader(changed, signed).whole(), refusedAs('SignatureDoesNotMatch'))
    const unsigned = framed(chunks.map((bytes) => ({ bytes, signature: undefined })))
    await assert.rejects(reader(unsigned, signed).whole(), refusedAs('SignatureDoesNotMatch'))
  })

  test('keeps nothing of a chunk that is too long', async () => {
    const wire = `fffffff;chunk-signature=${signatures[0]}\r\nabc`
    await assert.rejects(
      reader(wire, { ...signed, declaredLength: 1 << 30 }, { maxBytes: 2 ** 31 }).whole(),
      refusedAs('EntityTooLarge'),
    )
    assert.equal(heldBytes, 0)
  })
})

describe('BodyReader of signed chunks with a trailer', () => {
  const trailerSigning = {
    ...signing,
    seedSignature: '106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e',
  }
  const order = [
    'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
    '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
    '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
  ]
  const trailerSignature = 'd81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435'
  const wire = (trailer: string) =>
    Buffer.concat([framed(chunks.map((bytes, index) => ({ bytes, signature: order[index] }))), Buffer.from(trailer)])
  const payload: Partial<Payload> = {
    framing: { signing: trailerSigning, hasTrailer: true },
    declaredLength: content.length,
    checksum: { algorithm: 'CRC32C', expected: 'trailer' },
  }

  test('takes the published example', async () => {
    const body = reader(
      wire(`x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${trailerSignature}\r\n\r\n`),
      payload,
    )
    assert.ok((await body.whole()).equals(content))
    assert.deepEqual(body.digests.checksum, { algorithm: 'CRC32C', value: 'sOO8/Q==' })
  })

  test('refuses a trailer that is not signed, not signed right, or not there', async () => {
    for (const trailer of [
      'x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n',
      `x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:${'0'.repeat(64)}\r\n\r\n`,
      `x-amz-checksum-crc32c:sOO8/g==\r\nx-amz-trailer-signature:${trailerSignature}\r\n\r\n`,
      '\r\n',
      '',
    ]) {
      await assert.rejects(reader(wire(trailer), payload).whole(), refusedAs('SignatureDoesNotMatch'), trailer)
    }
  })
})

describe('BodyReader of unsigned chunks with a trailer', () => {
  const bytes = Buffer.from('hello, world')
  const crc = checksumOf('CRC32', bytes)
  const payload: Partial<Payload> = {
    framing: { signing: undefined, hasTrailer: true },
    declaredLength: bytes.length,
    checksum: { algorithm: 'CRC32', expected: 'trailer' },
  }

  test('takes upper-case sizes, many chunks and a checksum behind them', async () => {
    const body = reader(`5\r\nhello\r\n7\r\n, world\r\n0\r\nx-amz-checksum-crc32:${crc}\r\n\r\n`, payload)
    assert.equal(String(await body.whole()), 'hello, world')
    assert.equal(
      String(await reader(`C\r\nhello, world\r\n0\r\nx-amz-checksum-crc32: ${crc}\r\n\r\n`, payload).whole()),
      'hello, world',
    )
  })

  test('refuses a checksum that is wrong, malformed or missing', async () => {
    const wire = (trailer: string) => `C\r\nhello, world\r\n0\r\n${trailer}`
    await assert.rejects(reader(wire('x-amz-checksum-crc32:AAAAAA==\r\n\r\n'), payload).whole(), refusedAs('BadDigest'))
    await assert.rejects(reader(wire('x-amz-checksum-crc32:AA\r\n\r\n'), payload).whole(), refusedAs('BadDigest'))
    for (const trailer of ['\r\n', '', 'x-amz-checksum-sha1:x\r\n\r\n']) {
      await assert.rejects(reader(wire(trailer), payload).whole(), refusedAs('MalformedXML'), trailer)
    }
  })

  test('refuses frames that are none', async () => {
    for (const wire of [
      'hello',
      'zz\r\nhello\r\n',
      '-1\r\n\r\n',
      '5\r\nhelloX\r\n',
      '5 \r\nhello\r\n0;x=y\r\n',
      `${'1'.repeat(5000)}`,
    ]) {
      await assert.rejects(reader(wire, { ...payload, declaredLength: undefined }).whole(), S3Error, wire)
    }
  })

  test('gives back any content, however it was cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 })),
        fc.integer({ min: 1, max: 50 }),
        async (parts, pieceBytes) => {
          const wire = framed(
            [...parts, new Uint8Array()].map((part) => ({ bytes: Buffer.from(part), signature: undefined })),
          )
          const body = reader(
            Buffer.concat([wire, Buffer.from('\r\n')]),
            { framing: { signing: undefined, hasTrailer: true } },
            { pieceBytes },
          )
          assert.ok((await body.whole()).equals(Buffer.concat(parts)))
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('BodyReader of plain bytes', () => {
  const bytes = Buffer.from('hello, world')
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const md5 = createHash('md5').update(bytes).digest()

  test('verifies length, SHA-256, MD5 and checksum', async () => {
    const right = {
      declaredLength: 12,
      sha256,
      md5,
      checksum: { algorithm: 'SHA1', expected: checksumOf('SHA1', bytes) },
    } as const
    assert.equal(String(await reader(bytes, right).whole()), 'hello, world')
    assert.equal(String(await reader(bytes, right, { isShort: true }).whole()), 'hello, world')
    for (const [wrong, code] of [
      [{ declaredLength: 13 }, 'IncompleteBody'],
      [{ sha256: '0'.repeat(64) }, 'XAmzContentSHA256Mismatch'],
      [{ md5: Buffer.alloc(16) }, 'BadDigest'],
      [{ checksum: { algorithm: 'CRC64NVME', expected: 'AAAAAAAAAAA=' } }, 'BadDigest'],
    ] as const) {
      for (const isShort of [false, true]) {
        await assert.rejects(reader(bytes, { ...right, ...wrong }, { isShort }).whole(), refusedAs(code))
      }
    }
  })

  test('says which source is better taken whole, and unpacks the frames of one', async () => {
    assert.deepEqual(
      [reader(bytes, {}, { isShort: true }).isShort, reader(bytes, { declaredLength: 12 }).isShort],
      [true, false],
    )
    const body = reader(
      'C\r\nhello, world\r\n0\r\n\r\n',
      { framing: { signing: undefined, hasTrailer: true }, declaredLength: 12 },
      { isShort: true },
    )
    assert.equal(String(await body.whole()), 'hello, world')
    assert.equal(body.digests.md5, md5.toString('hex'))
  })

  test('refuses more than it may take, declared or not', async () => {
    assert.throws(() => reader(bytes, { declaredLength: 12 }, { maxBytes: 11 }), refusedAs('EntityTooLarge'))
    for (const isShort of [false, true]) {
      await assert.rejects(reader(bytes, {}, { maxBytes: 11, isShort }).whole(), refusedAs('EntityTooLarge'))
    }
  })
})

describe('passing()', () => {
  const bytes = Buffer.from(Array.from({ length: 3500 }, (_, index) => index % 251))
  const chunked: Partial<Payload> = { framing: { signing: undefined, hasTrailer: false }, declaredLength: bytes.length }
  const wires = [
    { wire: bytes, payload: {} },
    { wire: framed([bytes, Buffer.alloc(0)].map((part) => ({ bytes: part, signature: undefined }))), payload: chunked },
  ]
  const bodyOf = (wire: Buffer, options: { payload: Partial<Payload>; isSourceOwned: boolean; given: Uint8Array[] }) =>
    new BodyReader(ownPieces(wire, options.given), {
      ...{ env, hold: async () => () => undefined, maxChunkBytes: 100_000, maxBytes: 1 << 20 },
      isSourceOwned: options.isSourceOwned,
      payload: { ...plain, ...options.payload },
    })

  test('gives memory back once the next piece is asked for, and not before', async () => {
    for (const { wire, payload } of wires) {
      const given: Uint8Array[] = []
      const body = bodyOf(wire, { payload, isSourceOwned: true, given })
      const read: number[] = []
      for await (const piece of body.passing()) {
        read.push(...piece)
        assert.ok(given.slice(0, -1).every(({ length }) => length === 0))
        assert.equal(given.at(-1)?.length, Math.min(1000, wire.length - 1000 * (given.length - 1)))
      }
      assert.deepEqual(Buffer.from(read), bytes)
      assert.equal(body.digests.md5, createHash('md5').update(bytes).digest('hex'))
      assert.ok(given.every(({ length }) => length === 0))
    }
  })

  test('leaves memory alone that others may read: of a foreign source, of signed chunks, of pieces that are kept', async () => {
    const drain = async (pieces: AsyncIterable<Uint8Array>) => {
      for await (const _ of pieces);
    }
    const given: Uint8Array[] = []
    await drain(bodyOf(bytes, { payload: {}, isSourceOwned: false, given }).passing())
    await drain(bodyOf(bytes, { payload: {}, isSourceOwned: true, given }).pieces())
    await drain(bodyOf(signedWire, { payload: signed, isSourceOwned: true, given }).passing())
    assert.ok(given.every(({ length }) => length > 0))
  })
})
