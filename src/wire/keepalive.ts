/**
 * Notices a peer that is gone without a word (half-open TCP, a stopped machine) within 30 s, and a connection that nobody
 * uses.
 *
 * It counts ticks, not time: a process that was itself stopped for a minute does not take its peers for dead. A peer counts
 * as alive when bytes come from it, or when it takes bytes of a backlog, so a slow link is no dead one.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { Clock, Timer } from '../env/clock.ts'

const silentTicksBeforePing = 2
const silentTicksBeforeDeath = 5

export interface KeepaliveOptions {
  readonly clock: Clock
  readonly idleTimeoutMs: number
  /** What the connection looks like now. */
  readonly observe: () => {
    readonly callsUnderWay: number
    readonly unsentBytes: number
    readonly takenBytes: number
  }
  readonly ping: () => void
  readonly dead: () => void
  readonly idle: () => void
  /** After every tick that ended nothing. */
  readonly tick: () => void
}

export class Keepalive {
  readonly #options: KeepaliveOptions
  #timer: Timer | undefined
  #heard = false
  #used = false
  #silentTicks = 0
  #idleTicks = 0
  #hadBacklog = false
  #takenBytes = 0

  constructor(options: KeepaliveOptions) {
    this.#options = options
    this.#arm()
  }

  /** Bytes came from the peer. */
  heard(): void {
    this.#heard = true
  }

  /** A call began or ended. */
  used(): void {
    this.#used = true
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(limits.keepaliveTickMs, () => this.#tick(), { background: true })
  }

  #tick(): void {
    const { observe, dead, idle, ping, tick, idleTimeoutMs } = this.#options
    const { callsUnderWay, unsentBytes, takenBytes } = observe()
    const isAlive = this.#heard || (this.#hadBacklog && takenBytes > this.#takenBytes)
    this.#silentTicks = isAlive ? 0 : this.#silentTicks + 1
    this.#idleTicks = this.#used || callsUnderWay > 0 ? 0 : this.#idleTicks + 1
    this.#heard = this.#used = false
    this.#hadBacklog = unsentBytes > 0
    this.#takenBytes = takenBytes
    if (this.#silentTicks >= silentTicksBeforeDeath) {
      dead()
    } else if (this.#idleTicks * limits.keepaliveTickMs >= idleTimeoutMs) {
      idle()
    } else {
      if (this.#silentTicks >= silentTicksBeforePing) ping()
      this.#arm()
      tick()
    }
  }
}
