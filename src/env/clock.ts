/**
 * Time. Deadlines, leases and rates use the monotonic clock only; wall time is shown to people and stored as
 * an attribute, never compared.
 * @module
 */

export interface Timer {
  /** Idempotent. After it returns, the callback does not run. */
  cancel(): void
}

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back; with a fraction. */
  monotonicMs(): number
  /** Milliseconds since 1970, as this machine believes. */
  wallMs(): number
  /** Runs `callback` once after `delayMs`. A pending timer keeps the process alive unless `background`. */
  after(delayMs: number, callback: () => void, options?: { readonly background?: boolean }): Timer
  /** Runs `callback` in a new turn of the event loop, after I/O that is ready: yields the thread. */
  soon(callback: () => void): void
}
