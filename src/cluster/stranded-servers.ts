/**
 * Why servers that could take a write themselves got none, when no group could be found for it: for whoever asks why it was refused.
 * With those that placement itself passed over (placement.ts) every server is named. Pure.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { formatSize } from '../base/sizes.ts'
import { writingMembers } from './cluster-map.ts'
import type { PlacementRequest, Rejection, ServerLoad } from './placement.ts'

interface Membership {
  groups: number
  /** A member of one of them that cannot take the write. */
  lacking: ServerId | undefined
}

/** @param rejected what placement passed over for itself: the others are looked at */
export function strandedServers(request: PlacementRequest, rejected: readonly Rejection[]): readonly Rejection[] {
  const unfit = new Set(rejected.map(({ server }) => server))
  const memberships = new Map<ServerId, Membership>()
  for (const group of request.groups) {
    const members = writingMembers(group)
    const lacking = members.find(({ server }) => unfit.has(server) || !request.servers.has(server))?.server
    for (const { server } of members) {
      const known = memberships.get(server) ?? { groups: 0, lacking: undefined }
      memberships.set(server, { groups: known.groups + 1, lacking: known.lacking ?? lacking })
    }
  }
  return [...request.servers.values()]
    .filter(({ id }) => !unfit.has(id))
    .map((server) => {
      const { id, domain, state, freeBytes } = server
      const membership = memberships.get(id)
      const why = membership === undefined ? whyInNoGroup(server, request) : whyInVain(membership)
      const asked = state === 'up' ? '' : `${state}; `
      return { server: id, domain, reason: `${asked}has ${formatSize(freeBytes)} free, but ${why}`, freeBytes }
    })
}

function whyInVain({ groups, lacking }: Membership): string {
  const example = lacking === undefined ? '' : `, as ${lacking.slice(0, 8)} in one`
  const each = groups === 1 ? 'its one group' : `each of its ${groups} groups`
  return `${each} has another member that cannot take the write${example}`
}

function whyInNoGroup({ id, domain }: ServerLoad, { servers, policy }: PlacementRequest): string {
  const present = [...servers.values()].filter(({ state }) => state !== 'left')
  const domains = new Set(present.map((server) => server.domain)).size
  const neighbour = present.find((server) => server.id !== id && server.domain === domain)
  const shared = neighbour === undefined ? '' : `; it shares its own with ${neighbour.id.slice(0, 8)}`
  return domains < policy.replicas
    ? `${policy.name} needs ${policy.replicas} failure domains and there are ${domains}${shared}`
    : `it is a member of no group of ${policy.name}${shared}`
}
