/** Where entries stand: what paths lead to (`resolve.ts`), and what versions are of (`versions.ts`). @module */
import type { InodeId } from '../base/ids.ts'
import type { DirectoryEntryRow, Entry, FileEntry } from './rows.ts'

/** A directory as a path led to it. */
export interface Directory {
  readonly inode: InodeId
  /** Of the nearest directory on the way that names one, the root aside. */
  readonly policy: string | undefined
  /** It was made on the way to an object, and goes with its last entry. */
  readonly isImplicit: boolean
  /** What it does with what is replaced or removed: of the nearest directory on the way that says it. */
  readonly versioning: Entry['versioning']
  /** Versions in it can be locked. */
  readonly objectLock: Entry['objectLock']
}

/** An entry, and where it stands. */
export interface Found {
  readonly parent: Directory
  /** As in the key: a directory's ends with `/`; that of an object `dir/` is empty. */
  readonly keyName: string
  readonly entry: Entry
  /** Its number among the older versions; undefined: it is the current one. */
  readonly older?: number | undefined
}

export interface FoundFile extends Found {
  readonly entry: FileEntry
}

export interface FoundDirectory extends Found {
  readonly entry: DirectoryEntryRow
}
