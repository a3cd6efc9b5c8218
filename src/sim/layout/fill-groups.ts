/**
 * Fills a model cluster as clients would: portion by portion, each to a group that the placement strategy draws by the room
 * that servers report. A portion is what one allocation brings; so many are enough that more would change little.
 * Invariant: no server is filled past its capacity.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import type { ServerId } from '../../base/ids.ts'
import { formatSize } from '../../base/sizes.ts'
import type { RandomChoice } from '../../cluster/random-choice.ts'
import type { Group } from '../../wire/types/cluster-map.ts'
import type { LayoutCluster } from './layout-cluster.ts'

export interface FillOptions {
  /** Of chunks, each counted once. */
  readonly chunkBytes: number
  readonly portions: number
}

/** Draws in a row that hit a full server, until those are left out. */
const missesUntilSearch = 64

/** @throws {AshlarError} `no-space` — it does not fit */
export function fillGroups(cluster: LayoutCluster, { chunkBytes, portions }: FillOptions, random: RandomChoice): void {
  const portionBytes = chunkBytes / portions
  const { capacityBytes, strategy } = cluster.shape
  const roomOf = (id: ServerId) => ({ freeBytes: cluster.freeBytes(id), capacityBytes })
  const roomIn = ({ members }: Group) => Math.min(...members.map(({ server }) => cluster.freeBytes(server)))
  // The last part of a portion is the rounding of all others.
  const leastBytes = portionBytes / 1000
  let open = cluster.groups
  let sets = setsOf(open)
  let leftBytes = chunkBytes
  let misses = 0
  while (leftBytes > leastBytes) {
    if (open.length === 0) {
      throw new AshlarError('no-space', `Cannot fill the cluster: ${formatSize(leftBytes)} find no group with room`)
    }
    const weights = strategy.weigh({ sets, roomOf }, random)
    const sum = Math.max(
      Number.MIN_VALUE,
      weights.reduce((total, { weight }) => total + weight, 0),
    )
    for (const { index, weight } of weights) {
      const group = open[index] as Group
      const bytes = Math.min(leftBytes, (portionBytes * weights.length * weight) / sum, roomIn(group))
      if (bytes < Math.min(leftBytes, leastBytes)) {
        misses++
        continue
      }
      cluster.write(group.id, bytes)
      leftBytes -= bytes
      misses = 0
    }
    if (misses >= missesUntilSearch) {
      open = open.filter((group) => roomIn(group) >= leastBytes)
      sets = setsOf(open)
      misses = 0
    }
  }
}

function setsOf(groups: readonly Group[]): readonly (readonly ServerId[])[] {
  return groups.map(({ members }) => members.map(({ server }) => server))
}
