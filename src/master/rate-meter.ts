/**
 * How much there was of something in a second, over the last seconds: for "time left" that people believe.
 * @module
 */
import type { Clock } from '../env/clock.ts'

const windowMs = 10_000
const slotMs = 500

export class RateMeter {
  readonly #clock: Clock
  /** Amounts by slot of time, oldest first: at most `windowMs / slotMs` and one. */
  readonly #slots: { readonly slot: number; amount: number }[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(amount: number): void {
    const slot = this.#now()
    const last = this.#slots.at(-1)
    if (last?.slot === slot) last.amount += amount
    else this.#slots.push({ slot, amount })
    this.#forget(slot)
  }

  /** 0 when there was nothing for a while. */
  perSecond(): number {
    this.#forget(this.#now())
    const first = this.#slots[0]
    if (first === undefined) return 0
    const sum = this.#slots.reduce((total, { amount }) => total + amount, 0)
    return (sum * 1000) / Math.max(slotMs, this.#clock.monotonicMs() - first.slot * slotMs)
  }

  /** How long it has been measured by now, up to the length of the window: less says little of a rate. 0: there is none. */
  get measuredMs(): number {
    this.#forget(this.#now())
    const first = this.#slots[0]
    return first === undefined ? 0 : this.#clock.monotonicMs() - first.slot * slotMs
  }

  #now(): number {
    return Math.floor(this.#clock.monotonicMs() / slotMs)
  }

  #forget(now: number): void {
    while ((this.#slots[0]?.slot ?? now) < now - windowMs / slotMs) this.#slots.shift()
  }
}
