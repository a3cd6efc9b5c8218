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
import type { Clock } from '../env/clock.ts'
import { awaitedLater } from '../env/waiting.ts'
import { copiedPayloadBytes } from '../wire/frame-writer.ts'
import type { Method } from '../wire/method.ts'
import { appendChunk, beginChunk, commitChunk, putChunk } from '../wire/methods/chunk-methods.ts'
import type { Peer } from '../wire/peer.ts'
import type { Receipt } from '../wire/types/extent.ts'
import type { SealedChunk } from './sealed-chunk.ts'
import type { ServerPool } from './server-pool.ts'

export interface ReplicaWrite {
  readonly clock: Clock
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
/** A call that has not even timed out by then hangs on a socket that takes no bytes. */
const stuckSocketMs = 500

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
  const { receipt } = await call(peer, write, putChunk, { chunk, epoch, token, crc: data.crc }, data.blocks[0])
  return receipt
}

async function streamReplica(peer: Peer, write: ReplicaWrite): Promise<Receipt> {
  const { chunk, epoch, token, data } = write
  const { handle } = await call(peer, write, beginChunk, { chunk, epoch, token, length: data.length })
  const inFlight: Promise<unknown>[] = []
  let offset = 0
  for (const block of data.blocks) {
    if (inFlight.length === appendsInFlight) await inFlight.shift()
    // Each is awaited in order; one that fails before its turn must not count as unhandled.
    inFlight.push(awaitedLater(call(peer, write, appendChunk, { handle, offset }, block)))
    offset += block.length
  }
  const committed = awaitedLater(call(peer, write, commitChunk, { handle, crc: data.crc }))
  for (const appended of inFlight) await appended
  return (await committed).receipt
}

/** A call settles only when the socket has let go of its payload: one that takes no bytes is closed, so that it does. A small one is copied. */
async function call<Request, Response>(
  peer: Peer,
  { clock, stallTimeoutMs: timeoutMs, signal }: ReplicaWrite,
  method: Method<Request, Response>,
  request: Request,
  payload?: Uint8Array,
): Promise<Response> {
  const options = {
    timeoutMs,
    ...(signal === undefined ? {} : { signal }),
    ...(payload === undefined ? {} : { payload }),
  }
  const mayHang = payload !== undefined && payload.length > copiedPayloadBytes
  const stuck = mayHang && clock.after(timeoutMs + stuckSocketMs, () => peer.close(), { background: true })
  try {
    return (await peer.call(method, request, options)).value
  } finally {
    if (stuck) stuck.cancel()
  }
}
