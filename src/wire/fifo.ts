/**
 * A queue from whose middle items may leave, each step in constant time. (A `Set` looks like one, but finding its first
 * item steps over all that left before.)
 * @module
 */

/** The place of one item in a {@link Fifo}. */
export interface FifoPlace<T> {
  readonly item: T
  previous: FifoPlace<T> | undefined
  next: FifoPlace<T> | undefined
}

export class Fifo<T> {
  #first: FifoPlace<T> | undefined
  #last: FifoPlace<T> | undefined
  #size = 0

  get size(): number {
    return this.#size
  }

  get first(): FifoPlace<T> | undefined {
    return this.#first
  }

  push(item: T): FifoPlace<T> {
    const place: FifoPlace<T> = { item, previous: this.#last, next: undefined }
    if (this.#last === undefined) this.#first = place
    else this.#last.next = place
    this.#last = place
    this.#size++
    return place
  }

  /** `place` is in this queue; it is removed once. */
  remove(place: FifoPlace<T>): void {
    if (place.previous === undefined) this.#first = place.next
    else place.previous.next = place.next
    if (place.next === undefined) this.#last = place.previous
    else place.next.previous = place.previous
    this.#size--
  }

  /** From the first to the last; what the body removes must be the item it was given. */
  *[Symbol.iterator](): Generator<T> {
    for (let place = this.#first; place !== undefined; place = place.next) yield place.item
  }
}
