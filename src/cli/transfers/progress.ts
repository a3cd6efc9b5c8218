/**
 * How far a transfer is: one line on a terminal, redrawn a few times a second, with rate and time left; nothing in a pipe.
 * @module
 */
import { formatDuration, formatSize } from '../../base/sizes.ts'
import type { Clock, Timer } from '../../env/clock.ts'

const redrawMs = 250
const barCells = 24

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
    if (totalBytes === undefined || totalBytes === 0) return parts.join('  ')
    const fraction = Math.min(1, this.#bytes / totalBytes)
    const filled = Math.round(fraction * barCells)
    const bar = `[${'█'.repeat(filled)}${'·'.repeat(barCells - filled)}] ${Math.floor(fraction * 100)} %`
    const leftMs = bytesPerSecond > 0 ? (1000 * (totalBytes - this.#bytes)) / bytesPerSecond : Number.NaN
    return [bar, ...parts, ...(Number.isFinite(leftMs) ? [`${formatDuration(leftMs)} left`] : [])].join('  ')
  }
}
