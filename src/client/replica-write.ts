/**
 * One replica of one chunk: its bytes to one chunk server, and the receipt back.
 *
 * Up to `limits.framePayloadBytes` it is a single `putChunk`, small ones on the shared connection. More is streamed on a
 * connection of its own, with a window of appends in flight; the server executes them in order.
 * A replica fails as a whole: the caller burns the id.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { appendChunk, beginChunk, commitChunk, putChunk } from '../wire/methods/chunk-methods.ts'
import type { CallOptions, Peer } from '../wire/peer.ts'
import type { Receipt } from '../wire/types/extent.ts'
import type { SealedChunk } from './sealed-chunk.ts'
import type { ServerPool } from './server-pool.ts'

export interface ReplicaWrite {
  readonly chunk: ChunkId
  readonly epoch: Rising
  readonly token: Buffer
  readonly data: SealedChunk
  /** Of each call: a member that takes longer is given up. */
  readonly stallTimeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Appends on their way to one member: 4 MiB. */
const appendsInFlight = 4

/** @throws {AshlarError} what the server answered, `unavailable`, `timeout`, `connection-lost`, `cancelled` */
export async function writeReplica(pool: ServerPool, server: ServerId, write: ReplicaWrite): Promise<Receipt> {
  const { data, signal } = write
  if (data.length > limits.framePayloadBytes) {
    return await pool.withDataPeer(server, (peer) => streamReplica(peer, write), signal)
  }
  if (data.length > limits.smallTransferBytes) {
    return await pool.withDataPeer(server, (peer) => putReplica(peer, write), signal)
  }
  const ready = pool.readyPeer(server)
  if (ready === undefined) return await putReplica(await pool.sharedPeer(server, signal), write)
  try {
    return await putReplica(ready, write)
  } catch (error) {
    // An idle connection may have ended just now. The same id with the same bytes may be put again.
    if (!isAshlarError(error, 'connection-lost')) throw error
    return await putReplica(await pool.sharedPeer(server, signal), write)
  }
}

async function putReplica(peer: Peer, write: ReplicaWrite): Promise<Receipt> {
  const { chunk, epoch, token, data } = write
  const payload = data.blocks[0] as Uint8Array
  const { value } = await peer.call(putChunk, { chunk, epoch, token, crc: data.crc }, optionsOf(write, payload))
  return value.receipt
}

async function streamReplica(peer: Peer, write: ReplicaWrite): Promise<Receipt> {
  const { chunk, epoch, token, data } = write
  const { value } = await peer.call(beginChunk, { chunk, epoch, token, length: data.length }, optionsOf(write))
  const { handle } = value
  const inFlight: Promise<unknown>[] = []
  let offset = 0
  for (const block of data.blocks) {
    if (inFlight.length === appendsInFlight) await inFlight.shift()
    const appended = peer.call(appendChunk, { handle, offset }, optionsOf(write, block))
    appended.catch(awaitedLater)
    inFlight.push(appended)
    offset += block.length
  }
  const committed = peer.call(commitChunk, { handle, crc: data.crc }, optionsOf(write))
  committed.catch(awaitedLater)
  for (const appended of inFlight) await appended
  return (await committed).value.receipt
}

/** Each append is awaited in order; one that fails before its turn must not count as unhandled. */
function awaitedLater(): undefined {
  return undefined
}

function optionsOf({ stallTimeoutMs, signal }: ReplicaWrite, payload?: Uint8Array): CallOptions {
  return {
    timeoutMs: stallTimeoutMs,
    ...(signal === undefined ? {} : { signal }),
    ...(payload === undefined ? {} : { payload }),
  }
}
