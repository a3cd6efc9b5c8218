/**
 * What the leader orders from chunk servers. Each order that changes anything carries the leader's epoch, so that a
 * server which knows a later leader refuses it; each goes only to a server that registered with this master.
 * @module
 */
import type { ChunkDigest, ChunkFacts } from '../base/digest.ts'
import { digestFromLanes } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import { deleteChunks, getPageDigests, listPage, replicateChunk, verifyReplica } from '../wire/methods/chunk-methods.ts'
import type { Peer } from '../wire/peer.ts'
import { verifyReceipt } from '../wire/receipt.ts'
import type { Group, MemberDuty } from '../wire/types/cluster-map.ts'
import { CopyProgress } from './copy-progress.ts'
import { CopySlots } from './copy-slots.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { TokenMint } from './token-mint.ts'

export interface CopyOptions {
  readonly group: Group
  /** How urgent it is. */
  readonly duty?: MemberDuty
  readonly signal: AbortSignal
}

export interface DeleteOrder {
  readonly group: Group
  readonly chunks: readonly ChunkId[]
  /** What is told of it, where nothing else tells. */
  readonly because?: DeleteReason
}

export type DeleteReason = 'orphans-removed' | 'former-copies-dropped'

export interface ChunkOrdersOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly tokens: TokenMint
  readonly leaderEpoch: Rising
  /** `ClusterKeys.receipt`. */
  readonly receiptKey: Buffer
  /** Resolves when what permits a delete is safe elsewhere too. @see Backups.permitDelete */
  readonly permitDelete?: () => Promise<void>
  /** What the duties may read and write on a server in a second; absent: as much as goes. */
  readonly bytesPerSecond?: (server: ServerId) => number | undefined
  /** Chunks were deleted for a reason that is to be told. */
  readonly onDeleted?: (
    server: ServerId,
    told: { readonly group: Group; readonly because: DeleteReason; readonly deleted: number },
  ) => void
}

/** A copy reads and writes up to `limits.chunkSizeMaxBytes`. */
const copyTimeoutMs = 120_000

export class ChunkOrders {
  readonly #options: ChunkOrdersOptions
  readonly #slots: CopySlots
  /** By server, chunk and duty: as many as CopySlots takes. */
  readonly #underWay = new Map<string, Promise<void>>()
  /** Of the copies of each duty: what a rebalance takes its time for says nothing of a repair. */
  readonly progress: Readonly<Record<MemberDuty, CopyProgress>>

  constructor(options: ChunkOrdersOptions) {
    this.#options = options
    const { bytesPerSecond } = options
    this.#slots = new CopySlots(bytesPerSecond && { clock: options.env.clock, bytesPerSecond })
    const { clock } = options.env
    const [repair, drain, rebalance] = [new CopyProgress(clock), new CopyProgress(clock), new CopyProgress(clock)]
    this.progress = { repair, drain, rebalance }
  }

  /** Resolves when they are durably gone. At most `limits.pageIds`. */
  async deleteChunks(server: ServerId, { group, chunks, because }: DeleteOrder): Promise<void> {
    const { registry, leaderEpoch } = this.#options
    const request = { leaderEpoch, group: group.id, epoch: group.epoch, chunks }
    await this.#options.permitDelete?.()
    const { value } = await this.#peer(server).call(deleteChunks, request)
    registry.noteReport(server, value.space, value.digest)
    if (because !== undefined) this.#options.onDeleted?.(server, { group, because, deleted: value.deleted })
  }

  /** An order for one server's HTTP, to be carried there by somebody else. The caller knows that the chunk may go. */
  async deleteByHttp(chunk: ChunkId): Promise<{ readonly token: Buffer; readonly lifeMs: number }> {
    await this.#options.permitDelete?.()
    return this.#options.tokens.deleteOrder(chunk, this.#options.leaderEpoch)
  }

