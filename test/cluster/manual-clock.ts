/**
 * A clock that stands still until told to advance: hours pass in milliseconds, and no test depends on the machine's speed.
 * Between timers it lets everything that is ready run, so that what a timer started is done before the next one fires.
 * @module
 */
import type { Clock, Timer } from '../../src/env/clock.ts'

interface Entry {
  readonly atMs: number
  readonly callback: () => void
}

/** Turns of the event loop that a round trip between processes in memory takes, with room. */
const turnsBetweenTimers = 12

export class ManualClock implements Clock {
  #nowMs = 0
  readonly #entries = new Set<Entry>()

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, delayMs), callback }
    this.#entries.add(entry)
    return { cancel: () => void this.#entries.delete(entry) }
  }

  soon(callback: () => void): void {
    setImmediate(callback)
  }

  /** Fires, in order, what is due within `durationMs`. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs
    for (;;) {
      await this.#settle()
      const next = this.#earliest()
      if (next === undefined || next.atMs > untilMs) break
      this.#entries.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
    }
    this.#nowMs = untilMs
  }

  /** Time passes while the process is stopped: no timer fires before the clock is advanced again. */
  jump(durationMs: number): void {
    this.#nowMs += durationMs
  }

  /** Advances until `condition` holds. @throws when it does not within `withinMs` of this clock */
  async until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 60_000): Promise<void> {
    const untilMs = this.#nowMs + withinMs
    while (!(await this.run(async () => condition()))) {
      if (this.#nowMs >= untilMs) throw new Error(`${what}: not within ${withinMs} ms`)
      await this.advance(50)
    }
  }

  /** Advances while `work` goes on, so that its waits end. */
  async run<T>(work: () => Promise<T>, withinMs = 120_000): Promise<T> {
    let isSettled = false
    const running = work().finally(() => {
      isSettled = true
    })
    // Handled below, by the await; until then a rejection must not count as unhandled.
    running.catch(() => undefined)
    const untilMs = this.#nowMs + withinMs
    for (let turns = 0; !isSettled && this.#nowMs < untilMs; turns++) {
      await this.#settle()
      if (!isSettled && turns > 5) await this.advance(25)
    }
    if (!isSettled) throw new Error(`work did not settle within ${withinMs} ms`)
    return running
  }

  async #settle(): Promise<void> {
    for (let turn = 0; turn < turnsBetweenTimers; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
  }

  #earliest(): Entry | undefined {
    let earliest: Entry | undefined
    for (const entry of this.#entries) if (earliest === undefined || entry.atMs < earliest.atMs) earliest = entry
    return earliest
  }
}
