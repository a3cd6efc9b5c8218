/**
 * A transaction that keeps its writes to itself until its engine commits them: reads go through them to a view of
 * what is committed. What every engine in this process has in common.
 *
 * Invariants: nothing is written past a limit; after {@link BufferedTransaction.end} nothing is read or written, so a
 * body that was given up cannot touch a later transaction; a refusal sticks, even if the body swallows it.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { keyText } from './sorted-map.ts'
import type { KeyRange, KeyValue, Transaction } from './txn-kv.ts'
import { alreadyExists, type Pair, type TextRange, tooLarge, WriteSet } from './write-set.ts'

/** What lies beneath a transaction's own writes. Engines also note here what was read. */
export interface CommittedView {
  read(text: string, key: Uint8Array): Uint8Array | undefined
  /** Lazy: the transaction stops when it has enough. */
  scan(range: TextRange): Iterable<Pair>
  /** The transaction has read `range` up to and including key `last`; all of it when that is undefined. */
  scanned?(range: TextRange, last: string | undefined): void
  guard?(text: string): void
  /** Called before each read: where an engine may let others run. */
  readonly pause?: (() => Promise<void>) | undefined
}

export class BufferedTransaction implements Transaction {
  readonly writes = new WriteSet()
  readonly #view: CommittedView
  #ended = false
  #refusal: unknown

  constructor(view: CommittedView) {
    this.#view = view
  }

  async get(key: Uint8Array): Promise<Buffer | undefined> {
    this.#assertOpen()
    if (this.#view.pause !== undefined) await this.#view.pause()
    return this.#read(key)
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Buffer | undefined)[]> {
    this.#assertOpen()
    if (this.#view.pause !== undefined) await this.#view.pause()
    return keys.map((key) => this.#read(key))
  }

  async range({ start, end, limit, reverse = false }: KeyRange): Promise<KeyValue[]> {
    this.#assertOpen()
    assert(Number.isInteger(limit) && limit >= 1, 'a range takes at least one pair')
    if (this.#view.pause !== undefined) await this.#view.pause()
    const range: TextRange = { start: keyText(start), end: keyText(end), reverse, rows: limit }
    if (range.start >= range.end) return []
    const pairs: KeyValue[] = []
    let last: string | undefined
    for (const [text, key, value] of this.writes.mergeOver(this.#view.scan(range), range)) {
      pairs.push({ key: asBuffer(key), value: asBuffer(value) })
      if (pairs.length < limit) continue
      last = text
      break
    }
    this.#view.scanned?.(range, last)
    return pairs
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.#assertOpen()
    try {
      this.writes.put(key, value)
    } catch (error) {
      throw this.#refuse(error)
    }
    this.#checkSize()
  }

  del(key: Uint8Array): void {
    this.#assertOpen()
    try {
      this.writes.del(key)
    } catch (error) {
      throw this.#refuse(error)
    }
    this.#checkSize()
  }

  insert(key: Uint8Array, value: Uint8Array): void {
    this.#assertOpen()
    try {
      this.writes.insert(key, value)
    } catch (error) {
      throw this.#refuse(error)
    }
    this.#checkSize()
  }

  add(key: Uint8Array, lanes: Uint8Array): void {
    this.#assertOpen()
    try {
      this.writes.add(key, lanes)
    } catch (error) {
      throw this.#refuse(error)
    }
    this.#checkSize()
  }

  guard(key: Uint8Array): void {
    this.#assertOpen()
    this.#view.guard?.(keyText(key))
  }

  /** The body is over, or given up: from now on every call is refused. */
  end(): void {
    this.#ended = true
  }

  /**
   * Checks what can only be said at the end.
   * @param present whether a key is in the store beneath this transaction
   * @throws {AshlarError} `already-exists` — an inserted key is present; or what was refused before
   */
  checkCommit(present: (text: string, key: Uint8Array) => boolean): void {
    if (this.#refusal !== undefined) throw this.#refusal
    if (!this.writes.hasInserts) return
    for (const [text, write] of this.writes.writes()) {
      if (write.mustBeAbsent && present(text, write.key)) throw alreadyExists(write.key)
    }
  }

  #read(key: Uint8Array): Buffer | undefined {
    const text = keyText(key)
    const value =
      this.writes.size === 0 ? this.#view.read(text, key) : this.writes.over(text, () => this.#view.read(text, key))
    return value === undefined ? undefined : asBuffer(value)
  }

  #checkSize(): void {
    const { size, sizeBytes } = this.writes
    if (size > limits.transactionKeys) throw this.#refuse(tooLarge(`${size} keys in a transaction`, 'transactionKeys'))
    if (sizeBytes > limits.transactionBytes) {
      throw this.#refuse(tooLarge(`${sizeBytes} bytes in a transaction`, 'transactionBytes'))
    }
  }

  #refuse(error: unknown): unknown {
    this.#refusal ??= error
    return error
  }

  #assertOpen(): void {
    if (this.#ended) throw new AshlarError('closed', 'Cannot use a transaction: it has ended')
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
