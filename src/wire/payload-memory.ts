/**
 * Memory of large payloads that arrive, used again for the next ones.
 *
 * A fresh buffer of 1 MiB costs its page faults and, since V8 counts memory outside its heap, a full collection for every
 * few dozen. Measured: a chunk server spent 3.4 ms of CPU per MiB written, collector included, and 1.3 with this.
 * What a server takes in blocks of 1 MiB lies in whole pages, so that a disk can write it from there ({@link payloadPages}).
 * Invariants: memory comes back only from whoever was given it, when nothing reads it any more; forgetting to give it back is
 * no error (the collector has it then, or, of whole pages, nobody); what is kept is bounded.
 * @module
 */
import { limits } from '../base/limits.ts'
import type { AlignedBuffer } from '../env/disk.ts'

const blockBytes = limits.framePayloadBytes
/** Shorter ones have memory of their length: what a connection holds stays what its limits count. */
const worthBytes = blockBytes / 2

const free: ArrayBuffer[] = []
/** Those in somebody's hands. */
const lent = new WeakSet<ArrayBufferLike>()

/** Whole pages: all there are, and those that nobody has. */
let pagesBytes = 0
const freePages: AlignedBuffer[] = []
/** By the view that was lent: each comes back once, whatever is done with it later. */
const lentPages = new WeakMap<Buffer, AlignedBuffer>()

/** @param lengthBytes at most `limits.framePayloadBytes` */
export function payloadMemory(lengthBytes: number): Buffer {
  if (lengthBytes <= worthBytes) return Buffer.allocUnsafe(lengthBytes)
  const memory = free.pop() ?? (Buffer.allocUnsafeSlow(blockBytes).buffer as ArrayBuffer)
  lent.add(memory)
  return Buffer.from(memory, 0, lengthBytes)
}

/** As {@link payloadMemory}; a block of the largest length lies in whole pages, as long as there are some left. */
export function payloadPages(lengthBytes: number, allocate: (lengthBytes: number) => AlignedBuffer): Buffer {
  if (lengthBytes !== blockBytes) return payloadMemory(lengthBytes)
  let pages = freePages.pop()
  if (pages === undefined) {
    if (pagesBytes + blockBytes > limits.payloadPagesBytes) return payloadMemory(lengthBytes)
    pages = allocate(blockBytes)
    pagesBytes += blockBytes
  }
  const view = Buffer.from(pages.buffer, pages.byteOffset, blockBytes)
  lentPages.set(view, pages)
  return view
}

/** For whoever hands a payload on: gives its memory back at the first call, and does nothing later. */
export function payloadRelease(payload: Buffer): () => void {
  let isReleased = false
  return () => {
    if (isReleased) return
    isReleased = true
    recyclePayload(payload)
  }
}

/**
 * Gives a payload's memory back, or does nothing where it was not of the kind that is kept.
 *
 * @param payload as a call or a request brought it, or a part of it; nobody reads it afterwards. Whole pages come back by the payload itself only
 */
export function recyclePayload(payload: Buffer): void {
  const pages = lentPages.get(payload)
  if (pages !== undefined) {
    lentPages.delete(payload)
    freePages.push(pages)
    return
  }
  const memory = payload.buffer
  if (!lent.delete(memory)) return
  if (free.length * blockBytes < limits.payloadsKeptBytes) free.push(memory as ArrayBuffer)
}
