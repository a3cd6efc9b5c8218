/**
 * Compares what members hold with what the metadata names, and makes them equal: a member that returns is caught up
 * this way and then counts as *synced*; what failed writes left behind is removed.
 *
 * Digests first (of the group, then of its pages), so that only differences travel. Pages that differ are listed by the
 * member *before* the metadata is scanned, and checked for open allocations in between: what the list holds and the scan
 * does not can then never become part of a file. What follows from it is planned in cluster/reconcile.ts.
 * @module
 */
import { addDigest, type ChunkDigest, digestFromLanes, digestOf, emptyDigest, equalDigests } from '../base/digest.ts'
import { toAshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { planPage, type ReconcileStep, wasNeverGivenOut } from '../cluster/reconcile.ts'
import type { Env } from '../env/env.ts'
import type { Namespace } from '../namespace/namespace.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { CurrentMap } from './current-map.ts'
import type { LostFuture } from './lost-future.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { StepResult } from './worker.ts'

export interface ReconcileOptions {
  readonly env: Env
  readonly namespace: Namespace
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly orders: ChunkOrders
  readonly lostFuture: LostFuture
}

const groupsPerStep = 16
const digestsPerRead = 1024
/** A member whose digest differs for good reason (writes go on) is not compared page by page more often than this. */
const comparisonIntervalMs = 10_000

export class Reconcile {
  readonly #options: ReconcileOptions
  #from = 0 as GroupId

  constructor(options: ReconcileOptions) {
    this.#options = options
  }

  /** Compares some groups with those of their members that need it; `idle` after a pass over all. */
  async step(signal: AbortSignal): Promise<StepResult> {
    const { groups } = this.#options.map.index.map
    const some = groups.filter(({ id }) => id >= this.#from).slice(0, groupsPerStep)
    for (const group of some) {
      const members = group.members.map(({ server }) => server).filter((server) => this.#isDue(server, group.id))
      if (members.length === 0) continue
      const expected = await this.#expectedDigests(group.id)
      await Promise.all(members.map((server) => this.#compare(server, { group, expected, signal })))
      if (signal.aborted) return 'idle'
    }
    const last = some.at(-1)
    this.#from = (some.length < groupsPerStep || last === undefined ? 0 : last.id + 1) as GroupId
    return this.#from === 0 ? 'idle' : 'more'
  }

  #isDue(server: ServerId, group: GroupId): boolean {
    const { env, registry } = this.#options
    if (registry.peerOf(server) === undefined) return false
    const last = registry.get(server)?.comparisons.get(group)
    return last === undefined || !last.isSynced || env.clock.monotonicMs() - last.comparedMs >= comparisonIntervalMs
  }

  async #compare(server: ServerId, comparison: GroupComparison): Promise<void> {
    const { env, registry } = this.#options
    const { group, expected } = comparison
    const reported = registry.get(server)?.digests.get(group.id)
    const held = reported === undefined ? emptyDigest : digestFromLanes(reported)
    if (equalDigests(held, sumOf(expected.values()))) return registry.noteComparison(server, group.id, true)
    const peer = registry.peerOf(server)
    try {
      const isSynced = await this.#comparePages(server, comparison)
      // Registered again meanwhile, perhaps with an older copy of its disk: it is compared anew.
      if (registry.peerOf(server) === peer) registry.noteComparison(server, group.id, isSynced)
    } catch (error) {
      // Nothing is concluded from a comparison that failed; a later step makes it again.
      env.log.warn('a comparison failed', { server, group: group.id, error: toAshlarError(error).message })
    }
  }

  /** @returns whether nothing is missing on the member now */
  async #comparePages(server: ServerId, { group, expected, signal }: GroupComparison): Promise<boolean> {
    const { registry, orders, namespace, map, lostFuture } = this.#options
    const { generation } = map.index.map
    const wasSynced = registry.get(server)?.comparisons.get(group.id)?.isSynced === true
    const found = await orders.pageDigests(server, group.id)
    // The newest first: what proves that the metadata is too old to delete by lies there.
    const pages = [...new Set([...expected.keys(), ...found.keys()])]
      .filter((page) => !equalDigests(expected.get(page) ?? emptyDigest, found.get(page) ?? emptyDigest))
      .sort((a, b) => b - a)
    let isComplete = true
    for (const page of pages) {
      if (signal.aborted) return false
      const held = await orders.listPage(server, { group: group.id, page })
      const isClosed = await namespace.pageIsClosed(group.id, page)
      // Writes go on there, and the member was complete when they began: nothing can be said yet.
      if (wasSynced && !isClosed) continue
      const { chunks, digest, nextSequence } = await namespace.pageChunks(group.id, page)
      const proof = held.find((facts) => wasNeverGivenOut(facts, { nextSequence, generation }))
      if (proof !== undefined) await lostFuture.found(proof.id, server)
      const scanEqualsDigest = equalDigests(sumOf(chunks.map(digestOf)), digest)
      const steps = planPage({
        expected: chunks,
        held,
        scanEqualsDigest,
        isClosed,
        nextSequence,
        generation,
        mayDelete: !lostFuture.isFound && registry.isCompared(group, server),
      })
      if (!(await this.#apply(server, steps, { group, signal }))) isComplete = false
    }
    return isComplete
  }

  /** @returns whether every copy that was planned was made */
  async #apply(
    server: ServerId,
    steps: readonly ReconcileStep[],
    { group, signal }: { readonly group: Group; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { env, orders } = this.#options
    for (const { kind, facts, reason } of steps) {
      env.log.debug('reconcile', { server, group: group.id, chunk: facts.id, step: kind, reason })
    }
    const results = await Promise.allSettled(
      steps.map(async ({ kind, facts }) => {
        if (kind === 'replace') await orders.verify(server, facts)
        if (kind === 'replace' || kind === 'copy') await orders.copy(server, facts, { group, signal })
      }),
    )
    const failures = results.filter((result) => result.status === 'rejected')
    for (const { reason } of failures.slice(0, 1)) {
      env.log.warn('members could not be made equal', {
        server,
        group: group.id,
        failures: failures.length,
        error: reason,
      })
    }
    const orphans = steps.filter(({ kind }) => kind === 'delete').map(({ facts }) => facts.id)
    if (orphans.length > 0) {
      env.log.info('removing chunks that no file names', { server, group: group.id, chunks: orphans.length })
      await orders.deleteChunks(server, { group, chunks: orphans })
    }
    return failures.length === 0
  }

  async #expectedDigests(group: GroupId): Promise<ReadonlyMap<number, ChunkDigest>> {
    const digests = new Map<number, ChunkDigest>()
    for (let fromPage = 0, more = true; more; ) {
      const pages = await this.#options.namespace.pageDigests(group, { fromPage, limit: digestsPerRead })
      for (const { page, digest } of pages) digests.set(page, digest)
      more = pages.length === digestsPerRead
      fromPage = (pages.at(-1)?.page ?? 0) + 1
    }
    return digests
  }
}

interface GroupComparison {
  readonly group: Group
  /** Digests of its pages, from `E`. */
  readonly expected: ReadonlyMap<number, ChunkDigest>
  readonly signal: AbortSignal
}

function sumOf(digests: Iterable<ChunkDigest>): ChunkDigest {
  let sum = emptyDigest
  for (const digest of digests) sum = addDigest(sum, digest)
  return sum
}
