/**
 * How slowly a body may come: a sender that stays below `leastBytesPerSecond` over `windowMs` is given up, so that a trickle
 * cannot hold a connection for ever. One that sends nothing at all is ended by the connection's idle timeout.
 * @module
 */
import type { Clock } from '../../../env/clock.ts'
import { S3Error } from '../rules/s3-error.ts'

const windowMs = 30_000
const leastBytesPerSecond = 1024

export class Pace {
  readonly #clock: Clock
  #windowStartMs: number
  #received = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#windowStartMs = clock.monotonicMs()
  }

  /** @throws {S3Error} `RequestTimeout` */
  note(receivedBytes: number): void {
    this.#received += receivedBytes
    const nowMs = this.#clock.monotonicMs()
    const passedMs = nowMs - this.#windowStartMs
    if (passedMs < windowMs) return
    if (this.#received < (passedMs / 1000) * leastBytesPerSecond) {
      throw new S3Error(
        'RequestTimeout',
        'Your socket connection to the server was not read from or written to within the timeout period.',
      )
    }
    this.#windowStartMs = nowMs
    this.#received = 0
  }
}
