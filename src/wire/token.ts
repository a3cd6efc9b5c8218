/**
 * Capability tokens: the master's signed word that the bearer may read a group's chunks, or write certain ids of it.
 * A token is opaque to clients; a chunk server needs nothing but the token key to judge it.
 *
 *     token = claims (a struct) ‖ HMAC-SHA-256 of "ashlar token 1" ‖ claims
 *
 * Invariant: not a byte of the claims is parsed before the MAC was found right.
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { assert } from '../base/assert.ts'
import { bool, field, hex, type Infer, id, optional, struct, uint } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type ClusterId, chunkIdParts, type GroupId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'

/** `delete` is an order of the leader over HTTP: given for nothing but what gc has to delete. */
export type TokenOperation = 'read' | 'write' | 'delete'

const tokenClaims = struct('token claims', 1, {
  cluster: field(1, hex<ClusterId>(16)),
  group: field(2, id<GroupId>()),
  /** Cluster time: from then on the token is refused. */
  expiresAt: field(3, id<Rising>()),
  /** All chunks of the group may be read. */
  mayRead: field(4, bool),
  /** These chunk ids of the group may be written, under this epoch of it. */
  write: optional(
    5,
    struct('token write claims', 1, {
      generation: field(1, uint),
      firstSequence: field(2, uint),
      count: field(3, uint),
      epoch: field(4, id<Rising>()),
    }),
  ),
  /** This one chunk may be deleted, */
  remove: optional(6, hex<ChunkId>(16)),
  /** by order of the leader of this epoch. */
  leaderEpoch: optional(7, id<Rising>()),
})
export type TokenClaims = Infer<typeof tokenClaims>

const macBytes = 32
const label = Buffer.from('ashlar token 1')

/** At most `limits.tokenBytes`. @param key `ClusterKeys.token` */
export function mintToken(key: Buffer, claims: TokenClaims): Buffer {
  const body = tokenClaims.encode(claims)
  const token = Buffer.concat([body, macOf(key, body)])
  assert(token.length <= limits.tokenBytes, 'a token is too long')
  return token
}

/**
 * The claims of a token that this cluster minted; {@link checkToken} says what they allow.
 * @throws {AshlarError} `forbidden` — it did not
 */
export function openToken(key: Buffer, token: Buffer): TokenClaims {
  if (token.length <= macBytes || token.length > limits.tokenBytes) throw forbidden('it is not a token')
  const body = token.subarray(0, token.length - macBytes)
  if (!timingSafeEqual(token.subarray(body.length), macOf(key, body))) throw forbidden('its signature is wrong')
  return tokenClaims.decode(body)
}

export interface TokenUse {
  readonly operation: TokenOperation
  readonly chunk: ChunkId
  readonly cluster: ClusterId
  /** Cluster time, as last heard and advanced by the own monotonic clock. */
  readonly nowMs: Rising
  /** Of a write: the epoch that the request names. It must be the token's. */
  readonly epoch?: Rising
}

/** @throws {AshlarError} `token-expired` (ask for a new one); `forbidden` — it never allowed this */
export function checkToken(claims: TokenClaims, { operation, chunk, cluster, nowMs, epoch }: TokenUse): void {
  if (claims.cluster !== cluster) throw forbidden('it is of another cluster')
  const { group, generation, sequence } = chunkIdParts(chunk)
  if (claims.group !== group) throw forbidden(`it is for group ${claims.group}, and the chunk is in ${group}`)
  if (operation === 'read') {
    if (!claims.mayRead) throw forbidden('it does not allow reads')
  } else if (operation === 'delete') {
    if (claims.remove !== chunk) throw forbidden('it does not order this chunk deleted')
  } else {
    const range = claims.write
    if (range === undefined) throw forbidden('it does not allow writes')
    const isInRange =
      generation === range.generation && sequence >= range.firstSequence && sequence - range.firstSequence < range.count
    if (!isInRange) throw forbidden('the chunk is not one of those it allows to write')
    if (epoch !== undefined && epoch !== range.epoch) throw forbidden('it is for another epoch of the group')
  }
  if (nowMs >= claims.expiresAt) {
    throw new AshlarError('token-expired', `Cannot ${operation} chunk ${chunk}: the token is too old, get a new one`)
  }
}

function macOf(key: Buffer, body: Buffer): Buffer {
  return createHmac('sha256', key).update(label).update(body).digest()
}

function forbidden(why: string): AshlarError {
  return new AshlarError('forbidden', `Cannot accept the capability token: ${why}`)
}
