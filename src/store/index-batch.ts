/**
 * Events into the index: one transaction for many, with the rows, the digests and the sums of the store together,
 * so that they agree after any crash. Applying an event a second time changes nothing.
 * @module
 */
import { addDigest, type ChunkDigest, digestToLanes, emptyDigest, equalDigests, negateDigest } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, groupOf, pageOf } from '../base/ids.ts'
import type { Transaction, TxnKV } from '../kv/txn-kv.ts'
import {
  type ChunkEvent,
  type ChunkState,
  difference,
  digestOfChunk,
  idOfEvent,
  keepingGraves,
  type LiveChunk,
  nextState,
} from './chunk-state.ts'
import type { PageDelta } from './index-overlay.ts'
import {
  decodeGrave,
  decodeLive,
  decodeMarks,
  decodeSegmentRow,
  digestKey,
  encodeGrave,
  encodeLive,
  encodeMarks,
  encodeSegmentRow,
  graveKey,
  type IndexMarks,
  liveKey,
  marksKey,
  type SegmentRow,
  segmentKey,
} from './index-rows.ts'

export interface IndexBatch {
  readonly events: readonly ChunkEvent[]
  /** How far segments are scanned once `events` are in. */
  readonly scanned?: ReadonlyMap<number, number>
  /** Segments that are no more. */
  readonly gone?: readonly number[]
  /** A rebuild is under way: graves stay, whatever they stand against. */
  readonly keepsGraves?: boolean
  /** False: the index is known to have no row of the id, so none is asked for. */
  readonly hasRow?: (id: ChunkId) => boolean
  /** No event so far has a higher one. */
  readonly sequence: number
}

export interface BatchResult {
  /** Of the ids of the events; without what is live, if all of them were `segment-gone`. */
  readonly states: ReadonlyMap<ChunkId, ChunkState>
  readonly digests: readonly PageDelta[]
  readonly segments: ReadonlyMap<number, SegmentRow>
  readonly marks: IndexMarks
  /** Chunks that an event removed, with where they lay: their files can go. */
  readonly removed: readonly LiveChunk[]
}

/** @throws {AshlarError} `metadata-corrupt` — the index cannot be believed; what {@link TxnKV.transact} throws */
export function applyToIndex(
  kv: TxnKV,
  batch: IndexBatch,
  options: { readonly freesRoom?: boolean } = {},
): Promise<BatchResult> {
  return kv.transact((tx) => apply(tx, batch), { freesRoom: options.freesRoom ?? false })
}

async function apply(tx: Transaction, batch: IndexBatch): Promise<BatchResult> {
  const { events, scanned, gone = [], sequence, keepsGraves, hasRow = () => true } = batch
  const ids = [...new Set(events.map(idOfEvent))].filter(hasRow)
  // That a segment is gone concerns graves alone, and there are as many of these events as there were records in it.
  const before = events.every(({ kind }) => kind === 'segment-gone')
    ? await readGraves(tx, ids)
    : await readStates(tx, ids)
  const states = new Map(before)
  const sums = new Sums()
  const step = keepsGraves === true ? keepingGraves : nextState
  for (const event of events) {
    const id = idOfEvent(event)
    const old = states.get(id) ?? nothing
    const next = step(old, event)
    states.set(id, next)
    sums.add(old, next)
  }
  writeStates(tx, before, states)
  for (const { group, page, delta } of sums.pages()) tx.add(digestKey(group, page), digestToLanes(delta))
  const segments = await writeSegments(tx, { liveBytes: sums.segments, scanned: scanned ?? new Map(), gone })
  const marksRow = await tx.get(marksKey)
  const old = marksRow === undefined ? { opening: 0, sequence: 0, usedBytes: 0, chunks: 0 } : decodeMarks(marksRow)
  const marks = {
    opening: old.opening,
    sequence: Math.max(old.sequence, sequence),
    usedBytes: old.usedBytes + sums.usedBytes,
    chunks: old.chunks + sums.chunks,
  }
  tx.put(marksKey, encodeMarks(marks))
  return { states, digests: sums.pages(), segments, marks, removed: sums.removed }
}

const nothing: ChunkState = {}

