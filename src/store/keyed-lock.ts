/** One at a time per key, in order of arrival. Holds memory only for keys in use. @module */
export class KeyedLock<Key> {
  /** The last that came, by key. */
  readonly #turns = new Map<Key, Turn>()

  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key)
    const turn = new Turn()
    this.#turns.set(key, turn)
    try {
      if (before !== undefined) await before.ended
      return await work()
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key)
      turn.end()
    }
  }

  /** As {@link run}, holding all of `keys`; taken in sorted order, so that two callers cannot wait for each other. */
  async runAll<T>(keys: readonly Key[], work: () => Promise<T>): Promise<T> {
    const sorted = [...new Set(keys)].sort()
    const step = (index: number): Promise<T> =>
      index === sorted.length ? work() : this.run(sorted[index] as Key, () => step(index + 1))
    return step(0)
  }
}

/** Makes its promise only when the next one waits for it: mostly nobody does. */
class Turn {
  #awaited: PromiseWithResolvers<void> | undefined

  /** Asked for while the turn lasts. */
  get ended(): Promise<void> {
    this.#awaited ??= Promise.withResolvers()
    return this.#awaited.promise
  }

  end(): void {
    this.#awaited?.resolve()
  }
}
