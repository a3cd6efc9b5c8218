/** What callers may choose, per call and per client. Unknown keys are the type checker's business; values are checked at the door. @module */
import type { ReadableStream } from 'node:stream/web'
import type { Env } from '../env/env.ts'
import type { Retention } from '../wire/types/attributes.ts'
import type { ClusterFile } from './cluster-file.ts'

export interface ConnectOptions {
  /** A `cluster.json`, by its path or as an object. Default: the one of the default data folder. */
  readonly cluster?: string | ClusterFile | undefined
  /** The operating system to run on. Default: Node's. */
  readonly env?: Env | undefined
  /** How long a call waits for a master, and tries again, before it fails. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Of the connecting itself; the client lives until `close()`. */
  readonly signal?: AbortSignal | undefined
  /** Chunks of large files are no longer than this. Default and maximum: what the policy says. */
  readonly chunkSizeBytes?: number | undefined
  /** Memory for file bytes of all transfers together. Default 64 MiB, at least 4 MiB. */
  readonly bufferBytes?: number | undefined
  /** Memory for chunks up to 64 KiB that were read, for who reads them again. Default 0: none. */
  readonly chunkCacheBytes?: number | undefined
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** Which version of a file, where its bucket keeps versions: see `Versions`. */
export interface VersionOptions extends CallOptions {
  /** Not the current version, but this one (`FileStats.objectVersion`); 0: the null version. */
  readonly objectVersion?: number | undefined
}

export interface OpenOptions extends VersionOptions {
  /** Also read extended attributes, of the very version that is opened. Default false. */
  readonly xattrs?: boolean
}

/** Of a new version, where its bucket has object lock. */
export interface NewLock {
  /** Default: what the bucket says. */
  readonly retention?: Retention | undefined
  readonly legalHold?: boolean | undefined
}

/** Bytes to store. A string is stored as UTF-8; the parts of an iterable or stream are bytes or strings. */
export type FileData =
  | Uint8Array
  | string
  | AsyncIterable<Uint8Array | string>
  | Iterable<Uint8Array>
  | ReadableStream<Uint8Array>

/** Under what state of the path a write may happen. At most one of the two. */
export interface Precondition {
  /** Only if nothing has this path yet; else `already-exists`. */
  readonly ifAbsent?: boolean | undefined
  /** Only over the file at exactly this version (`FileStats.version`); else `changed`. */
  readonly ifVersion?: number | undefined
}

export type Xattrs = Readonly<Record<string, Uint8Array | string>>

/** What a write has stored, before it is visible. */
export interface WrittenBytes {
  readonly length: number
  readonly crc32: number
}

export interface WriteOptions extends CallOptions, Precondition, NewLock {
  /** Of a string. Default `utf8`. */
  readonly encoding?: BufferEncoding | undefined
  /** POSIX permission bits. Default 0o644. */
  readonly mode?: number | undefined
  /** Milliseconds since 1970. Default: now. */
  readonly modifiedMs?: number | undefined
  readonly owner?: string | undefined
  readonly ownerGroup?: string | undefined
  /** A function is called when all bytes are written, for what only then is known (a digest of them); it may be called again, with the same. */
  readonly xattrs?: Xattrs | ((written: WrittenBytes) => Xattrs) | undefined
  /** Make missing directories too. Default false. */
  readonly makeParents?: boolean | undefined
}

export interface AppendOptions extends CallOptions {
  readonly encoding?: BufferEncoding | undefined
  /** Append only to a file of exactly so many bytes; else `changed`. 0 does not make the file. */
  readonly expectedLength?: number | undefined
}

export interface ReadRange extends CallOptions {
  /** First byte. Default 0. */
  readonly start?: number | undefined
  /** Last byte, inclusive as in `node:fs`. Default: the file's last. */
  readonly end?: number | undefined
}

export interface StatOptions extends VersionOptions {
  /** Where nothing has the path any more: the delete marker that says so (`FileStats.isDeleteMarker`). */
  readonly orMarker?: boolean | undefined
  /** Fill `FileStats.xattrs`. */
  readonly xattrs?: boolean | undefined
}

export interface ReadDirectoryOptions extends CallOptions {
  readonly withFileTypes?: boolean | undefined
  readonly recursive?: boolean | undefined
}

export interface ListOptions extends CallOptions {
  /** Only names that begin so. */
  readonly prefix?: string | undefined
  /** Start behind this name (of a directory: with `/` at its end). */
  readonly after?: string | undefined
  /** Entries a page, 1 to 1,000. Default 1,000. */
  readonly pageEntries?: number | undefined
  /** Fill `FileStats.xattrs` of each entry. */
  readonly xattrs?: boolean | undefined
}

export interface ListObjectsOptions extends CallOptions {
  /** Only keys that begin so. */
  readonly prefix?: string | undefined
  /** Keys with the same text up to its first occurrence behind `prefix` are one entry. Default: none are. */
  readonly delimiter?: string | undefined
  /** Start behind this key, or behind all keys of this common prefix. */
  readonly after?: string | undefined
  /** Entries a page, 1 to 1,000. Default 1,000. */
  readonly pageEntries?: number | undefined
  /** So many entries in all, at least 1: then the listing ends, and nothing past them is asked for; the next page is asked for ahead. Default: to the last. */
  readonly maxEntries?: number | undefined
  /** Fill `FileStats.xattrs` of each object. */
  readonly xattrs?: boolean | undefined
}

export interface MakeDirectoryOptions extends CallOptions {
  readonly recursive?: boolean | undefined
  readonly mode?: number | undefined
}

export interface RenameOptions extends CallOptions {
  /** Default true. */
  readonly replace?: boolean | undefined
  readonly makeParents?: boolean | undefined
  /** Of the source. */
  readonly ifVersion?: number | undefined
}

export interface RemoveOptions extends CallOptions {
  /** A directory with all that is in it. */
  readonly recursive?: boolean | undefined
  /** Nothing there is no error. */
  readonly force?: boolean | undefined
  readonly ifVersion?: number | undefined
}

export interface CopyOptions extends CallOptions, Precondition, NewLock {
  /** Not of the source's current version, but of this one. */
  readonly sourceObjectVersion?: number | undefined
  readonly makeParents?: boolean | undefined
  /** Only if the source is at exactly this version; else `changed`. */
  readonly ifSourceVersion?: number | undefined
  /** Instead of the source's. */
  readonly xattrs?: Xattrs | undefined
}

export interface CopyTreeOptions extends CallOptions {
  readonly recursive?: boolean | undefined
  /** Replace files that exist. Default true. */
  readonly force?: boolean | undefined
}

export interface TruncateOptions extends CallOptions {
  readonly ifVersion?: number | undefined
}

export interface UndeleteOptions extends CallOptions {
  /** Which one, where a path was deleted several times. Default: the newest. */
  readonly trashId?: number | undefined
  /** Bring it back under this path. */
  readonly to?: string | undefined
}

export interface LockOptions extends CallOptions {
  /** Wait so long for whoever holds it. Default: the client's `timeoutMs`. 0: do not wait. */
  readonly waitMs?: number | undefined
  /** Shown to those who wait. */
  readonly holder?: string | undefined
}
