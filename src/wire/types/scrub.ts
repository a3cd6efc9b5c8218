/** Scrubbing, as heartbeats carry it: what chunk servers tell of it, and what they are told. @module */
import { bool, field, type Infer, struct, uint } from '../../base/codec.ts'

/** How a chunk server stands with reading all it holds. */
export const scrubReport = struct('scrub report', 1, {
  /** Nothing that it holds was read longer ago. */
  oldestUnscrubbedMs: field(1, uint),
  /** What it may read now, on the average. */
  bytesPerSecond: field(2, uint),
  /** Since its start. */
  scrubbedBytes: field(3, uint),
  badChunks: field(4, uint),
})
export type ScrubReport = Infer<typeof scrubReport>

export const scrubOrders = struct('scrub orders', 1, {
  /** All bytes are to be read in this time. */
  withinMs: field(1, uint),
  mostBytesPerSecond: field(2, uint),
  isPaused: field(3, bool),
})
export type ScrubOrders = Infer<typeof scrubOrders>
