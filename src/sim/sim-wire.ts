/**
 * What lies between the machines: how long a message takes each way, and what holds it back.
 *
 * A cut way loses nothing, as TCP loses nothing: what cannot go waits, and goes when the way heals. What was on its way
 * already arrives. Each message waits for those before it on its connection, never for others.
 * @module
 */
import type { Random } from '../env/random.ts'
import type { Scheduler } from './scheduler.ts'

/** One message in so many is late by up to ten times as much. */
const lateOneIn = 64
const bytesPerMs = 1024 * 1024

export class SimWire {
  readonly scheduler: Scheduler
  readonly #random: Random
  readonly #delayMs: number
  readonly #slowMs = new Map<string, number>()
  /** How often each way is cut: faults may overlap. */
  readonly #cuts = new Map<string, number>()
  readonly #waiting = new Set<() => void>()

  constructor(scheduler: Scheduler, { random, delayMs }: { readonly random: Random; readonly delayMs: number }) {
    this.scheduler = scheduler
    this.#random = random
    this.#delayMs = delayMs
  }

  isCut(from: string, to: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(wayOf(from, to))
  }

  /** One way; each needs one {@link SimWire.heal}. */
  cut(from: string, to: string): void {
    const way = wayOf(from, to)
    this.#cuts.set(way, (this.#cuts.get(way) ?? 0) + 1)
  }

  heal(from: string, to: string): void {
    const way = wayOf(from, to)
    const left = (this.#cuts.get(way) ?? 0) - 1
    if (left > 0) this.#cuts.set(way, left)
    else this.#cuts.delete(way)
    for (const retry of [...this.#waiting]) retry()
  }

  /** Adds to what leaves and what reaches a host; negative: takes it back. */
  slow(host: string, delayMs: number): void {
    this.#slowMs.set(host, (this.#slowMs.get(host) ?? 0) + delayMs)
  }

  /** Draws how long a message takes. */
  drawDelayMs(from: string, to: string, sizeBytes: number): number {
    let delayMs = this.#delayMs * (0.5 + this.#random.fraction())
    if (this.#random.fraction() * lateOneIn < 1) delayMs *= 1 + 9 * this.#random.fraction()
    if (this.#slowMs.size > 0) delayMs += (this.#slowMs.get(from) ?? 0) + (this.#slowMs.get(to) ?? 0)
    return delayMs + sizeBytes / bytesPerMs
  }

  /** Calls `go` now, or as soon as the way is not cut. @returns gives it up */
  whenOpen(from: string, to: string, go: () => void): () => void {
    if (!this.isCut(from, to)) {
      go()
      return () => undefined
    }
    const retry = () => {
      if (this.isCut(from, to)) return
      this.#waiting.delete(retry)
      go()
    }
    this.#waiting.add(retry)
    return () => this.#waiting.delete(retry)
  }
}

function wayOf(from: string, to: string): string {
  return `${from}>${to}`
}
