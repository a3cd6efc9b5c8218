/**
 * Bytes of a chunk from whichever member gives them, verified end to end.
 *
 * Members that are up and answer fast come first; one that is corrupt, lacks the chunk, fails or is slow is passed over,
 * and remembered for a while. When every member failed the cluster map is fetched anew; members that could not be reached are
 * tried until the client's time is over, since they may be starting again.
 * Never returns a byte that the extent's checksum does not vouch for, and never zeros.
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { type ChunkId, groupOf, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { cancelled, sleep } from '../env/waiting.ts'
import { readChunk } from '../wire/methods/chunk-methods.ts'
import type { Peer } from '../wire/peer.ts'
import type { Extent } from '../wire/types/extent.ts'
import { BadReplicas } from './bad-replicas.ts'
import { BlockProof } from './block-proof.ts'
import type { ChunkCache } from './chunk-cache.ts'
import { AllSourcesFailed, Hedger, type SourceFailure } from './hedge.ts'
import { isReachable, type MapCache } from './map-cache.ts'
import type { ReadTokens } from './read-tokens.ts'
import type { ServerPool } from './server-pool.ts'

export interface ChunkRange {
  /** Within the chunk. Its blocks lie in one window of {@link readWindowBytes}. */
  readonly offset: number
  readonly length: number
  readonly signal?: AbortSignal | undefined
}

/** A read that stays within one aligned window of this size is one request. */
export const readWindowBytes = limits.framePayloadBytes

