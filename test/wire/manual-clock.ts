/** A clock that moves only when a test says so; turns of the event loop are real ones. @module */
import type { Clock, Timer } from '../../src/env/clock.ts'

export interface ManualClock extends Clock {
  /** Runs what comes due, in order, with turns of the event loop in between for what that sets off. */
  advance(byMs: number): Promise<void>
  readonly pendingTimers: number
}

export function createManualClock(): ManualClock {
  let nowMs = 0
  let order = 0
  const timers = new Set<{ readonly dueMs: number; readonly order: number; readonly callback: () => void }>()
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    after(delayMs, callback): Timer {
      const timer = { dueMs: nowMs + delayMs, order: order++, callback }
      timers.add(timer)
      return { cancel: () => timers.delete(timer) }
    },
    soon: (callback) => void setImmediate(callback),
    get pendingTimers() {
      return timers.size
    },
    async advance(byMs) {
      const endMs = nowMs + byMs
      for (;;) {
        await turns()
        const [next] = [...timers].sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)
        if (next === undefined || next.dueMs > endMs) break
        timers.delete(next)
        nowMs = Math.max(nowMs, next.dueMs)
        next.callback()
      }
      nowMs = endMs
    },
  }
}

/** Lets everything that is ready happen. */
export async function turns(count = 12): Promise<void> {
  for (let index = 0; index < count; index++) await new Promise((resolve) => setImmediate(resolve))
}
