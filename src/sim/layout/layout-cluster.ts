/**
 * A cluster as the planners see it and nothing more: servers in racks, groups with members and bytes. Chunks are counted, not
 * kept, so that a billion of them cost nothing. Changes of members go through the same functions as the master's.
 * Invariant: a group's bytes are counted as used on each of its members that is `in`, and on no other.
 * @module
 */
import { assert } from '../../base/assert.ts'
import type { GroupId, ServerId } from '../../base/ids.ts'
import type { Rising } from '../../base/rising.ts'
import type { ClusterView, MemberStep, ServerView } from '../../cluster/cluster-view.ts'
import type { GroupCandidate } from '../../cluster/groups.ts'
import { replaceMember, settleMember } from '../../cluster/member-change.ts'
import type { GroupLayout } from '../../cluster/placement-layouts.ts'
import type { PlacementStrategy } from '../../cluster/placement-strategy.ts'
import type { RandomChoice } from '../../cluster/random-choice.ts'
import type { Group, ServerState } from '../../wire/types/cluster-map.ts'

export interface LayoutShape {
  readonly servers: number
  /** 0: none; every server fails by itself. */
  readonly racks: number
  /** What members of a group must not share. */
  readonly domain: 'rack' | 'host'
  readonly replicas: number
  readonly capacityBytes: number
  readonly strategy: PlacementStrategy
}

interface ModelServer {
  readonly id: ServerId
  /** From 1; 0 without racks. */
  readonly rack: number
  readonly domain: string
  state: ServerState
  silentMs: number
  usedBytes: number
}

export class LayoutCluster {
  readonly shape: LayoutShape
  readonly #servers: ModelServer[] = []
  readonly #byId = new Map<ServerId, ModelServer>()
  readonly #groups: Group[] = []
  readonly #sizes: number[] = []
  #bytesPerChunk = 1
  #epoch = 1

  constructor(shape: LayoutShape, random: RandomChoice) {
    this.shape = shape
    for (let count = 0; count < shape.servers; count++) this.addServer()
    this.formGroups(random)
  }

  get groups(): readonly Group[] {
    return this.#groups
  }

  /** In order of their numbers, from 1. */
  get serverIds(): readonly ServerId[] {
    return this.#servers.map(({ id }) => id)
  }

  addServer(): ServerId {
    const number = this.#servers.length + 1
    const { racks, domain } = this.shape
    const rack = racks === 0 ? 0 : ((number - 1) % racks) + 1
    const server: ModelServer = {
      id: number.toString(16).padStart(32, '0') as ServerId,
      rack,
      domain: racks > 0 && domain === 'rack' ? `rack-${rack}` : `host-${number}`,
      state: 'up',
      silentMs: 0,
      usedBytes: 0,
    }
    this.#servers.push(server)
    this.#byId.set(server.id, server)
    return server.id
  }

  /** Makes the groups that are missing. @returns how many */
  formGroups(random: RandomChoice): number {
    const firstId = (this.#groups.length + 1) as GroupId
    const planned = this.shape.strategy.planGroups(
      {
        candidates: this.#candidates(),
        existing: this.#groups.map(({ members }) => members.map(({ server }) => server)),
        replicas: this.shape.replicas,
        firstId,
      },
      random,
    )
    for (const members of planned) {
      this.#groups.push({
        id: (this.#groups.length + 1) as GroupId,
        epoch: this.#nextEpoch(),
        policy: `replicated-${this.shape.replicas}`,
        members: members.map((server, slot) => ({ server, slot, state: 'in' })),
      })
      this.#sizes.push(0)
    }
    return planned.length
  }

  rackOf(id: ServerId): number {
    return this.#server(id).rack
  }

  isUp(id: ServerId): boolean {
    return this.#server(id).state === 'up'
  }

  usedBytes(id: ServerId): number {
    return this.#server(id).usedBytes
  }

  freeBytes(id: ServerId): number {
    return this.shape.capacityBytes - this.#server(id).usedBytes
  }

  sizeBytes(group: GroupId): number {
    return this.#sizes[group - 1] as number
  }

  chunks(group: GroupId): number {
    return Math.round(this.sizeBytes(group) / this.#bytesPerChunk)
  }

  /** @param bytesPerChunk the mean */
  setChunkBytes(bytesPerChunk: number): void {
    this.#bytesPerChunk = bytesPerChunk
  }

  /** Writes chunks to every member of a group. */
  write(group: GroupId, sizeBytes: number): void {
    this.#sizes[group - 1] = this.sizeBytes(group) + sizeBytes
    for (const { server } of this.group(group).members) this.#server(server).usedBytes += sizeBytes
  }

  group(id: GroupId): Group {
    const group = this.#groups[id - 1]
    assert(group !== undefined, `no group ${id}`)
    return group
  }

  /** It fell silent `silentMs` ago; dead from then on as the master counts. */
  kill(id: ServerId, silentMs: number): void {
    Object.assign(this.#server(id), { state: 'dead', silentMs })
  }

  /** As if nothing had been asked of it, and it had never died. */
  revive(id: ServerId): void {
    Object.assign(this.#server(id), { state: 'up', silentMs: 0 })
  }

  drain(id: ServerId): void {
    Object.assign(this.#server(id), { state: 'draining' })
  }

  begin({ group, ...step }: MemberStep): void {
    this.#groups[group - 1] = replaceMember(this.group(group), { group, ...step }, this.#nextEpoch())
  }

  /** The filling member of a group holds everything. */
  settle(id: GroupId): void {
    const group = this.group(id)
    const joined = group.members.find(({ state }) => state === 'filling')
    assert(joined !== undefined, `group ${id} has no filling member`)
    const settled = settleMember(group, { group: id, epoch: group.epoch, joined: joined.server })
    for (const { server } of group.members) {
      if (settled.members.every((member) => member.server !== server)) {
        this.#server(server).usedBytes -= this.sizeBytes(id)
      }
    }
    this.#server(joined.server).usedBytes += this.sizeBytes(id)
    this.#groups[id - 1] = settled
  }

  view(): ClusterView {
    const { capacityBytes } = this.shape
    const servers = new Map<ServerId, ServerView>()
    for (const { id, domain, state, silentMs, usedBytes } of this.#servers) {
      const freeBytes = capacityBytes - usedBytes
      servers.set(id, { id, domain, state, silentMs, capacityBytes, freeBytes, isInMaintenance: false })
    }
    return {
      groups: this.#groups,
      servers,
      sizeOf: (group) => ({ chunks: this.chunks(group), sizeBytes: this.sizeBytes(group) }),
      isProven: () => true,
      heldBy: () => 0,
      layout: this.layout(),
    }
  }

  /** Where the strategy wants members, of the servers that are up. */
  layout(): GroupLayout | undefined {
    return this.shape.strategy.layout?.(this.#candidates())
  }

  #candidates(): readonly GroupCandidate[] {
    return this.#servers.filter(({ state }) => state === 'up')
  }

  #server(id: ServerId): ModelServer {
    const server = this.#byId.get(id)
    assert(server !== undefined, `no server ${id}`)
    return server
  }

  #nextEpoch(): Rising {
    return this.#epoch++ as Rising
  }
}
