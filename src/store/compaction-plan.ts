/**
 * Which segments are worth compacting. Pure: a snapshot in, steps with reasons out.
 * @module
 */
import { segmentHeaderBytes } from './segment-format.ts'
import type { Segment } from './segment-table.ts'

export interface CompactionStep {
  readonly segment: number
  readonly deadBytes: number
  readonly reason: string
}

export type CompactionCandidate = Pick<
  Segment,
  'number' | 'endBytes' | 'scannedBytes' | 'liveBytes' | 'isSealed' | 'stuckAtLiveBytes'
> & { readonly unsettled: Pick<Segment['unsettled'], 'size'> }

/** Below this share of dead bytes, copying the live ones costs more than the room is worth. */
const deadFraction = 0.5
/** Where there is room for much more: by then most of what was live has died too, and need not be copied. */
export const patientDeadFraction = 0.8

/**
 * Segments to compact, the deadest first: they free most for the least copying, also when the disk is nearly full.
 * Only those take part that take no more records and that the index knows to the end, so that records which only
 * announce chunk files can be dropped.
 */
export function planCompaction(
  segments: Iterable<CompactionCandidate>,
  leastDeadFraction: number = deadFraction,
): CompactionStep[] {
  const steps: (CompactionStep & { readonly fraction: number })[] = []
  for (const segment of segments) {
    const { number, endBytes, liveBytes } = segment
    if (!segment.isSealed || segment.unsettled.size > 0 || segment.scannedBytes < endBytes) continue
    if (segment.stuckAtLiveBytes === liveBytes) continue
    // The header is not dead: a copy has one too, and of a segment that holds a single delete it is more than half.
    const recordsBytes = endBytes - segmentHeaderBytes
    const deadBytes = recordsBytes - liveBytes
    const fraction = recordsBytes <= 0 ? 1 : deadBytes / recordsBytes
    if (fraction < leastDeadFraction) continue
    steps.push({ segment: number, deadBytes, fraction, reason: `${Math.round(fraction * 100)} % of it is dead` })
  }
  return steps
    .sort((a, b) => b.fraction - a.fraction || a.segment - b.segment)
    .map(({ segment, deadBytes, reason }) => ({ segment, deadBytes, reason }))
}
