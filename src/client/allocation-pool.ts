/**
 * Chunk ids in hand, so that a write begins without asking the master.
 *
 * Shelves: one per policy and size class. Small chunks take id after id of one allocation, asked for in growing numbers
 * (16 to 1,024) and ahead of need; large ones change the group with each chunk, so that a big file uses all disks.
 * Invariants: no id is taken twice; none is taken so late that its commit could meet a closed allocation; an allocation
 * is given back only when every chunk written under it is committed or burned.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { GroupId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { abortable } from '../env/waiting.ts'
import { allocate, releaseAllocations } from '../wire/methods/write-methods.ts'
import type { Allocation } from '../wire/types/extent.ts'
import { beforeApplied } from './applied.ts'
import type { Background } from './background.ts'
import { type ChunkSlot, HeldAllocation } from './held-allocation.ts'
import type { MapCache } from './map-cache.ts'
import type { MasterLink } from './master-link.ts'
import { parentOf } from './paths.ts'
import { PolicyMemory } from './policy-memory.ts'
import type { OpenedSession, Session } from './session.ts'

export interface SlotRequest {
  /** Of the file to be written: its directory says the policy. */
  readonly path: string
  readonly chunkBytes: number
  /** Groups that failed for this chunk. The slot is in one of them only when the master has no other. */
  readonly avoid?: ReadonlySet<GroupId>
  readonly signal?: AbortSignal | undefined
}

const firstCount = 16
/** For large chunks: few ids of each group, several groups in hand. */
const largeCount = 4
const largeGroupsInHand = 4
/** The part of an allocation's life in which chunks may be begun; the rest is for writing and committing them. */
const usableFraction = 0.6
const releaseBatch = 32
const maxAvoided = 64

interface Shelf {
  readonly policy: string
  readonly isLarge: boolean
  held: HeldAllocation[]
  turn: number
  nextCount: number
  /** What the master gave last: it may be less than was asked for. */
  givenCount: number
  waiting: number
  filling: Promise<void> | undefined
}

interface AllocationOrder {
  readonly path: string
  readonly chunkBytes: number
  readonly count: number
  readonly avoid: readonly GroupId[]
  /** Policies of which there are ids. */
  readonly inHand: readonly string[]
  readonly signal?: AbortSignal | undefined
}

export class AllocationPool {
  readonly #env: Env
  readonly #link: MasterLink
  readonly #session: Session
  readonly #maps: MapCache
  readonly #background: Background
  readonly #policies: PolicyMemory
  readonly #shelves = new Map<string, Shelf>()
  #toRelease: HeldAllocation[] = []

  constructor(options: {
    readonly env: Env
    readonly link: MasterLink
    readonly session: Session
    readonly maps: MapCache
    readonly background: Background
  }) {
    this.#env = options.env
    this.#link = options.link
    this.#session = options.session
    this.#maps = options.maps
    this.#background = options.background
    this.#policies = new PolicyMemory(options.env.clock)
  }

  /** @throws {AshlarError} `no-space` — with the reason of each server in `details.reasons`; `unavailable`, `session-ended` */
  async take(request: SlotRequest): Promise<ChunkSlot> {
    const { path, chunkBytes, avoid, signal } = request
    const isLarge = chunkBytes > limits.framePayloadBytes
    const policy = await this.#policyOf(path, signal)
    if (avoid !== undefined && avoid.size > 0) {
      const shelf = policy === undefined ? undefined : this.#shelf(policy, isLarge)
      return (shelf && this.#takeFrom(shelf, avoid)) ?? (await this.#takeFresh(request, isLarge))
    }
    if (policy === undefined) return await this.#takeFresh(request, isLarge)
    return await this.#takeInHand(this.#shelf(policy, isLarge), request)
  }

  async #takeInHand(shelf: Shelf, request: SlotRequest): Promise<ChunkSlot> {
    const { signal } = request
    for (;;) {
      const slot = this.#takeFrom(shelf)
      if (slot !== undefined) {
        this.#fillAhead(shelf, request)
        return slot
      }
      shelf.waiting++
      const isOwn = shelf.filling === undefined
      try {
        shelf.filling ??= this.#fill(shelf, request)
        await abortable(shelf.filling, signal, 'take a chunk id')
      } catch (error) {
        // Another writer's path or length may be at fault: ask for this one's own before failing.
        if (isOwn || signal?.aborted) throw error
      } finally {
        shelf.waiting--
      }
    }
  }

