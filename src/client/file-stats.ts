/**
 * What is known of a file or directory, with the questions that `fs.Stats` and `fs.Dirent` answer.
 * Values, not handles: they never change after they were made.
 * @module
 */
import type { Attributes, ObjectLock, Retention } from '../wire/types/attributes.ts'
import { shownName } from './paths.ts'

export class FileStats {
  readonly kind: 'file' | 'directory'
  /** Bytes; 0 of a directory. */
  readonly size: number
  /** Rises with every change of content or attributes: pass it as `ifVersion`. */
  readonly version: number
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
  readonly createdMs: number
  readonly accessedMs: number
  /** POSIX permission bits. */
  readonly mode: number
  readonly owner: string | undefined
  readonly ownerGroup: string | undefined
  /** CRC-32 of the file's bytes, where it is known without reading them. */
  readonly crc32: number | undefined
  /** The redundancy in force: own or inherited. */
  readonly policy: string | undefined
  /** A replica of some chunk is known to be missing; repair is queued. */
  readonly underReplicated: boolean
  /** Of a directory: entries directly inside, where known. */
  readonly entries: number | undefined
  /** Of a write that was answered just now: it replaced a file. */
  readonly replaced: boolean
  /** The name of this version, where its bucket gives names; undefined: the null version. */
  readonly objectVersion: number | undefined
  /** It stands for a removal. */
  readonly isDeleteMarker: boolean
  readonly retention: Retention | undefined
  /** Undefined: it was never set. */
  readonly legalHold: boolean | undefined
  /** Of a directory: whether what is replaced in it is kept as a version. Undefined: it goes to trash. */
  readonly versioning: 'enabled' | 'suspended' | undefined
  /** Of a directory: versions in it can be locked. */
  readonly objectLock: ObjectLock | undefined
  /** Only where they were asked for. */
  readonly xattrs: ReadonlyMap<string, Buffer>

  constructor(attributes: Attributes) {
    this.kind = attributes.kind
    this.size = attributes.length
    this.version = attributes.version
    this.modifiedMs = attributes.modifiedMs
    this.createdMs = attributes.createdMs
    this.accessedMs = attributes.accessedMs ?? attributes.modifiedMs
    this.mode = attributes.mode
    this.owner = attributes.owner
    this.ownerGroup = attributes.ownerGroup
    this.crc32 = attributes.crc
    this.policy = attributes.policy
    this.underReplicated = attributes.underReplicated ?? false
    this.entries = attributes.entries
    this.replaced = attributes.replaced ?? false
    this.objectVersion = attributes.objectVersion
    this.isDeleteMarker = attributes.isDeleteMarker ?? false
    this.retention = attributes.retention
    this.legalHold = attributes.legalHold
    this.versioning = attributes.versioning
    this.objectLock = attributes.objectLock
    this.xattrs = attributes.xattrs === undefined ? noXattrs : xattrMap(attributes.xattrs)
  }

  isFile(): boolean {
    return this.kind === 'file'
  }

  isDirectory(): boolean {
    return this.kind === 'directory'
  }

  get mtimeMs(): number {
    return this.modifiedMs
  }

  get mtime(): Date {
    return new Date(this.modifiedMs)
  }

  get atime(): Date {
    return new Date(this.accessedMs)
  }

  get birthtime(): Date {
    return new Date(this.createdMs)
  }
}

/** An entry of a directory. */
export class DirectoryEntry {
  readonly name: string
  /** S3 made a name that no file can have: `name` shows it escaped, and only an object's path reaches it and what is below. */
  readonly isEscaped: boolean
  /** The directory that holds it. */
  readonly parentPath: string
  readonly stats: FileStats

  constructor(parentPath: string, name: string, stats: FileStats) {
    this.parentPath = parentPath
    this.name = shownName(name)
    this.isEscaped = this.name !== name
    this.stats = stats
  }

  get path(): string {
    return this.parentPath === '/' ? `/${this.name}` : `${this.parentPath}/${this.name}`
  }

  isFile(): boolean {
    return this.stats.isFile()
  }

  isDirectory(): boolean {
    return this.stats.isDirectory()
  }
}

const noXattrs: ReadonlyMap<string, Buffer> = new Map()

function xattrMap(xattrs: NonNullable<Attributes['xattrs']>): ReadonlyMap<string, Buffer> {
  return new Map(xattrs.map(({ name, value }) => [name, value]))
}