async function readStates(tx: Transaction, ids: readonly ChunkId[]): Promise<Map<ChunkId, ChunkState>> {
  const rows = await tx.getMany([...ids.map(liveKey), ...ids.map(graveKey)])
  return new Map(
    ids.map((id, index) => {
      const live = rows[index]
      const grave = rows[ids.length + index]
      return [id, { live: live && decodeLive(id, live), grave: grave && decodeGrave(grave) }]
    }),
  )
}

/** As {@link readStates}, without what is live. */
async function readGraves(tx: Transaction, ids: readonly ChunkId[]): Promise<Map<ChunkId, ChunkState>> {
  const rows = await tx.getMany(ids.map(graveKey))
  return new Map(ids.map((id, index) => [id, { grave: rows[index] && decodeGrave(rows[index]) }]))
}

function writeStates(
  tx: Transaction,
  before: ReadonlyMap<ChunkId, ChunkState>,
  after: ReadonlyMap<ChunkId, ChunkState>,
): void {
  for (const [id, { live, grave }] of after) {
    const old = before.get(id)
    if (live !== old?.live) {
      if (live === undefined) tx.del(liveKey(id))
      else tx.put(liveKey(id), encodeLive(live))
    }
    if (grave !== old?.grave) {
      if (grave === undefined) tx.del(graveKey(id))
      else tx.put(graveKey(id), encodeGrave(grave))
    }
  }
}

async function writeSegments(
  tx: Transaction,
  changes: {
    readonly liveBytes: ReadonlyMap<number, number>
    readonly scanned: ReadonlyMap<number, number>
    readonly gone: readonly number[]
  },
): Promise<Map<number, SegmentRow>> {
  const { liveBytes, scanned, gone } = changes
  const numbers = [...new Set([...liveBytes.keys(), ...scanned.keys()])].filter((number) => !gone.includes(number))
  const rows = await tx.getMany(numbers.map(segmentKey))
  const segments = new Map<number, SegmentRow>()
  numbers.forEach((number, index) => {
    const row = rows[index]
    const old = row === undefined ? { scannedBytes: 0, liveBytes: 0 } : decodeSegmentRow(row)
    const leftBytes = old.liveBytes + (liveBytes.get(number) ?? 0)
    // A grave may outlive its segment, when the put that it stood against could not be read any more as that was retired.
    if (row === undefined && leftBytes < 0) return
    if (leftBytes < 0) {
      throw new AshlarError(
        'metadata-corrupt',
        `Cannot believe the index: segment ${number} would hold ${leftBytes} bytes`,
      )
    }
    const next = { scannedBytes: Math.max(old.scannedBytes, scanned.get(number) ?? 0), liveBytes: leftBytes }
    segments.set(number, next)
    tx.put(segmentKey(number), encodeSegmentRow(next))
  })
  for (const number of gone) tx.del(segmentKey(number))
  return segments
}

/** Collects what a batch of changes does to the sums. */
class Sums {
  readonly segments = new Map<number, number>()
  readonly removed: LiveChunk[] = []
  readonly #pages = new Map<string, PageDelta>()
  usedBytes = 0
  chunks = 0

  add(before: ChunkState, after: ChunkState): void {
    const { added, removed, segments } = difference(before, after)
    for (const { segment, bytes } of segments) {
      this.segments.set(segment, (this.segments.get(segment) ?? 0) + bytes)
    }
    if (removed !== undefined) {
      this.#digest(removed, negateDigest(digestOfChunk(removed)))
      this.usedBytes -= removed.storedLength
      this.chunks--
      this.removed.push(removed)
    }
    if (added !== undefined) {
      this.#digest(added, digestOfChunk(added))
      this.usedBytes += added.storedLength
      this.chunks++
    }
  }

  pages(): PageDelta[] {
    return [...this.#pages.values()].filter(({ delta }) => !equalDigests(delta, emptyDigest))
  }

  #digest({ id }: LiveChunk, delta: ChunkDigest): void {
    const group = groupOf(id)
    const page = pageOf(id)
    const key = id.slice(0, 25)
    const sum = addDigest(this.#pages.get(key)?.delta ?? emptyDigest, delta)
    this.#pages.set(key, { group, page, delta: sum })
  }
}
