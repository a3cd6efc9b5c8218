/**
 * The real clock. A timer never fires early by the monotonic clock: it is set again for what is left, which also
 * carries delays past the 24.8 days that one timer of Node holds.
 * @module
 */
import { assert } from '../base/assert.ts'
import type { Clock, Timer } from './clock.ts'

const longestTimerMs = 2 ** 31 - 1

export function createNodeClock(): Clock {
  return {
    monotonicMs,
    wallMs: () => Date.now(),
    after,
    soon: (callback) => void setImmediate(callback),
  }
}

/** Not `performance`, which loads more than a start uses: 1.3 ms of CPU in each process, for 25 ns less a call. */
function monotonicMs(): number {
  return inMs(process.hrtime())
}

function inMs([seconds, nanoseconds]: readonly [number, number]): number {
  return seconds * 1000 + nanoseconds / 1_000_000
}

function after(delayMs: number, callback: () => void, options: { readonly background?: boolean } = {}): Timer {
  assert(delayMs >= 0, `a delay of ${delayMs} ms`)
  const dueMs = monotonicMs() + delayMs
  let timeout: NodeJS.Timeout
  const arm = (restMs: number) => {
    timeout = setTimeout(onTimeout, Math.min(Math.ceil(restMs), longestTimerMs))
    if (options.background) timeout.unref()
  }
  const onTimeout = () => {
    const restMs = dueMs - monotonicMs()
    if (restMs > 0) arm(restMs)
    else callback()
  }
  arm(delayMs)
  return { cancel: () => clearTimeout(timeout) }
}
