/**
 * A first-in, first-out queue whose `shift` does not move what remains, as an array's does.
 * Invariant: it keeps nothing alive that was taken out, and its array is at most about twice as long as the queue.
 * @module
 */

const compactFrom = 1024

export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  /** Slots of the array beneath, for tests of the bound. */
  get slots(): number {
    return this.#items.length
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): T | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) this.#items = []
    else if (this.#head < compactFrom || this.#head * 2 < this.#items.length) return item
    else this.#items = this.#items.slice(this.#head)
    this.#head = 0
    return item
  }

  /** Puts `items` back before the first, in their order. */
  unshift(items: readonly T[]): void {
    this.#items = [...items, ...this.#items.slice(this.#head)]
    this.#head = 0
  }
}
