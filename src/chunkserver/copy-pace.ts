/**
 * How many chunks this server copies at once, and how long it rests between them, while clients wait for it: as much as goes where
 * nobody is slowed, less where copies make clients wait.
 *
 * The disk's share is bounded in bytes by the master; what is bounded here is whatever else copies and clients share, above all the
 * processor. What clients see is measured itself: how long their small requests take on the average, now and while nothing was copied.
 * While it is more than {@link toleratedSlowdown} times as long, the *window* (copies at once; below one the part of the time that a
 * single one goes on) shrinks by a third, else it grows by an eighth of a copy: the rule of TCP, so that many servers which
 * share one machine come to share it fairly. It begins at one: a burst before the first look would be the worst that clients see.
 * Slowness that stays when copies rest as much as they ever do is not theirs: by and by it becomes what is usual.
 * Invariant: copies go on, whatever clients do: redundancy outweighs latency. Urgent ones are not paced at all (`replicator.ts`).
 *
 * In a model of five servers that share two cores (`copy-pace.test.ts`) four copies at once on each make the p99 of clients' requests 9 to 16
 * times as long; paced, twice, at half to two thirds of the rate. With cores enough 85 % of it are left, or more.
 * @module
 */
import type { Clock } from '../env/clock.ts'

/** What is asked often and takes little: a change of its time is one of the server, not of the request. */
const watchedMethods: ReadonlySet<string> = new Set(['readChunk', 'putChunk'])
const toleratedSlowdown = 1.5
/** Of the window. */
export const mostCopiesAtOnce = 4
const leastWindow = 1 / 4
const slower = 0.7
const fasterBy = 1 / 8
/** After so many requests what is seen now is judged, and then anew. */
const requestsPerLook = 16
const nowWeight = 1 / 16
const usualWeight = 1 / 256
/** Fewer say nothing of what is usual. */
const usualFrom = 64
/** After copies ended, requests are still slowed for a moment. */
const settleMs = 1_000
/** After the last request: nobody is there to be slowed. */
const aloneAfterMs = 10_000
const longestRestMs = 2_000

interface Watch {
  usualMs: number
  usualCount: number
  nowMs: number
  nowCount: number
}

export class CopyPace {
  readonly #clock: Clock
  readonly #watches = new Map<string, Watch>()
  #copying = 0
  #quietFromMs = Number.NEGATIVE_INFINITY
  #askedMs = Number.NEGATIVE_INFINITY
  #untilLook = requestsPerLook
  #window = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Copies at once, 1 to {@link mostCopiesAtOnce}. */
  get copiesAtOnce(): number {
    return Math.max(1, Math.floor(this.#window))
  }

  /** A client's request was answered. Cheap: it is called for each. */
  noteRequest(method: string, durationMs: number): void {
    if (!watchedMethods.has(method)) return
    let watch = this.#watches.get(method)
    if (watch === undefined) {
      watch = { usualMs: 0, usualCount: 0, nowMs: 0, nowCount: 0 }
      this.#watches.set(method, watch)
    }
    this.#askedMs = this.#clock.monotonicMs()
    if (this.#copying === 0) {
      if (this.#askedMs < this.#quietFromMs) return
      this.#window = 1
      watch.nowCount = 0
      learnUsual(watch, durationMs)
      return
    }
    watch.nowCount++
    watch.nowMs += (durationMs - watch.nowMs) * Math.max(nowWeight, 1 / watch.nowCount)
    this.#untilLook--
    if (this.#untilLook === 0) this.#look()
  }

  /** A copy begins; {@link ended} says how long its place is to rest afterwards. */
  began(): void {
    if (this.#clock.monotonicMs() - this.#askedMs > aloneAfterMs) this.#window = mostCopiesAtOnce
    this.#copying++
  }

  /** @param tookMs of the copy that ended @returns milliseconds */
  ended(tookMs: number): number {
    this.#copying--
    this.#quietFromMs = this.#clock.monotonicMs() + settleMs
    return this.#window >= 1 ? 0 : Math.min(longestRestMs, tookMs * (1 / this.#window - 1))
  }

  #look(): void {
    this.#untilLook = requestsPerLook
    const slowdown = this.#slowdown()
    if (slowdown <= toleratedSlowdown) this.#window = Math.min(mostCopiesAtOnce, this.#window + fasterBy)
    else if (this.#window > leastWindow) this.#window = Math.max(leastWindow, this.#window * slower)
    else for (const watch of this.#watches.values()) if (watch.nowCount > 0) learnUsual(watch, watch.nowMs)
  }

  /** Of those kinds of request of which enough is known, the worst; 1 if there is none. */
  #slowdown(): number {
    let worst = 1
    for (const { usualMs, usualCount, nowMs, nowCount } of this.#watches.values()) {
      if (usualCount < usualFrom || nowCount < requestsPerLook / 2 || usualMs === 0) continue
      worst = Math.max(worst, nowMs / usualMs)
    }
    return worst
  }
}

function learnUsual(watch: Watch, durationMs: number): void {
  watch.usualCount++
  watch.usualMs += (durationMs - watch.usualMs) * Math.max(usualWeight, 1 / watch.usualCount)
}
