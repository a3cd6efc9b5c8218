/**
 * Memory of large payloads that arrive, used again for the next ones.
 *
 * A fresh buffer of 1 MiB costs its page faults and, since V8 counts memory outside its heap, a full collection for every
 * few dozen. Measured: a chunk server spent 3.4 ms of CPU per MiB written, collector included, and 1.3 with this.
 * Invariants: memory comes back only from whoever was given it, when nothing reads it any more; forgetting to give it back is
 * no error (the collector has it then); what is kept is bounded.
 * @module
 */
import { limits } from '../base/limits.ts'

const blockBytes = limits.framePayloadBytes
/** Shorter ones have memory of their length: what a connection holds stays what its limits count. */
const worthBytes = blockBytes / 2

const free: ArrayBuffer[] = []
/** Those in somebody's hands. */
const lent = new WeakSet<ArrayBufferLike>()

/** @param lengthBytes at most `limits.framePayloadBytes` */
export function payloadMemory(lengthBytes: number): Buffer {
  if (lengthBytes <= worthBytes) return Buffer.allocUnsafe(lengthBytes)
  const memory = free.pop() ?? (Buffer.allocUnsafeSlow(blockBytes).buffer as ArrayBuffer)
  lent.add(memory)
  return Buffer.from(memory, 0, lengthBytes)
}

/**
 * Gives a payload's memory back, or does nothing where it was not of the kind that is kept.
 *
 * @param payload as a call or a request brought it, or a part of it; nobody reads it afterwards
 */
export function recyclePayload(payload: Buffer): void {
  const memory = payload.buffer
  if (!lent.delete(memory)) return
  if (free.length * blockBytes < limits.payloadsKeptBytes) free.push(memory as ArrayBuffer)
}
