/**
 * Measures the disk beneath a store: when someone is about to write and the last measurement is a second or 256 MiB
 * old. Others may fill the disk too, so what we wrote ourselves is not enough to know.
 * @module
 */
import type { Clock } from '../env/clock.ts'
import type { Disk } from '../env/disk.ts'
import type { Log } from '../env/log.ts'
import type { SpaceLedger } from './space-ledger.ts'
import type { SpaceReserve } from './space-reserve.ts'

const maxAgeMs = 1000
const maxWrittenBytes = 256 * 1024 * 1024

export interface SpaceGaugeOptions {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Log
  readonly path: string
  readonly ledger: SpaceLedger
  readonly reserve: SpaceReserve
}

export class SpaceGauge {
  readonly #options: SpaceGaugeOptions
  #measuredMs = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined

  constructor(options: SpaceGaugeOptions) {
    this.#options = options
  }

  /**
   * Measures, unless a measurement is fresh and allows `length` bytes: then there is nothing to wait for.
   * @throws {AshlarError} `disk-failed`
   */
  refresh(length = 0): Promise<void> | undefined {
    if (this.#isFresh() && length <= this.#options.ledger.roomBytes()) return undefined
    this.#running ??= this.#measure().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** The disk refused what the last measurement allowed: measure before the next write. */
  distrust(): void {
    this.#measuredMs = Number.NEGATIVE_INFINITY
  }

  /** Someone looks at the numbers without writing: have fresh ones for the next look. */
  noteAsked(): void {
    if (this.#isFresh()) return
    this.refresh()?.catch((error: unknown) => {
      this.#options.log.warn('disk beneath a store cannot be measured', { error: String(error) })
    })
  }

  #isFresh(): boolean {
    const { clock, ledger } = this.#options
    return clock.monotonicMs() - this.#measuredMs < maxAgeMs && ledger.writtenSinceMeasuredBytes < maxWrittenBytes
  }

  async #measure(): Promise<void> {
    const { clock, disk, path, ledger, reserve } = this.#options
    const space = await disk.space(path)
    ledger.measured(space)
    this.#measuredMs = clock.monotonicMs()
    if (!reserve.isHeld && ledger.roomBytes() > 0) await reserve.ensure()
  }
}
