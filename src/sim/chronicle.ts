/**
 * What the metadata's engine really did, commit by commit, seen from behind: which names a transaction set and removed, and
 * what it put into trash or took out. No oracle believes it; but an order in which calls really took effect is the best guess for the
 * search for one that explains their answers (guess-order.ts), above all of calls whose outcome nobody was told.
 *
 * Commits that a crash took back are forgotten. What a lost disk of the master took is not: it had happened.
 * @module
 */
import { decodePosition } from '../kv/change-feed.ts'
import { MemoryImage } from '../kv/memory-image.ts'
import type { WriteSet } from '../kv/write-set.ts'
import { entryName, positionKey } from '../namespace/keys.ts'
import { entryRow, trashRow } from '../namespace/rows.ts'

export interface NamedEntry {
  readonly isFile: boolean
  readonly version: number
  readonly length: number | undefined
}

/** One transaction. Names are those of entries, without their directories. */
export interface Commit {
  /** In the order of all beginnings and ends of calls. @see History.moment */
  readonly at: number
  readonly set: ReadonlyMap<string, NamedEntry>
  readonly removed: ReadonlySet<string>
  /** Whole paths. */
  readonly trashed: readonly string[]
  readonly untrashed: boolean
  /** In the metadata's log, where it is shipped. */
  readonly position?: number | undefined
  /** No transaction: the metadata are again as they were at this position of a log. */
  readonly restoredTo?: number
}

const noChange = { set: new Map(), removed: new Set<string>(), trashed: [], untrashed: false }

export class Chronicle {
  readonly commits: Commit[] = []
  /** Gives the moment of a commit. */
  momentOf: () => number = () => 0
  /** Sees each transaction, whole. */
  onWrites: ((writes: WriteSet) => void) | undefined
  /** Some of what was seen did not stay. */
  onUndone: (() => void) | undefined

  newImage(): WatchedImage {
    return new WatchedImage(this)
  }

  /** The metadata are from now on what a log had up to `position`. */
  noteRestored(position: number): void {
    this.commits.push({ ...noChange, at: this.momentOf(), restoredTo: position })
    this.onUndone?.()
  }
}

export class WatchedImage extends MemoryImage {
  readonly #chronicle: Chronicle
  /** Of an image that is being loaded nothing is noted. */
  isWatched = false

  constructor(chronicle: Chronicle) {
    super()
    this.#chronicle = chronicle
  }

  override apply(writes: WriteSet, options: { readonly synced: boolean }): void {
    super.apply(writes, options)
    if (!this.isWatched) return
    this.#chronicle.commits.push(commitOf(writes, this.#chronicle.momentOf()))
    this.#chronicle.onWrites?.(writes)
  }

  override loseLatest(count: number): void {
    super.loseLatest(count)
    if (!this.isWatched || count === 0) return
    this.#chronicle.commits.splice(-count)
    this.#chronicle.onUndone?.()
  }
}

const [entryFamily, trashFamily] = [...Buffer.from('DT')]

function commitOf(writes: WriteSet, at: number): Commit {
  const set = new Map<string, NamedEntry>()
  const removed = new Set<string>()
  const trashed: string[] = []
  let untrashed = false
  let position: number | undefined
  for (const [, { key, kind, value }] of writes.writes()) {
    const family = key[0]
    if (family === entryFamily) {
      const name = entryName(Buffer.from(key))
      const bare = name.endsWith('/') ? name.slice(0, -1) : name
      if (kind !== 'put') removed.add(bare)
      else {
        const { version, content } = entryRow.decode(Buffer.from(value))
        set.set(bare, { isFile: content !== undefined, version, length: content?.length })
      }
    } else if (positionKey.equals(key)) {
      position = decodePosition(Buffer.from(value as Uint8Array))
    } else if (family === trashFamily) {
      if (kind === 'put') trashed.push(trashRow.decode(Buffer.from(value)).path)
      else untrashed = true
    }
  }
  return { at, set, removed, trashed, untrashed, position }
}
