/**
 * The `aws-chunked` framing: `size;chunk-signature=…\r\n`, bytes, `\r\n`, until a chunk of size 0, behind which headers may
 * follow (the trailer).
 *
 *     head → data → end → head …          head of size 0 → trailer → done
 *
 * Signed chunks are held back until their signature proved right, so none of their bytes is released before. Lengths are checked
 * before anything is kept: a head that announces more than the declared length is refused.
 * @module
 */
import { createHash } from 'node:crypto'
import { chainedSignature, isSameSignature, type SigningContext } from '../auth/signature-v4.ts'
import { S3Error } from '../rules/s3-error.ts'
import { ByteQueue } from './byte-queue.ts'
import type { ChunkFraming } from './payload.ts'

/** Trailer headers: names in lower case. */
export type Trailer = ReadonlyMap<string, string>

export interface ChunkedOptions extends ChunkFraming {
  readonly declaredLength: number | undefined
  /** A signed chunk may have so many bytes at most. */
  readonly maxChunkBytes: number
  /** Memory for one chunk: taken before its first byte is kept, given back when it was used. */
  readonly hold: (sizeBytes: number) => Promise<() => void>
}

const maxHeadBytes = 1024
const maxTrailerBytes = 8 * 1024

/**
 * Takes the frames off. The generator returns the trailer.
 * @throws {S3Error} `IncompleteBody`, `InvalidRequest`, `SignatureDoesNotMatch`, `EntityTooLarge`
 */
export async function* decodeChunked(
  source: AsyncIterable<Uint8Array>,
  options: ChunkedOptions,
): AsyncGenerator<Uint8Array, Trailer, undefined> {
  const input = new ByteQueue(source)
  const chain = options.signing === undefined ? undefined : new SignatureChain(options.signing)
  let left = options.declaredLength
  for (;;) {
    const { size, signature } = parseHead(await input.line(maxHeadBytes))
    if (left !== undefined && size > left) throw incomplete('The chunks hold more bytes than were declared.')
    if (size === 0) {
      chain?.check(signature, emptyHash)
      break
    }
    if (chain === undefined) yield* input.take(size)
    else {
      if (size > options.maxChunkBytes)
        throw new S3Error('EntityTooLarge', `A signed chunk has at most ${options.maxChunkBytes} bytes.`)
      const release = await options.hold(size)
      try {
        const pieces: Uint8Array[] = []
        const hash = createHash('sha256')
        for await (const piece of input.take(size)) {
          hash.update(piece)
          pieces.push(piece)
        }
        chain.check(signature, hash.digest('hex'))
        yield* pieces
      } finally {
        release()
      }
    }
    if (left !== undefined) left -= size
    if ((await input.line(0)) !== '') throw malformed()
  }
  if (left !== undefined && left !== 0) throw incomplete('The chunks hold fewer bytes than were declared.')
  return await readTrailer(input, { chain, hasTrailer: options.hasTrailer })
}

async function readTrailer(
  input: ByteQueue,
  { chain, hasTrailer }: { readonly chain: SignatureChain | undefined; readonly hasTrailer: boolean },
): Promise<Trailer> {
  const trailer = new Map<string, string>()
  let signature: string | undefined
  const signedText = createHash('sha256')
  let left = maxTrailerBytes
  for (;;) {
    // A body that ends with its last chunk has no trailer.
    const line = await input.line(left, { mayEnd: true })
    if (line === undefined || line === '') break
    left = Math.max(0, left - line.length)
    const at = line.indexOf(':')
    if (at <= 0 || !hasTrailer) throw malformed()
    const name = line.slice(0, at).trim().toLowerCase()
    const value = line.slice(at + 1).trim()
    if (name === 'x-amz-trailer-signature') signature = value
    else {
      if (signature !== undefined || trailer.has(name)) throw malformed()
      trailer.set(name, value)
      signedText.update(`${name}:${value}\n`, 'latin1')
    }
  }
  if (!(await input.isAtEnd())) throw malformed()
  if (chain !== undefined && hasTrailer) chain.check(signature, signedText.digest('hex'), { isTrailer: true })
  return trailer
}

class SignatureChain {
  readonly #context: SigningContext
  #previous: string

  constructor(context: SigningContext) {
    this.#context = context
    this.#previous = context.seedSignature
  }

  check(
    signature: string | undefined,
    hash: string,
    { isTrailer = false }: { readonly isTrailer?: boolean } = {},
  ): void {
    const expected = chainedSignature(this.#context, { previous: this.#previous, hash, isTrailer })
    if (signature === undefined || !isSameSignature(signature, expected)) {
      throw new S3Error('SignatureDoesNotMatch', 'The signature of a chunk does not match: its bytes were not taken.')
    }
    this.#previous = expected
  }
}

function parseHead(line: string): { readonly size: number; readonly signature: string | undefined } {
  const match = /^([0-9a-fA-F]{1,12})(?:;chunk-signature=([0-9a-f]{64}))?\s*$/.exec(line)
  if (match === null) throw malformed()
  return { size: Number.parseInt(match[1] as string, 16), signature: match[2] }
}

const emptyHash = createHash('sha256').digest('hex')

function malformed(): S3Error {
  return new S3Error('InvalidRequest', 'The body is not framed as aws-chunked.')
}

function incomplete(message: string): S3Error {
  return new S3Error('IncompleteBody', message)
}
