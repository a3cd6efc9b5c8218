/**
 * Wall time that may be acted on. A clock that was set wrong (FAULTS: by an hour, by a year) must end no retention and
 * expire no object, and must stamp nothing so old that it expires when the clock is right again.
 *
 * Cluster time, which comes from a monotonic clock, says how far the wall may have moved since the last mark. A wall within
 * {@link toleranceMs} of that is right, and a mark is made. One that is not has *jumped*: until it has kept its new pace for
 * {@link acceptAfterMs} of cluster time, what is acted on goes on at the pace of cluster time, never ahead of the wall; and
 * stamps never lie behind it. A master that was off for long sees its wall ahead too: then expiry is late by that, for a
 * day, and nothing else happens.
 * @module
 */
import { field, struct, uint } from '../base/codec.ts'

/** Clocks are corrected by less, and often. */
const toleranceMs = 5 * 60_000

const markRow = struct('wall mark', 1, { wallMs: field(1, uint), clusterMs: field(2, uint) })

interface Mark {
  readonly wallMs: number
  readonly clusterMs: number
}

export interface WallGuardOptions {
  readonly wallMs: () => number
  /** Without generation. */
  readonly clusterMs: () => number
  /** As it was kept; undefined at the first start. */
  readonly mark: Buffer | undefined
  /** How long a new pace must hold before it is believed. */
  readonly acceptAfterMs: number
}

export type WallChange = 'jumped' | 'accepted' | 'right'

export class WallGuard {
  readonly #options: WallGuardOptions
  #mark: Mark
  /** Where the wall jumped to, and when that was seen. */
  #jump: Mark | undefined

  constructor(options: WallGuardOptions) {
    this.#options = options
    this.#mark = options.mark === undefined ? this.#now() : markRow.decode(options.mark)
  }

  /** Never ahead of the wall, nor of what cluster time bears out. */
  provenMs(): number {
    const now = this.#now()
    return this.#isRight(now) ? now.wallMs : Math.min(now.wallMs, this.#expected(now))
  }

  /** For what is written: never so far behind that it looks older than it is. */
  stampMs(): number {
    const now = this.#now()
    return this.#isRight(now) ? now.wallMs : Math.max(now.wallMs, this.#expected(now))
  }

  /** To be kept. */
  get mark(): Buffer {
    return markRow.encode(this.#mark)
  }

  /** Looks at the wall. @returns what changed; undefined: nothing */
  look(): WallChange | undefined {
    const now = this.#now()
    if (this.#isRight(now)) {
      const wasJumped = this.#jump !== undefined
      this.#jump = undefined
      this.#mark = now
      return wasJumped ? 'right' : undefined
    }
    const jump = this.#jump
    if (jump === undefined || !isOnPace(jump, now)) {
      this.#jump = now
      return jump === undefined ? 'jumped' : undefined
    }
    if (now.clusterMs - jump.clusterMs < this.#options.acceptAfterMs) return undefined
    this.#jump = undefined
    this.#mark = now
    return 'accepted'
  }

  #now(): Mark {
    const { wallMs, clusterMs } = this.#options
    return { wallMs: wallMs(), clusterMs: clusterMs() }
  }

  #expected({ clusterMs }: Mark): number {
    return this.#mark.wallMs + (clusterMs - this.#mark.clusterMs)
  }

  #isRight(now: Mark): boolean {
    return isOnPace(this.#mark, now)
  }
}

function isOnPace(before: Mark, now: Mark): boolean {
  return Math.abs(now.wallMs - before.wallMs - (now.clusterMs - before.clusterMs)) <= toleranceMs
}
