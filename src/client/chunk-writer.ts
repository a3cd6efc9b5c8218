/**
 * Writes one chunk to all members of a group, and to another group when a member fails.
 *
 * A member that refuses, is out of room, or takes too long abandons the chunk: its id is burned, its bytes go elsewhere.
 * Where the master has no other group, the receipts there are (at least the policy's `minReplicas`) are handed on: the
 * master judges them at the commit. Bounded by attempts and by the client's time; the reasons of all attempts are kept.
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import { AshlarError, isAshlarError, toAshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { writingMembers } from '../cluster/cluster-map.ts'
import type { Env } from '../env/env.ts'
import { cancelled, sleep } from '../env/waiting.ts'
import type { Extent, Receipt } from '../wire/types/extent.ts'
import type { AllocationPool } from './allocation-pool.ts'
import type { ChunkSlot } from './held-allocation.ts'
import { isReachable, type MapCache } from './map-cache.ts'
import { writeReplica } from './replica-write.ts'
import type { SealedChunk } from './sealed-chunk.ts'
import type { ServerPool } from './server-pool.ts'

/** A chunk that members hold, with their word for it. Its slot is settled after the commit. */
export interface ProvenChunk {
  readonly extent: Extent
  readonly receipts: readonly Receipt[]
  readonly slot: ChunkSlot
}

export interface WriteRequest {
  /** Of the file. */
  readonly path: string
  readonly data: SealedChunk
  readonly signal?: AbortSignal | undefined
  /** Groups whose receipts the master has just rejected. */
  readonly avoid?: ReadonlySet<GroupId>
}

/** Why one member did not take a chunk. */
interface Refusal {
  readonly server: ServerId
  readonly domain: string
  readonly reason: ErrorCode
  readonly message: string
}

interface Attempt {
  readonly proven: ProvenChunk
  readonly failures: readonly { readonly server: ServerId; readonly error: AshlarError }[]
  /** Members to be written, those believed down included. */
  readonly memberCount: number
  readonly minReplicas: number
}

const maxAttempts = 12
const firstStallTimeoutMs = 5_000
const longestStallTimeoutMs = 20_000
const firstPauseMs = 50
const longestPauseMs = 2_000
/** The allocation is at fault, not the group: take another one and go on at once. */
const allocationErrors = ['allocation-closed', 'token-expired', 'forbidden', 'stale-epoch', 'chunk-conflict'] as const

export class ChunkWriter {
  readonly #env: Env
  readonly #allocations: AllocationPool
  readonly #maps: MapCache
  readonly #pool: ServerPool
  readonly #timeoutMs: number

  constructor(options: {
    readonly env: Env
    readonly allocations: AllocationPool
    readonly maps: MapCache
    readonly pool: ServerPool
    readonly timeoutMs: number
  }) {
    this.#env = options.env
    this.#allocations = options.allocations
    this.#maps = options.maps
    this.#pool = options.pool
    this.#timeoutMs = options.timeoutMs
  }

