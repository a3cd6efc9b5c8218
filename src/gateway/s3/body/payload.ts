/**
 * How the body of a request travels, from its headers alone: framed in chunks or not, signed or not, how long, and under
 * which checksum. Nothing of the body has been read yet.
 * @module
 */
import type { Authenticated } from '../auth/authenticate.ts'
import type { SigningContext } from '../auth/signature-v4.ts'
import type { S3Request } from '../request/s3-request.ts'
import type { ChecksumAlgorithm } from '../rules/checksums/checksum-algorithm.ts'
import { requestedChecksum } from '../rules/checksums/requested-checksum.ts'
import { S3Error } from '../rules/s3-error.ts'

export interface Payload {
  /** Undefined: the bytes are the content. */
  readonly framing: ChunkFraming | undefined
  /** Of the content, not of the frames; undefined: not told in advance. */
  readonly declaredLength: number | undefined
  /** What all bytes must hash to, in hex. */
  readonly sha256: string | undefined
  /** What all bytes must hash to. */
  readonly md5: Buffer | undefined
  readonly checksum: PayloadChecksum | undefined
}

export interface ChunkFraming {
  /** Undefined: the chunks are not signed. */
  readonly signing: SigningContext | undefined
  /** Whether headers may follow the last chunk, and must be signed as well if chunks are. */
  readonly hasTrailer: boolean
}

export interface PayloadChecksum {
  readonly algorithm: ChecksumAlgorithm
  /** Base64. Undefined: only wanted. `trailer`: comes behind the body. */
  readonly expected: string | 'trailer' | undefined
}

const streaming = {
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD': { isSigned: true, hasTrailer: false },
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER': { isSigned: true, hasTrailer: true },
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER': { isSigned: false, hasTrailer: true },
} as const

/**
 * @param isAboutObject the checksum that the headers name is not of this body (a complete names the one of its object)
 * @throws {S3Error} `InvalidArgument`, `InvalidRequest`, `InvalidDigest`, `MissingContentLength`
 */
export function payloadOf(
  request: S3Request,
  authenticated: Authenticated,
  { isAboutObject = false }: { readonly isAboutObject?: boolean } = {},
): Payload {
  const { headers } = request
  const hash = authenticated.payloadHash ?? headers.get('x-amz-content-sha256')
  const framing = framingOf(request, hash, authenticated)
  return {
    framing,
    declaredLength: framing === undefined ? contentLength(request) : decodedLength(request, hash),
    sha256: framing === undefined ? sha256Of(hash) : undefined,
    md5: md5Of(headers.get('content-md5')),
    checksum: isAboutObject ? undefined : checksumOf(request),
  }
}

function framingOf(
  request: S3Request,
  hash: string | undefined,
  { signing, account }: Authenticated,
): ChunkFraming | undefined {
  if (hash?.startsWith('STREAMING-')) {
    const mode = Object.hasOwn(streaming, hash) ? streaming[hash as keyof typeof streaming] : undefined
    if (mode === undefined) throw unknownHash()
    if (mode.isSigned && signing === undefined) {
      throw new S3Error('InvalidRequest', 'A body of signed chunks needs a request that is signed with version 4.')
    }
    if (account === undefined && mode.isSigned) throw unknownHash()
    return { signing: mode.isSigned ? signing : undefined, hasTrailer: mode.hasTrailer }
  }
  // Some clients say it in this header alone.
  const isFramed = contentEncodings(request).includes('aws-chunked')
  return isFramed && (hash === undefined || hash === 'UNSIGNED-PAYLOAD')
    ? { signing: undefined, hasTrailer: true }
    : undefined
}

/** The codings of the content, without the one of the transfer. */
export function contentEncodings({ headers }: S3Request): readonly string[] {
  return (headers.get('content-encoding') ?? '')
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '')
}

function sha256Of(hash: string | undefined): string | undefined {
  if (hash === undefined || hash === 'UNSIGNED-PAYLOAD') return undefined
  if (!/^[0-9a-f]{64}$/i.test(hash)) throw unknownHash()
  return hash.toLowerCase()
}

function unknownHash(): S3Error {
  return new S3Error(
    'InvalidArgument',
    `x-amz-content-sha256 must be UNSIGNED-PAYLOAD, ${Object.keys(streaming).join(', ')} or a valid sha256 value.`,
    { details: { ArgumentName: 'x-amz-content-sha256' } },
  )
}

function contentLength({ headers }: S3Request): number | undefined {
  const text = headers.get('content-length')
  return text === undefined ? undefined : lengthOf(text)
}

function decodedLength({ headers }: S3Request, hash: string | undefined): number | undefined {
  const text = headers.get('x-amz-decoded-content-length')
  if (text !== undefined) return lengthOf(text)
  if (hash?.startsWith('STREAMING-')) {
    throw new S3Error('MissingContentLength', 'You must provide the x-amz-decoded-content-length HTTP header.')
  }
  return undefined
}

function lengthOf(text: string): number {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(length)) return length
  throw new S3Error('InvalidArgument', 'The length of the body is not a number.')
}

function md5Of(text: string | undefined): Buffer | undefined {
  if (text === undefined) return undefined
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 16 && bytes.toString('base64') === text) return bytes
  throw new S3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.', {
    details: { 'Content-MD5': text.slice(0, 64) },
  })
}

function checksumOf({ headers }: S3Request): PayloadChecksum | undefined {
  const requested = requestedChecksum(headers.record())
  if (requested === undefined) return undefined
  return { algorithm: requested.algorithm, expected: requested.isTrailer ? 'trailer' : requested.value }
}
