/**
 * The events to come, as a binary heap: by time, then by the seeded tie, then in the order of their making.
 * Cancelled events stay until their time has come, or somebody drops them all.
 * @module
 */
import type { SimEvent } from './sim-event.ts'

export class EventHeap {
  #events: SimEvent[] = []

  get first(): SimEvent | undefined {
    return this.#events[0]
  }

  get size(): number {
    return this.#events.length
  }

  dropCancelled(): void {
    const events = this.#events.filter((event) => event.callback !== undefined)
    this.#events = []
    for (const event of events) this.push(event)
  }

  push(event: SimEvent): void {
    const events = this.#events
    let at = events.length
    events.push(event)
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = events[parentAt] as SimEvent
      if (!isBefore(event, parent)) break
      events[at] = parent
      at = parentAt
    }
    events[at] = event
  }

  pop(): void {
    const events = this.#events
    const last = events.pop()
    if (last === undefined || events.length === 0) return
    let at = 0
    for (let childAt = 1; childAt < events.length; childAt = 2 * at + 1) {
      const right = events[childAt + 1]
      if (right !== undefined && isBefore(right, events[childAt] as SimEvent)) childAt++
      const child = events[childAt] as SimEvent
      if (!isBefore(child, last)) break
      events[at] = child
      at = childAt
    }
    events[at] = last
  }

  clear(): void {
    this.#events = []
  }
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs
  return a.tie !== b.tie ? a.tie < b.tie : a.sequence < b.sequence
}
