/** A chunk server that keeps its chunks in a Map. It refuses an id that has other bytes. @module */
import { crc32 } from '../../src/base/crc.ts'
import type { ChunkId, ServerId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Rising } from '../../src/base/rising.ts'
import {
  appendChunk,
  beginChunk,
  commitChunk,
  describeReplica,
  putChunk,
  readChunk,
} from '../../src/wire/methods/chunk-methods.ts'
import { signReceipt } from '../../src/wire/receipt.ts'
import type { Receipt } from '../../src/wire/types/extent.ts'
import { HookedService, keys, refuse } from './hooked-service.ts'

const { blockBytes } = limits

interface OpenWrite {
  readonly chunk: ChunkId
  readonly epoch: Rising
  readonly bytes: Buffer
  at: number
}

export class FakeChunkServer extends HookedService {
  readonly id: ServerId
  address = ''
  readonly chunks = new Map<ChunkId, Buffer>()
  readonly #writes = new Map<number, OpenWrite>()
  #lastHandle = 0

  constructor(id: ServerId) {
    super()
    this.id = id
    this.handle(putChunk, async ({ chunk, crc, epoch }, { payload }) => ({
      value: { receipt: this.#keep(chunk, Buffer.from(payload), crc, epoch) },
    }))
    this.handle(beginChunk, async ({ chunk, epoch, length }) => {
      const handle = ++this.#lastHandle
      this.#writes.set(handle, { chunk, epoch, bytes: Buffer.alloc(length), at: 0 })
      return { value: { handle } }
    })
    this.handle(appendChunk, async ({ handle, offset }, { payload }) => {
      const write = this.#writes.get(handle) ?? refuse('protocol', 'no such handle')
      if (offset !== write.at) refuse('protocol', `append at ${offset}, where ${write.at} was due`)
      write.at += Buffer.from(payload).copy(write.bytes, offset)
      return { value: {} }
    })
    this.handle(commitChunk, async ({ handle, crc }) => {
      const { chunk, bytes, at, epoch } = this.#writes.get(handle) ?? refuse('protocol', 'no such handle')
      if (at !== bytes.length) refuse('protocol', 'committed too early')
      return { value: { receipt: this.#keep(chunk, bytes, crc, epoch) } }
    })
    this.handle(readChunk, async ({ chunk, offset, length, wantBlockCrcs }) => {
      const bytes = this.chunks.get(chunk) ?? refuse('chunk-missing')
      const first = offset - (offset % blockBytes)
      const end = Math.min(
        bytes.length,
        Math.ceil((offset + length) / blockBytes) * blockBytes,
        first + limits.framePayloadBytes,
      )
      return {
        value: {
          offset: first,
          chunkLength: bytes.length,
          crc: this.crcs.get(chunk) as number,
          blockCrcs: wantBlockCrcs ? blockCrcsOf(this.sound.get(chunk) as Buffer) : undefined,
        },
        payload: bytes.subarray(first, end),
      }
    })
    this.handle(describeReplica, async ({ chunk }) => {
      const bytes = this.chunks.get(chunk) ?? refuse('chunk-missing')
      return { value: { length: bytes.length, crc: crc32(bytes) } }
    })
  }

  /** As they were when the chunk was written, so that a flipped bit goes unnoticed by this server. */
  readonly crcs = new Map<ChunkId, number>()
  readonly sound = new Map<ChunkId, Buffer>()

  /** Flips a bit of every chunk. */
  corruptAll(at = 0): void {
    for (const [chunk, bytes] of this.chunks) {
      const rotten = Buffer.from(bytes)
      rotten[at] = (rotten[at] as number) ^ 1
      this.chunks.set(chunk, rotten)
    }
  }

  #keep(chunk: ChunkId, bytes: Buffer, crc: number, epoch: Rising): Receipt {
    const known = this.chunks.get(chunk)
    if (known !== undefined && !known.equals(bytes)) refuse('chunk-conflict')
    if (crc32(bytes) !== crc) refuse('corrupt', 'the bytes that came do not match their checksum')
    this.chunks.set(chunk, bytes)
    this.sound.set(chunk, bytes)
    this.crcs.set(chunk, crc)
    return signReceipt(keys.receipt, { chunk, length: bytes.length, crc, server: this.id, epoch, slot: 0 })
  }
}

function blockCrcsOf(bytes: Buffer): Buffer {
  const crcs = Buffer.alloc(Math.ceil(bytes.length / blockBytes) * 4)
  for (let at = 0; at < bytes.length; at += blockBytes) {
    crcs.writeUInt32BE(crc32(bytes.subarray(at, at + blockBytes)), (at / blockBytes) * 4)
  }
  return crcs
}
