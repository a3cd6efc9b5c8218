/** One at a time per key, in order of arrival. Holds memory only for keys in use. @module */
export class KeyedLock<Key> {
  readonly #tails = new Map<Key, Promise<void>>()

  async run<T>(key: Key, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key)
    const { promise: done, resolve } = Promise.withResolvers<void>()
    this.#tails.set(key, done)
    try {
      if (before !== undefined) await before
      return await work()
    } finally {
      if (this.#tails.get(key) === done) this.#tails.delete(key)
      resolve()
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
