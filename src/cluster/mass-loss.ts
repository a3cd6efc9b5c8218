/**
 * Whether so many servers fell silent together that it is more likely a switch, a power feed or this master's own network
 * than disks that died. Then nothing is deleted, and only groups down to their last member are repaired at once; the others
 * after a hold-off, by which time most of the servers are usually back.
 *
 * Together means within the hold-off. A server that nothing depends on any more (replaced everywhere) does not count.
 * Pure.
 * @see DESIGN.md, section 8
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { failureDomainOf } from './cluster-map.ts'
import type { ClusterView, ServerView } from './cluster-view.ts'

export interface MassLoss {
  readonly silent: number
  readonly servers: number
  /** How long the hold-off lasts yet, if nobody returns. */
  readonly leftMs: number
}

const toleratedFraction = 0.2

export function findMassLoss(
  { groups, servers }: Pick<ClusterView, 'groups' | 'servers'>,
  { holdOffMs }: { readonly holdOffMs: number },
): MassLoss | undefined {
  const suspects = [...servers.values()].filter((server) => isSilent(server) && server.silentMs < holdOffMs)
  // Almost always: then nobody need look through all groups.
  if (new Set(suspects.map(failureDomainOf)).size <= 1) return undefined
  const depended = new Set<ServerId>()
  for (const { members } of groups) {
    for (const { server, state } of members) if (state !== 'leaving') depended.add(server)
  }
  const counted = [...servers.values()].filter(({ id, state }) => depended.has(id) && state !== 'left')
  const silent = suspects.filter(({ id }) => depended.has(id))
  const tolerated = Math.max(largestDomain(silent), Math.floor(counted.length * toleratedFraction))
  const domains = new Set(silent.map(failureDomainOf))
  if (domains.size <= 1 || silent.length <= tolerated) return undefined
  return {
    silent: silent.length,
    servers: counted.length,
    leftMs: Math.max(0, ...silent.map(({ silentMs }) => holdOffMs - silentMs)),
  }
}

function isSilent({ state, isInMaintenance }: ServerView): boolean {
  return (state === 'suspect' || state === 'dead') && !isInMaintenance
}

/** One domain may fail as a whole, however large it is. */
function largestDomain(servers: readonly ServerView[]): number {
  const counts = new Map<string, number>()
  for (const server of servers) {
    const domain = failureDomainOf(server)
    counts.set(domain, (counts.get(domain) ?? 0) + 1)
  }
  return Math.max(0, ...counts.values())
}
