/**
 * Tokens that one connection has shown before: a token is MACed once per connection, since a MAC costs more than a
 * small read. Bounded: those that were not shown for long go.
 * @module
 */
import { limits } from '../base/limits.ts'
import { RecentMap } from '../base/recent-map.ts'
import { openToken, type TokenClaims } from './token.ts'

export class TokenCache {
  readonly #key: Buffer
  readonly #claimsOf = new RecentMap<string, TokenClaims>(limits.tokensPerConnection)
  /** Mostly the next one is the same: comparing costs less than a key for the map. */
  #last: { readonly token: Buffer; readonly claims: TokenClaims } | undefined

  /** @param key `ClusterKeys.token` */
  constructor(key: Buffer) {
    this.#key = key
  }

  get size(): number {
    return this.#claimsOf.size
  }

  /** As {@link openToken}. Expiry is not remembered: check the claims at each use. */
  open(token: Buffer): TokenClaims {
    if (this.#last?.token.equals(token)) return this.#last.claims
    const claims = this.#find(token)
    // A copy: what a request brought lies in memory that is used again.
    this.#last = { token: Buffer.from(token), claims }
    return claims
  }

  #find(token: Buffer): TokenClaims {
    const name = token.toString('latin1')
    const known = this.#claimsOf.get(name)
    if (known !== undefined) return known
    const claims = openToken(this.#key, token)
    this.#claimsOf.set(name, claims)
    return claims
  }
}
