/**
 * Answers what clients and other chunk servers ask of chunks.
 *
 * A receipt is signed only after the store said that a power cut can no longer undo the chunk.
 * Memory: payloads are bounded by the wire, slices by the store's pool; nothing is kept here.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkStore, ReplicaInfo } from '../store/chunk-store.ts'
import {
  abortChunk,
  appendChunk,
  beginChunk,
  commitChunk,
  describeReplica,
  putChunk,
  readChunk,
} from '../wire/methods/chunk-methods.ts'
import { payloadRelease, recyclePayload } from '../wire/payload-memory.ts'
import { signReceipt } from '../wire/receipt.ts'
import type { Service } from '../wire/service.ts'
import type { Receipt } from '../wire/types/extent.ts'
import type { Access, WriteGrant } from './access.ts'
import { WriteHandles } from './write-handles.ts'

export interface ChunkMethodsOptions {
  readonly service: Service
  readonly store: ChunkStore
  readonly access: Access
  readonly serverId: ServerId
  readonly receiptKey: Buffer
}

/** Registers the methods. @returns the handles, whose connections' ends must be told to them */
export function serveChunks({ service, store, access, serverId, receiptKey }: ChunkMethodsOptions): WriteHandles {
  const handles = new WriteHandles()

  const receiptOf = (info: ReplicaInfo, { epoch, slot }: WriteGrant): Receipt =>
    signReceipt(receiptKey, { chunk: info.id, length: info.length, crc: info.crc, server: serverId, epoch, slot })

  service.handle(putChunk, async ({ chunk, token, epoch, crc }, { peer, payload }) => {
    try {
      const grant = await access.checkWrite(peer, token, { chunk, epoch })
      const info = await store.put(chunk, payload, { expectedCrc: crc })
      return { value: { receipt: receiptOf(info, grant) } }
    } finally {
      recyclePayload(payload)
    }
  })

  service.handle(beginChunk, async ({ chunk, token, epoch, length }, { peer }) => {
    checkLength(chunk, length)
    const grant = await access.checkWrite(peer, token, { chunk, epoch })
    const handle = await handles.begin(peer, async () => ({ chunk, grant, writer: await store.begin(chunk, length) }))
    return { value: { handle } }
  })

  // The handle's queue keeps the order: nothing is awaited before the call joins it.
  service.handle(appendChunk, async ({ handle, offset }, { peer, payload }) => {
    const release = payloadRelease(payload)
    try {
      await handles.get(peer, handle).append(offset, payload, release)
    } catch (error) {
      release()
      throw error
    }
    return { value: {} }
  })

  service.handle(commitChunk, async ({ handle, crc }, { peer }) => {
    const open = handles.get(peer, handle)
    try {
      const info = await open.commit((writer) => writer.commit({ expectedCrc: crc }))
      return { value: { receipt: receiptOf(info, open.grant) } }
    } finally {
      handles.remove(peer, handle)
    }
  })

  service.handle(abortChunk, async ({ handle }, { peer }) => {
    const open = handles.find(peer, handle)
    handles.remove(peer, handle)
    await open?.abort()
    return { value: {} }
  })

  service.handle(readChunk, async ({ chunk, token, offset, length, wantBlockCrcs }, { peer }) => {
    access.checkRead(peer, token, chunk)
    const reader = await store.open(chunk)
    try {
      const { info } = reader
      if (length < 1 || offset + length > info.length) {
        throw new AshlarError(
          'range-not-satisfiable',
          `Cannot read ${length} bytes at ${offset}: chunk ${chunk} has ${info.length}`,
        )
      }
      const slice = await reader.read({ offset, length })
      return {
        value: {
          offset: slice.offset,
          chunkLength: info.length,
          crc: info.crc,
          blockCrcs: wantBlockCrcs ? blockCrcBytes(info.blockCrcs) : undefined,
        },
        payload: slice.bytes,
        sent: slice.release,
      }
    } finally {
      await reader.close()
    }
  })

  service.handle(describeReplica, async ({ chunk, token, wantMd5 }, { peer }) => {
    access.checkRead(peer, token, chunk)
    const info = await store.info(chunk)
    if (info === undefined)
      throw new AshlarError('chunk-missing', `Cannot describe chunk ${chunk}: it is not on ${serverId}`)
    return { value: { length: info.length, crc: info.crc, md5: wantMd5 ? await store.md5(chunk) : undefined } }
  })

  return handles
}

function checkLength(chunk: ChunkId, length: number): void {
  if (length > limits.chunkSizeMaxBytes) {
    throw new AshlarError(
      'too-large',
      `Cannot begin chunk ${chunk}: ${length} bytes, where ${limits.chunkSizeMaxBytes} is the limit`,
    )
  }
}

function blockCrcBytes(blockCrcs: Uint32Array): Buffer {
  const bytes = Buffer.allocUnsafe(blockCrcs.length * 4)
  for (let index = 0; index < blockCrcs.length; index++) bytes.writeUInt32BE(blockCrcs[index] as number, index * 4)
  return bytes
}
