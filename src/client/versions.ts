/**
 * Versions: what buckets that keep them hold of each key, and the locks on them. A version is named by its
 * `FileStats.objectVersion`; 0 names the null version, which has none.
 * @module
 */
import type { ObjectLock, Retention } from '../wire/types/attributes.ts'
import type { FileStats } from './file-stats.ts'
import type { CallOptions, ListObjectsOptions, Xattrs } from './options.ts'

export type { ObjectLock, Retention } from '../wire/types/attributes.ts'

/** A version or delete marker of a key, or all keys that begin alike. */
export type ListedVersion =
  | { readonly key: string; readonly stats: FileStats; readonly isLatest: boolean }
  | { readonly prefix: string }

export interface ListVersionsOptions extends ListObjectsOptions {
  /** Of the key `after`: also its versions that are older than this one. */
  readonly afterVersion?: number | undefined
}

export interface RemoveVersionOptions extends CallOptions {
  /** This version, for good: it goes to trash. Default: a delete marker covers the current one. */
  readonly objectVersion?: number | undefined
  /** Also where a governance retention protects it. */
  readonly bypassGovernance?: boolean | undefined
  readonly ifVersion?: number | undefined
  /** Extended attributes of the delete marker. */
  readonly markerXattrs?: Xattrs | undefined
}

export interface RemovedVersion {
  /** The version that was removed, or the delete marker that was put; undefined where no versions are kept. */
  readonly objectVersion: number | undefined
  /** It is, or was, a delete marker. */
  readonly isDeleteMarker: boolean
  /** For `undelete`. */
  readonly trashId: number | undefined
}

export interface LockVersionOptions extends CallOptions {
  /** Default: the current one. */
  readonly objectVersion?: number | undefined
  /** `null`: none any more. */
  readonly retention?: Retention | null | undefined
  readonly legalHold?: boolean | undefined
  readonly bypassGovernance?: boolean | undefined
}

export interface Versions {
  /**
   * All versions below a bucket: keys in the order of their bytes, of each the newest first. As `listObjects`.
   * @throws {AshlarError} `not-found` — no such bucket
   */
  list(bucket: string, options?: ListVersionsOptions): AsyncIterableIterator<ListedVersion>
  /**
   * Makes a bucket (`/b`) keep versions of what is replaced or removed in it, through every door; and lets them be locked.
   * Neither is taken back: `suspended` keeps what is there and makes only null versions.
   */
  configure(
    path: string,
    options: CallOptions & {
      readonly versioning?: 'enabled' | 'suspended' | undefined
      readonly objectLock?: ObjectLock | undefined
    },
  ): Promise<FileStats>
  /**
   * Removes an object, or one version of it. Where versions are kept, one that is not there gets a delete marker too.
   * @throws {AshlarError} `not-found`; `object-locked` — a retention or a legal hold protects it; `changed`
   */
  remove(path: string, options?: RemoveVersionOptions): Promise<RemovedVersion>
  /** @throws {AshlarError} `object-locked` — it would be less protected; `invalid-argument` — its bucket has no object lock */
  lock(path: string, options: LockVersionOptions): Promise<FileStats>

  /** What the lifecycle rules of a bucket want removed now; nothing is. At most some 1,000 steps: `isWhole` says whether that is all. */
  planLifecycle(
    bucket: string,
    options?: CallOptions,
  ): Promise<{ readonly steps: readonly LifecycleExpiry[]; readonly isWhole: boolean }>
  /**
   * What has to be done so that the keys of a bucket are as they were at a moment, as far as versions and trash go back. In the
   * order of keys; nothing is changed.
   */
  planRewind(bucket: string, options: RewindOptions): AsyncIterableIterator<RewindStep>
  /** Does one step of a plan. @returns false: the key was changed since, and is left as it is */
  rewind(bucket: string, step: RewindStep, options?: CallOptions): Promise<boolean>
}

export interface LifecycleExpiry {
  readonly key: string
  /** 0: the null version. */
  readonly objectVersion: number
  /** `delete`: as any removal of the key. `delete-version`: this version, to trash. */
  readonly kind: 'delete' | 'delete-version'
  readonly ruleId: string
}

export interface RewindOptions extends CallOptions {
  /** Since 1970. */
  readonly toMs: number
  /** Only keys that begin so. */
  readonly prefix?: string | undefined
}

export interface RewindStep {
  readonly key: string
  readonly action: 'restore' | 'remove'
  /** Where the bytes of then are. */
  readonly source: { readonly objectVersion: number } | { readonly trashId: number } | undefined
  /** `FileStats.version` of what is there now; undefined: nothing is. */
  readonly current: number | undefined
  /** When what is restored or removed was made. */
  readonly madeMs: number
  readonly why: string
}
