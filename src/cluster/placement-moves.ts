/**
 * Plans moves of groups' members to where the layout of the placement strategy wants them: after a server joined or left, or
 * the strategy was changed.
 *
 * One member of a group at a time, and only from a server that the layout does not name to one that it does: each move brings
 * the group nearer, so moves end and none is taken back. Where a domain is in the way, the member that holds it goes first.
 * Where the server that it names is full or away, the group stays as it is.
 * Pure. Invariant: at each step members are spread over failure domains (domain-spread.ts).
 * @module
 */
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { type ClusterView, type MemberPlan, type MemberStep, spreadOf } from './cluster-view.ts'
import type { DomainSpread } from './domain-spread.ts'
import type { GroupLayout } from './placement-layouts.ts'

export interface LayoutMoveLimits {
  /** Moves under way that a server takes part in. */
  readonly perServer: number
  readonly inAll: number
}

export function planLayoutMoves(view: ClusterView, layout: GroupLayout, limits: LayoutMoveLimits): MemberPlan {
  const steps: MemberStep[] = []
  const moves = new Moves(view, limits)
  const spread = spreadOf(view)
  for (const group of view.groups) {
    if (moves.isFull) break
    if (group.members.some(({ state }) => state !== 'in')) continue
    const wanted = layout(group.id, group.members.length)
    const { sizeBytes, chunks } = view.sizeOf(group.id)
    const move = firstMove(group, wanted, { view, moves, spread, sizeBytes })
    if (move === undefined) continue
    moves.add(move.from, move.to, sizeBytes)
    const known = { duty: 'rebalance', group: group.id, epoch: group.epoch, survivors: group.members.length } as const
    steps.push({ ...known, ...move, sizeBytes, chunks, reason: 'the placement strategy wants its member there' })
  }
  return { steps, waiting: [] }
}

interface MoveContext {
  readonly view: ClusterView
  readonly moves: Moves
  readonly spread: DomainSpread
  readonly sizeBytes: number
}

function firstMove(
  group: Group,
  wanted: readonly ServerId[],
  { view, moves, spread, sizeBytes }: MoveContext,
): { readonly from: ServerId; readonly to: ServerId } | undefined {
  const members = group.members.map(({ server }) => server)
  const surplus = members.filter((server) => !wanted.includes(server) && view.isProven(group, server))
  for (const to of wanted) {
    if (members.includes(to) || !moves.mayTake(to, sizeBytes)) continue
    for (const from of surplus) {
      if (moves.mayGive(from) && isApart(to, { members, from, view, spread })) return { from, to }
    }
  }
  return undefined
}

/** Whether `to` may stand beside the members that stay. */
function isApart(
  to: ServerId,
  {
    members,
    from,
    view,
    spread,
  }: Pick<MoveContext, 'view' | 'spread'> & { readonly members: readonly ServerId[]; readonly from: ServerId },
): boolean {
  const target = view.servers.get(to)
  const staying = members.filter((server) => server !== from)
  const others = staying.flatMap((server) => view.servers.get(server)?.domain ?? [])
  return target !== undefined && spread.admits(target.domain, others, members.length)
}

/** What is under way, and who has room for more. */
class Moves {
  readonly #view: ClusterView
  readonly #limits: LayoutMoveLimits
  readonly #moves = new Map<ServerId, number>()
  readonly #incomingBytes = new Map<ServerId, number>()
  #inAll = 0

  constructor(view: ClusterView, limits: LayoutMoveLimits) {
    this.#view = view
    this.#limits = limits
    for (const group of view.groups) this.#count(group)
  }

  get isFull(): boolean {
    return this.#inAll >= this.#limits.inAll
  }

  mayGive(server: ServerId): boolean {
    return this.#view.servers.get(server)?.state === 'up' && this.#movesOf(server) < this.#limits.perServer
  }

  mayTake(server: ServerId, sizeBytes: number): boolean {
    const known = this.#view.servers.get(server)
    if (known?.state !== 'up' || known.isInMaintenance || known.refusal !== undefined) return false
    const freeBytes = known.freeBytes - (this.#incomingBytes.get(server) ?? 0)
    return freeBytes >= sizeBytes && this.#movesOf(server) < this.#limits.perServer
  }

  add(from: ServerId, to: ServerId, sizeBytes: number): void {
    this.#inAll++
    for (const server of [from, to]) this.#moves.set(server, this.#movesOf(server) + 1)
    this.#incomingBytes.set(to, (this.#incomingBytes.get(to) ?? 0) + sizeBytes)
  }

  #count({ id, members }: { readonly id: GroupId; readonly members: Group['members'] }): void {
    for (const { server, state } of members) {
      if (state === 'in') continue
      this.#moves.set(server, this.#movesOf(server) + 1)
      if (state !== 'filling') continue
      this.#inAll++
      const { sizeBytes } = this.#view.sizeOf(id)
      this.#incomingBytes.set(server, (this.#incomingBytes.get(server) ?? 0) + sizeBytes)
    }
  }

  #movesOf(server: ServerId): number {
    return this.#moves.get(server) ?? 0
  }
}
