/** Where proven chunks become a file's extents: the seam between moving bytes and committing them. @module */
import type { AllocationId } from '../base/ids.ts'
import type { Extent, Receipt } from '../wire/types/extent.ts'
import type { FileStats } from './file-stats.ts'
import type { ProvenChunk } from './proven-chunk.ts'

export interface FileTotals {
  readonly length: number
  readonly crc: number
}

export interface ExtentSink {
  /** Prepares for a file of many chunks: from then on {@link add} may be called. Idempotent. */
  stage(): Promise<void>
  /** Commits chunks behind those before. The same call again, with other chunks of the same bytes, is fine after a refusal. */
  add(chunks: readonly ProvenChunk[]): Promise<void>
  /** Makes it visible. `chunks` are those not added yet: all, when it was never staged. */
  finish(chunks: readonly ProvenChunk[], totals: FileTotals): Promise<FileStats>
  /** Drops what was added and not finished. Never rejects. */
  abandon(): Promise<void>
}

/** The proof of chunks, as every commit carries it. */
export function proofOf(chunks: readonly ProvenChunk[]): {
  readonly extents: readonly Extent[]
  readonly receipts: readonly Receipt[]
  readonly allocations: readonly AllocationId[]
} {
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) {
    return { extents: [only.extent], receipts: only.receipts, allocations: [only.slot.allocation.allocation] }
  }
  return {
    extents: chunks.map(({ extent }) => extent),
    receipts: chunks.flatMap(({ receipts }) => receipts),
    allocations: [...new Set(chunks.map(({ slot }) => slot.allocation.allocation))],
  }
}
