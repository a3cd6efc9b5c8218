/**
 * Whether a request may touch a chunk: its capability token, and the epoch of the chunk's group.
 *
 * Writes under an older epoch than ours are refused; a newer one makes this server fetch the map first. Reads are served
 * whatever the epoch: a chunk never changes, and its reader verifies it. Until the master was heard, cluster time is only
 * what passed here since the start: reads go on then, with tokens that may have expired; writes and deletes need the master.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type ClusterId, type GroupId, groupOf, type ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Peer } from '../wire/peer.ts'
import { checkToken, openToken, type TokenClaims, type TokenOperation } from '../wire/token.ts'
import { TokenCache } from '../wire/token-cache.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { MapView } from './map-view.ts'

export interface WriteGrant {
  readonly epoch: Rising
  readonly slot: number
}

interface ChunkUse {
  readonly chunk: ChunkId
  /** Of a write. */
  readonly epoch?: Rising
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
    this.checkClaims(this.#claims(peer, token), 'read', { chunk })
  }

  /** @throws {AshlarError} `forbidden`, `token-expired`, `stale-epoch`, `unavailable` — the map cannot be fetched */
  checkWrite(
    peer: Peer,
    token: Buffer,
    write: { readonly chunk: ChunkId; readonly epoch: Rising },
  ): WriteGrant | Promise<WriteGrant> {
    return this.grantWrite(this.#claims(peer, token), write)
  }

  /** Claims of a token that came without a connection of ours (HTTP). */
  openToken(token: Buffer): TokenClaims {
    return openToken(this.#tokenKey, token)
  }

  checkClaims(claims: TokenClaims, operation: TokenOperation, use: ChunkUse): void {
    checkToken(claims, { ...use, operation, cluster: this.#clusterId, nowMs: this.#view.clusterTimeMs() })
  }

  /** A write that a client asks for: by its token, and by the epoch that it knows, which must be the token's. */
  grantWrite(
    claims: TokenClaims,
    write: { readonly chunk: ChunkId; readonly epoch: Rising },
  ): WriteGrant | Promise<WriteGrant> {
    this.checkClaims(claims, 'write', write)
    return this.grantEpoch(write)
  }

  /** The epoch half of {@link grantWrite}: all that an order of the leader needs. At once, unless the map must be fetched first. */
  grantEpoch(write: { readonly chunk: ChunkId; readonly epoch: Rising }): WriteGrant | Promise<WriteGrant> {
    const id = groupOf(write.chunk)
    const known = this.#knownAt(id, write.epoch)
    return known === undefined
      ? this.groupAt(id, write.epoch).then((group) => this.#grantIn(group, write))
      : this.#grantIn(known, write)
  }

  #grantIn(
    group: Group | undefined,
    { chunk, epoch }: { readonly chunk: ChunkId; readonly epoch: Rising },
  ): WriteGrant {
    const slot = group && this.#view.writableSlot(group)
    if (group === undefined || slot === undefined || group.epoch !== epoch) {
      throw new AshlarError(
        'stale-epoch',
        `Cannot write chunk ${chunk}: group ${groupOf(chunk)} is at epoch ${group?.epoch ?? 'unknown'} on ${this.#serverId}, the request at ${epoch}`,
      )
    }
    return { epoch: group.epoch, slot }
  }

  /** The group as this server knows it, after fetching the map when the caller knows a newer epoch. Undefined: there is none. */
  async groupAt(id: GroupId, epoch: Rising): Promise<Group | undefined> {
    const known = this.#knownAt(id, epoch)
    if (known !== undefined) return known
    await this.#fetchMap()
    return this.#view.group(id)
  }

  #knownAt(id: GroupId, epoch: Rising): Group | undefined {
    const known = this.#view.group(id)
    return known !== undefined && known.epoch >= epoch ? known : undefined
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
