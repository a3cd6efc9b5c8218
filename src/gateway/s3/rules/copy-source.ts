/**
 * `x-amz-copy-source`: `/bucket/key?versionId=…`, percent-encoded, with or without the first slash.
 * Read in this one place, so that what policies are asked about is what is copied.
 * @module
 */
import { decodeObjectKey } from './object-key.ts'

export interface CopySourceParts {
  /** `bucket/key`, decoded, without the first slash. */
  readonly path: string
  readonly versionId: string | undefined
}

const versionMark = '?versionId='

/** @throws {S3Error} `InvalidURI` */
export function splitCopySource(header: string): CopySourceParts {
  const at = header.lastIndexOf(versionMark)
  const path = decodeObjectKey(at === -1 ? header : header.slice(0, at)).replace(/^\//, '')
  return { path, versionId: at === -1 ? undefined : header.slice(at + versionMark.length) }
}
