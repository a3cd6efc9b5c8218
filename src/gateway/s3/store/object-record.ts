/**
 * What S3 knows of an object and a file does not: kept as JSON in one extended attribute of the file, written in the same
 * transaction as its bytes.
 *
 * It names the length and crc of the bytes it is about. Where another door has changed the file since, the record no longer
 * holds, and the object shows as one without: a tag of its version, no metadata.
 * @module
 */

import { tagsAttribute } from '../../../base/lifecycle-rule.ts'
import type { FileStats } from '../../../client/index.ts'
import type { ObjectEncryption } from '../encryption/object-encryption.ts'
import type { Acl } from '../rules/access/acl.ts'
import type { ChecksumAlgorithm, ChecksumType } from '../rules/checksums/checksum-algorithm.ts'

export { tagsAttribute } from '../../../base/lifecycle-rule.ts'
export { lastModifiedMs } from '../../../base/lifecycle-steps.ts'

export const recordAttribute = 's3'
export const aclAttribute = 's3.acl'

/** Header names in lower case, values as headers carry them (latin1). */
export type HeaderFields = Readonly<Record<string, string>>

export interface StoredChecksum {
  readonly algorithm: ChecksumAlgorithm
  readonly type: ChecksumType
  /** Base64; of a composite one with `-N` behind it. */
  readonly value: string
}

export interface ObjectRecord {
  /** Without quotes. */
  readonly eTag: string
  /** `content-type` and others that are given back as they came. */
  readonly headers: HeaderFields
  /** User metadata, without its prefix. */
  readonly metadata: HeaderFields
  readonly checksum?: StoredChecksum | undefined
  /** Canonical id. */
  readonly owner?: string | undefined
  /** The upload that it was completed from. */
  readonly uploadId?: string | undefined
  /** Sizes of the parts it was uploaded in, run by run: [bytes, how many]. */
  readonly parts?: readonly (readonly [number, number])[] | undefined
  /** Of bytes that lie encrypted in the file. */
  readonly encryption?: ObjectEncryption | undefined
  /** Of each part, where there is room. */
  readonly partChecksums?: readonly string[] | undefined
}

export interface ObjectInfo {
  readonly stats: FileStats
  /** As clients of S3 see it: an encrypted object takes more in its file. */
  readonly sizeBytes: number
  readonly record: ObjectRecord
  readonly tags: HeaderFields
  /** Undefined: private. */
  readonly acl: Acl | undefined
}

interface StoredRecord extends ObjectRecord {
  readonly length: number
  readonly crc32: number
}

/** For `xattrs` of a write. */
export function formatRecord(
  record: ObjectRecord,
  written: { readonly length: number; readonly crc32: number },
): string {
  const stored: StoredRecord = { ...record, length: written.length, crc32: written.crc32 }
  return JSON.stringify(stored)
}

/** The attributes of a new object. */
export function objectXattrs(
  record: ObjectRecord,
  written: { readonly length: number; readonly crc32: number },
  { tags, acl }: { readonly tags: HeaderFields; readonly acl: Acl | undefined },
): Record<string, string> {
  return {
    [recordAttribute]: formatRecord(record, written),
    ...(Object.keys(tags).length === 0 ? {} : { [tagsAttribute]: JSON.stringify(tags) }),
    ...(acl === undefined ? {} : { [aclAttribute]: JSON.stringify(acl) }),
  }
}

/** The attributes of a delete marker: whose it is. */
export function markerXattrs(owner: string | undefined): Record<string, string> {
  return { [recordAttribute]: JSON.stringify({ eTag: '', headers: {}, metadata: {}, owner, length: 0 }) }
}

/** Of a file's attributes, which must have been asked for. */
export function objectInfo(stats: FileStats): ObjectInfo {
  const stored = parse<StoredRecord>(stats.xattrs.get(recordAttribute))
  const holds = stored !== undefined && stored.length === stats.size && stored.crc32 === stats.crc32
  return {
    stats,
    sizeBytes: (holds ? stored.encryption?.sizeBytes : undefined) ?? stats.size,
    record: holds ? stored : { eTag: tagOfVersion(stats), headers: {}, metadata: {} },
    tags: parse<HeaderFields>(stats.xattrs.get(tagsAttribute)) ?? {},
    acl: parse<Acl>(stats.xattrs.get(aclAttribute)),
  }
}

/** Not of the form of an MD5: clients must not take it for one. */
function tagOfVersion({ version }: FileStats): string {
  return `${version.toString(16).padStart(32, '0')}-0`
}

/** Undefined also for what is no JSON: the file is there, and so it is shown, without what cannot be read. */
function parse<T>(bytes: Buffer | undefined): T | undefined {
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(bytes.toString('utf8')) as T
  } catch {
    return undefined
  }
}
