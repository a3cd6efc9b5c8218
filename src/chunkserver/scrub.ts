/**
 * Reads everything the store holds against its checksums, again and again, the part that was read longest ago first: so that rot
 * is found while there are other copies to repair it from.
 *
 * What is wrong is set aside by the store, as by any read; heartbeats tell the master, and repair follows. The index is compared
 * with the disk by that too: a file that is missing, short or another's is found like a flipped bit, and files that
 * the index does not know are set aside.
 * Pace: all bytes in half of the time in which they are to be read, at most the rate that is allowed; past three quarters of that
 * time, at that rate. It pays for each chunk after it, so it stays behind its rate by one chunk at most.
 * Invariants: progress is noted only for what was read, and under the time at which it was listed (scrub-ledger.ts); the place is
 * kept in the store, so a restart repeats a minute of it. One read at a time.
 * @module
 */
import { AshlarError, isAshlarError, toAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import type { Env } from '../env/env.ts'
import { sleep } from '../env/waiting.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import type { ScrubOrders, ScrubReport } from '../wire/types/scrub.ts'
import {
  firstChunk,
  newLedger,
  noChunk,
  notAfter,
  noteScrubbed,
  oldestRange,
  type ScrubLedger,
  type ScrubPlace,
  type ScrubRange,
  scrubPlace,
} from './scrub-ledger.ts'

interface Unreadable {
  readonly attempts: number
  readonly againMs: number
  /** How many good reads there had been at its first failure. */
  readonly goodReads: number
}

export interface ScrubOptions {
  readonly env: Pick<Env, 'clock' | 'log'>
  readonly store: ChunkStore
  /** Cluster time in ms; undefined until the master told. */
  readonly clusterTimeMs: () => number | undefined
}

const factName = 'scrub'
/** What reading a chunk costs beside its bytes, as so many bytes: small ones are bounded by their count. */
const chunkCostBytes = 16 * 1024
const folderCostBytes = 256 * 1024
const chunksPerList = 64
/** A list that is older is made anew, or what was written since would wait for the next round. */
const listMaxAgeMs = 60_000
const longestPauseMs = 30_000
const shortPauseMs = 500
const failurePauseMs = 30_000
const savedEveryMs = 30_000
/** A read that fails says nothing of the bytes: it is tried again, and only what fails each time is bad. */
const readAttempts = 3
const readAgainAfterMs = 60_000
/** Chunks that the disk cannot read before it is the disk that is bad, and not the chunks: then no more are read. */
const mostUnreadable = 32

export class Scrub {
  readonly #options: ScrubOptions
  readonly #stop = new AbortController()
  /** Ends the pause under way. */
  #wakeUp = new AbortController()
  #orders: ScrubOrders | undefined
  #ledger: ScrubLedger | undefined
  #saved: ScrubLedger | undefined
  #savedMs = 0
  /** Bytes that were read and not yet paid for. */
  #debtBytes = 0
  #paidMs: number
  #oldestMs: number | undefined
  #scrubbedBytes = 0
  #badChunks = 0
  #goodReads = 0
  readonly #unreadable = new Map<ChunkId, Unreadable>()
  /** Where the walk over the folders is; undefined: between two walks. */
  #sweptFolder: string | undefined
  #sweptMs = 0
  /** The replica that is read now, and whether it was set aside meanwhile. */
  #reading: { readonly id: ChunkId; isBad: boolean } | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: ScrubOptions) {
    this.#options = options
    this.#paidMs = options.env.clock.monotonicMs()
    options.store.onQuarantine((id) => {
      if (this.#reading?.id === id) this.#reading.isBad = true
    })
  }

  start(): void {
    this.#running = this.#run()
  }

  /** What the master wants, as its last answer said. */
  obey(orders: ScrubOrders): void {
    const isNew = JSON.stringify(orders) !== JSON.stringify(this.#orders)
    this.#orders = orders
    if (isNew) this.#wakeUp.abort()
  }

  /** Undefined until it is known. */
  report(): ScrubReport | undefined {
    const nowMs = this.#options.clusterTimeMs()
    if (nowMs === undefined || this.#orders === undefined || this.#oldestMs === undefined) return undefined
    return {
      oldestUnscrubbedMs: Math.max(0, nowMs - this.#oldestMs),
      bytesPerSecond: Math.ceil(this.#bytesPerSecond(nowMs, this.#orders)),
      scrubbedBytes: this.#scrubbedBytes,
      badChunks: this.#badChunks,
    }
  }

  /** The replica under way is read to its end. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { env } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      let pauseMs = failurePauseMs
      try {
        pauseMs = await this.#step()
        if (env.clock.monotonicMs() - this.#savedMs >= savedEveryMs) await this.#save()
      } catch (error) {
        env.log.warn('scrubbing failed and goes on later', { error: toAshlarError(error).message })
      }
      await this.#pause(pauseMs)
    }
    await this.#save().catch((error: unknown) => {
      env.log.warn('the place of the scrub was not kept', { error: toAshlarError(error).message })
    })
  }

  /** @returns false: it ended early, to look anew or to end */
  async #pause(pauseMs: number): Promise<boolean> {
    const { signal } = this.#wakeUp
    const isWhole = await sleep(this.#options.env.clock, pauseMs, this.#stop.signal, signal).then(
      () => true,
      // It rejects for nothing but these signals.
      () => false,
    )
    if (signal.aborted) this.#wakeUp = new AbortController()
    return isWhole
  }

  /** @returns how long to wait before the next one */
  async #step(): Promise<number> {
    const { store, clusterTimeMs } = this.#options
    const nowMs = clusterTimeMs()
    const orders = this.#orders
    if (nowMs === undefined || orders === undefined) return shortPauseMs
    if (store.space().refusal === 'fenced') return longestPauseMs
    await this.#readAgain()
    const ledger = notAfter(this.#ledger ?? (await this.#load(nowMs)), nowMs)
    this.#ledger = ledger
    const range = oldestRange(ledger)
    const first = range.after === noChunk ? firstChunk : range.after
    const listed = await store.list({ first, last: range.upTo, limit: chunksPerList + 1 })
    const chunks = listed.filter(({ id }) => id > range.after)
    if (chunks.length === 0) {
      this.#ledger = noteScrubbed(ledger, { ...range, scrubbedMs: nowMs })
      const isNew = nowMs - range.scrubbedMs <= pauseOf(orders)
      if (isNew) this.#oldestMs = nowMs
      return isNew ? pauseOf(orders) : 0
    }
    this.#oldestMs = range.scrubbedMs
    const waitMs = this.#pay(nowMs, orders)
    if (orders.isPaused) return pauseOf(orders)
    if (waitMs > 0) return waitMs
    if (await this.#sweep(nowMs, orders)) return 0
    await this.#readAll(chunks, { range, listedMs: nowMs, isWhole: listed.length <= chunksPerList })
    return 0
  }

  async #readAll(
    chunks: readonly { readonly id: ChunkId; readonly length: number }[],
    list: { readonly range: ScrubRange; readonly listedMs: number; readonly isWhole: boolean },
  ): Promise<void> {
    const { env, clusterTimeMs } = this.#options
    const { range, listedMs, isWhole } = list
    const begunMs = env.clock.monotonicMs()
    let { after } = range
    for (const { id, length } of chunks) {
      await this.#read(id)
      this.#debtBytes += length + chunkCostBytes
      this.#scrubbedBytes += length
      this.#note({ after, upTo: id, scrubbedMs: listedMs })
      after = id
      const orders = this.#orders as ScrubOrders
      const isOld = env.clock.monotonicMs() - begunMs >= Math.min(listMaxAgeMs, orders.withinMs / 20)
      if (isOld || this.#stop.signal.aborted) return
      // Short waits are spent here: a list for each small chunk would cost more than the chunk.
      const waitMs = this.#pay(clusterTimeMs() ?? listedMs, orders)
      if (waitMs > shortPauseMs || (waitMs > 0 && !(await this.#pause(waitMs)))) return
    }
    if (isWhole) this.#note({ ...range, after, scrubbedMs: listedMs })
  }

  #note(range: ScrubRange): void {
    this.#ledger = noteScrubbed(this.#ledger as ScrubLedger, range)
  }

  /** One replica, from the medium. */
  async #read(id: ChunkId): Promise<void> {
    const { store, env } = this.#options
    const reading = { id, isBad: false }
    this.#reading = reading
    try {
      await store.verify(id)
      this.#goodReads++
      this.#unreadable.delete(id)
    } catch (error) {
      if (isAshlarError(error, 'disk-failed')) await this.#noteUnreadable(id, error)
      // Deleted meanwhile, perhaps; one that is missing was set aside.
      else if (isAshlarError(error, 'corrupt', 'chunk-missing')) this.#unreadable.delete(id)
      else throw error
      if (!reading.isBad) return
      this.#badChunks++
      env.log.warn('scrubbing found a bad replica', { chunk: id, error: toAshlarError(error).message })
    } finally {
      this.#reading = undefined
    }
  }

  /**
   * A place that the medium cannot read is the rot that scrubbing is for; a disk that fails now and then, or reads nothing at all,
   * is not: it may hold the last copy.
   */
  async #noteUnreadable(id: ChunkId, error: AshlarError): Promise<void> {
    const { store, env } = this.#options
    const { attempts, goodReads } = this.#unreadable.get(id) ?? { attempts: 0, goodReads: this.#goodReads }
    if (attempts + 1 < readAttempts || goodReads === this.#goodReads) {
      const againMs = env.clock.monotonicMs() + readAgainAfterMs
      this.#unreadable.set(id, { attempts: attempts + 1, goodReads, againMs })
      if (this.#unreadable.size > mostUnreadable) throw error
      return
    }
    this.#unreadable.delete(id)
    await store.quarantine(id, `the disk cannot read it: ${error.message}`)
  }

  async #readAgain(): Promise<void> {
    const nowMs = this.#options.env.clock.monotonicMs()
    for (const [id, { againMs }] of [...this.#unreadable]) if (againMs <= nowMs) await this.#read(id)
    if (this.#unreadable.size <= mostUnreadable) return
    throw new AshlarError('disk-failed', `Cannot scrub: the disk cannot read ${this.#unreadable.size} chunks`)
  }

  /** One folder of a walk that begins as often as everything is read. @returns whether there was one to look through */
  async #sweep(nowMs: number, { withinMs }: ScrubOrders): Promise<boolean> {
    if (this.#sweptFolder === undefined) {
      this.#sweptMs = Math.min(this.#sweptMs, nowMs)
      if (nowMs - this.#sweptMs < withinMs / 2) return false
      this.#sweptMs = nowMs
    }
    const swept = await this.#options.store.sweep(this.#sweptFolder)
    this.#sweptFolder = swept?.folder
    if (swept === undefined) return false
    this.#debtBytes += folderCostBytes
    return true
  }

  /** Pays what was read by the time that has passed. @returns how long to wait before the next read */
  #pay(nowMs: number, orders: ScrubOrders): number {
    const bytesPerSecond = this.#bytesPerSecond(nowMs, orders)
    const paidMs = this.#options.env.clock.monotonicMs()
    this.#debtBytes = Math.max(0, this.#debtBytes - ((paidMs - this.#paidMs) / 1000) * bytesPerSecond)
    this.#paidMs = paidMs
    return Math.ceil(Math.min(pauseOf(orders), (this.#debtBytes / bytesPerSecond) * 1000))
  }

  #bytesPerSecond(nowMs: number, { withinMs, mostBytesPerSecond }: ScrubOrders): number {
    const { usedBytes, chunks } = this.#options.store.space()
    const needed = (usedBytes + chunks * chunkCostBytes) / (withinMs / 2000)
    const isLate = nowMs - (this.#oldestMs ?? nowMs) > 0.75 * withinMs
    return isLate ? mostBytesPerSecond : Math.min(mostBytesPerSecond, Math.max(1, needed))
  }

  async #load(nowMs: number): Promise<ScrubLedger> {
    const place = await this.#keptPlace()
    this.#sweptMs = Math.min(place?.sweptMs ?? nowMs, nowMs)
    // A store that never scrubbed counts from now on: what it holds was written a moment ago, as a rule.
    return place?.ledger ?? newLedger(Math.max(0, nowMs - 1))
  }

  async #keptPlace(): Promise<ScrubPlace | undefined> {
    const { store, env } = this.#options
    try {
      const kept = await store.getFact(factName)
      return kept === undefined ? undefined : scrubPlace.decode(kept)
    } catch (error) {
      if (!isAshlarError(error, 'metadata-corrupt', 'protocol', 'version-unsupported')) throw error
      const because = toAshlarError(error).message
      env.log.warn('the place of the scrub is not known: everything is read anew', { error: because })
      return { ledger: newLedger(0), sweptMs: 0 }
    }
  }

  async #save(): Promise<void> {
    const { store, env } = this.#options
    const ledger = this.#ledger
    this.#savedMs = env.clock.monotonicMs()
    if (ledger === undefined || ledger === this.#saved) return
    await store.setFact(factName, scrubPlace.encode({ ledger, sweptMs: this.#sweptMs }))
    this.#saved = ledger
  }
}

function pauseOf({ withinMs }: ScrubOrders): number {
  return Math.min(longestPauseMs, withinMs / 50)
}
