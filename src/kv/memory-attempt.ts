/**
 * One run of a body in the memory engine: its read set, and whether another commit has overtaken it.
 *
 * Validation looks forward: who commits dooms every attempt that has read what it writes. So an attempt that is not
 * doomed has seen one state only, that of now, and a doomed one learns it at its next read, before it can act on a mix.
 * @module
 */
import type { CommittedView } from './buffered-transaction.ts'
import type { MemoryImage } from './memory-image.ts'
import type { Pair, TextRange, WriteSet } from './write-set.ts'

/** Thrown through the body by a read of a doomed attempt; never leaves the engine. */
export class Overtaken extends Error {
  override readonly name = 'Overtaken'
}

/** All bounds inclusive, but `end` where `last` is undefined. */
interface ReadRange {
  readonly start: string
  readonly end: string
  readonly closed: boolean
}

export class MemoryAttempt implements CommittedView {
  /** Undefined: reads do not wait. */
  readonly pause: (() => Promise<void>) | undefined
  readonly #image: MemoryImage
  readonly #keys = new Set<string>()
  readonly #ranges: ReadRange[] = []
  #doomed = false

  constructor(image: MemoryImage, pause: (() => Promise<void>) | undefined) {
    this.#image = image
    this.pause = pause
  }

  get doomed(): boolean {
    return this.#doomed
  }

  /** Called for each attempt under way when `writes` of another one are applied. */
  overtake(writes: WriteSet): void {
    if (this.#doomed || (this.#keys.size === 0 && this.#ranges.length === 0)) return
    for (const [text] of writes.writes()) {
      if (!this.#hasRead(text)) continue
      this.#doomed = true
      return
    }
  }

  read(text: string): Buffer | undefined {
    this.#assertCurrent()
    this.#keys.add(text)
    const row = this.#image.get(text)
    return row && Buffer.from(row.value)
  }

  *scan({ start, end, reverse }: TextRange): Generator<Pair> {
    this.#assertCurrent()
    const rows = reverse ? this.#image.descending(start, end) : this.#image.ascending(start, end)
    for (const [text, { key, value }] of rows) yield [text, Buffer.from(key), Buffer.from(value)]
  }

  scanned({ start, end, reverse }: TextRange, last: string | undefined): void {
    if (last === undefined) this.#ranges.push({ start, end, closed: false })
    else if (reverse) this.#ranges.push({ start: last, end, closed: false })
    else this.#ranges.push({ start, end: last, closed: true })
  }

  guard(text: string): void {
    this.#keys.add(text)
  }

  #hasRead(text: string): boolean {
    if (this.#keys.has(text)) return true
    return this.#ranges.some(({ start, end, closed }) => text >= start && (closed ? text <= end : text < end))
  }

  #assertCurrent(): void {
    if (this.#doomed) throw new Overtaken('another transaction has written what this one read')
  }
}
