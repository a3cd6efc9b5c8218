/**
 * Compares what a member holds of a group with what the metadata names, and copies to it what it lacks.
 *
 * Pages that differ are listed by the member *before* the metadata is scanned, and checked for open allocations in between:
 * what the list holds and the scan does not can then never become part of a file. What follows is planned in cluster/reconcile.ts.
 * A copy counts by its receipt, which the member signs after it read the copy back. Where none came (an answer was lost, or wrong),
 * what the member lists is read by its own order before it counts.
 * @module
 */
import { addDigest, type ChunkDigest, digestOf, emptyDigest, equalDigests } from '../base/digest.ts'
import { type AshlarError, toAshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { planPage, type ReconcileStep, wasNeverGivenOut } from '../cluster/reconcile.ts'
import type { Env } from '../env/env.ts'
import type { Namespace } from '../namespace/namespace.ts'
import type { Group, MemberDuty } from '../wire/types/cluster-map.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { CurrentMap } from './current-map.ts'
import type { LostFuture } from './lost-future.ts'
import type { ServerRegistry } from './server-registry.ts'
import { type CopyPlace, UnprovenCopies } from './unproven-copies.ts'

export interface ComparisonOptions {
  readonly env: Env
  readonly namespace: Namespace
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly orders: ChunkOrders
  readonly lostFuture: LostFuture
  /** Too many servers are silent: nothing is deleted for absence. */
  readonly isHolding: () => boolean
}

export interface ComparisonRequest {
  readonly group: Group
  readonly server: ServerId
  /** For whom copies are made: how urgent they are. */
  readonly duty: MemberDuty
  /** The member was complete when the writes began that go on in open pages: those are passed over. */
  readonly skipsOpenPages: boolean
  /** No further copy is begun when it says so. */
  readonly isOver: () => boolean
  readonly signal: AbortSignal
}

export interface ComparisonResult {
  /** Copies that were made in pages where no allocation is open: the next comparison must find none to make. */
  readonly closedCopies: number
  /** The member holds everything now, each copy by its receipt; no page was left out. */
  readonly isComplete: boolean
}

const digestsPerRead = 1024
/** Copies ordered at once for one member of one group; CopySlots bounds them for each server. */
const copiesAtOnce = 16
/** Past so many in one page something is wrong that the next chunk will meet too. */
const mostFailures = 32

export class MemberComparison {
  readonly #options: ComparisonOptions
  readonly #unproven = new UnprovenCopies()

  constructor(options: ComparisonOptions) {
    this.#options = options
  }

  /** @throws {AshlarError} what the member answered: nothing is concluded then */
  async compare(request: ComparisonRequest): Promise<ComparisonResult> {
    const { group, server } = request
    const { orders } = this.#options
    if (!(await this.#readUnproven(request))) return { closedCopies: 0, isComplete: false }
    const expected = await this.expectedDigests(group.id)
    const found = await orders.pageDigests(server, group)
    // The newest first: what proves that the metadata is too old to delete by lies there.
    const pages = [...new Set([...expected.keys(), ...found.keys()])]
      .filter((page) => !equalDigests(expected.get(page) ?? emptyDigest, found.get(page) ?? emptyDigest))
      .sort((a, b) => b - a)
    if (pages.length === 0) return { closedCopies: 0, isComplete: true }
    let closedCopies = 0
    let isComplete = true
    // Asked once, since it goes through all groups: until the next comparison the answer errs towards keeping.
    const isEverythingCompared = this.#isEverythingCompared(request)
    for (const page of pages) {
      if (request.signal.aborted || request.isOver()) return { closedCopies, isComplete: false }
      const result = await this.#comparePage(page, { ...request, isEverythingCompared })
      closedCopies += result.closedCopies
      if (!result.isComplete) isComplete = false
    }
    return { closedCopies, isComplete }
  }

  /** Whether each copy that was ordered for the member has its receipt, or was read since. */
  isProven(place: CopyPlace): boolean {
    return this.#unproven.isEmpty(place)
  }

  /** Digests of a group's pages, from `E`. */
  async expectedDigests(group: GroupId): Promise<ReadonlyMap<number, ChunkDigest>> {
    const digests = new Map<number, ChunkDigest>()
    for (let fromPage = 0, more = true; more; ) {
      const pages = await this.#options.namespace.pageDigests(group, { fromPage, limit: digestsPerRead })
      for (const { page, digest } of pages) digests.set(page, digest)
      more = pages.length === digestsPerRead
      fromPage = (pages.at(-1)?.page ?? 0) + 1
    }
    return digests
  }

  /**
   * Has the member read what it may hold without having proven it. A wrong one is quarantined by that, and copied anew.
   * @returns whether nothing is left unproven
   */
  async #readUnproven({ server, group, isOver, signal }: ComparisonRequest): Promise<boolean> {
    const place = { server, group: group.id }
    this.#unproven.keepMembers(group.id, group.members)
    for (const facts of this.#unproven.of(place)) {
      if (isOver() || signal.aborted) return false
      await this.#options.orders.verify(server, facts)
      this.#unproven.remove(place, facts.id)
    }
    return true
  }

  async #comparePage(
    page: number,
    request: ComparisonRequest & { readonly isEverythingCompared: boolean },
  ): Promise<ComparisonResult> {
    const { group, server, skipsOpenPages, isEverythingCompared } = request
    const { orders, namespace, map, lostFuture, isHolding } = this.#options
    const { generation } = map.index.map
    const held = await orders.listPage(server, { group: group.id, page })
    const isClosed = await namespace.pageIsClosed(group.id, page)
    // Nothing can be said yet.
    if (skipsOpenPages && !isClosed) return { closedCopies: 0, isComplete: true }
    const { chunks, digest, nextSequence } = await namespace.pageChunks(group.id, page)
    const proof = held.find((facts) => wasNeverGivenOut(facts, { nextSequence, generation }))
    if (proof !== undefined) await lostFuture.found(proof.id, server)
    const steps = planPage({
      expected: chunks,
      held,
      scanEqualsDigest: equalDigests(sumOf(chunks.map(digestOf)), digest),
      isClosed,
      nextSequence,
      generation,
      mayDelete: !lostFuture.isFound && !isHolding() && isEverythingCompared,
    })
    const copies = await this.#apply(steps, request)
    return { closedCopies: isClosed ? copies.made : 0, isComplete: copies.made === copies.wanted }
  }

  /**
   * A chunk that proves the metadata too old to delete by may lie in any group, on any server: so each was looked at before
   * anything goes for absence. Of the pages compared now the newest came first.
   */
  #isEverythingCompared({ group, server }: ComparisonRequest): boolean {
    const { registry, map } = this.#options
    return map.index.map.groups.every((other) => registry.isCompared(other, other.id === group.id ? server : undefined))
  }

  async #apply(steps: readonly ReconcileStep[], request: ComparisonRequest): Promise<CopyCounts> {
    const { env, orders } = this.#options
    const { group, server, signal, isOver } = request
    const place = { server, group: group.id }
    for (const { kind, facts, reason } of steps) {
      env.log.debug('reconcile', { server, group: group.id, chunk: facts.id, step: kind, reason })
    }
    const orphans = steps.filter(({ kind }) => kind === 'delete').map(({ facts }) => facts.id)
    if (orphans.length > 0) {
      env.log.info('removing chunks that no file names', { server, group: group.id, chunks: orphans.length })
      await orders.deleteChunks(server, { group, chunks: orphans, because: 'orphans-removed' })
    }
    const wanted = steps.filter(({ kind }) => kind === 'copy' || kind === 'replace')
    const failures: AshlarError[] = []
    let begun = 0
    const work = async () => {
      const mayBegin = () => failures.length < mostFailures && !this.#unproven.isFull(place)
      while (begun < wanted.length && mayBegin() && !signal.aborted && !isOver()) {
        const step = wanted[begun++] as ReconcileStep
        try {
          if (step.kind === 'replace') await orders.verify(server, step.facts)
          await orders.copy(server, step.facts, request)
        } catch (error) {
          this.#unproven.add(place, step.facts)
          failures.push(toAshlarError(error, `copy chunk ${step.facts.id}`))
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(copiesAtOnce, wanted.length) }, work))
    if (failures.some(({ code }) => code === 'no-space')) this.#options.registry.noteCramped(server, group.id)
    if (failures.length > 0 && !signal.aborted) {
      const fields = { server, group: group.id, failures: failures.length, error: failures[0]?.message }
      env.log.warn('members could not be made equal', fields)
    }
    return { wanted: wanted.length, made: begun - failures.length }
  }
}

interface CopyCounts {
  readonly wanted: number
  readonly made: number
}

export function sumOf(digests: Iterable<ChunkDigest>): ChunkDigest {
  let sum = emptyDigest
  for (const digest of digests) sum = addDigest(sum, digest)
  return sum
}
