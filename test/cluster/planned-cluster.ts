/**
 * A cluster of nothing but facts, for planners: servers and groups that a test changes, and that plans are applied to at once.
 * @module
 */
import type { GroupId, ServerId } from '../../src/base/ids.ts'
import type { Rising } from '../../src/base/rising.ts'
import type { ClusterView, MemberStep, ServerView } from '../../src/cluster/cluster-view.ts'
import { planGroups } from '../../src/cluster/groups.ts'
import { replaceMember, settleMember } from '../../src/cluster/member-change.ts'
import type { RandomChoice } from '../../src/cluster/random-choice.ts'
import type { Group } from '../../src/wire/types/cluster-map.ts'

export const serverId = (index: number): ServerId => (index + 1).toString(16).padStart(32, '0') as ServerId

export interface PlannedClusterOptions {
  readonly servers: number
  readonly replicas?: number
  readonly serversPerDomain?: number
  readonly capacityBytes?: number
}

export class PlannedCluster {
  readonly servers = new Map<ServerId, ServerView>()
  readonly sizes = new Map<GroupId, number>()
  /** Members that are up and were not seen to hold everything: `group/server`. */
  readonly unproven = new Set<string>()
  readonly held = new Map<string, number>()
  readonly #groups = new Map<GroupId, Group>()
  readonly #options: Required<PlannedClusterOptions>
  #epoch = 1

  constructor(options: PlannedClusterOptions, random: RandomChoice) {
    this.#options = { replicas: 3, serversPerDomain: 1, capacityBytes: 1e12, ...options }
    for (let index = 0; index < options.servers; index++) this.addServer()
    const candidates = [...this.servers.values()]
    const planned = planGroups({ candidates, existing: [], replicas: this.#options.replicas }, random)
    planned.forEach((members, index) => {
      this.#groups.set((index + 1) as GroupId, {
        id: (index + 1) as GroupId,
        epoch: this.#nextEpoch(),
        policy: `replicated-${this.#options.replicas}`,
        members: members.map((server, slot) => ({ server, slot, state: 'in' })),
      })
    })
  }

  get groups(): readonly Group[] {
    return [...this.#groups.values()]
  }

  addServer(): ServerId {
    const index = this.servers.size
    const { serversPerDomain, capacityBytes } = this.#options
    const id = serverId(index)
    this.servers.set(id, {
      id,
      domain: `host-${Math.floor(index / serversPerDomain)}`,
      state: 'up',
      capacityBytes,
      freeBytes: capacityBytes,
      isInMaintenance: false,
      silentMs: 0,
    })
    return id
  }

  change(id: ServerId, changes: Partial<ServerView>): void {
    this.servers.set(id, { ...(this.servers.get(id) as ServerView), ...changes })
  }

  /** Silent for long enough that no hold-off holds. */
  kill(id: ServerId, silentMs = 3_600_000): void {
    this.change(id, { state: 'dead', silentMs })
  }

  group(id: GroupId): Group {
    return this.#groups.get(id) as Group
  }

  view(): ClusterView {
    const groups = this.groups
    for (const server of this.servers.values()) {
      this.change(server.id, { freeBytes: server.capacityBytes - this.usedBy(server.id) })
    }
    return {
      groups,
      servers: this.servers,
      sizeOf: (group) => ({ chunks: this.#chunksOf(group), sizeBytes: this.sizes.get(group) ?? 0 }),
      isProven: (group, server) => !this.unproven.has(`${group.id}/${server}`),
      heldBy: (group, server) => this.held.get(`${group}/${server}`) ?? 0,
    }
  }

  /** Bytes of the groups that it is a member of. */
  usedBy(id: ServerId): number {
    return this.#usedBytes().get(id) ?? 0
  }

  begin({ group, ...step }: MemberStep): void {
    this.#usedCache = undefined
    this.#groups.set(group, replaceMember(this.group(group), { group, ...step }, this.#nextEpoch()))
  }

  /** Every filling member is done. */
  settleAll(): void {
    this.#usedCache = undefined
    for (const group of this.groups) {
      for (const { server, state } of group.members) {
        if (state !== 'filling') continue
        const now = this.group(group.id)
        this.#groups.set(group.id, settleMember(now, { group: group.id, epoch: now.epoch, joined: server }))
      }
    }
  }

  #usedCache: Map<ServerId, number> | undefined

  #usedBytes(): Map<ServerId, number> {
    if (this.#usedCache !== undefined) return this.#usedCache
    const used = new Map<ServerId, number>()
    for (const { id, members } of this.#groups.values()) {
      for (const { server } of members) used.set(server, (used.get(server) ?? 0) + (this.sizes.get(id) ?? 0))
    }
    this.#usedCache = used
    return used
  }

  setSize(group: GroupId, sizeBytes: number): void {
    this.#usedCache = undefined
    this.sizes.set(group, sizeBytes)
  }

  #chunksOf(group: GroupId): number {
    return Math.ceil((this.sizes.get(group) ?? 0) / 1e6)
  }

  #nextEpoch(): Rising {
    return this.#epoch++ as Rising
  }
}
