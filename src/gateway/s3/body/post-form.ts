/**
 * A browser's form: its fields, and the file as a stream. Fields come first, each bounded; the file is not kept. What follows the
 * file is read and left alone, as S3 does.
 * @module
 */
import { Busboy } from '@fastify/busboy'
import type { FormFields } from '../auth/post-policy.ts'
import { S3Error } from '../rules/s3-error.ts'

export interface PostForm {
  readonly fields: FormFields
  readonly fileName: string
  readonly fileType: string
  readonly file: AsyncIterable<Uint8Array>
  /** Rejects where the form is cut off or malformed; settles once the file was read. */
  readonly whole: Promise<void>
}

const limits = { fieldNameSize: 256, fieldSize: 64 * 1024, fields: 100, files: 1, headerPairs: 64 } as const

/** By its name alone: some clients give every field the name of a file. */
function isPartAFile(fieldName: string | undefined): boolean {
  return fieldName === 'file'
}

/** @throws {S3Error} `MalformedPOSTRequest`, `InvalidArgument` (no file) */
export async function readPostForm(source: AsyncIterable<Uint8Array>, contentType: string): Promise<PostForm> {
  let parser: Busboy
  try {
    parser = new Busboy({ headers: { 'content-type': contentType }, limits: { ...limits }, isPartAFile })
  } catch (cause) {
    throw malformed(cause)
  }
  const fields = new Map<string, string>()
  const found = Promise.withResolvers<PostForm>()
  const finished = Promise.withResolvers<void>()
  parser.on('field', (name, value, nameTruncated, valueTruncated) => {
    if (nameTruncated || valueTruncated) return fail(malformed())
    const key = name.toLowerCase()
    if (!fields.has(key)) fields.set(key, value)
  })
  parser.on('file', (_name, file, fileName, _encoding, fileType) => {
    found.resolve({ fields, fileName: fileName ?? '', fileType, file, whole })
  })
  parser.once('finish', () => {
    found.reject(
      new S3Error('InvalidArgument', 'POST requires exactly one file upload per request.', {
        details: { ArgumentName: 'file' },
      }),
    )
    finished.resolve()
  })
  parser.once('error', (error) => fail(malformed(error)))
  const fail = (error: unknown) => {
    found.reject(error)
    finished.reject(error)
  }
  const whole = Promise.all([pump(source, parser), finished.promise]).then(() => undefined)
  // Whoever waits for the file, or for the rest, has the failure as well.
  whole.catch(fail)
  return await found.promise
}

async function pump(source: AsyncIterable<Uint8Array>, parser: Busboy): Promise<void> {
  for await (const piece of source) {
    if (parser.write(piece)) continue
    await new Promise<void>((resolve) => {
      const done = () => {
        parser.off('drain', done).off('close', done).off('error', done)
        resolve()
      }
      parser.on('drain', done).on('close', done).on('error', done)
    })
  }
  parser.end()
}

function malformed(cause?: unknown): S3Error {
  return new S3Error('MalformedPOSTRequest', 'The body of your POST request is not well-formed multipart/form-data.', {
    cause,
  })
}