  /** Gives back what is used up or too old. Called now and then. */
  tidy(): void {
    for (const shelf of this.#shelves.values()) shelf.held = shelf.held.filter((held) => this.#isUsable(held))
    this.#release()
  }

  async #policyOf(path: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { map } = this.#maps.known ?? (await this.#maps.current(signal))
    return map.policies.length === 1 ? map.policies[0]?.name : this.#policies.of(parentOf(path))
  }

  #shelf(policy: string, isLarge: boolean): Shelf {
    const key = `${isLarge ? 'large' : 'small'} ${policy}`
    let shelf = this.#shelves.get(key)
    if (shelf === undefined) {
      shelf = {
        policy,
        isLarge,
        held: [],
        turn: 0,
        nextCount: isLarge ? largeCount : firstCount,
        givenCount: 0,
        waiting: 0,
        filling: undefined,
      }
      this.#shelves.set(key, shelf)
    }
    return shelf
  }

  #takeFrom(shelf: Shelf, avoid?: ReadonlySet<GroupId>): ChunkSlot | undefined {
    for (let tries = shelf.held.length; tries > 0 && shelf.held.length > 0; tries--) {
      shelf.turn %= shelf.held.length
      const held = shelf.held[shelf.turn] as HeldAllocation
      if (!this.#isUsable(held)) {
        shelf.held.splice(shelf.turn, 1)
      } else if (avoid?.has(held.allocation.group)) {
        shelf.turn++
      } else {
        if (shelf.isLarge) shelf.turn++
        return held.take(this.#onSettled)
      }
    }
    return undefined
  }

  /** Drops, and gives back when it can be, what must not be used any more. */
  #isUsable(held: HeldAllocation): boolean {
    const { allocation } = held
    const group = this.#maps.known?.group(allocation.group)
    const isCurrent =
      group === undefined || (group.epoch <= allocation.epoch && (held.isPartial || this.#maps.isWhole(group)))
    if (held.left > 0 && isCurrent && this.#env.clock.monotonicMs() < held.usableUntilMs) return true
    const wasUsable = held.left > 0
    held.discard()
    if (wasUsable && held.isSettled) this.#onSettled(held)
    return false
  }

  #fillAhead(shelf: Shelf, request: SlotRequest): void {
    if (shelf.filling !== undefined || !this.#isLow(shelf)) return
    shelf.filling = this.#fill(shelf, { path: request.path, chunkBytes: request.chunkBytes })
    this.#background.run('take chunk ids ahead of need', shelf.filling)
  }

  #isLow(shelf: Shelf): boolean {
    const left = shelf.held.reduce((sum, held) => sum + held.left, 0)
    if (shelf.isLarge) return shelf.held.length < largeGroupsInHand && left < largeCount
    return left < Math.max(1, shelf.givenCount / 4)
  }

  async #fill(shelf: Shelf, { path, chunkBytes }: SlotRequest): Promise<void> {
    try {
      const isFew = this.#env.buggify('allocations: one id at a time')
      const count = isFew ? 1 : Math.min(limits.allocationIds, Math.max(shelf.nextCount, shelf.waiting))
      const held = await this.#allocate({ path, chunkBytes, count, avoid: [] })
      if (!shelf.isLarge) shelf.nextCount = Math.min(limits.allocationIds, shelf.nextCount * 2)
      shelf.givenCount = held.allocation.count
      shelf.held.push(held)
    } finally {
      shelf.filling = undefined
    }
  }

  /**
   * For a directory whose policy is not known, or without some groups. Where the master says that the policy is that of ids
   * in hand, those will do: else each directory of a tree would cost it an allocation, and the writer a wait for its commit.
   */
  async #takeFresh(request: SlotRequest, isLarge: boolean): Promise<ChunkSlot> {
    const { path, chunkBytes, avoid, signal } = request
    const avoided = [...(avoid ?? [])].slice(-maxAvoided)
    const inHand = avoided.length > 0 ? [] : this.#policiesInHand(isLarge)
    const count = isLarge ? largeCount : firstCount
    const given = await this.#ask({ path, chunkBytes, count, avoid: avoided, inHand, signal })
    const policy = given instanceof HeldAllocation ? given.allocation.policy : given
    this.#policies.learn(parentOf(path), policy)
    const shelf = this.#shelf(policy, isLarge)
    if (!(given instanceof HeldAllocation)) return await this.#takeInHand(shelf, request)
    const slot = given.take(this.#onSettled)
    // Many that had nothing in hand may have asked at once: keeping what all of them bring would pile up.
    if (avoid?.has(given.allocation.group) || !this.#isLow(shelf)) given.discard()
    else shelf.held.push(given)
    return slot
  }

  #policiesInHand(isLarge: boolean): string[] {
    const shelves = [...this.#shelves.values()]
    return shelves
      .filter((shelf) => shelf.isLarge === isLarge && shelf.held.some(({ left }) => left > 0))
      .map(({ policy }) => policy)
  }

  async #allocate(order: Omit<AllocationOrder, 'inHand'>): Promise<HeldAllocation> {
    const given = await this.#ask({ ...order, inHand: [] })
    assert(given instanceof HeldAllocation, 'of no policy are there ids in hand')
    return given
  }

  /** @returns chunk ids; or the directory's policy, where it is one of `inHand` */
  async #ask({ signal, inHand, ...order }: AllocationOrder): Promise<HeldAllocation | string> {
    const session = await this.#session.opened({ signal })
    const askedAtMs = this.#env.clock.monotonicMs()
    try {
      const request = { session: session.id, ...order, ...(inHand.length === 0 ? {} : { inHand }) }
      const { allocation, policy } = (await beforeApplied(this.#link.call(allocate, request, { signal }))).value
      if (allocation !== undefined) return await this.#hold(allocation, { session, askedAtMs, signal })
      if (policy !== undefined && inHand.includes(policy)) return policy
      throw new AshlarError('protocol', `Cannot write ${order.path}: the answer holds no chunk ids`)
    } catch (error) {
      this.#session.noticeEnd(session, error)
      throw error
    }
  }

  async #hold(
    allocation: Allocation,
    { session, askedAtMs, signal }: { session: OpenedSession; askedAtMs: number; signal: AbortSignal | undefined },
  ): Promise<HeldAllocation> {
    let group = await this.#maps.group(allocation.group, signal)
    if (group.epoch < allocation.epoch) {
      await this.#maps.refresh(signal)
      group = await this.#maps.group(allocation.group, signal)
    }
    return new HeldAllocation(allocation, {
      session,
      usableUntilMs: askedAtMs + allocation.lifeMs * usableFraction,
      // The master gave it although a member is away: it had nothing better.
      isPartial: !this.#maps.isWhole(group),
    })
  }

  readonly #onSettled = (held: HeldAllocation): void => {
    if (held.session.endedSignal.aborted) return
    this.#toRelease.push(held)
    if (this.#toRelease.length >= releaseBatch) this.#release()
  }

  #release(): void {
    const bySession = Map.groupBy(this.#toRelease, (held) => held.session)
    this.#toRelease = []
    for (const [session, held] of bySession) {
      if (session.endedSignal.aborted) continue
      const request = { session: session.id, allocations: held.map(({ allocation }) => allocation) }
      this.#background.run('give chunk ids back', this.#link.call(releaseAllocations, request).catch(ignoreEnded))
    }
  }
}

/** With the session its allocations are closed already. */
function ignoreEnded(error: unknown): void {
  if (!isAshlarError(error, 'session-ended', 'closed')) throw error
}
