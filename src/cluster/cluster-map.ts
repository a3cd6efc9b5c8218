/**
 * Look-ups in a cluster map. The map itself is a plain value that travels (wire/types/cluster-map.ts); an index over one
 * version of it answers by id without a search, and is made anew with each version.
 * @module
 */
import type { GroupId, ServerId } from '../base/ids.ts'
import type { ClusterMap, Group, Member, Policy, ServerEntry } from '../wire/types/cluster-map.ts'

export class ClusterMapIndex {
  readonly map: ClusterMap
  readonly #servers: ReadonlyMap<ServerId, ServerEntry>
  readonly #groups: ReadonlyMap<GroupId, Group>
  readonly #policies: ReadonlyMap<string, Policy>
  readonly #groupsOfServer: ReadonlyMap<ServerId, readonly Group[]>
  readonly #groupsOfPolicy: ReadonlyMap<string, readonly Group[]>
  /** Groups with a member that is filling or leaving. */
  readonly changingGroups: readonly Group[]

  constructor(map: ClusterMap) {
    this.map = map
    this.#servers = new Map(map.servers.map((server) => [server.id, server]))
    this.#groups = new Map(map.groups.map((group) => [group.id, group]))
    this.#policies = new Map(map.policies.map((policy) => [policy.name, policy]))
    this.#groupsOfPolicy = Map.groupBy(map.groups, (group) => group.policy)
    this.changingGroups = map.groups.filter(({ members }) => members.some(({ state }) => state !== 'in'))
    const groupsOfServer = new Map<ServerId, Group[]>()
    for (const group of map.groups) {
      for (const { server } of group.members) {
        const groups = groupsOfServer.get(server)
        if (groups === undefined) groupsOfServer.set(server, [group])
        else groups.push(group)
      }
    }
    this.#groupsOfServer = groupsOfServer
  }

  server(id: ServerId): ServerEntry | undefined {
    return this.#servers.get(id)
  }

  group(id: GroupId): Group | undefined {
    return this.#groups.get(id)
  }

  policy(name: string): Policy | undefined {
    return this.#policies.get(name)
  }

  groupsOfServer(id: ServerId): readonly Group[] {
    return this.#groupsOfServer.get(id) ?? []
  }

  groupsOfPolicy(name: string): readonly Group[] {
    return this.#groupsOfPolicy.get(name) ?? []
  }
}

/** Members that take writes: all but the leaving ones. */
export function writingMembers(group: Group): readonly Member[] {
  return group.members.filter((member) => member.state !== 'leaving')
}

/** Members whose replica counts towards redundancy. */
export function fullMembers(group: Group): readonly Member[] {
  return group.members.filter((member) => member.state === 'in')
}

/**
 * What must not be shared by two members of a group: the outermost of what fails together. A domain is `host`, `host/rack` or
 * longer, outermost last: of `host2/rack1` it is the rack, so that losing it costs a group one member, whatever hosts it has.
 */
export function failureDomainOf({ domain }: Pick<ServerEntry, 'domain'>): string {
  return domain.slice(domain.lastIndexOf('/') + 1)
}
