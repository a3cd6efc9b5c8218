/**
 * Fills members that joined a group, and counts them once they were seen to hold everything.
 *
 * Works in slices: the most urgent groups (repair before drain before rebalance; fewest survivors; then the largest, each of which one
 * server fills) copy in parallel until all of them are done or the slice is over, and then it looks anew. So a fresh repair waits for a
 * slice at most, and a master that dies loses nothing but the place in a page: what is there is found by its digest.
 * When a group's members change, what was under way for it is left at once: such orders are refused, each only when its turn comes.
 * A member is settled after a pass that found nothing to copy where nobody writes; what is written meanwhile it signs for itself.
 * @module
 */
import { toAshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { presentDutyOf } from '../cluster/cluster-view.ts'
import type { Settlement } from '../cluster/member-change.ts'
import type { Env } from '../env/env.ts'
import type { Group, MemberDuty } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import type { GroupSizes } from './group-sizes.ts'
import type { MemberComparison } from './member-comparison.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { StepResult } from './worker.ts'

export interface FillOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly sizes: Pick<GroupSizes, 'of'>
  readonly comparison: MemberComparison
  /** Whether a duty is paused: its members stay as they are. */
  readonly isPaused: (duty: MemberDuty) => boolean
  /** Members were settled: plans may go on. */
  readonly onSettled: () => void
}

interface Filling {
  readonly group: Group
  readonly server: ServerId
  readonly duty: MemberDuty
  readonly survivors: number
}

const leastAtOnce = 32

/**
 * How many groups are filled at once: one for each server that may take copies, since each is held back by its own disk. Bounded, since
 * each holds a page's list of chunks in memory, about 1 MiB.
 * @param lastCopies groups down to their last copy: while there are some, few others take part of the disks that these need
 */
export function groupsAtOnceOf(servers: number, lastCopies = 0): number {
  const most = Math.min(limits.groupsFilledAtOnce, Math.max(leastAtOnce, servers))
  return lastCopies === 0 ? most : Math.min(most, Math.max(leastAtOnce, lastCopies))
}

const sliceMs = 3_000
/** Passes over one group in a slice: the first copies, the second finds nothing left. */
const passesPerSlice = 4
const urgency: Readonly<Record<MemberDuty, number>> = { repair: 0, drain: 1, rebalance: 2 }

export class Fill {
  readonly #options: FillOptions
  /** Where the last slice failed: others come first in the next. */
  readonly #failed = new Set<string>()
  readonly #underWay = new Map<Filling, AbortController>()

  constructor(options: FillOptions) {
    this.#options = options
  }

  /** One slice. `more`: members were settled, or the slice was over before its work. */
  async step(signal: AbortSignal): Promise<StepResult> {
    const { env, map, onSettled } = this.#options
    const fillings = this.#urgent()
    if (fillings.length === 0) {
      this.#failed.clear()
      return 'idle'
    }
    const overMs = env.clock.monotonicMs() + sliceMs
    const isOver = () => env.clock.monotonicMs() >= overMs
    const settlements: Settlement[] = []
    let next = 0
    const lane = async () => {
      while (next < fillings.length && !isOver() && !signal.aborted) {
        const filling = fillings[next++] as Filling
        if (await this.#fill(filling, { isOver, signal })) {
          settlements.push({ group: filling.group.id, epoch: filling.group.epoch, joined: filling.server })
        }
      }
    }
    const lastCopies = fillings.filter(({ duty, survivors }) => duty === 'repair' && survivors === 1).length
    await Promise.all(Array.from({ length: groupsAtOnceOf(map.index.map.servers.length, lastCopies) }, lane))
    if (signal.aborted) return 'idle'
    const { changed, refused } = await map.settleMembers(settlements)
    for (const group of changed) env.log.info('a member holds everything and counts from now on', { group: group.id })
    for (const error of refused) env.log.debug('a member was not settled', { reason: error.message })
    if (changed.length > 0) onSettled()
    return changed.length > 0 || isOver() ? 'more' : 'idle'
  }

  /** To be called when members of groups changed. */
  leaveChanged(): void {
    for (const [{ group }, stop] of this.#underWay) {
      if (this.#options.map.index.group(group.id)?.epoch !== group.epoch) stop.abort()
    }
  }

  #urgent(): readonly Filling[] {
    const { map, registry, sizes, isPaused } = this.#options
    const fillings: Filling[] = []
    for (const group of map.index.changingGroups) {
      const survivors = group.members.filter(
        ({ server, state }) => state !== 'filling' && registry.peerOf(server) !== undefined,
      ).length
      for (const member of group.members) {
        const { server, state } = member
        if (state !== 'filling' || registry.peerOf(server) === undefined) continue
        const duty = presentDutyOf(group, member, (id) => registry.loadOf(id))
        if (!isPaused(duty)) fillings.push({ group, server, duty, survivors })
      }
    }
    const isRepairing = fillings.some(({ duty }) => duty === 'repair')
    return fillings
      .filter(({ duty }) => !isRepairing || duty !== 'rebalance')
      .sort(
        (a, b) =>
          Number(this.#failed.has(nameOf(a))) - Number(this.#failed.has(nameOf(b))) ||
          urgency[a.duty] - urgency[b.duty] ||
          a.survivors - b.survivors ||
          sizes.of(b.group.id).chunks - sizes.of(a.group.id).chunks ||
          a.group.id - b.group.id,
      )
  }

  /** @returns whether the member was seen to hold everything */
  async #fill(
    filling: Filling,
    { isOver, signal: ending }: { readonly isOver: () => boolean; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { env, registry, comparison } = this.#options
    const { group, server, duty } = filling
    const peer = registry.peerOf(server)
    const stop = new AbortController()
    const { signal } = stop
    const onEnding = () => stop.abort()
    ending.addEventListener('abort', onEnding, { once: true })
    this.#underWay.set(filling, stop)
    try {
      for (let passes = 0; passes < passesPerSlice && !signal.aborted && !isOver(); passes++) {
        const request = { group, server, duty, skipsOpenPages: false, isOver, signal }
        const { closedCopies, isComplete } = await comparison.compare(request)
        // Registered again meanwhile, perhaps with an older copy of its disk: nothing is concluded.
        if (registry.peerOf(server) !== peer) return false
        registry.noteComparison(server, group, isComplete && closedCopies === 0)
        this.#failed.delete(nameOf(filling))
        if (isComplete && closedCopies === 0) return true
        if (!isComplete && closedCopies === 0) break
      }
    } catch (error) {
      // Given up on purpose: the group has other members by now, or the slice ends.
      if (signal.aborted) return false
      env.log.warn('a member could not be filled', { server, group: group.id, error: toAshlarError(error).message })
    } finally {
      ending.removeEventListener('abort', onEnding)
      this.#underWay.delete(filling)
    }
    if (signal.aborted) return false
    if (!isOver()) this.#failed.add(nameOf(filling))
    return false
  }
}

function nameOf({ group, server }: Filling): string {
  return `${group.id}/${server}`
}
