/**
 * How far a transfer is: one line on a terminal, redrawn a few times a second, with rate and time left; nothing in a pipe.
 * @module
 */
import { formatDuration, formatSize } from '../../base/sizes.ts'
import type { Clock, Timer } from '../../env/clock.ts'

const redrawMs = 250
const barCells = 24
/** A shorter bar says less than its percentage. */
const leastBarCells = 8
/** Of a terminal that does not tell. */
const usualColumns = 80

export interface ProgressTotals {
  /** Absent where it is not known (stdin). */
  readonly files?: number
  readonly bytes?: number
}

export class Progress {
  readonly #clock: Clock
  readonly #startedMs: number
  readonly #isShown: boolean
  #totals: ProgressTotals = {}
  #files = 0
  #bytes = 0
  #timer: Timer | undefined

  constructor({ clock, isShown }: { readonly clock: Clock; readonly isShown: boolean }) {
    this.#clock = clock
    this.#startedMs = clock.monotonicMs()
    this.#isShown = isShown
    this.#schedule()
  }

  get files(): number {
    return this.#files
  }

  get bytes(): number {
    return this.#bytes
  }

  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startedMs
  }

  /** How much is to be moved in all. */
  expect(totals: ProgressTotals): void {
    this.#totals = totals
  }

  addBytes(count: number): void {
    this.#bytes += count
  }

  addFile(): void {
    this.#files += 1
  }

  /** Clears the line. Idempotent. */
  end(): void {
    this.#timer?.cancel()
    if (this.#isShown) process.stderr.write('\r\x1b[K')
  }

  #schedule(): void {
    if (!this.#isShown) return
    this.#timer = this.#clock.after(
      redrawMs,
      () => {
        process.stderr.write(`\r\x1b[K${this.#draw()}`)
        this.#schedule()
      },
      { background: true },
    )
  }

  #draw(): string {
    const { files: totalFiles, bytes: totalBytes } = this.#totals
    const bytesPerSecond = this.#bytes / Math.max(0.001, this.elapsedMs / 1000)
    const parts = [formatSize(this.#bytes), `${formatSize(Math.round(bytesPerSecond))}/s`]
    if (totalFiles !== undefined && totalFiles > 1) parts.push(`${this.#files} of ${totalFiles} files`)
    if (totalBytes === undefined || totalBytes === 0) return fitted(parts.join('  '))
    const leftMs = bytesPerSecond > 0 ? (1000 * (totalBytes - this.#bytes)) / bytesPerSecond : Number.NaN
    if (leftMs > 0) parts.push(`${formatDuration(Math.ceil(leftMs / 1000) * 1000)} left`)
    else if (leftMs <= 0) parts.push('finishing')
    return fitted(parts.join('  '), Math.min(1, this.#bytes / totalBytes))
  }
}

/** Never as wide as the terminal: what wraps cannot be drawn over. */
function fitted(text: string, fraction?: number): string {
  const columns = (process.stderr.columns || usualColumns) - 1
  if (fraction === undefined) return text.slice(0, columns)
  const tail = ` ${Math.floor(fraction * 100)} %  ${text}`
  const cells = Math.min(barCells, columns - tail.length - 2)
  if (cells < leastBarCells) return tail.trimStart().slice(0, columns)
  const filled = Math.round(fraction * cells)
  return `[${'█'.repeat(filled)}${'·'.repeat(cells - filled)}]${tail}`
}
