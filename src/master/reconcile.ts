/**
 * Keeps members equal to the metadata: one that returns is caught up this way and then counts as *synced*; what failed
 * writes left behind is removed.
 *
 * Digests of whole groups first, so that only differences travel; how a group that differs is compared is in
 * member-comparison.ts. Members that are filling are the business of fill.ts, and leaving ones keep what they have.
 * @module
 */
import { digestFromLanes, emptyDigest, equalDigests } from '../base/digest.ts'
import { toAshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Env } from '../env/env.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import { type MemberComparison, sumOf } from './member-comparison.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { StepResult } from './worker.ts'

export interface ReconcileOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly comparison: MemberComparison
}

const groupsPerStep = 16
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
    const { comparison, map } = this.#options
    const { groups } = map.index.map
    const some = groups.filter(({ id }) => id >= this.#from).slice(0, groupsPerStep)
    for (const group of some) {
      const members = group.members.filter(({ state }) => state === 'in').map(({ server }) => server)
      const due = members.filter((server) => this.#isDue(server, group.id))
      if (due.length === 0) continue
      const expected = sumOf((await comparison.expectedDigests(group.id)).values())
      await Promise.all(
        due.map(async (server) => {
          const reported = this.#options.registry.get(server)?.digests.get(group.id)
          const held = reported === undefined ? emptyDigest : digestFromLanes(reported)
          // Equal by its own word: what it copied without a receipt is read first, which a comparison does.
          const isProven = comparison.isProven({ server, group: group.id })
          if (isProven && equalDigests(held, expected)) this.#options.registry.noteComparison(server, group, true)
          else await this.#compare(server, { group, signal })
        }),
      )
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

  async #compare(
    server: ServerId,
    { group, signal }: { readonly group: Group; readonly signal: AbortSignal },
  ): Promise<void> {
    const { env, registry, comparison } = this.#options
    const peer = registry.peerOf(server)
    const skipsOpenPages = registry.get(server)?.comparisons.get(group.id)?.isSynced === true
    const request = { group, server, duty: 'repair', skipsOpenPages, isOver: () => false, signal } as const
    try {
      const { isComplete } = await comparison.compare(request)
      // Registered again meanwhile, perhaps with an older copy of its disk: it is compared anew.
      if (registry.peerOf(server) === peer) registry.noteComparison(server, group, isComplete)
    } catch (error) {
      // Nothing is concluded from a comparison that failed; a later step makes it again.
      env.log.warn('a comparison failed', { server, group: group.id, error: toAshlarError(error).message })
    }
  }
}
