/**
 * Copies a chunk from another chunk server into this one, by order of the leader.
 *
 * The bytes are judged by the length and crc that the *order* names (they come from the metadata), never by what the
 * source says of itself: a wrong source cannot spread.
 * @module
 */
import type { ChunkFacts } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { Limiter, throwIfCancelled } from '../env/waiting.ts'
import type { ChunkStore, ChunkWriter, ReplicaInfo } from '../store/chunk-store.ts'
import { connectPeer } from '../wire/connect.ts'
import type { Credentials } from '../wire/credentials.ts'
import { readChunk } from '../wire/methods/chunk-methods.ts'
import { recyclePayload } from '../wire/payload-memory.ts'
import type { Peer } from '../wire/peer.ts'
import { type CopyPace, mostCopiesAtOnce } from './copy-pace.ts'

export interface ChunkSource {
  readonly source: ServerId
  readonly sourceAddress: string
  readonly readToken: Buffer
}

export interface CopyOptions {
  /** It waits for no client. */
  readonly isUrgent: boolean
  readonly signal: AbortSignal
}

export class Replicator {
  readonly #env: Env
  readonly #store: ChunkStore
  readonly #credentials: Credentials
  readonly #pace: CopyPace
  readonly #slots = new Limiter({ name: 'copies', slots: mostCopiesAtOnce, maxWaiting: limits.requestsPerConnection })
  /** One connection per source, shared by its copies; here from its opening to its close. */
  readonly #peers = new Map<string, Promise<Peer>>()
  #isClosed = false

  constructor(options: {
    readonly env: Env
    readonly store: ChunkStore
    readonly credentials: Credentials
    readonly pace: CopyPace
  }) {
    this.#env = options.env
    this.#store = options.store
    this.#credentials = options.credentials
    this.#pace = options.pace
  }

  /**
   * A copy is visible, and counts in digests, only after it was read back: whoever dies while it is made leaves a proven one or none.
   * @returns undefined: it was here already, and nothing was read
   * @throws {AshlarError} `corrupt` — the source's bytes are wrong, or those read back; what the source or the store threw
   */
  async copy(facts: ChunkFacts, source: ChunkSource, options: CopyOptions): Promise<ReplicaInfo | undefined> {
    const { signal } = options
    return await this.#paced(options, async () => {
      const known = await this.#store.info(facts.id)
      if (known !== undefined && known.length === facts.length && known.crc === facts.crc) return undefined
      const peer = await this.#peerOf(source, signal)
      const writer = await this.#store.begin(facts.id, facts.length)
      try {
        await fill(writer, { facts, source, peer, signal })
        return await writer.commit({ expectedCrc: facts.crc, readBack: true })
      } finally {
        await writer.abort()
      }
    })
  }

  /** Copies under way fail. */
  async close(): Promise<void> {
    this.#isClosed = true
    const peers = await Promise.allSettled(this.#peers.values())
    for (const peer of peers) if (peer.status === 'fulfilled') peer.value.close()
  }

  /** In as many slots as make it one of those that may go on at once, which rest afterwards; whoever ordered the copy does not wait for that. */
  async #paced<T>({ isUrgent, signal }: CopyOptions, copy: () => Promise<T>): Promise<T> {
    const { clock } = this.#env
    const slots = isUrgent ? 1 : Math.ceil(mostCopiesAtOnce / this.#pace.copiesAtOnce)
    await this.#slots.acquire(slots, signal)
    const startedMs = clock.monotonicMs()
    this.#pace.began()
    try {
      return await copy()
    } finally {
      const restMs = this.#pace.ended(clock.monotonicMs() - startedMs)
      if (isUrgent || restMs < 1) this.#slots.release(slots)
      else clock.after(restMs, () => this.#slots.release(slots), { background: true })
    }
  }

  async #peerOf({ source, sourceAddress }: ChunkSource, signal: AbortSignal): Promise<Peer> {
    throwIfCancelled(signal, 'copy a chunk')
    if (this.#isClosed) throw new AshlarError('closed', 'Cannot copy a chunk: this server is closing')
    const name = `${source} ${sourceAddress}`
    const known = this.#peers.get(name)
    if (known !== undefined) return await known
    const opening = connectPeer({
      env: this.#env,
      address: sourceAddress,
      credentials: this.#credentials,
      expectServer: source,
      timeoutMs: limits.handshakeTimeoutMs,
    })
    const forget = () => this.#peers.delete(name)
    this.#peers.set(name, opening)
    // Whoever waits for it is told of the failure.
    opening.then((peer) => peer.closedSignal.addEventListener('abort', forget, { once: true }), forget)
    return await opening
  }
}

async function fill(
  writer: ChunkWriter,
  from: { readonly facts: ChunkFacts; readonly source: ChunkSource; readonly peer: Peer; readonly signal: AbortSignal },
): Promise<void> {
  const { facts, source, peer, signal } = from
  let offset = 0
  while (offset < facts.length) {
    const { value, payload } = await peer.call(
      readChunk,
      { chunk: facts.id, token: source.readToken, offset, length: facts.length - offset, wantBlockCrcs: false },
      { signal },
    )
    if (value.offset !== offset || payload.length === 0 || offset + payload.length > facts.length) {
      throw new AshlarError(
        'corrupt',
        `Cannot copy chunk ${facts.id}: ${source.source} sent other bytes than asked for`,
      )
    }
    await writer.append(payload)
    recyclePayload(payload)
    offset += payload.length
  }
}
