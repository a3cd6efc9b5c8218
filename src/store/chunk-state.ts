/**
 * What the index knows of one chunk id, and how each event changes it. Pure: no I/O.
 *
 * Invariants (DESIGN.md 5):
 * - The highest sequence wins, whatever the order in which events are seen; applying one twice changes nothing.
 * - A `grave` (a delete record that is still needed) names each segment that holds an older put of its id. It goes
 *   only with the last of them: otherwise a rebuild would bring the chunk back.
 * - Chunk files need no grave: a delete counts as done only after their unlink is durable, and until then the
 *   segment's scan position stays before its record, so that a start-up does it again.
 * @module
 */
import { type ChunkDigest, digestOf } from '../base/digest.ts'
import type { StoredChunk } from './chunk-file-format.ts'
import { putBytes, recordHeadMinBytes } from './segment-format.ts'

/** Where a replica lies: a file of its own, or a record at `offset` of a segment. */
export type Location = { readonly kind: 'file' } | RecordPlace

export interface RecordPlace {
  readonly kind: 'segment'
  readonly segment: number
  readonly offset: number
}

export interface LiveChunk extends StoredChunk {
  readonly location: Location
}

export interface Grave {
  /** Of the delete; 0: there is none, only stale puts below a live one. */
  readonly sequence: number
  /** Segment that holds the delete record. */
  readonly segment: number
  /** Segments that hold older puts of the id, rising. */
  readonly holders: readonly number[]
}

export interface ChunkState {
  readonly live?: LiveChunk | undefined
  readonly grave?: Grave | undefined
}

export type ChunkEvent =
  | { readonly kind: 'put'; readonly chunk: LiveChunk }
  | { readonly kind: 'delete'; readonly id: LiveChunk['id']; readonly sequence: number; readonly segment: number }
  /** A start-up found the id's chunk file damaged and set it aside. */
  | { readonly kind: 'file-lost'; readonly id: LiveChunk['id'] }
  /** A rebuild has seen everything: a grave that nothing stands against is not needed. */
  | { readonly kind: 'rebuilt'; readonly id: LiveChunk['id'] }
  /** A segment was removed for good: it holds nothing any more. */
  | { readonly kind: 'segment-gone'; readonly id: LiveChunk['id']; readonly segment: number }

/** What a change of state does to the sums that the index keeps. */
export interface StateDifference {
  readonly added: LiveChunk | undefined
  readonly removed: LiveChunk | undefined
  /** Live bytes per segment. */
  readonly segments: readonly { readonly segment: number; readonly bytes: number }[]
}

export const deleteRecordBytes = recordHeadMinBytes

export function idOfEvent(event: ChunkEvent): LiveChunk['id'] {
  return event.kind === 'put' ? event.chunk.id : event.id
}

/** The state after an event, with graves that nothing needs taken away. */
export function nextState(state: ChunkState, event: ChunkEvent): ChunkState {
  const next = keepingGraves(state, event)
  return next.grave?.holders.length === 0 ? { live: next.live } : next
}

/**
 * As {@link nextState}, for a rebuild: it may see a delete before the older puts, so every grave stays until the
 * `rebuilt` event.
 */
export function keepingGraves(state: ChunkState, event: ChunkEvent): ChunkState {
  const { live, grave } = state
  switch (event.kind) {
    case 'put':
      return afterPut(state, event.chunk)
    case 'delete':
      return afterDelete(state, event)
    case 'file-lost':
      return live?.location.kind === 'file' ? { grave } : state
    case 'segment-gone':
      return { live, grave: grave && { ...grave, holders: grave.holders.filter((holder) => holder !== event.segment) } }
    case 'rebuilt':
      return state
  }
}

function afterPut({ live, grave }: ChunkState, chunk: LiveChunk): ChunkState {
  const isStale = chunk.sequence < Math.max(live?.sequence ?? 0, grave?.sequence ?? 0)
  if (isStale) return { live, grave: withHolders(grave, holdersOf(chunk)) }
  if (live === undefined) return { live: chunk, grave }
  // The same put at two places is a copy made by compaction: the newer segment stays, the older is a stale holder.
  const isOlderCopy = live.sequence === chunk.sequence && segmentOf(chunk) < segmentOf(live)
  const [kept, stale] = isOlderCopy ? [live, chunk] : [chunk, live]
  const isSeenAgain = live.sequence === chunk.sequence && segmentOf(live) === segmentOf(chunk)
  const holders = isSeenAgain ? [] : holdersOf(stale)
  return { live: kept, grave: withHolders(grave, holders) }
}

function afterDelete(state: ChunkState, event: { readonly sequence: number; readonly segment: number }): ChunkState {
  const { live, grave } = state
  const isOutlived = live !== undefined && live.sequence > event.sequence
  if (grave?.sequence === event.sequence) {
    // The same delete at two places is a copy made by compaction: the newer segment holds it from now on.
    const moved = { ...grave, segment: Math.max(grave.segment, event.segment) }
    return isOutlived
      ? { live, grave: moved }
      : { grave: withHolders(moved, live === undefined ? [] : holdersOf(live)) }
  }
  if (isOutlived || (grave !== undefined && grave.sequence > event.sequence)) return state
  const holders = live === undefined ? [] : holdersOf(live)
  return {
    grave: withHolders({ sequence: event.sequence, segment: event.segment, holders: grave?.holders ?? [] }, holders),
  }
}

/** Adds holders; without a grave, one of no delete, if there are any. */
function withHolders(grave: Grave | undefined, added: readonly number[]): Grave | undefined {
  if (added.length === 0) return grave
  const holders = [...new Set([...(grave?.holders ?? []), ...added])].sort((a, b) => a - b)
  return { sequence: grave?.sequence ?? 0, segment: grave?.segment ?? 0, holders }
}

function segmentOf({ location }: LiveChunk): number {
  return location.kind === 'segment' ? location.segment : 0
}

function holdersOf({ location }: LiveChunk): readonly number[] {
  return location.kind === 'segment' ? [location.segment] : []
}

/** What the step from `before` to `after` adds to and takes from the sums. */
export function difference(before: ChunkState, after: ChunkState): StateDifference {
  const segments: { segment: number; bytes: number }[] = []
  if (before.live !== after.live) {
    if (before.live) segments.push(...liveBytes(before.live, -1))
    if (after.live) segments.push(...liveBytes(after.live, 1))
  }
  if (before.grave?.sequence) segments.push({ segment: before.grave.segment, bytes: -deleteRecordBytes })
  if (after.grave?.sequence) segments.push({ segment: after.grave.segment, bytes: deleteRecordBytes })
  const sameChunk = before.live !== undefined && after.live !== undefined && sameFacts(before.live, after.live)
  return {
    added: sameChunk ? undefined : after.live,
    removed: sameChunk ? undefined : before.live,
    segments,
  }
}

function liveBytes(chunk: LiveChunk, sign: 1 | -1): { segment: number; bytes: number }[] {
  if (chunk.location.kind === 'file') return []
  return [{ segment: chunk.location.segment, bytes: sign * putBytes(chunk) }]
}

function sameFacts(a: LiveChunk, b: LiveChunk): boolean {
  return a.length === b.length && a.crc === b.crc
}

export function digestOfChunk(chunk: LiveChunk): ChunkDigest {
  return digestOf(chunk)
}
