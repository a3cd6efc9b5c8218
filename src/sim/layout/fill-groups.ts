/**
 * Fills a model cluster as clients would: portion by portion, each to a group that the placement strategy draws by the room
 * that servers report. A portion is what one allocation brings; so many are enough that more would change little.
 * Invariant: no server is filled past its capacity.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import type { GroupId, ServerId } from '../../base/ids.ts'
import { formatSize } from '../../base/sizes.ts'
import type { ServerRoom } from '../../cluster/placement-strategy.ts'
import type { RandomChoice } from '../../cluster/random-choice.ts'
import type { LayoutCluster } from './layout-cluster.ts'

export interface FillOptions {
  /** Of chunks, each counted once. */
  readonly chunkBytes: number
  readonly portions: number
}

/** Draws in a row that hit a full server, until those are left out. */
const missesUntilSearch = 64

/** What a server has left, kept while filling. */
interface Room extends ServerRoom {
  freeBytes: number
}

interface Target {
  readonly group: GroupId
  readonly members: readonly ServerId[]
  readonly rooms: readonly Room[]
  sizeBytes: number
}

/** @throws {AshlarError} `no-space` — it does not fit */
export function fillGroups(cluster: LayoutCluster, { chunkBytes, portions }: FillOptions, random: RandomChoice): void {
  const { capacityBytes, strategy } = cluster.shape
  const rooms = new Map(
    cluster.serverIds.map((id): [ServerId, Room] => [id, { freeBytes: cluster.freeBytes(id), capacityBytes }]),
  )
  const roomOf = (id: ServerId) => rooms.get(id) as Room
  const targets = cluster.groups.map(({ id, members }): Target => {
    const ids = members.map(({ server }) => server)
    return { group: id, members: ids, rooms: ids.map(roomOf), sizeBytes: 0 }
  })
  const portionBytes = chunkBytes / portions
  // The last part of a portion is the rounding of all others.
  const leastBytes = portionBytes / 1000
  let open = targets
  let sets = open.map(({ members }) => members)
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
      const target = open[index] as Target
      const bytes = Math.min(leftBytes, (portionBytes * weights.length * weight) / sum, roomIn(target))
      if (bytes < Math.min(leftBytes, leastBytes)) {
        misses++
        continue
      }
      target.sizeBytes += bytes
      for (const room of target.rooms) room.freeBytes -= bytes
      leftBytes -= bytes
      misses = 0
    }
    if (misses >= missesUntilSearch) {
      open = open.filter((target) => roomIn(target) >= leastBytes)
      sets = open.map(({ members }) => members)
      misses = 0
    }
  }
  for (const { group, sizeBytes } of targets) cluster.write(group, sizeBytes)
}

function roomIn({ rooms }: Target): number {
  let roomBytes = Number.POSITIVE_INFINITY
  for (const { freeBytes } of rooms) roomBytes = Math.min(roomBytes, freeBytes)
  return roomBytes
}
