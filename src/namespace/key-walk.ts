/**
 * The keys of a bucket in the order of their bytes, whatever directories they are in. A directory's name ends with `/` in
 * its row's key, so walking the tree depth first is that order, and a place in it is a string of bytes: no key before it
 * is given. Whoever has seen enough of what begins alike moves the place behind it, which costs no look at the rest.
 *
 * Invariant: `from` only rises, and every key that was not given is at or behind it: a walk that was stopped goes on
 * there, in another transaction. Reads are counted, so that a walk past very many hollow directories ends.
 * @module
 */
import type { InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { type KeyValue, prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import { entryNameBytes, entryPrefix } from './keys.ts'
import { entryRow } from './rows.ts'

/** Of a directory's reads: each further one of it reads twice as many as the one before, up to this. */
const rowsAtMost = 256
/** Enough where a directory is entered for one row. */
const rowsToEnter = 4

const slash = 0x2f
const nul = Buffer.of(0)

export interface WalkedKey {
  readonly key: Buffer
  /** Of a file, or of a directory's marker: an `entryRow`. */
  readonly row: Buffer
}

export interface KeyWalkOptions {
  /** Where to begin: the first key is this one or behind it. */
  readonly from: Buffer
  /** No key is this one or behind it. Undefined: to the last. */
  readonly end: Buffer | undefined
  /** Ranges to be read at most. */
  readonly reads: number
  /** Rows of a directory's first read, 1 to 256. Default 4: enough where most directories are entered for one key, and skipped then. */
  readonly rowsAtFirst?: number
}

interface Level {
  readonly directory: InodeId
  /** What the keys in it begin with: empty, or with `/` at its end. */
  readonly path: Buffer
  rows: readonly KeyValue[]
  /** Of the next row. */
  at: number
  /** Rows of the last read; 0: none yet. */
  asked: number
  isComplete: boolean
}

export class KeyWalk {
  readonly #tx: Transaction
  readonly #end: Buffer | undefined
  readonly #levels: Level[]
  readonly #rowsAtFirst: number
  #readsLeft: number
  #from: Buffer
  #isOver = false

  constructor(tx: Transaction, bucket: InodeId, { from, end, reads, rowsAtFirst = rowsToEnter }: KeyWalkOptions) {
    this.#tx = tx
    this.#end = end
    this.#from = from
    this.#readsLeft = reads
    this.#rowsAtFirst = rowsAtFirst
    this.#levels = [levelOf(bucket, Buffer.alloc(0))]
  }

  /** Where to go on. */
  get from(): Buffer {
    return this.#from
  }

  /** No key is left; else {@link next} found none because its reads were spent. */
  get isOver(): boolean {
    return this.#isOver
  }

  async next(): Promise<WalkedKey | undefined> {
    while (!this.#isOver) {
      const level = this.#levels.at(-1)
      if (level === undefined) this.#isOver = true
      else if (level.at < level.rows.length) {
        const found = this.#take(level)
        if (found !== undefined) return found
      } else if (level.isComplete) this.#levels.pop()
      else if (this.#readsLeft === 0) return undefined
      else await this.#read(level)
    }
    return undefined
  }

  /** Gives no key before `place` any more. */
  skipTo(place: Buffer): void {
    this.#rise(place)
    // All keys begin with the bucket's path, which is empty: it stays.
    while (!this.#reaches(this.#levels.at(-1)?.path ?? place)) this.#levels.pop()
  }

  /** The next row of a level: a key, or a directory that is entered. */
  #take(level: Level): WalkedKey | undefined {
    const row = level.rows[level.at++] as KeyValue
    const name = entryNameBytes(row.key)
    const key = Buffer.concat([level.path, name])
    if (this.#end !== undefined && Buffer.compare(key, this.#end) >= 0) {
      this.#isOver = true
      return undefined
    }
    const isDirectory = name.at(-1) === slash
    const isBefore = isDirectory ? !this.#reaches(key) : Buffer.compare(key, this.#from) < 0
    // The bucket's own marker has no key, and what lies deeper than any path has none that could be asked for.
    if (isBefore || key.length === 0 || key.length > limits.pathBytes) return undefined
    this.#rise(isDirectory ? key : Buffer.concat([key, nul]))
    if (!isDirectory) return { key, row: row.value }
    this.#levels.push(levelOf(entryRow.decode(row.value).inode as InodeId, key))
    return undefined
  }

  async #read(level: Level): Promise<void> {
    this.#readsLeft--
    const { directory, path } = level
    const last = level.rows.at(-1)
    const name = this.#nameIn(path)
    const first = entryPrefix(directory, name)
    const next = last === undefined ? first : Buffer.concat([last.key, nul])
    // What begins inside of a directory enters that one, and may end there.
    const atFirst = name.at(-1) === slash ? rowsToEnter : this.#rowsAtFirst
    level.asked = level.asked === 0 ? atFirst : Math.min(level.asked * 2, rowsAtMost)
    level.rows = await this.#tx.range({
      start: Buffer.compare(first, next) > 0 ? first : next,
      end: prefixEnd(entryPrefix(directory)),
      limit: level.asked,
    })
    level.at = 0
    level.isComplete = level.rows.length < level.asked
  }

  /** The first name of a directory that can have a key at or behind the place. */
  #nameIn(path: Buffer): Buffer {
    if (!startsWith(this.#from, path)) return Buffer.alloc(0)
    const rest = this.#from.subarray(path.length)
    const at = rest.indexOf(slash)
    return rest.subarray(0, Math.min(at === -1 ? rest.length : at + 1, limits.nameBytes + 1))
  }

  /** Whether keys that begin with `path` can be at or behind the place. */
  #reaches(path: Buffer): boolean {
    return Buffer.compare(path, this.#from) >= 0 || startsWith(this.#from, path)
  }

  #rise(place: Buffer): void {
    if (Buffer.compare(place, this.#from) > 0) this.#from = place
  }
}

function levelOf(directory: InodeId, path: Buffer): Level {
  return { directory, path, rows: [], at: 0, asked: 0, isComplete: false }
}

function startsWith(bytes: Buffer, prefix: Buffer): boolean {
  return bytes.length >= prefix.length && bytes.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}