const readTimeoutMs = 10_000
const firstPauseMs = 100
const longestPauseMs = 1_000
/** The member may answer later: it is starting, or far behind, or takes the token for too old, and a new one is asked for. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unavailable',
  'timeout',
  'connection-lost',
  'busy',
  'token-expired',
])

export class ChunkReader {
  readonly #env: Env
  readonly #maps: MapCache
  readonly #pool: ServerPool
  readonly #tokens: ReadTokens
  readonly #timeoutMs: number
  readonly #proof = new BlockProof()
  readonly #cache: ChunkCache
  readonly #hedger: Hedger
  readonly #bad: BadReplicas

  constructor(options: {
    readonly env: Env
    readonly maps: MapCache
    readonly pool: ServerPool
    readonly tokens: ReadTokens
    readonly timeoutMs: number
    readonly chunkCache: ChunkCache
  }) {
    this.#env = options.env
    this.#maps = options.maps
    this.#pool = options.pool
    this.#tokens = options.tokens
    this.#timeoutMs = options.timeoutMs
    this.#cache = options.chunkCache
    this.#hedger = new Hedger(options.env.clock)
    this.#bad = new BadReplicas(options.env.clock)
  }

  /**
   * @returns exactly the range; the memory is the caller's
   * @throws {AshlarError} `corrupt`, `chunk-missing`, `unavailable` — `details.reasons` tells of each member; `cancelled`
   */
  async read(extent: Extent, range: ChunkRange): Promise<Buffer> {
    const kept = this.#cache.get(extent, range)
    if (kept !== undefined) return kept
    const deadlineMs = this.#env.clock.monotonicMs() + this.#timeoutMs
    let pauseMs = firstPauseMs
    for (;;) {
      try {
        return await this.#readFromMembers(extent, range)
      } catch (failed) {
        if (!(failed instanceof AllSourcesFailed)) throw failed
        const failures: readonly SourceFailure<ServerId>[] = failed.failures
        const { signal } = range
        if (signal?.aborted) throw cancelled(`read chunk ${extent.chunk}`, signal)
        const mayPass = failures.some(({ error }) => passing.has(error.code))
        if (!mayPass || this.#env.clock.monotonicMs() + pauseMs >= deadlineMs) throw allFailed(extent.chunk, failures)
        await sleep(this.#env.clock, pauseMs, signal)
        await this.#maps.refresh(signal)
        pauseMs = Math.min(longestPauseMs, pauseMs * 2)
      }
    }
  }

  async #readFromMembers(extent: Extent, range: ChunkRange): Promise<Buffer> {
    const { chunk } = extent
    const group = groupOf(chunk)
    const map = this.#maps.known ?? (await this.#maps.current(range.signal))
    if (map.group(group) === undefined) await this.#maps.refresh(range.signal)
    const token = this.#tokens.known(group) ?? (await this.#tokens.get(group, range.signal))
    const members = this.#orderedMembers(chunk)
    if (members.length === 0) throw allFailed(chunk, [])
    return await this.#hedger.first(members, {
      ask: (server) => this.#readFrom(server, extent, { ...range, token }),
      hedgeAfterMs: (server) =>
        this.#env.buggify('reads: the next member is asked at once') ? 0 : this.#pool.health(server).hedgeAfterMs,
      onLate: (server) => this.#pool.health(server).late(),
    })
  }

  /** Best first: up before not, sound before known bad, then by what it is likely to take. */
  #orderedMembers(chunk: ChunkId): readonly ServerId[] {
    const members = this.#maps.known?.group(groupOf(chunk))?.members ?? []
    const ranked: { readonly server: ServerId; readonly rank: number }[] = []
    for (const { server, state } of members) {
      const entry = this.#maps.known?.server(server)
      if (entry === undefined) continue
      const health = this.#pool.health(server)
      const doubts =
        (isReachable(entry) ? 0 : 4) +
        (this.#bad.has(chunk, server) ? 2 : 0) +
        (health.isFailing || state === 'filling' ? 1 : 0)
      ranked.push({ server, rank: doubts * 1e9 + health.score })
    }
    return ranked.sort((a, b) => a.rank - b.rank).map(({ server }) => server)
  }

  async #readFrom(server: ServerId, extent: Extent, range: ChunkRange & { readonly token: Buffer }): Promise<Buffer> {
    const health = this.#pool.health(server)
    const startedMs = this.#env.clock.monotonicMs()
    health.started()
    try {
      const bytes =
        range.length > limits.smallTransferBytes
          ? await this.#pool.withDataPeer(server, (peer) => this.#readOver(peer, extent, range), range.signal)
          : await this.#readOver(
              this.#pool.readyPeer(server) ?? (await this.#pool.sharedPeer(server, range.signal)),
              extent,
              range,
            )
      health.answered(this.#env.clock.monotonicMs() - startedMs)
      return bytes
    } catch (error) {
      if (isAshlarError(error, 'corrupt', 'chunk-missing')) this.#bad.add(extent.chunk, server)
      else if (isAshlarError(error, 'forbidden', 'token-expired')) this.#tokens.forget(groupOf(extent.chunk))
      else if (!range.signal?.aborted) health.failed()
      throw error
    } finally {
      health.ended()
    }
  }

  async #readOver(peer: Peer, extent: Extent, range: ChunkRange & { readonly token: Buffer }): Promise<Buffer> {
    const { chunk, chunkLength } = extent
    const { offset, length, token, signal } = range
    const firstByte = offset - (offset % limits.blockBytes)
    const lastByte = Math.min(chunkLength, Math.ceil((offset + length) / limits.blockBytes) * limits.blockBytes)
    const isWhole = firstByte === 0 && lastByte === chunkLength
    const wantBlockCrcs = !isWhole && this.#proof.needsBlockCrcs(extent)
    const options = signal === undefined ? { timeoutMs: readTimeoutMs } : { timeoutMs: readTimeoutMs, signal }
    const { value, payload } = await peer.call(readChunk, { chunk, token, offset, length, wantBlockCrcs }, options)
    this.#proof.check(extent, value, payload)
    this.#cache.keep(extent, payload)
    const start = offset - value.offset
    if (start < 0 || start + length > payload.length) {
      throw new AshlarError(
        'corrupt',
        `Cannot use a replica of chunk ${chunk}: ${payload.length} bytes came, which do not cover the range`,
      )
    }
    return start === 0 && length === payload.length ? payload : payload.subarray(start, start + length)
  }
}

function allFailed(chunk: ChunkId, failures: readonly SourceFailure<ServerId>[]): AshlarError {
  const codes = new Set(failures.map(({ error }) => error.code))
  const isUnreachable = [...codes].some((code) => passing.has(code))
  const code = isUnreachable ? 'unavailable' : codes.has('corrupt') ? 'corrupt' : 'chunk-missing'
  const reasons = failures.map(({ source, error }) => ({ server: source, reason: error.code, message: error.message }))
  const said =
    reasons.map(({ server, reason }) => `${server.slice(0, 8)}: ${reason}`).join(', ') || 'its group has no members'
  return new AshlarError(code, `Cannot read chunk ${chunk}: no member gave its bytes (${said}). See "ashlar nodes"`, {
    details: { chunk, reasons },
    cause: failures.at(-1)?.error,
    applied: 'no',
  })
}
