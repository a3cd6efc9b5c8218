/**
 * What a plan costs before it is begun: bytes through network links and on disks, and how long the busiest disk needs for its part.
 *
 * A copy is read once at its source, and at its target written and read back before it counts. Which member is read from is decided
 * copy by copy, so each of those that hold everything counts with its share.
 * Pure.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { type ClusterView, type MemberStep, survivorsOf } from './cluster-view.ts'

export interface PlanCost {
  /** Copied in all, each byte once over the network. */
  readonly sizeBytes: number
  /** Through the link of the server that sends, or takes, the most. */
  readonly busiestLinkBytes: number
  /** Read and written on all disks. */
  readonly diskBytes: number
  /** Until the last disk is done with its part; undefined: the rate of one is not known. */
  readonly diskMs: number | undefined
}

interface Part {
  sentBytes: number
  takenBytes: number
}

/** @param bytesPerSecond what the duties may read and write on a server's disk; undefined: not known */
export function planCost(
  steps: readonly MemberStep[],
  {
    view,
    bytesPerSecond,
  }: { readonly view: ClusterView; readonly bytesPerSecond: (server: ServerId) => number | undefined },
): PlanCost {
  const groups = new Map(view.groups.map((group) => [group.id, group]))
  const parts = new Map<ServerId, Part>()
  const partOf = (server: ServerId): Part => {
    const known = parts.get(server) ?? { sentBytes: 0, takenBytes: 0 }
    parts.set(server, known)
    return known
  }
  for (const { group: id, to, sizeBytes } of steps) {
    if (sizeBytes === 0) continue
    partOf(to).takenBytes += sizeBytes
    const group = groups.get(id)
    const sources = group === undefined ? [] : survivorsOf(view, group).filter(({ server }) => server !== to)
    for (const { server } of sources) partOf(server).sentBytes += sizeBytes / sources.length
  }
  const sizeBytes = steps.reduce((sum, step) => sum + step.sizeBytes, 0)
  let busiestLinkBytes = 0
  let diskMs: number | undefined = 0
  for (const [server, { sentBytes, takenBytes }] of parts) {
    busiestLinkBytes = Math.max(busiestLinkBytes, sentBytes, takenBytes)
    const rate = bytesPerSecond(server)
    diskMs =
      rate === undefined || diskMs === undefined
        ? undefined
        : Math.max(diskMs, (1000 * (sentBytes + 2 * takenBytes)) / rate)
  }
  return {
    sizeBytes,
    busiestLinkBytes: Math.ceil(busiestLinkBytes),
    diskBytes: 3 * sizeBytes,
    diskMs: diskMs === undefined ? undefined : Math.ceil(diskMs),
  }
}
