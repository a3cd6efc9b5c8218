/**
 * What the leader orders from chunk servers. Each order that changes anything carries the leader's epoch, so that a
 * server which knows a later leader refuses it; each goes only to a server that registered with this master.
 * @module
 */
import type { ChunkDigest, ChunkFacts } from '../base/digest.ts'
import { digestFromLanes } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import { Limiter } from '../env/waiting.ts'
import { deleteChunks, getPageDigests, listPage, replicateChunk, verifyReplica } from '../wire/methods/chunk-methods.ts'
import type { Peer } from '../wire/peer.ts'
import { verifyReceipt } from '../wire/receipt.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { TokenMint } from './token-mint.ts'

export interface ChunkOrdersOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly tokens: TokenMint
  readonly leaderEpoch: Rising
  /** `ClusterKeys.receipt`. */
  readonly receiptKey: Buffer
}

/** Copies under way in the whole cluster: repair leaves room for clients. */
const copiesAtOnce = 8
/** A copy reads and writes up to `limits.chunkSizeMaxBytes`. */
const copyTimeoutMs = 120_000

export class ChunkOrders {
  readonly #options: ChunkOrdersOptions
  readonly #copies = new Limiter({ name: 'copies of chunks', slots: copiesAtOnce, maxWaiting: limits.pageIds * 4 })

  constructor(options: ChunkOrdersOptions) {
    this.#options = options
  }

  /** Resolves when they are durably gone. At most `limits.pageIds`. */
  async deleteChunks(
    server: ServerId,
    { group, chunks }: { readonly group: Group; readonly chunks: readonly ChunkId[] },
  ) {
    const { registry, leaderEpoch } = this.#options
    const request = { leaderEpoch, group: group.id, epoch: group.epoch, chunks }
    const { value } = await this.#peer(server).call(deleteChunks, request)
    registry.noteReport(server, value.space, value.digest)
  }

  /**
   * Has `server` copy a chunk from another member of its group. Resolves when the copy was read back and found right.
   * @throws {AshlarError} what the last source met; `unavailable` — no other member is up
   */
  async copy(
    server: ServerId,
    facts: ChunkFacts,
    { group, signal }: { readonly group: Group; readonly signal: AbortSignal },
  ) {
    await this.#copies.run(async () => {
      const sources = this.#sources(group, server)
      let failure: unknown = new AshlarError('unavailable', `Cannot copy chunk ${facts.id}: no other member is up`)
      for (const source of sources) {
        try {
          return await this.#copyFrom(source, { server, facts, group, signal })
        } catch (error) {
          // The next member may hold it; what the last one said is thrown.
          failure = error
          if (signal.aborted) break
        }
      }
      throw failure
    }, signal)
  }

  /** Has the server read its replica: a wrong one is quarantined. @returns whether it is there and right */
  async verify(server: ServerId, facts: ChunkFacts): Promise<boolean> {
    const { leaderEpoch } = this.#options
    const { value } = await this.#peer(server).call(verifyReplica, { leaderEpoch, facts }, { timeoutMs: copyTimeoutMs })
    return value.ok
  }

  /** The digests of all pages that the server holds of a group. */
  async pageDigests(server: ServerId, group: GroupId): Promise<ReadonlyMap<number, ChunkDigest>> {
    const digests = new Map<number, ChunkDigest>()
    for (let fromPage = 0, more = true; more; ) {
      const { value } = await this.#peer(server).call(getPageDigests, { group, fromPage })
      for (const { page, lanes } of value.pages) digests.set(page, digestFromLanes(lanes))
      const last = value.pages.at(-1)?.page
      more = value.more && last !== undefined
      fromPage = (last ?? 0) + 1
    }
    return digests
  }

  /** Everything that the server holds of a page: complete, or an error. */
  async listPage(server: ServerId, { group, page }: { readonly group: GroupId; readonly page: number }) {
    const { value } = await this.#peer(server).call(listPage, { group, page })
    return value.chunks
  }

  async #copyFrom(
    source: ServerId,
    order: {
      readonly server: ServerId
      readonly facts: ChunkFacts
      readonly group: Group
      readonly signal: AbortSignal
    },
  ): Promise<void> {
    const { map, tokens, leaderEpoch, receiptKey } = this.#options
    const { server, facts, group, signal } = order
    const request = {
      leaderEpoch,
      epoch: group.epoch,
      facts,
      source,
      sourceAddress: map.index.server(source)?.address ?? '',
      readToken: tokens.readToken(group.id).token,
    }
    const { value } = await this.#peer(server).call(replicateChunk, request, { signal, timeoutMs: copyTimeoutMs })
    const { receipt } = value
    verifyReceipt(receiptKey, receipt)
    const isProof =
      receipt.chunk === facts.id &&
      receipt.length === facts.length &&
      receipt.crc === facts.crc &&
      receipt.server === server
    if (isProof) return
    throw new AshlarError('receipts-rejected', `Cannot trust the copy of chunk ${facts.id}: its receipt is of another`)
  }

  /** Members that are up, those known to hold everything first. */
  #sources(group: Group, target: ServerId): readonly ServerId[] {
    const { registry } = this.#options
    const isSynced = (server: ServerId) => registry.get(server)?.comparisons.get(group.id)?.isSynced === true
    return group.members
      .map((member) => member.server)
      .filter((server) => server !== target && registry.peerOf(server) !== undefined)
      .sort((a, b) => Number(isSynced(b)) - Number(isSynced(a)))
  }

  #peer(server: ServerId): Peer {
    const peer = this.#options.registry.peerOf(server)
    if (peer !== undefined) return peer
    throw new AshlarError('unavailable', `Cannot order from chunk server ${server}: it is not up`)
  }
}
