/**
 * Which server takes the slot of a member that goes: one in a failure domain that may hold it (domain-spread.ts), with room, and with few other
 * groups on their way to it, so that many servers fill in parallel and none is flooded.
 *
 * Where the placement strategy has a layout, the server that it names comes first.
 * One that comes and goes is taken only when nobody else can.
 * In a large cluster a sample is looked at first, and everybody only when none of it will do: planning stays linear.
 * Pure: the same view and draws give the same choice.
 * @module
 */
import type { ServerId } from '../base/ids.ts'
import { formatCount, formatSize } from '../base/sizes.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { type ClusterView, type PlanLimits, type ServerView, spreadOf } from './cluster-view.ts'
import type { DomainSpread } from './domain-spread.ts'
import type { RandomChoice } from './random-choice.ts'

export type TargetChoice = { readonly target: ServerId } | { readonly why: string }

const sampleSize = 32

/** The groups and bytes that are on their way to each server, those of the plan in the making included. */
export class Traffic {
  readonly #view: ClusterView
  readonly #limits: PlanLimits
  readonly #filling = new Map<ServerId, number>()
  readonly #sources = new Map<ServerId, number>()
  readonly #incomingBytes = new Map<ServerId, number>()
  readonly #servers: readonly ServerView[]
  readonly #spread: DomainSpread
  #inAll = 0
  #roomBytes: number | undefined

  constructor(view: ClusterView, limits: PlanLimits) {
    this.#view = view
    this.#limits = limits
    this.#servers = [...view.servers.values()]
    this.#spread = spreadOf(view)
    for (const group of view.groups) {
      for (const { server, state } of group.members) if (state === 'filling') this.#count(group, server)
    }
  }

  get isFull(): boolean {
    return this.#inAll >= this.#limits.inAll
  }

  /** Groups on their way to a server. */
  fillsOf(server: ServerId): number {
    return this.#filling.get(server) ?? 0
  }

  /** Whether the server reads for as many groups as it may. */
  isBusySource(server: ServerId): boolean {
    return (this.#sources.get(server) ?? 0) >= this.#limits.perServer
  }

  incomingBytesOf(server: ServerId): number {
    return this.#incomingBytes.get(server) ?? 0
  }

  /** A step of the plan: `target` will fill from `source`. */
  add(group: Group, target: ServerId, source: ServerId | undefined): void {
    this.#count(group, target)
    if (source !== undefined) this.#sources.set(source, (this.#sources.get(source) ?? 0) + 1)
  }

  /** @param from the member whose slot is to be taken: its own domain is free then */
  choose(group: Group, from: ServerId, random: RandomChoice): TargetChoice {
    const others = group.members.filter(({ server, state }) => server !== from && state !== 'leaving')
    const taken = {
      domains: others.flatMap(({ server }) => domainOf(this.#view.servers.get(server))),
      copies: others.length + 1,
      members: new Set(group.members.map(({ server }) => server)),
    }
    const need = this.#view.sizeOf(group.id).sizeBytes
    const objection = (server: ServerView) => this.#objection(server, { ...taken, need })
    const steadily = (server: ServerView) => (server.isUnsteady === true ? 'coming and going' : objection(server))
    const preferred = this.#preferred(group, others.length + 1).find((server) => steadily(server) === undefined)
    if (preferred !== undefined) return { target: preferred.id }
    const sampled = this.#best(this.#sample(random), steadily, need)
    if (sampled !== undefined) return { target: sampled.id }
    // While nobody has the room at all, looking at everybody for each group would take most of the planning.
    if (need > this.#mostRoom()) return { why: `no server can take its place: none has ${formatSize(need)} free` }
    const best = this.#best(this.#servers, steadily, need) ?? this.#best(this.#servers, objection, need)
    return best === undefined ? { why: this.#explain(objection) } : { target: best.id }
  }

  /** Where the placement strategy wants the members of the group, if it has a layout. */
  #preferred(group: Group, replicas: number): readonly ServerView[] {
    const wanted = this.#view.layout?.(group.id, replicas) ?? []
    return wanted.map((id) => this.#view.servers.get(id)).filter((server) => server !== undefined)
  }

  /** An upper bound: what was planned since it was computed takes of it. */
  #mostRoom(): number {
    this.#roomBytes ??= Math.max(
      0,
      ...this.#servers
        .filter(({ state, refusal }) => state === 'up' && refusal === undefined)
        .map(({ id, freeBytes }) => freeBytes - this.incomingBytesOf(id)),
    )
    return this.#roomBytes
  }

  #count(group: Group, server: ServerId): void {
    this.#inAll++
    this.#filling.set(server, this.fillsOf(server) + 1)
    const { sizeBytes } = this.#view.sizeOf(group.id)
    this.#incomingBytes.set(server, this.incomingBytesOf(server) + sizeBytes)
  }

  #sample(random: RandomChoice): readonly ServerView[] {
    if (this.#servers.length <= 2 * sampleSize) return []
    return Array.from({ length: sampleSize }, () => this.#servers[random.below(this.#servers.length)] as ServerView)
  }

  /** Fewest groups on their way, and then the emptiest. */
  #best(
    servers: readonly ServerView[],
    objection: (server: ServerView) => string | undefined,
    need: number,
  ): ServerView | undefined {
    let best: ServerView | undefined
    let bestScore = Number.POSITIVE_INFINITY
    for (const server of servers) {
      if (objection(server) !== undefined) continue
      const freeAfter = server.freeBytes - this.incomingBytesOf(server.id) - need
      const score = this.fillsOf(server.id) + 1 - freeAfter / Math.max(1, server.capacityBytes)
      if (score >= bestScore) continue
      best = server
      bestScore = score
    }
    return best
  }

  #objection(
    server: ServerView,
    {
      domains,
      copies,
      members,
      need,
    }: { domains: readonly string[]; copies: number; members: ReadonlySet<ServerId>; need: number },
  ): string | undefined {
    if (server.isInMaintenance || server.state === 'maintenance') return 'in maintenance'
    if (server.state !== 'up') return server.state
    if (members.has(server.id)) return 'a member already'
    if (!this.#spread.admits(server.domain, domains, copies)) return 'in the failure domain of another member'
    if (server.refusal !== undefined) return `refusing writes (${server.refusal})`
    if (server.freeBytes - this.incomingBytesOf(server.id) < need) return 'too full'
    if (this.fillsOf(server.id) >= this.#limits.perServer) return 'filling with as many groups as it may'
    return undefined
  }

  #explain(objection: (server: ServerView) => string | undefined): string {
    const counts = new Map<string, number>()
    for (const server of this.#servers) {
      const reason = objection(server)
      if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    }
    const reasons = [...counts]
      .sort(([, one], [, other]) => other - one)
      .map(([reason, count]) => formatCount(count, `is ${reason}`, `are ${reason.replace(/^a member/, 'members')}`))
    return `no server can take its place: ${reasons.join(', ') || 'there is none'}`
  }
}

function domainOf(server: ServerView | undefined): readonly string[] {
  return server === undefined ? [] : [server.domain]
}

/** As messages name a server. */
export function shortId(server: ServerId): string {
  return server.slice(0, 8)
}
