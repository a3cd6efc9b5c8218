/**
 * The keys of a bucket in the order of their bytes, and of each all versions from the newest on: as `key-walk.ts`, with the
 * rows `V` of a directory beside its rows `D`, both in the order of names.
 *
 * A place in it is a key, and the number of the last version of it that was given: the next one is lower. Invariant: the
 * place only rises, so a walk that was stopped goes on there, in another transaction.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import { entryKey, entryNameBytes, entryPrefix, versionNameBytes, versionNumberOf, versionPrefix } from './keys.ts'
import { type ReadsLeft, RowCursor } from './row-cursor.ts'
import { type Entry, entryRow } from './rows.ts'
import { newestOlder } from './versions.ts'

const slash = 0x2f

/** Behind this, all older versions of the key come. */
export const currentVersion = Number.MAX_SAFE_INTEGER

export interface WalkPlace {
  /** The first key is this one or behind it. */
  readonly key: Buffer
  /** Of exactly this key only versions with a lower number come. Undefined: all of it does. */
  readonly below?: number | undefined
}

export interface WalkedVersion {
  readonly key: Buffer
  readonly entry: Entry
  readonly isLatest: boolean
}

interface Level {
  readonly directory: InodeId
  /** What the keys in it begin with: empty, or with `/` at its end. */
  readonly path: Buffer
  readonly current: RowCursor
  readonly older: RowCursor
}

export interface VersionWalkOptions {
  readonly from: WalkPlace
  /** No key is this one or behind it. Undefined: to the last. */
  readonly end: Buffer | undefined
  /** Ranges to be read at most. */
  readonly reads: number
}

export class VersionWalk {
  readonly #tx: Transaction
  readonly #end: Buffer | undefined
  readonly #levels: Level[]
  readonly #reads: ReadsLeft
  #place: WalkPlace
  #isOver = false

  constructor(tx: Transaction, bucket: InodeId, { from, end, reads }: VersionWalkOptions) {
    this.#tx = tx
    this.#end = end
    this.#place = from
    this.#reads = { count: reads }
    this.#levels = [levelOf(tx, bucket, Buffer.alloc(0))]
  }

  /** Where to go on. */
  get place(): WalkPlace {
    return this.#place
  }

  /** No version is left; else {@link next} found none because its reads were spent. */
  get isOver(): boolean {
    return this.#isOver
  }

  async next(): Promise<WalkedVersion | undefined> {
    for (let level = this.#levels.at(-1); level !== undefined; level = this.#levels.at(-1)) {
      const start = this.#nameIn(level.path)
      level.current.seek(entryPrefix(level.directory, start))
      level.older.seek(versionPrefix(level.directory, start))
      const current = await level.current.peek(this.#reads)
      const older = await level.older.peek(this.#reads)
      if (current === 'spent' || older === 'spent') return undefined
      if (current === 'end' && older === 'end') {
        this.#levels.pop()
        continue
      }
      const name = current === 'end' ? undefined : entryNameBytes(current.key)
      const olderName = older === 'end' ? undefined : versionNameBytes(older.key)
      const isCurrent =
        name !== undefined && (olderName === undefined || Buffer.compare(name, olderName) <= 0) && current !== 'end'
      const key = Buffer.concat([level.path, (isCurrent ? name : olderName) as Buffer])
      if (this.#end !== undefined && Buffer.compare(key, this.#end) >= 0) break
      ;(isCurrent ? level.current : level.older).take()
      if (isCurrent) {
        const found = this.#current(key, entryRow.decode(current.value))
        if (found !== undefined) return found
      } else if (older !== 'end') {
        const found = await this.#older(key, { level, rowKey: older.key, value: older.value })
        if (found !== undefined) return found
      }
    }
    this.#isOver = true
    return undefined
  }

  /** Gives no key before `key` any more. */
  skipTo(key: Buffer): void {
    this.#rise({ key })
    while (this.#levels.length > 0 && !this.#reaches((this.#levels.at(-1) as Level).path)) this.#levels.pop()
  }

  /** A file, or a directory that is entered. */
  #current(key: Buffer, entry: Entry): WalkedVersion | undefined {
    if (key.length > limits.pathBytes) return undefined
    if (key.at(-1) === slash && entry.inode !== undefined) {
      if (this.#reaches(key)) {
        this.#rise({ key })
        this.#levels.push(levelOf(this.#tx, entry.inode, key))
      }
      return undefined
    }
    const order = Buffer.compare(key, this.#place.key)
    // The bucket's own marker has no key.
    if (key.length === 0 || order < 0 || (order === 0 && this.#place.below !== undefined)) return undefined
    this.#rise({ key, below: currentVersion })
    return { key, entry, isLatest: true }
  }

  async #older(
    key: Buffer,
    { level, rowKey, value }: { readonly level: Level; readonly rowKey: Buffer; readonly value: Buffer },
  ): Promise<WalkedVersion | undefined> {
    const number = versionNumberOf(rowKey)
    const order = Buffer.compare(key, this.#place.key)
    const isSame = order === 0 && this.#place.below !== undefined
    if (key.length === 0 || order < 0 || (isSame && number >= (this.#place.below as number))) return undefined
    const isLatest = isSame
      ? await this.#isNewest(level.directory, versionNameBytes(rowKey), number)
      : // The walk gives a current one before those beneath it.
        true
    this.#rise({ key, below: number })
    return { key, entry: entryRow.decode(value), isLatest }
  }

  /** Begun in the middle of a key, the walk has not seen what is above. */
  async #isNewest(directory: InodeId, name: Buffer, number: number): Promise<boolean> {
    if ((await this.#tx.get(entryKey(directory, name))) !== undefined) return false
    return (await newestOlder(this.#tx, directory, name))?.number === number
  }

  /** The first name of a directory that can have a key at or behind the place. */
  #nameIn(path: Buffer): Buffer {
    const { key } = this.#place
    if (!startsWith(key, path)) return Buffer.alloc(0)
    const rest = key.subarray(path.length)
    const at = rest.indexOf(slash)
    return rest.subarray(0, Math.min(at === -1 ? rest.length : at + 1, limits.nameBytes + 1))
  }

  /** Whether keys that begin with `path` can be at or behind the place. */
  #reaches(path: Buffer): boolean {
    return Buffer.compare(path, this.#place.key) >= 0 || startsWith(this.#place.key, path)
  }

  #rise(place: WalkPlace): void {
    const order = Buffer.compare(place.key, this.#place.key)
    if (order > 0 || (order === 0 && place.below !== undefined)) this.#place = place
  }
}

function levelOf(tx: Transaction, directory: InodeId, path: Buffer): Level {
  const rangeOf = (start: Buffer) => ({ start, end: prefixEnd(start) })
  return {
    ...{ directory, path },
    current: new RowCursor(tx, rangeOf(entryPrefix(directory))),
    older: new RowCursor(tx, rangeOf(versionPrefix(directory))),
  }
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && bytes.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}
