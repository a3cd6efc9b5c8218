/**
 * When each part of a store was last read whole: spans of chunk ids, each with the time of its oldest reading.
 *
 * Invariants: the spans cover all ids, in order; a chunk was read, or written, no earlier than its span says (so the age that is
 * told is never too small); there are at most {@link mostSpans}, so that the ledger fits into one fact of the store.
 * Times are of cluster time, in ms: they go on over restarts. Pure.
 * @module
 */
import { field, hex, type Infer, list, struct, uint } from '../base/codec.ts'
import type { ChunkId } from '../base/ids.ts'

/** Past the span before, up to `upTo`. */
export interface ScrubSpan {
  readonly upTo: ChunkId
  readonly scrubbedMs: number
}

/** By rising `upTo`; the last one goes up to {@link lastChunk}. */
export type ScrubLedger = readonly ScrubSpan[]

/** A range of ids that was read, or is to be: past `after`, up to `upTo`. */
export interface ScrubRange extends ScrubSpan {
  readonly after: ChunkId
}

/** Comes before every id; those go from {@link firstChunk} to {@link lastChunk}. */
export const noChunk = '' as ChunkId
export const firstChunk = '0'.repeat(32) as ChunkId
export const lastChunk = `${'f'.repeat(8)}07ff000${'f'.repeat(13)}0000` as ChunkId

export const mostSpans = 96

/** What a store keeps of its scrubbing. */
export const scrubPlace = struct('scrub place', 1, {
  ledger: field(
    1,
    list(struct('scrub span', 1, { upTo: field(1, hex<ChunkId>(16)), scrubbedMs: field(2, uint) }), mostSpans),
  ),
  /** When a walk over the folders was begun last. */
  sweptMs: field(2, uint),
})
export type ScrubPlace = Infer<typeof scrubPlace>

/** Everything as if it had been read at `scrubbedMs`. */
export function newLedger(scrubbedMs: number): ScrubLedger {
  return [{ upTo: lastChunk, scrubbedMs }]
}

/** What is to be read next. */
export function oldestRange(ledger: ScrubLedger): ScrubRange {
  let oldest = 0
  ledger.forEach(({ scrubbedMs }, index) => {
    if (scrubbedMs < (ledger[oldest] as ScrubSpan).scrubbedMs) oldest = index
  })
  return { ...(ledger[oldest] as ScrubSpan), after: ledger[oldest - 1]?.upTo ?? noChunk }
}

/** A range was read, beginning at `scrubbedMs`. */
export function noteScrubbed(ledger: ScrubLedger, { after, upTo, scrubbedMs }: ScrubRange): ScrubLedger {
  const spans: ScrubSpan[] = []
  let isIn = false
  const begin = () => {
    if (isIn) return
    isIn = true
    spans.push({ upTo, scrubbedMs })
  }
  for (const span of ledger) {
    if (span.upTo <= after) spans.push(span)
    else {
      const isCutBefore = !isIn && after !== noChunk && (spans.at(-1)?.upTo ?? noChunk) < after
      if (isCutBefore) spans.push({ ...span, upTo: after })
      begin()
      if (span.upTo > upTo) spans.push(span)
    }
  }
  return merged(spans)
}

/** No time lies past `nowMs`: of a cluster that was put back from an older copy, or a damaged clock. */
export function notAfter(ledger: ScrubLedger, nowMs: number): ScrubLedger {
  if (ledger.every(({ scrubbedMs }) => scrubbedMs <= nowMs)) return ledger
  return merged(ledger.map(({ upTo, scrubbedMs }) => ({ upTo, scrubbedMs: Math.min(scrubbedMs, nowMs) })))
}

/** Joins neighbours, those that differ least first, until they are few; what is joined has the older time. */
function merged(spans: readonly ScrubSpan[]): ScrubLedger {
  const left = [...spans]
  for (let index = 0; index + 1 < left.length; ) {
    if (differenceAt(left, index) === 0) join(left, index)
    else index++
  }
  while (left.length > mostSpans) {
    let least = 0
    for (let index = 1; index + 1 < left.length; index++) {
      if (differenceAt(left, index) < differenceAt(left, least)) least = index
    }
    join(left, least)
  }
  return left
}

function differenceAt(spans: readonly ScrubSpan[], index: number): number {
  return Math.abs((spans[index] as ScrubSpan).scrubbedMs - (spans[index + 1] as ScrubSpan).scrubbedMs)
}

function join(spans: ScrubSpan[], index: number): void {
  const [one, other] = [spans[index] as ScrubSpan, spans[index + 1] as ScrubSpan]
  spans.splice(index, 2, { upTo: other.upTo, scrubbedMs: Math.min(one.scrubbedMs, other.scrubbedMs) })
}
