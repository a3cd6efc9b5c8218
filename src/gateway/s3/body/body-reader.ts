/**
 * The content of a request, verified as it passes: length, SHA-256, Content-MD5, checksum. What is wrong shows at the end, as
 * an error of the iteration, before whoever stores the bytes can make them visible.
 *
 * One pass, nothing kept. A sender that is slower than `leastBytesPerSecond` over `paceWindowMs` is given up, so that a
 * trickle cannot hold a connection for ever. The hashes run on this thread, 0.65 GiB/s for MD5: they belong into workers
 * once Env has some.
 * @module
 */
import { createHash, type Hash } from 'node:crypto'
import { AshlarError } from '../../../base/errors.ts'
import type { Clock } from '../../../env/clock.ts'
import { type ChecksumAlgorithm, checksumHeader } from '../rules/checksums/checksum-algorithm.ts'
import { type ChecksumHasher, checksumHasher } from '../rules/checksums/checksum-hasher.ts'
import { checkChecksum } from '../rules/checksums/requested-checksum.ts'
import { S3Error } from '../rules/s3-error.ts'
import { decodeChunked, type Trailer } from './aws-chunked.ts'
import type { Payload } from './payload.ts'

export interface BodyOptions {
  readonly clock: Clock
  readonly payload: Payload
  /** As {@link ChunkedOptions.hold}. */
  readonly hold: (sizeBytes: number) => Promise<() => void>
  readonly maxChunkBytes: number
  /** More is refused. */
  readonly maxBytes: number
}

export interface BodyDigests {
  readonly length: number
  /** Hex. */
  readonly md5: string
  readonly checksum: { readonly algorithm: ChecksumAlgorithm; readonly value: string } | undefined
}

const paceWindowMs = 30_000
const leastBytesPerSecond = 1024

export class BodyReader {
  readonly #source: AsyncIterable<Uint8Array>
  readonly #options: BodyOptions
  readonly #md5: Hash = createHash('md5')
  readonly #sha256: Hash | undefined
  readonly #checksum: ChecksumHasher | undefined
  #length = 0
  #digests: BodyDigests | undefined

  constructor(source: AsyncIterable<Uint8Array>, options: BodyOptions) {
    this.#source = source
    this.#options = options
    const { sha256, checksum } = options.payload
    this.#sha256 = sha256 === undefined ? undefined : createHash('sha256')
    this.#checksum = checksum === undefined ? undefined : checksumHasher(checksum.algorithm)
    const { declaredLength } = options.payload
    if (declaredLength !== undefined && declaredLength > options.maxBytes) throw tooLarge(options.maxBytes)
  }

  /** Known once {@link pieces} has ended. */
  get digests(): BodyDigests {
    if (this.#digests === undefined) throw new Error('the body was not read to its end')
    return this.#digests
  }

  /**
   * The bytes; may be called once.
   * @throws {S3Error} `BadDigest`, `XAmzContentSHA256Mismatch`, `IncompleteBody`, `EntityTooLarge`, `RequestTimeout`
   */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    const { payload, maxBytes } = this.#options
    const { framing, declaredLength } = payload
    const received = this.#paced()
    const content =
      framing === undefined ? received : decodeChunked(received, { ...framing, ...this.#options, declaredLength })
    let trailer: Trailer | undefined
    for (;;) {
      const next = await content.next()
      if (next.done === true) {
        trailer = next.value ?? undefined
        break
      }
      const piece = next.value
      this.#length += piece.length
      if (this.#length > maxBytes) throw tooLarge(maxBytes)
      this.#md5.update(piece)
      this.#sha256?.update(piece)
      this.#checksum?.update(piece)
      yield piece
    }
    this.#digests = this.#verified(trailer)
  }

  /** All of it at once. @throws as {@link pieces} */
  async whole(): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.pieces()) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  #verified(trailer: Trailer | undefined): BodyDigests {
    const { declaredLength, sha256, md5, checksum } = this.#options.payload
    if (declaredLength !== undefined && declaredLength !== this.#length) throw incomplete()
    if (sha256 !== undefined && this.#sha256?.digest('hex') !== sha256) {
      throw new S3Error(
        'XAmzContentSHA256Mismatch',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
      )
    }
    const computedMd5 = this.#md5.digest('hex')
    if (md5 !== undefined && md5.toString('hex') !== computedMd5) {
      throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.')
    }
    const digests = { length: this.#length, md5: computedMd5 }
    if (checksum === undefined || this.#checksum === undefined) return { ...digests, checksum: undefined }
    const { algorithm } = checksum
    const value = this.#checksum.digest()
    const expected = checksum.expected === 'trailer' ? trailer?.get(checksumHeader(algorithm)) : checksum.expected
    if (checksum.expected === 'trailer' && expected === undefined) {
      throw new S3Error('MalformedXML', 'The checksum that x-amz-trailer names did not follow the body.')
    }
    if (expected !== undefined) checkChecksum(algorithm, expected, value)
    return { ...digests, checksum: { algorithm, value } }
  }

  async *#paced(): AsyncGenerator<Uint8Array, undefined, undefined> {
    const { clock } = this.#options
    let windowStartMs = clock.monotonicMs()
    let received = 0
    try {
      for await (const piece of this.#source) {
        received += piece.length
        yield piece
        const nowMs = clock.monotonicMs()
        if (nowMs - windowStartMs < paceWindowMs) continue
        if (received < ((nowMs - windowStartMs) / 1000) * leastBytesPerSecond) {
          throw new S3Error(
            'RequestTimeout',
            'Your socket connection to the server was not read from or written to within the timeout period.',
          )
        }
        windowStartMs = nowMs
        received = 0
      }
    } catch (cause) {
      if (cause instanceof S3Error || cause instanceof AshlarError) throw cause
      throw incomplete(cause)
    }
    return undefined
  }
}

function tooLarge(maxBytes: number): S3Error {
  return new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
    details: { MaxSizeAllowed: String(maxBytes) },
  })
}

function incomplete(cause?: unknown): S3Error {
  return new S3Error(
    'IncompleteBody',
    'You did not provide the number of bytes specified by the Content-Length HTTP header',
    { cause },
  )
}