  /**
   * @returns the chunk, and receipts of all members, or of fewer when no group was whole
   * @throws {AshlarError} `no-space`, `unavailable` — `details.reasons` tells of each member; `session-ended`, `cancelled`
   */
  async write({ path, data, signal, avoid }: WriteRequest): Promise<ProvenChunk> {
    const deadlineMs = this.#env.clock.monotonicMs() + this.#timeoutMs
    const failedGroups = new Set(avoid)
    const refusals: Refusal[] = []
    let pauseMs = firstPauseMs
    let partial: ProvenChunk | undefined
    // The master judged by what it knows now; a map that still calls a member suspect would prove too little again.
    if (failedGroups.size > 0) await this.#maps.refresh(signal)
    try {
      for (let attempt = 1; ; attempt++) {
        const slot = await this.#takeSlot(
          { path, chunkBytes: data.length, avoid: failedGroups, signal },
          partial,
          refusals,
        )
        if (slot === undefined) return keep(partial as ProvenChunk, () => (partial = undefined))
        const isRepeatedGroup = failedGroups.has(slot.allocation.group)
        if (isRepeatedGroup && partial !== undefined) {
          slot.settle()
          return keep(partial, () => (partial = undefined))
        }
        const result = await this.#attempt(slot, data, { signal, attempt })
        const { proven, failures, memberCount, minReplicas } = result
        if (
          failures.length === 0 &&
          (proven.receipts.length === memberCount || proven.receipts.length >= minReplicas)
        ) {
          return proven
        }
        for (const failure of failures) refusals.push(this.#refusal(failure))
        const isAllocationAtFault = failures.some(({ error }) => isAshlarError(error, ...allocationErrors))
        if (isAllocationAtFault) slot.discard()
        if (proven.receipts.length >= minReplicas && !isAllocationAtFault) {
          partial?.slot.settle()
          partial = proven
        } else slot.settle()
        if (!isAllocationAtFault) failedGroups.add(slot.allocation.group)
        if (signal?.aborted) throw cancelled(`write ${path}`, signal)
        if (attempt === maxAttempts || this.#env.clock.monotonicMs() >= deadlineMs) {
          if (partial !== undefined) return keep(partial, () => (partial = undefined))
          throw outOfAttempts(path, refusals)
        }
        await this.#maps.refresh(signal)
        if (isRepeatedGroup) {
          await sleep(this.#env.clock, pauseMs, signal)
          pauseMs = Math.min(longestPauseMs, pauseMs * 2)
        }
      }
    } finally {
      partial?.slot.settle()
    }
  }

  /** @returns undefined when no other group can be had, and `partial` will do */
  async #takeSlot(
    request: Parameters<AllocationPool['take']>[0],
    partial: ProvenChunk | undefined,
    refusals: readonly Refusal[],
  ): Promise<ChunkSlot | undefined> {
    try {
      return await this.#allocations.take(request)
    } catch (error) {
      if (!isAshlarError(error, 'no-space', 'unavailable')) throw error
      if (partial !== undefined) return undefined
      throw withReasons(error, refusals)
    }
  }

  async #attempt(
    slot: ChunkSlot,
    data: SealedChunk,
    { signal, attempt }: { readonly signal: AbortSignal | undefined; readonly attempt: number },
  ): Promise<Attempt> {
    const { allocation, chunk } = slot
    const group = await this.#maps.group(allocation.group, signal)
    const members = writingMembers(group)
    const up = members.filter(({ server }) => isReachable(this.#maps.known?.server(server)))
    const minReplicas = this.#maps.known?.policy(allocation.policy)?.minReplicas ?? members.length
    const targets = up.length >= minReplicas ? up : members
    const write = {
      clock: this.#env.clock,
      chunk,
      epoch: allocation.epoch,
      token: allocation.token,
      data,
      stallTimeoutMs: Math.min(longestStallTimeoutMs, firstStallTimeoutMs * attempt),
      signal,
    }
    const receipts: Receipt[] = []
    const failures: { readonly server: ServerId; readonly error: AshlarError }[] = []
    await Promise.all(
      targets.map(async ({ server }) => {
        try {
          receipts.push(await writeReplica(this.#pool, server, write))
        } catch (error) {
          failures.push({ server, error: toAshlarError(error, `write chunk ${chunk} to server ${server}`) })
        }
      }),
    )
    const extent = { chunk, offset: 0, length: data.length, chunkLength: data.length, crc: data.crc }
    return { proven: { extent, receipts, slot }, failures, memberCount: members.length, minReplicas }
  }

  #refusal({ server, error }: Attempt['failures'][number]): Refusal {
    const domain = this.#maps.known?.server(server)?.domain ?? 'unknown'
    return { server, domain, reason: error.code, message: error.message }
  }
}

/** Hands a partial result to the caller, who settles it from now on. */
function keep(partial: ProvenChunk, forget: () => void): ProvenChunk {
  forget()
  return partial
}

function outOfAttempts(path: string, refusals: readonly Refusal[]): AshlarError {
  const isFull = refusals.length > 0 && refusals.every(({ reason }) => reason === 'no-space')
  const last = refusals.at(-1)
  return new AshlarError(
    isFull ? 'no-space' : 'unavailable',
    `Cannot write ${path}: too few chunk servers took its bytes (the last refusal: ${last?.message ?? 'none'}). See "ashlar nodes"`,
    { details: { reasons: latestPerServer(refusals) }, applied: 'no' },
  )
}

/** The master's refusal, with what the servers themselves said before. */
function withReasons(error: AshlarError, refusals: readonly Refusal[]): AshlarError {
  if (refusals.length === 0) return error
  const details = { ...error.details, refusals: latestPerServer(refusals) }
  return new AshlarError(error.code, error.message, { cause: error, retry: error.retry, applied: 'no', details })
}

function latestPerServer(refusals: readonly Refusal[]): readonly Refusal[] {
  return [...new Map(refusals.map((refusal) => [refusal.server, refusal])).values()]
}
