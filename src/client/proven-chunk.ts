/** What a chunk's writing ends with, and its commit needs. @module */
import type { Extent, Receipt } from '../wire/types/extent.ts'
import type { ChunkSlot } from './held-allocation.ts'

/** A chunk that members hold, with their word for it. Its slot is settled after the commit. */
export interface ProvenChunk {
  readonly extent: Extent
  readonly receipts: readonly Receipt[]
  readonly slot: ChunkSlot
}
