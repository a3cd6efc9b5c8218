/**
 * Where the embedded engine is known to hold no row: between two neighbours that were verified.
 *
 * Whoever makes files in order asks again and again for a key that is absent, just behind the one written last: the name,
 * and the row of the chunk. Each such answer costs two lookups in SQLite, of the row before and the row behind; a gap that
 * is remembered answers in 0.1 µs where those take 16. So do queues that are mostly empty, and that each `stat` looks into.
 * Makers of objects write into many directories by turns, each with a gap of its own: so there are many, found by a binary search.
 *
 * Invariants: no committed key lies inside a gap; the owner is the only writer of the database and tells of each row that was
 * written. A row that goes leaves its gaps true. Gaps do not overlap, so that a row is in one of them at most.
 * @module
 */

/** A key has a few hundred bytes at most, but for long paths in trash. */
const gapsKept = 512
/** Behind every key: keys are Latin-1 text. */
const behindAll = '\u{100}'

interface Gap {
  /** The row before the gap; empty: there is none. */
  before: string
  readonly behind: string
  /** When it answered last, in answers. */
  usedAt: number
}

export class KnownGaps {
  /** In order. */
  #gaps: Gap[] = []
  #answers = 0

  /** Whether `key` is known to be absent. */
  holds(key: string): boolean {
    return this.#use(this.#around(key))
  }

  /** Whether no key from `start` on and before `end` is there. */
  spans(start: string, end: string): boolean {
    const gap = this.#around(start)
    return gap !== undefined && end <= gap.behind && this.#use(gap)
  }

  /** @param before the last row below the gap, @param behind the first above it; undefined: there is none */
  learn(before = '', behind = behindAll): void {
    const at = this.#firstBehind(before)
    let end = at
    while (end < this.#gaps.length && (this.#gaps[end] as Gap).behind <= behind) end++
    const next = this.#gaps[end]
    // Learned between the rows of a batch that is not committed yet; else it would lie in that gap.
    if (next !== undefined && next.before < behind) next.before = behind
    this.#gaps.splice(at, end - at, { before, behind, usedAt: ++this.#answers })
    if (this.#gaps.length > gapsKept) this.#forgetHalf()
  }

  /** A row was written: what is left of its gap is the part behind it, where the next one in order will lie. */
  written(key: string): void {
    const gap = this.#around(key)
    if (gap !== undefined) gap.before = key
  }

  /** What was learned may be wrong: it was read among rows that were not committed. */
  forget(): void {
    this.#gaps = []
  }

  /** The gap in which `key` lies. */
  #around(key: string): Gap | undefined {
    const gap = this.#gaps[this.#firstBehind(key)]
    return gap !== undefined && gap.before < key ? gap : undefined
  }

  #use(gap: Gap | undefined): boolean {
    if (gap !== undefined) gap.usedAt = ++this.#answers
    return gap !== undefined
  }

  /** The index of the first gap that ends behind `key`. */
  #firstBehind(key: string): number {
    let low = 0
    let high = this.#gaps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#gaps[middle] as Gap).behind <= key) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Those that answered last stay. */
  #forgetHalf(): void {
    const times = this.#gaps.map(({ usedAt }) => usedAt).sort((a, b) => a - b)
    const since = times[times.length >>> 1] as number
    this.#gaps = this.#gaps.filter(({ usedAt }) => usedAt >= since)
  }
}
