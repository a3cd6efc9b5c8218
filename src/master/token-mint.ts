/**
 * The capability tokens that the master gives out: to read all chunks of a group, to write an allocation's ids, or, as an
 * order of the leader, to delete one chunk.
 * They expire in cluster time, so that chunk servers and master agree about when.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type ClusterId, type GroupId, groupOf } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { mintToken } from '../wire/token.ts'
import type { Allocation, ReadToken } from '../wire/types/extent.ts'
import type { CurrentMap } from './current-map.ts'

export interface TokenMintOptions {
  readonly clusterId: ClusterId
  /** `ClusterKeys.token`. */
  readonly key: Buffer
  readonly clusterTime: () => Rising
  readonly map: CurrentMap
}

export class TokenMint {
  readonly #options: TokenMintOptions

  constructor(options: TokenMintOptions) {
    this.#options = options
  }

  /** @throws {AshlarError} `invalid-argument` — no such group */
  readToken(group: GroupId): ReadToken {
    const { clusterId, key, map } = this.#options
    if (map.index.group(group) === undefined) {
      throw new AshlarError('invalid-argument', `Cannot give a token to read group ${group}: there is no such group`)
    }
    const expiresAt = this.#expiry(limits.tokenLifeMs)
    const token = mintToken(key, { cluster: clusterId, group, expiresAt, mayRead: true })
    return { group, token, lifeMs: limits.tokenLifeMs }
  }

  /** Whoever may write chunks may read them too: it has their bytes. */
  writeToken(allocation: Omit<Allocation, 'token'>): Buffer {
    const { group, generation, firstSequence, count, epoch, lifeMs } = allocation
    const { clusterId, key } = this.#options
    const write = { generation, firstSequence, count, epoch }
    return mintToken(key, { cluster: clusterId, group, expiresAt: this.#expiry(lifeMs), mayRead: true, write })
  }

  deleteOrder(chunk: ChunkId, leaderEpoch: Rising): { readonly token: Buffer; readonly lifeMs: number } {
    const { clusterId, key } = this.#options
    const lifeMs = limits.deleteOrderLifeMs
    const expiresAt = this.#expiry(lifeMs)
    const claims = { cluster: clusterId, group: groupOf(chunk), expiresAt, mayRead: false, remove: chunk, leaderEpoch }
    return { token: mintToken(key, claims), lifeMs }
  }

  #expiry(lifeMs: number): Rising {
    return (this.#options.clusterTime() + lifeMs) as Rising
  }
}
