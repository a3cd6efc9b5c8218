/**
 * The index: where each chunk lies. A `TxnKV` that follows lazily, under an overlay of what it does not know yet.
 *
 * Nothing here is needed to survive: chunk files and segments are the truth. What came after the last checkpoint is
 * read again from the tails of the segments at start; every chunk file is announced by a record there before it gets
 * its name, so no directory is walked. Checkpoints run in batches, off the path of puts.
 * Invariants: overlay and KV together always equal what a full rebuild would find; RAM does not grow with the number
 * of chunks (overlay, rows kept and id pages are bounded).
 * @module
 */
import { addDigest, type ChunkDigest, digestFromLanes, emptyDigest, equalDigests } from '../base/digest.ts'
import type { ChunkId, GroupId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { RecentMap } from '../base/recent-map.ts'
import { prefixEnd, type TxnKV } from '../kv/txn-kv.ts'
import { type ChunkEvent, type Grave, idOfEvent, type LiveChunk } from './chunk-state.ts'
import type { PageDigest } from './chunk-store.ts'
import { IdPages, pageBoundsOf } from './id-pages.ts'
import { applyToIndex } from './index-batch.ts'
import { IndexOverlay } from './index-overlay.ts'
import {
  chunkIdOfKey,
  decodeGrave,
  decodeLive,
  digestKey,
  digestKeyParts,
  graveKey,
  indexPrefix,
  liveKey,
} from './index-rows.ts'
import { KeyedLock } from './keyed-lock.ts'
import type { SegmentTable } from './segment-table.ts'

export interface ChunkIndexOptions {
  readonly kv: TxnKV
  readonly table: SegmentTable
  /** Of the newest record of the log. */
  readonly sequence: () => number
}

/** Events of one transaction: two rows each, within `limits.transactionKeys`. */
const batchEvents = 500
const rowsKept = 16_384

export class ChunkIndex {
  readonly #kv: TxnKV
  readonly #table: SegmentTable
  readonly #sequence: () => number
  readonly #overlay = new IndexOverlay()
  readonly #rows = new RecentMap<ChunkId, LiveChunk>(rowsKept)
  /** Of the KV alone, as of the last checkpoint. */
  readonly #pages = new IdPages()
  /** Makes a checkpoint and a reading of several rows exclude each other: overlay and KV must fit. */
  readonly #lock = new KeyedLock<'index'>()
  #checkpoints = 0

  constructor({ kv, table, sequence }: ChunkIndexOptions) {
    this.#kv = kv
    this.#table = table
    this.#sequence = sequence
  }

  /** Events that no checkpoint has written yet. */
  get pendingEvents(): number {
    return this.#overlay.size
  }

  async get(id: ChunkId): Promise<LiveChunk | undefined> {
    const changed = this.#overlay.get(id)
    if (changed !== undefined) return changed.live
    const kept = this.#rows.get(id)
    if (kept !== undefined) return kept
    const checkpoints = this.#checkpoints
    const row = await this.#kv.transact((tx) => tx.get(liveKey(id)))
    const meanwhile = this.#overlay.get(id)
    if (meanwhile !== undefined) return meanwhile.live
    const live = row && decodeLive(id, row)
    // A checkpoint may have overtaken the reading: then it must not be kept.
    if (live !== undefined && checkpoints === this.#checkpoints) this.#rows.set(id, live)
    return live
  }

  /** As {@link get}, of many ids in one transaction; only those that are there. Keeps no rows: the caller asks once. */
  async getMany(ids: readonly ChunkId[]): Promise<Map<ChunkId, LiveChunk>> {
    return await this.#lock.run('index', async () => {
      const found = new Map<ChunkId, LiveChunk>()
      const asked = ids.filter((id) => this.#overlay.get(id) === undefined && this.#pages.has(id) !== false)
      const rows = asked.length === 0 ? [] : await this.#kv.transact((tx) => tx.getMany(asked.map(liveKey)))
      asked.forEach((id, position) => {
        const row = rows[position]
        if (row !== undefined) found.set(id, decodeLive(id, row))
      })
      // No checkpoint came between, so what changed meanwhile is in the overlay too.
      for (const id of ids) {
        const changed = this.#overlay.get(id)
        if (changed?.live !== undefined) found.set(id, changed.live)
        else if (changed !== undefined) found.delete(id)
      }
      return found
    })
  }

  /** As {@link get}, for an id that is probably new: asks the KV, and is late, only when it has a row. */
  find(id: ChunkId): LiveChunk | undefined | Promise<LiveChunk | undefined> {
    const changed = this.#overlay.get(id)
    if (changed !== undefined) return changed.live
    const hasRow = this.#pages.has(id)
    if (hasRow === false) return undefined
    return hasRow === true ? this.get(id) : this.#findInPage(id)
  }

  async #findInPage(id: ChunkId): Promise<LiveChunk | undefined> {
    await this.#loadPage(id)
    return this.#pages.has(id) === false ? this.#overlay.get(id)?.live : await this.get(id)
  }

  async #loadPage(id: ChunkId): Promise<void> {
    await this.#lock.run('index', async () => {
      if (this.#pages.has(id) !== undefined) return
      const { first, last } = pageBoundsOf(id)
      const ids = await this.#kv.transact(async (tx) => {
        const [live, graves] = [
          await tx.range({ start: liveKey(first), end: prefixEnd(liveKey(last)), limit: limits.pageIds }),
          await tx.range({ start: graveKey(first), end: prefixEnd(graveKey(last)), limit: limits.pageIds }),
        ]
        return [...live, ...graves].map(({ key }) => chunkIdOfKey(key))
      })
      this.#pages.load(id, ids)
    })
  }

  /** The delete records that are needed for `ids`, as of the last checkpoint. */
  async graves(ids: readonly ChunkId[]): Promise<ReadonlyMap<ChunkId, Grave>> {
    const graves = new Map<ChunkId, Grave>()
    if (ids.length === 0) return graves
    const rows = await this.#kv.transact((tx) => tx.getMany(ids.map(graveKey)))
    ids.forEach((id, position) => {
      const row = rows[position]
      if (row !== undefined) graves.set(id, decodeGrave(row))
    })
    return graves
  }

  /** Strikes a segment that is gone from the graves of `ids`, and from the list of segments. The pages may call an id known that has no row now: a look more. */
  async forgetSegment(segment: number, ids: readonly ChunkId[]): Promise<void> {
    await this.#lock.run('index', async () => {
      const events = ids.map((id) => ({ kind: 'segment-gone', id, segment }) as const)
      const hasRow = (id: ChunkId) => this.#pages.has(id) !== false
      const batch = { events, gone: [segment], sequence: this.#sequence(), hasRow }
      const { segments } = await applyToIndex(this.#kv, batch, { freesRoom: true })
      for (const [number, row] of segments) Object.assign(this.#table.get(number) ?? {}, row)
    })
  }

  /** Takes in an event that is durable in the log. The caller holds the id's lock and knows what was there before. */
  add(
    event: ChunkEvent,
    change: { readonly before: LiveChunk | undefined; readonly after: LiveChunk | undefined },
  ): void {
    this.#overlay.add(event, change)
    this.#rows.delete(idOfEvent(event))
  }

  /**
   * Writes the overlay into the KV.
   * @throws {AshlarError} `metadata-corrupt`; `read-only` — no room, the overlay stays
   */
  checkpoint(options: { readonly freesRoom?: boolean } = {}): Promise<void> {
    return this.#lock.run('index', async () => {
      let left = this.#overlay.size
      // What is settled now is in the overlay now, so these positions hold once the `left` events are written.
      const scanned = this.#settledPositions()
      const sequence = this.#sequence()
      while (left > 0 || scanned.size > 0) {
        const events = this.#overlay.oldest(Math.min(batchEvents, left))
        left -= events.length
        const hasRow = (id: ChunkId) => this.#pages.has(id) !== false
        const batch = { events, sequence, hasRow, ...(left === 0 && { scanned }) }
        const { states, digests, segments } = await applyToIndex(this.#kv, batch, options)
        this.#checkpoints++
        this.#overlay.drop(events.length, digests)
        for (const [id, { live, grave }] of states) {
          this.#pages.note(id, live !== undefined || grave !== undefined)
          // An event that came meanwhile makes the row old: kept, it would be taken for the truth after the next checkpoint.
          if (live !== undefined && this.#overlay.get(id) === undefined) this.#rows.set(id, live)
          else this.#rows.delete(id)
        }
        for (const [number, row] of segments) Object.assign(this.#table.get(number) ?? {}, row)
        if (left === 0) return
      }
    })
  }

  async list(options: {
    readonly first: ChunkId
    readonly last: ChunkId
    readonly limit: number
  }): Promise<LiveChunk[]> {
    const { first, last, limit } = options
    return await this.#lock.run('index', async () => {
      const changed = this.#overlay.changedBetween(first, last)
      const isChanged = new Set(changed.map(({ id }) => id))
      const found: LiveChunk[] = []
      let start: Buffer = liveKey(first)
      const end = prefixEnd(liveKey(last))
      let nextChanged = 0
      while (found.length < limit) {
        const pageLimit = Math.min(limit, limits.listPageEntries)
        const rows = await this.#kv.transact((tx) => tx.range({ start, end, limit: pageLimit }))
        const isComplete = rows.length < pageLimit
        const page: LiveChunk[] = []
        for (const { key, value } of rows) {
          const id = chunkIdOfKey(key)
          if (!isChanged.has(id)) page.push(decodeLive(id, value))
        }
        const lastRow = rows.at(-1)
        const horizon = isComplete || lastRow === undefined ? last : chunkIdOfKey(lastRow.key)
        for (; nextChanged < changed.length && (changed[nextChanged]?.id as ChunkId) <= horizon; nextChanged++) {
          const live = changed[nextChanged]?.live
          if (live !== undefined) page.push(live)
        }
        found.push(...page.sort((a, b) => (a.id < b.id ? -1 : 1)))
        if (isComplete || lastRow === undefined) break
        start = prefixEnd(lastRow.key)
      }
      return found.slice(0, limit)
    })
  }

  /** Digests of the pages of `group` that hold a chunk, in order. */
  async digests(group: GroupId): Promise<PageDigest[]> {
    return await this.#lock.run('index', async () => {
      const pages = new Map<number, ChunkDigest>()
      const prefix = digestKey(group, 0).subarray(0, 5)
      let start: Buffer = prefix
      for (let isComplete = false; !isComplete; ) {
        const rows = await this.#kv.transact((tx) =>
          tx.range({ start, end: prefixEnd(prefix), limit: limits.listPageEntries }),
        )
        for (const { key, value } of rows) pages.set(digestKeyParts(key).page, digestFromLanes(value))
        const lastRow = rows.at(-1)
        isComplete = rows.length < limits.listPageEntries || lastRow === undefined
        if (lastRow !== undefined) start = prefixEnd(lastRow.key)
      }
      for (const [page, delta] of this.#overlay.digestsOf(group)) {
        pages.set(page, addDigest(pages.get(page) ?? emptyDigest, delta))
      }
      return [...pages]
        .filter(([, digest]) => !equalDigests(digest, emptyDigest))
        .sort(([a], [b]) => a - b)
        .map(([page, digest]) => ({ page, digest }))
    })
  }

  /** Groups that hold a chunk, or did before the last checkpoint. */
  async knownGroups(): Promise<GroupId[]> {
    return await this.#lock.run('index', async () => {
      const groups = new Set<GroupId>(this.#overlay.changedGroups())
      let start: Buffer | undefined = indexPrefix.digest
      const end = prefixEnd(indexPrefix.digest)
      while (start !== undefined) {
        const from: Buffer = start
        const [row] = await this.#kv.transact((tx) => tx.range({ start: from, end, limit: 1 }))
        if (row === undefined) break
        groups.add(digestKeyParts(row.key).group)
        start = nextGroup(row.key)
      }
      return [...groups].sort((a, b) => a - b)
    })
  }

  async close(): Promise<void> {
    await this.#kv.close()
  }

  #settledPositions(): Map<number, number> {
    const positions = new Map<number, number>()
    for (const segment of this.#table.all()) {
      const settled = this.#table.settledBytes(segment)
      if (settled > segment.scannedBytes) positions.set(segment.number, settled)
    }
    return positions
  }
}

function nextGroup(key: Buffer): Buffer | undefined {
  const prefix = key.subarray(0, 5)
  return prefix.subarray(1).every((byte) => byte === 0xff) ? undefined : prefixEnd(prefix)
}
