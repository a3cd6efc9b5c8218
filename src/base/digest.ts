/**
 * The digest of a set of chunks: a count, and a sum of hashes. Adding and removing commute, so a member and the master
 * reach the same digest whatever the order, and two sets are compared by 24 bytes.
 *
 * The sum is two independent 64-bit lanes (each modulo 2^64) of the first 16 bytes of
 * SHA-256(chunk id ‖ length u64 ‖ crc u32), all big-endian. Lanes instead of one 128-bit sum, so that a blind
 * `TxnKV.add` of 64-bit lanes can keep it.
 * Hot: one a chunk. The hash comes as text, since memory of its own for each is what the collector then sweeps: measured
 * 0.5 µs, where a buffer takes 1.8. Lanes pass through views: `Buffer` makes each of several `BigInt`.
 * @module
 */
import { hash } from 'node:crypto'
import { assert } from './assert.ts'
import { type ChunkId, chunkIdBytes } from './ids.ts'

export interface ChunkDigest {
  readonly count: bigint
  readonly high: bigint
  readonly low: bigint
}

export interface ChunkFacts {
  readonly id: ChunkId
  /** Bytes of the chunk (of a shard's chunk too: never of the shard). */
  readonly length: number
  readonly crc: number
}

export const emptyDigest: ChunkDigest = { count: 0n, high: 0n, low: 0n }

/** Filled anew for each chunk, and used before anything else runs. */
const message = Buffer.alloc(28)
const sum = Buffer.alloc(32)
const sumView = viewOf(sum)
const lanes = Buffer.alloc(24)
const lanesView = viewOf(lanes)

/** The digest of one chunk. */
export function digestOf({ id, length, crc }: ChunkFacts): ChunkDigest {
  assert(message.write(id, 'hex') === chunkIdBytes, 'not a chunk id')
  message.writeUInt32BE(Math.floor(length / 2 ** 32), 16)
  message.writeUInt32BE(length % 2 ** 32, 20)
  message.writeUInt32BE(crc >>> 0, 24)
  sum.write(hash('sha256', message, 'latin1'), 'latin1')
  return { count: 1n, high: sumView.getBigUint64(0), low: sumView.getBigUint64(8) }
}

export function addDigest(a: ChunkDigest, b: ChunkDigest): ChunkDigest {
  return {
    count: BigInt.asUintN(64, a.count + b.count),
    high: BigInt.asUintN(64, a.high + b.high),
    low: BigInt.asUintN(64, a.low + b.low),
  }
}

export function negateDigest(digest: ChunkDigest): ChunkDigest {
  return {
    count: BigInt.asUintN(64, -digest.count),
    high: BigInt.asUintN(64, -digest.high),
    low: BigInt.asUintN(64, -digest.low),
  }
}

export function equalDigests(a: ChunkDigest, b: ChunkDigest): boolean {
  return a.count === b.count && a.high === b.high && a.low === b.low
}

/** 24 bytes: three little-endian 64-bit lanes, the shape that `TxnKV.add` adds. */
export function digestToLanes(digest: ChunkDigest): Buffer {
  const bytes = Buffer.allocUnsafe(24)
  writeDigestLanes(digest, bytes)
  return bytes
}

/** As {@link digestToLanes}, into the first 24 bytes of `target`. */
export function writeDigestLanes({ count, high, low }: ChunkDigest, target: Buffer): void {
  lanesView.setBigUint64(0, count, true)
  lanesView.setBigUint64(8, high, true)
  lanesView.setBigUint64(16, low, true)
  lanes.copy(target)
}

export function digestFromLanes(lanes: Uint8Array): ChunkDigest {
  const view = Buffer.from(lanes.buffer, lanes.byteOffset, lanes.byteLength)
  return { count: view.readBigUInt64LE(0), high: view.readBigUInt64LE(8), low: view.readBigUInt64LE(16) }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
