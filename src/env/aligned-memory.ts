/**
 * Page-aligned memory without a native addon: the memory of a WebAssembly instance starts on a page boundary.
 *
 * Each such memory reserves gigabytes of address space, so buffers are cut from slabs. A slab costs no RAM until it
 * is touched; it is freed when its last buffer is, and nothing is ever cut from it twice.
 * @module
 */
import { assert } from '../base/assert.ts'
import { limits } from '../base/limits.ts'
import { type AlignedBuffer, pageBytes } from './disk.ts'

/** The part of the global that is used here: the compiler knows it only together with the browser's types. */
declare const WebAssembly: {
  readonly Memory: new (size: {
    readonly initial: number
    readonly maximum: number
  }) => { readonly buffer: ArrayBuffer }
}

const wasmPageBytes = 64 * 1024
const slabBytes = 16 * 1024 * 1024
/** A buffer larger than this has a memory of its own. */
const cutBytes = slabBytes / 4

const slabs = new WeakSet<ArrayBufferLike>()
let slab: ArrayBuffer | undefined
let slabUsedBytes = 0

/** @param lengthBytes at least 1; rounded up to whole pages */
export function allocateAligned(lengthBytes: number): AlignedBuffer {
  assert(Number.isInteger(lengthBytes) && lengthBytes >= 1, `an aligned buffer of ${lengthBytes} bytes`)
  assert(lengthBytes <= 2 * limits.chunkSizeMaxBytes, `an aligned buffer of ${lengthBytes} bytes`)
  const roundedBytes = Math.ceil(lengthBytes / pageBytes) * pageBytes
  if (roundedBytes > cutBytes) return Buffer.from(newSlab(roundedBytes), 0, roundedBytes) as AlignedBuffer
  if (slab === undefined || slabUsedBytes + roundedBytes > slabBytes) {
    slab = newSlab(slabBytes)
    slabUsedBytes = 0
  }
  const buffer = Buffer.from(slab, slabUsedBytes, roundedBytes) as AlignedBuffer
  slabUsedBytes += roundedBytes
  return buffer
}

/** Whether direct I/O can use `bytes`: made here, and cut at page boundaries. */
export function isAligned(bytes: Uint8Array): boolean {
  return slabs.has(bytes.buffer) && bytes.byteOffset % pageBytes === 0 && bytes.byteLength % pageBytes === 0
}

function newSlab(sizeBytes: number): ArrayBuffer {
  const pages = Math.ceil(sizeBytes / wasmPageBytes)
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages })
  slabs.add(buffer)
  return buffer
}
