/**
 * Whether a request may touch a chunk: its capability token, and the epoch of the chunk's group.
 *
 * Writes under an older epoch than ours are refused; a newer one makes this server fetch the map first. Reads are served
 * whatever the epoch: a chunk never changes, and its reader verifies it.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type ClusterId, groupOf, type ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Peer } from '../wire/peer.ts'
import { checkToken, openToken, type TokenClaims, type TokenOperation } from '../wire/token.ts'
import { TokenCache } from '../wire/token-cache.ts'
import type { MapView } from './map-view.ts'

export interface WriteGrant {
  readonly epoch: Rising
  readonly slot: number
}

export class Access {
  readonly #tokenKey: Buffer
  readonly #clusterId: ClusterId
  readonly #serverId: ServerId
  readonly #view: MapView
  readonly #fetchMap: () => Promise<void>
  /** Tokens are verified once per connection: a MAC costs 2 µs, a small read 20. */
  readonly #caches = new WeakMap<Peer, TokenCache>()

  constructor(options: {
    readonly tokenKey: Buffer
    readonly clusterId: ClusterId
    readonly serverId: ServerId
    readonly view: MapView
    readonly fetchMap: () => Promise<void>
  }) {
    this.#tokenKey = options.tokenKey
    this.#clusterId = options.clusterId
    this.#serverId = options.serverId
    this.#view = options.view
    this.#fetchMap = options.fetchMap
  }

  /** @throws {AshlarError} `forbidden`, `token-expired` */
  checkRead(peer: Peer, token: Buffer, chunk: ChunkId): void {
    this.checkClaims(this.#claims(peer, token), 'read', chunk)
  }

  /** @throws {AshlarError} `forbidden`, `token-expired`, `stale-epoch`, `unavailable` — the map cannot be fetched */
  async checkWrite(
    peer: Peer,
    token: Buffer,
    write: { readonly chunk: ChunkId; readonly epoch: Rising },
  ): Promise<WriteGrant> {
    this.checkClaims(this.#claims(peer, token), 'write', write.chunk)
    return await this.grantWrite(write)
  }

  /** Claims of a token that came without a connection of ours (HTTP). */
  openToken(token: Buffer): TokenClaims {
    return openToken(this.#tokenKey, token)
  }

  checkClaims(claims: TokenClaims, operation: TokenOperation, chunk: ChunkId): void {
    checkToken(claims, { operation, chunk, cluster: this.#clusterId, nowMs: this.#view.clusterTimeMs() })
  }

  /** The epoch half of {@link checkWrite}. */
  async grantWrite({ chunk, epoch }: { readonly chunk: ChunkId; readonly epoch: Rising }): Promise<WriteGrant> {
    const groupId = groupOf(chunk)
    let group = this.#view.group(groupId)
    if (group === undefined || group.epoch < epoch) {
      await this.#fetchMap()
      group = this.#view.group(groupId)
    }
    const slot = group && this.#view.writableSlot(group)
    if (group === undefined || slot === undefined || group.epoch !== epoch) {
      throw new AshlarError(
        'stale-epoch',
        `Cannot write chunk ${chunk}: group ${groupId} is at epoch ${group?.epoch ?? 'unknown'} on ${this.#serverId}, the request at ${epoch}`,
      )
    }
    return { epoch: group.epoch, slot }
  }

  #claims(peer: Peer, token: Buffer): TokenClaims {
    let cache = this.#caches.get(peer)
    if (cache === undefined) {
      cache = new TokenCache(this.#tokenKey)
      this.#caches.set(peer, cache)
    }
    return cache.open(token)
  }
}
