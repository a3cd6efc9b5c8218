/**
 * What the master believes of a chunk server's health, as a pure state machine.
 *
 *     up ──connection closed, or silent for three heartbeats──▶ suspect ──silent for deadAfterMs──▶ dead
 *     suspect ──a heartbeat on the same connection──▶ up          any ──registered──▶ up
 *
 * Suspicion is cheap and immediate: it steers new writes away and lets a write do without the member. Death is slow,
 * since repair moves bytes. A dead server comes back only by registering, which compares its digests again: a heartbeat
 * that arrives late on an old connection revives nobody.
 * Times are of the watcher's own monotonic clock, in ms, less the pauses of the watcher itself ({@link WatchTime}): a
 * process that was stopped for a minute has not listened for a minute, which says nothing about anybody's silence.
 * @module
 */

export type Health = 'up' | 'suspect' | 'dead'

export interface Watch {
  readonly health: Health
  /** When it last registered or sent a heartbeat. */
  readonly heardMs: number
  readonly connected: boolean
}

export interface DetectorOptions {
  readonly heartbeatIntervalMs: number
  readonly deadAfterMs: number
}

/** Looks that may be late before the watcher was not looking, in heartbeats. */
const attentiveHeartbeats = 2

/**
 * The time in which the watcher was there to listen. Each look adds what passed since the last one, up to two heartbeats:
 * more means that the watcher itself was stopped, and what came meanwhile still waits to be read.
 * Invariants: it never falls, and never runs faster than the clock.
 */
export class WatchTime {
  readonly #longestGapMs: number
  #seenMs: number
  #attendedMs = 0

  constructor(nowMs: number, { heartbeatIntervalMs }: Pick<DetectorOptions, 'heartbeatIntervalMs'>) {
    this.#seenMs = nowMs
    this.#longestGapMs = attentiveHeartbeats * heartbeatIntervalMs
  }

  /** Looks at the clock: at least once a heartbeat interval. */
  look(nowMs: number): number {
    const passedMs = Math.max(0, nowMs - this.#seenMs)
    this.#seenMs += passedMs
    this.#attendedMs += Math.min(passedMs, this.#longestGapMs)
    return this.#attendedMs
  }
}

/** Heartbeats that may be late before a connected server is suspect. */
const silentHeartbeats = 3

/** How the watch of a server starts that was a member before this master started: it has `deadAfterMs` to come back. */
export function expected(nowMs: number): Watch {
  return { health: 'suspect', heardMs: nowMs, connected: false }
}

export function registered(nowMs: number): Watch {
  return { health: 'up', heardMs: nowMs, connected: true }
}

/** A heartbeat arrived. On a watch that is dead or disconnected it changes nothing. */
export function heard(watch: Watch, nowMs: number): Watch {
  if (watch.health === 'dead' || !watch.connected) return watch
  return { health: 'up', heardMs: nowMs, connected: true }
}

export function disconnected(watch: Watch): Watch {
  return { ...watch, connected: false, health: watch.health === 'dead' ? 'dead' : 'suspect' }
}

/** What passing time means; call it at least once a heartbeat interval. */
export function elapsed(watch: Watch, nowMs: number, options: DetectorOptions): Watch {
  const silentMs = nowMs - watch.heardMs
  if (silentMs >= options.deadAfterMs) return watch.health === 'dead' ? watch : { ...watch, health: 'dead' }
  const isLate = silentMs >= silentHeartbeats * options.heartbeatIntervalMs
  return watch.health === 'up' && isLate ? { ...watch, health: 'suspect' } : watch
}
