/** What an operation answers, and how it goes out: XML, bytes of an object, or nothing. @module */
import type { ServerResponse } from 'node:http'
import { errorTable } from '../../../base/error-table.ts'
import { type AshlarError, isAshlarError } from '../../../base/errors.ts'
import { limits } from '../../../base/limits.ts'
import { writeBody } from '../../../env/http-answers.ts'
import { urlEncodeName } from '../rules/object-key.ts'
import { S3Error, type S3ErrorCode, s3ErrorStatus } from '../rules/s3-error.ts'
import { element, leaf, xmlDeclaration } from '../xml/write-xml.ts'

export interface S3Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number>>
  readonly body?: string | ObjectBody | undefined
}

export interface ObjectBody {
  readonly sizeBytes: number
  /** As they come; or, of what is short, all of it. Undefined: only the length is told (HEAD). */
  readonly pieces: AsyncIterable<Uint8Array> | (() => Promise<Uint8Array>) | undefined
  /** Whatever happens: called once. */
  readonly close: () => Promise<void>
}

export interface Identity {
  readonly requestId: string
  readonly resource: string
  readonly isHead: boolean
}

export function xmlAnswer(body: string, headers: S3Answer['headers'] = {}): S3Answer {
  return { status: 200, headers, body }
}

export async function sendAnswer(response: ServerResponse, answer: S3Answer, identity: Identity): Promise<void> {
  const { status, headers = {}, body } = answer
  response.statusCode = status
  response.setHeader('x-amz-request-id', identity.requestId)
  response.setHeader('x-amz-id-2', identity.requestId)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  if (typeof body === 'object') await sendObject(response, body)
  else if (body === undefined || identity.isHead) {
    if (status !== 204 && status !== 304 && !identity.isHead) response.setHeader('Content-Length', 0)
    response.end()
  } else {
    const bytes = Buffer.from(body)
    if (!response.hasHeader('Content-Type')) response.setHeader('Content-Type', 'application/xml')
    response.setHeader('Content-Length', bytes.length)
    response.end(bytes)
  }
}

async function sendObject(response: ServerResponse, { sizeBytes, pieces, close }: ObjectBody): Promise<void> {
  try {
    response.setHeader('Content-Length', sizeBytes)
    // With its head in one write, for which nobody waits.
    if (typeof pieces === 'function') return void response.end(await pieces())
    if (pieces !== undefined) {
      for await (const bytes of pieces) {
        // Encrypted, it is less than a frame, whose tag proved its end too. The piece stays ours: no other is asked for.
        if (bytes.length === sizeBytes && sizeBytes < limits.smallTransferBytes) return void response.end(bytes)
        await writeBody(response, bytes)
      }
    }
    response.end()
  } finally {
    await close()
  }
}

/** Any failure as one of S3's. */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error
  if (!isAshlarError(error)) {
    return new S3Error('InternalError', 'We encountered an internal error. Please try again.', { cause: error })
  }
  const code = s3CodeOf(error)
  return new S3Error(code, error.message, { cause: error })
}

function s3CodeOf({ code }: AshlarError): S3ErrorCode {
  const name: string = errorTable[code].s3
  return Object.hasOwn(s3ErrorStatus, name) ? (name as S3ErrorCode) : 'InternalError'
}

export function errorAnswer({ code, message, status, details }: S3Error, { requestId, resource }: Identity): S3Answer {
  const document = element(
    'Error',
    leaf('Code', code),
    leaf('Message', message),
    ...Object.entries(details).map(([name, value]) => leaf(name, shown(value))),
    leaf('Resource', shown(resource)),
    leaf('RequestId', requestId),
    leaf('HostId', requestId),
  )
  return {
    status,
    headers:
      code === 'NoSuchKey' ? { 'x-amz-delete-marker': 'false', ...markerHeaders(details) } : markerHeaders(details),
    body: status === 304 ? undefined : `${xmlDeclaration}${document}`,
  }
}

/** A refusal because of a delete marker says so to those who read no XML. */
function markerHeaders({ DeleteMarker, VersionId, LastModified }: S3Error['details']): Record<string, string> {
  if (DeleteMarker === undefined) return {}
  return {
    'x-amz-delete-marker': DeleteMarker,
    ...(VersionId === undefined ? {} : { 'x-amz-version-id': VersionId }),
    ...(LastModified === undefined ? {} : { 'last-modified': LastModified }),
  }
}

/** What no XML can hold is told encoded: strict readers would drop the whole answer. */
function shown(text: string): string {
  return /[\p{Cc}\ufffe\uffff]/u.test(text) ? urlEncodeName(text) : text
}