  /**
   * Has `server` copy a chunk from another member of its group. Resolves when the copy was read back and found right. Whoever wants one that
   * is under way, as urgently, waits for that one.
   * @throws {AshlarError} what the last source met; `unavailable` — no other member is up; `cancelled`, also by who asked first
   */
  async copy(server: ServerId, facts: ChunkFacts, options: CopyOptions): Promise<void> {
    const name = `${server}/${facts.id}/${options.duty ?? 'repair'}`
    const underWay = this.#underWay.get(name)
    if (underWay !== undefined) return await underWay
    const copying = this.#copy(server, facts, options).finally(() => this.#underWay.delete(name))
    this.#underWay.set(name, copying)
    await copying
  }

  async #copy(server: ServerId, facts: ChunkFacts, { group, duty = 'repair', signal }: CopyOptions): Promise<void> {
    let failure: unknown = new AshlarError('unavailable', `Cannot copy chunk ${facts.id}: no other member is up`)
    const isUrgent = duty === 'repair' && this.#survivorsOf(group, server) === 1
    for (const tier of this.#sources(group, server)) {
      for (let sources = tier; sources.length > 0; ) {
        let asked: ServerId | undefined
        try {
          const request = { target: server, sources, sizeBytes: facts.length, duty, signal }
          await this.#slots.run(request, (source) => {
            asked = source
            return this.#copyFrom(source, { server, facts, group, isUrgent, signal })
          })
          this.progress[duty].add(server, facts.length)
          return
        } catch (error) {
          // Another one may hold it; what the last one said is thrown.
          if (asked === undefined || signal.aborted) throw error
          failure = error
          sources = sources.filter((source) => source !== asked)
        }
      }
    }
    throw failure
  }

  /** Has the server read its replica: a wrong one is quarantined. @returns whether it is there and right */
  async verify(server: ServerId, facts: ChunkFacts): Promise<boolean> {
    const { leaderEpoch } = this.#options
    const { value } = await this.#peer(server).call(verifyReplica, { leaderEpoch, facts }, { timeoutMs: copyTimeoutMs })
    return value.ok
  }

  /** The digests of all pages that the server holds of a group. */
  async pageDigests(
    server: ServerId,
    { id: group, epoch }: Pick<Group, 'id' | 'epoch'>,
  ): Promise<ReadonlyMap<number, ChunkDigest>> {
    const digests = new Map<number, ChunkDigest>()
    for (let fromPage = 0, more = true; more; ) {
      const { value } = await this.#peer(server).call(getPageDigests, { group, fromPage, epoch })
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
      readonly isUrgent: boolean
      readonly signal: AbortSignal
    },
  ): Promise<void> {
    const { map, tokens, leaderEpoch, receiptKey } = this.#options
    const { server, facts, group, isUrgent, signal } = order
    const request = {
      leaderEpoch,
      epoch: group.epoch,
      facts,
      source,
      sourceAddress: map.index.server(source)?.address ?? '',
      readToken: tokens.readToken(group.id).token,
      isUrgent: isUrgent || undefined,
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

  /**
   * Servers that are up and may hold a chunk of the group, the likeliest first: members that were seen to hold everything,
   * the other members, and those that were members once and have not dropped their copies.
   */
  *#sources(group: Group, target: ServerId): Generator<readonly ServerId[], void, undefined> {
    const { registry } = this.#options
    const isUp = (server: ServerId) => server !== target && registry.peerOf(server) !== undefined
    const members = group.members.map(({ server }) => server).filter(isUp)
    yield members.filter((server) => registry.isProven(group, server))
    yield members.filter((server) => !registry.isProven(group, server))
    yield registry.holdersOf(group).filter(isUp)
  }

  /** Members that count and are up, but for the one that is to be given a copy. */
  #survivorsOf(group: Group, target: ServerId): number {
    const { registry } = this.#options
    return group.members.filter(
      ({ server, state }) => server !== target && state !== 'filling' && registry.peerOf(server) !== undefined,
    ).length
  }

  #peer(server: ServerId): Peer {
    const peer = this.#options.registry.peerOf(server)
    if (peer !== undefined) return peer
    throw new AshlarError('unavailable', `Cannot order from chunk server ${server}: it is not up`)
  }
}
