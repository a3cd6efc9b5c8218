/**
 * Who may copy now: copies are bounded for each server, as source and as target, so that repair leaves its disk to clients,
 * and the more urgent duty goes first whatever waits longer.
 *
 * A large chunk weighs as much as several small ones. The source is chosen when its turn comes: the one with the least to do.
 * Who waits for room on a server is passed there by nobody that came later, or large chunks would wait until no small one is left; so small
 * and large ones go in the order in which they were asked for, and what is left of a duty falls as evenly in bytes as in chunks.
 * Duties that can wait get half of a server's room, so that a repair always finds some. Bytes are bounded too (copy-rates.ts): a
 * copy costs its source one reading, and its target a writing and the reading that proves it.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Clock, Timer } from '../env/clock.ts'
import { cancelled } from '../env/waiting.ts'
import type { MemberDuty } from '../wire/types/cluster-map.ts'
import { CopyRates, type CopyRatesOptions } from './copy-rates.ts'

export interface CopyRequest {
  readonly target: ServerId
  /** Any of them will do; the first ones rather, where they are as free. At least one. */
  readonly sources: readonly ServerId[]
  readonly sizeBytes: number
  readonly duty: MemberDuty
  readonly signal: AbortSignal
}

interface Waiting {
  readonly request: CopyRequest
  readonly weight: number
  readonly start: (source: ServerId) => void
}

/** Of weight, each way, on one server: this many small chunks, or two large ones, at once. */
const roomOfServer = 8
const largeChunkBytes = 1024 * 1024
const largeWeight = 4
const urgency: Readonly<Record<MemberDuty, number>> = { repair: 0, drain: 1, rebalance: 2 }

export class CopySlots {
  readonly #sending = new Map<ServerId, number>()
  readonly #receiving = new Map<ServerId, number>()
  /** Servers on which somebody waits for room, each with the urgency of who waits there: for those behind there is none. */
  readonly #keptSending = new Map<ServerId, number>()
  readonly #keptReceiving = new Map<ServerId, number>()
  /** By urgency, each in order of arrival. */
  readonly #waiting: Waiting[][] = [[], [], []]
  readonly #rates: CopyRates | undefined
  readonly #clock: Clock | undefined
  /** Of the next look at those that only wait for bytes. */
  #timer: Timer | undefined

  /** @param options absent: bytes are not bounded */
  constructor(options?: CopyRatesOptions) {
    this.#clock = options?.clock
    this.#rates = options && new CopyRates(options)
  }

  /** Runs `work` with a source when there is room. @throws {AshlarError} `busy` — too many wait; `cancelled`; what `work` throws */
  async run<T>(request: CopyRequest, work: (source: ServerId) => Promise<T>): Promise<T> {
    const weight = weightOf(request.sizeBytes)
    const source = this.#take(request, weight) ?? (await this.#wait(request, weight))
    try {
      return await work(source)
    } finally {
      add(this.#sending, source, -weight)
      add(this.#receiving, request.target, -weight)
      this.#startWaiting()
    }
  }

  /** @returns the source, with room taken on both ends; undefined: it has to wait */
  #take(request: CopyRequest, weight: number): ServerId | undefined {
    const source = this.#sourceFor(request, weight)
    if (source === undefined) return undefined
    add(this.#sending, source, weight)
    add(this.#receiving, request.target, weight)
    this.#rates?.take(source, request.sizeBytes)
    this.#rates?.take(request.target, 2 * request.sizeBytes)
    return source
  }

  /** Where only room is lacking, it is kept for this request from then on. */
  #sourceFor({ target, sources, duty }: CopyRequest, weight: number): ServerId | undefined {
    const rank = urgency[duty]
    const most = (duty === 'repair' ? roomOfServer : roomOfServer / 2) - weight
    if (isKept(this.#keptReceiving, target, rank) || this.#mustWait(target)) return undefined
    if ((this.#receiving.get(target) ?? 0) > most) {
      keep(this.#keptReceiving, target, rank)
      return undefined
    }
    let best: ServerId | undefined
    for (const source of sources) {
      if (isKept(this.#keptSending, source, rank) || this.#mustWait(source)) continue
      if (best === undefined || (this.#sending.get(source) ?? 0) < (this.#sending.get(best) ?? 0)) best = source
    }
    if (best === undefined || (this.#sending.get(best) ?? 0) <= most) return best
    keep(this.#keptSending, best, rank)
    return undefined
  }

  /** Whether the server has read and written as much as it may for now; then those who wait are looked at again in time. */
  #mustWait(server: ServerId): boolean {
    const waitMs = this.#rates?.waitMs(server) ?? 0
    if (waitMs === 0) return false
    this.#timer ??= this.#clock?.after(
      waitMs,
      () => {
        this.#timer = undefined
        this.#startWaiting()
      },
      { background: true },
    )
    return true
  }

  #wait(request: CopyRequest, weight: number): Promise<ServerId> {
    const { signal, duty } = request
    const queue = this.#waiting[urgency[duty]] as Waiting[]
    if (queue.length >= limits.copiesWaiting) {
      return Promise.reject(new AshlarError('busy', `Cannot copy: ${queue.length} copies wait already`))
    }
    if (signal.aborted) return Promise.reject(cancelled('copy a chunk', signal))
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        queue.splice(queue.indexOf(entry), 1)
        reject(cancelled('copy a chunk', signal))
      }
      const entry: Waiting = {
        request,
        weight,
        start: (source) => {
          signal.removeEventListener('abort', onAbort)
          resolve(source)
        },
      }
      queue.push(entry)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  #startWaiting(): void {
    this.#keptSending.clear()
    this.#keptReceiving.clear()
    for (const queue of this.#waiting) {
      for (let index = 0; index < queue.length; ) {
        const { request, weight, start } = queue[index] as Waiting
        const source = this.#take(request, weight)
        if (source === undefined) {
          index++
          continue
        }
        queue.splice(index, 1)
        start(source)
      }
    }
  }
}

/** How many copies of chunks of this size a server sends, and takes, at once for repair. */
export function copiesAtOnceOf(sizeBytes: number): number {
  return roomOfServer / weightOf(sizeBytes)
}

function weightOf(sizeBytes: number): number {
  return sizeBytes >= largeChunkBytes ? largeWeight : 1
}

function isKept(kept: ReadonlyMap<ServerId, number>, server: ServerId, rank: number): boolean {
  return (kept.get(server) ?? Number.POSITIVE_INFINITY) <= rank
}

function keep(kept: Map<ServerId, number>, server: ServerId, rank: number): void {
  kept.set(server, Math.min(rank, kept.get(server) ?? rank))
}

function add(used: Map<ServerId, number>, server: ServerId, weight: number): void {
  const left = (used.get(server) ?? 0) + weight
  if (left === 0) used.delete(server)
  else used.set(server, left)
}
