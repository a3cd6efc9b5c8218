/**
 * The rows of a range, one after the other, read some at a time: more with each read, and from a place further on where
 * whoever walks has moved there.
 * @module
 */
import type { KeyValue, Transaction } from '../kv/txn-kv.ts'

/** Of the first read: most ranges are entered for one row. Each further one reads twice as many, up to the other. */
const rowsAtFirst = 4
const rowsAtMost = 256

/** How many ranges a walk may still read. */
export interface ReadsLeft {
  count: number
}

export class RowCursor {
  readonly #tx: Transaction
  readonly #end: Buffer
  #start: Buffer
  #rows: readonly KeyValue[] = []
  #at = 0
  #asked = 0
  #isComplete = false

  constructor(tx: Transaction, range: { readonly start: Buffer; readonly end: Buffer }) {
    this.#tx = tx
    this.#start = range.start
    this.#end = range.end
  }

  /** Gives no row before `start` any more. */
  seek(start: Buffer): void {
    while (this.#at < this.#rows.length && Buffer.compare((this.#rows[this.#at] as KeyValue).key, start) < 0) this.#at++
    if (Buffer.compare(start, this.#start) > 0) this.#start = start
  }

  /** The next row, which stays it. @returns `end` behind the last, `spent` when no read was left */
  async peek(reads: ReadsLeft): Promise<KeyValue | 'end' | 'spent'> {
    while (this.#at >= this.#rows.length) {
      if (this.#isComplete || Buffer.compare(this.#start, this.#end) >= 0) return 'end'
      if (reads.count === 0) return 'spent'
      reads.count--
      this.#asked = this.#asked === 0 ? rowsAtFirst : Math.min(this.#asked * 2, rowsAtMost)
      this.#rows = await this.#tx.range({ start: this.#start, end: this.#end, limit: this.#asked })
      this.#at = 0
      this.#isComplete = this.#rows.length < this.#asked
      const last = this.#rows.at(-1)
      if (last !== undefined) this.#start = Buffer.concat([last.key, Buffer.from([0])])
    }
    return this.#rows[this.#at] as KeyValue
  }

  take(): void {
    this.#at++
  }
}
