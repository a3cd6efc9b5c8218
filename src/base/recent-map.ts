/**
 * A map of bounded size that forgets what was not used for long: in two generations, what was not asked for while one
 * filled goes with it. An order of use kept exactly in one `Map` cost a chunk server 5 % of its time: what leaves at the
 * front of a `Map` stays as a hole there, which each look for the oldest entry steps over.
 * @module
 */
export class RecentMap<Key, Value> {
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  readonly #generationEntries: number

  /** @param maxEntries at least 2; so many are held at most, and the last half of that many that were used surely */
  constructor(maxEntries: number) {
    this.#generationEntries = Math.floor(maxEntries / 2)
  }

  get(key: Key): Value | undefined {
    const value = this.#young.get(key)
    if (value !== undefined || this.#old.size === 0) return value
    const kept = this.#old.get(key)
    if (kept !== undefined) this.set(key, kept)
    return kept
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#generationEntries && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  /** Entries held, in both generations: at most the bound. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  delete(key: Key): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }
}
