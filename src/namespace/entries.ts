/** Entries as the wire shows them, and the preconditions on them. @module */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Attributes, NewAttributes, Precondition, Xattr } from '../wire/types/attributes.ts'
import { alreadyExists, changed } from './failures.ts'
import type { Directory } from './place.ts'
import type { Content, Entry } from './rows.ts'
import type { DirectoryCounters } from './tally.ts'
import { checkPeriods, defaultRetention } from './version-locks.ts'

export const defaultFileMode = 0o644
export const defaultDirectoryMode = 0o755

export interface AttributeExtras {
  readonly policy?: string | undefined
  /** Of a directory. */
  readonly counters?: DirectoryCounters | undefined
  readonly underReplicated?: boolean | undefined
  readonly wantXattrs?: boolean | undefined
  /** Of the answer to a write. */
  readonly replaced?: boolean | undefined
}

export function attributesOf(entry: Entry, extras: AttributeExtras = {}): Attributes {
  const { counters } = extras
  return {
    kind: entry.kind === 'directory' ? 'directory' : 'file',
    version: entry.version,
    length: entry.content?.length ?? 0,
    modifiedMs: entry.modifiedMs,
    createdMs: entry.createdMs,
    mode: entry.mode,
    owner: entry.owner,
    ownerGroup: entry.ownerGroup,
    crc: entry.content?.crc,
    xattrs: extras.wantXattrs === true ? (entry.xattrs ?? []) : undefined,
    inode: entry.inode,
    policy: extras.policy,
    underReplicated: extras.underReplicated === true ? true : undefined,
    accessedMs: entry.accessedMs,
    entries: counters === undefined ? undefined : counters.files + counters.directories,
    replaced: extras.replaced === true ? true : undefined,
    objectVersion: entry.objectVersion,
    isDeleteMarker: entry.kind === 'delete-marker' ? true : undefined,
    retention: entry.retention,
    legalHold: entry.legalHold,
    versioning: entry.versioning,
    objectLock: entry.objectLock,
  }
}

export interface NewFile {
  readonly version: Rising
  readonly content: Content
  readonly chosen: NewAttributes
  readonly wallMs: number
  /** What is replaced: its mode and owner stay where the writer names none, so that a private file stays private. */
  readonly replaced?: Entry | undefined
  /** It is to be. */
  readonly directory: Directory
}

export function fileEntry({
  version,
  content,
  chosen,
  wallMs,
  replaced,
  directory: { versioning, objectLock },
}: NewFile): Entry & { readonly content: Content } {
  checkXattrs(chosen.xattrs ?? [])
  checkPeriods(chosen)
  return {
    kind: 'file',
    version,
    modifiedMs: chosen.modifiedMs ?? wallMs,
    createdMs: wallMs,
    mode: chosen.mode ?? replaced?.mode ?? defaultFileMode,
    owner: chosen.owner ?? replaced?.owner,
    ownerGroup: chosen.ownerGroup ?? replaced?.ownerGroup,
    xattrs: chosen.xattrs === undefined || chosen.xattrs.length === 0 ? undefined : chosen.xattrs,
    accessedMs: chosen.accessedMs,
    content,
    objectVersion: versioning === 'enabled' ? version : undefined,
    retention: chosen.retention ?? (objectLock && defaultRetention(objectLock, wallMs)),
    legalHold: chosen.legalHold,
  }
}

/** @throws {AshlarError} `already-exists`, `changed` */
export function checkPrecondition(path: string, { ifAbsent, ifVersion }: Precondition, entry: Entry | undefined): void {
  if (ifAbsent === true && entry !== undefined) throw alreadyExists(path)
  if (ifVersion !== undefined && entry?.version !== ifVersion) throw changed(path, ifVersion, entry?.version)
}

/** @throws {AshlarError} `too-large` — more than `limits.xattrTotalBytes`; `invalid-argument` — a name is empty or set twice */
export function checkXattrs(xattrs: readonly Xattr[]): void {
  let totalBytes = 0
  const names = new Set<string>()
  for (const { name, value } of xattrs) {
    if (name === '' || names.has(name)) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot set extended attribute "${name}": the name is empty or given twice`,
      )
    }
    names.add(name)
    totalBytes += Buffer.byteLength(name) + value.length
  }
  if (totalBytes > limits.xattrTotalBytes || xattrs.length > 64) {
    throw new AshlarError(
      'too-large',
      `Cannot set extended attributes: ${xattrs.length} of ${totalBytes} bytes, where 64 of ${limits.xattrTotalBytes} bytes in all are the limit`,
    )
  }
}
