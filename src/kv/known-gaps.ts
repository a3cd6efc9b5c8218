/**
 * Where the embedded engine is known to hold no row: between two neighbours that were verified.
 *
 * Whoever makes files in order asks again and again for a key that is absent, just behind the one written last: the name,
 * and the row of the chunk. Each such answer costs two lookups in SQLite, of the row before and the row behind; a gap that
 * is remembered answers in 0.2 µs where those take 8. So do queues that are mostly empty, and that each `stat` looks into.
 * Invariants: no committed key lies inside a gap; the owner is the only writer of the database and tells of each row that was
 * written. A row that goes leaves its gaps true. So few gaps are kept that looking through all of them costs nothing.
 * @module
 */

/** Makers of files at once, two gaps each: the directory's and the chunk group's. */
const gapsKept = 16
/** Those in front are found as soon as the first: moving them about would cost more. */
const frontGaps = 4
/** Behind every key: keys are Latin-1 text. */
const behindAll = '\u{100}'

interface Gap {
  /** The row before the gap; empty: there is none. */
  readonly before: string
  readonly behind: string
}

export class KnownGaps {
  /** Those used last come first, about. */
  readonly #gaps: Gap[] = []

  /** Whether `key` is known to be absent. */
  holds(key: string): boolean {
    const at = this.#find(key)
    if (at >= frontGaps) this.#moveToFront(at)
    return at >= 0
  }

  /** Whether no key from `start` on and before `end` is there. */
  spans(start: string, end: string): boolean {
    const at = this.#gaps.findIndex(({ before, behind }) => before < start && end <= behind)
    if (at >= frontGaps) this.#moveToFront(at)
    return at >= 0
  }

  /** @param before the last row below the gap, @param behind the first above it; undefined: there is none */
  learn(before: string | undefined, behind: string | undefined): void {
    this.#gaps.unshift({ before: before ?? '', behind: behind ?? behindAll })
    if (this.#gaps.length > gapsKept) this.#gaps.pop()
  }

  /** A row was written: what is left of its gap is the part behind it, where the next one in order will lie. */
  written(key: string): void {
    for (let at = this.#find(key); at >= 0; at = this.#find(key)) {
      this.#gaps[at] = { before: key, behind: (this.#gaps[at] as Gap).behind }
    }
  }

  /** What was learned may be wrong: it was read among rows that were not committed. */
  forget(): void {
    this.#gaps.length = 0
  }

  #find(key: string): number {
    for (let at = 0; at < this.#gaps.length; at++) {
      const { before, behind } = this.#gaps[at] as Gap
      if (before < key && key < behind) return at
    }
    return -1
  }

  #moveToFront(at: number): void {
    const [gap] = this.#gaps.splice(at, 1)
    this.#gaps.unshift(gap as Gap)
  }
}
