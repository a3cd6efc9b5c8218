/**
 * Writes one chunk to all members of a group, and to another group when a member fails.
 *
 * A member that refuses, is out of room, or takes too long abandons the chunk: its id is burned, its bytes go elsewhere.
 * Where the master has no other group, the receipts there are (at least the policy's `minReplicas`) are handed on: the
 * master judges them at the commit. Bounded by attempts and by the client's time; the reasons of all attempts are kept.
 * @module
 */
import { isAshlarError, toAshlarError } from '../base/errors.ts'
import type { GroupId } from '../base/ids.ts'
import { writingMembers } from '../cluster/cluster-map.ts'
import type { Env } from '../env/env.ts'
import { cancelled, sleep } from '../env/waiting.ts'
import type { Receipt } from '../wire/types/extent.ts'
import type { AllocationPool, SlotRequest } from './allocation-pool.ts'
import type { ChunkSlot } from './held-allocation.ts'
import { isReachable, type MapCache } from './map-cache.ts'
import type { ProvenChunk } from './proven-chunk.ts'
import { writeReplica } from './replica-write.ts'
import type { SealedChunk } from './sealed-chunk.ts'
import type { ServerPool } from './server-pool.ts'
import { type FailedAttempt, WriteProgress } from './write-progress.ts'

export interface WriteRequest {
  /** Of the file. */
  readonly path: string
  readonly data: SealedChunk
  readonly signal?: AbortSignal | undefined
  /** Groups whose receipts the master has just rejected. */
  readonly avoid?: ReadonlySet<GroupId>
}

const maxAttempts = 12
const firstStallTimeoutMs = 5_000
const longestStallTimeoutMs = 20_000
const firstPauseMs = 50
const longestPauseMs = 2_000
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
    const { clock } = this.#env
    const deadlineMs = clock.monotonicMs() + this.#timeoutMs
    const progress = new WriteProgress(path, avoid)
    let pauseMs = firstPauseMs
    // The master judged by what it knows now; a map that still calls a member suspect would prove too little again.
    if (progress.failedGroups.size > 0) await this.#maps.refresh(signal)
    try {
      for (let attempt = 1; ; attempt++) {
        const slot = await this.#takeSlot(
          { path, chunkBytes: data.length, avoid: progress.failedGroups, signal },
          progress,
        )
        if (slot === undefined) return progress.takePartial() as ProvenChunk
        const isRepeatedGroup = progress.failedGroups.has(slot.allocation.group)
        const result = await this.#attempt(slot, data, { signal, attempt })
        const { failures, proven, minReplicas } = result
        if (failures.length === 0 && proven.receipts.length >= minReplicas) return proven
        progress.note(result)
        if (signal?.aborted) throw cancelled(`write ${path}`, signal)
        if (attempt === maxAttempts || progress.isFull || clock.monotonicMs() >= deadlineMs) {
          const partial = progress.takePartial()
          if (partial !== undefined) return partial
          throw progress.failure()
        }
        await this.#maps.refresh(signal)
        if (isRepeatedGroup) {
          await sleep(clock, pauseMs, signal)
          pauseMs = Math.min(longestPauseMs, pauseMs * 2)
        }
      }
    } finally {
      progress.drop()
    }
  }

  /** @returns undefined when no other group can be had, and the partial result will do */
  async #takeSlot(request: SlotRequest, progress: WriteProgress): Promise<ChunkSlot | undefined> {
    let slot: ChunkSlot
    try {
      slot = await this.#allocations.take(request)
    } catch (error) {
      if (!isAshlarError(error, 'no-space', 'unavailable')) throw error
      if (progress.hasPartial) return undefined
      throw progress.explain(error)
    }
    if (!progress.hasPartial || !progress.failedGroups.has(slot.allocation.group)) return slot
    slot.settle()
    return undefined
  }

  async #attempt(
    slot: ChunkSlot,
    data: SealedChunk,
    { signal, attempt }: { readonly signal: AbortSignal | undefined; readonly attempt: number },
  ): Promise<FailedAttempt> {
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
    const failures: FailedAttempt['failures'][number][] = []
    await Promise.all(
      targets.map(async ({ server }) => {
        try {
          receipts.push(await writeReplica(this.#pool, server, write))
        } catch (cause) {
          const error = toAshlarError(cause, `write chunk ${chunk} to server ${server}`)
          failures.push({ server, domain: this.#maps.known?.server(server)?.domain ?? 'unknown', error })
        }
      }),
    )
    const extent = { chunk, offset: 0, length: data.length, chunkLength: data.length, crc: data.crc }
    return { proven: { extent, receipts, slot }, failures, minReplicas }
  }
}
