/**
 * Placement and the judgement of receipts, on what the master knows right now: the map, the servers' reports, the time.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { formatSize } from '../base/sizes.ts'
import { writingMembers } from '../cluster/cluster-map.ts'
import {
  chooseGroup,
  hasFullHandedGroup,
  isAway,
  isAwayAndFull,
  type Placement,
  type PlacementRequest,
  type Rejection,
} from '../cluster/placement.ts'
import { judgeReceipts } from '../cluster/receipts.ts'
import { strandedServers } from '../cluster/stranded-servers.ts'
import type { Env } from '../env/env.ts'
import { sleep } from '../env/waiting.ts'
import type { ReceiptCase } from '../namespace/context.ts'
import type { Namespace } from '../namespace/namespace.ts'
import type { Group, Policy } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'

export interface GroupChooserOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly namespace: Namespace
}

export interface WriteOrder {
  readonly policy: Policy
  readonly chunkBytes: number
  readonly avoid: readonly GroupId[]
}

/** Reasons that a message names; all of them are in `details`. */
const reasonsInMessage = 5
const gatheringPollMs = 50

export class GroupChooser {
  readonly #options: GroupChooserOptions

  constructor(options: GroupChooserOptions) {
    this.#options = options
  }

  /**
   * The group for the next chunks. Shortly after a start it waits for servers that have not come back yet, rather than
   * write fewer copies.
   * @throws {AshlarError} `no-space`, `unavailable` — `details.reasons` holds a {@link Rejection} for each server that cannot take the write,
   *   `details.stranded` one for each that could, and has no group in which all can
   */
  async choose(order: WriteOrder, signal: AbortSignal): Promise<{ readonly group: Group; readonly freeBytes: number }> {
    const { env, map, registry } = this.#options
    await map.ensureGroups(order.policy.name)
    let placement = this.#place(order)
    while (registry.isGathering() && !isFullHanded(placement)) {
      await sleep(env.clock, gatheringPollMs, signal)
      placement = this.#place(order)
    }
    if (placement.kind === 'refused') throw await this.#refusal(order, placement)
    const free = writingMembers(placement.group)
      .map(({ server }) => registry.loadOf(server))
      .filter((load) => load !== undefined && !isAway(load))
      .map((load) => load?.freeBytes ?? 0)
    return { group: placement.group, freeBytes: Math.min(...free) }
  }

  /** See `NamespaceContext.judgeReceipts`. */
  judge(receiptCase: ReceiptCase): readonly ServerId[] {
    const { registry } = this.#options
    const owing = judgeReceipts(receiptCase, {
      stateOf: (server) => this.#standing(server),
      hasFullHandedGroup: (policy, chunkBytes) => this.#hasFullHandedGroup(policy, chunkBytes),
      isFull: (server, chunkBytes) => isAwayAndFull(registry.loadOf(server), chunkBytes),
    })
    for (const server of owing) registry.owed.add(server, receiptCase.receipts[0]?.length ?? 0)
    return owing
  }

  #place(order: WriteOrder): Placement {
    return chooseGroup(this.#requestOf(order), this.#options.env.random)
  }

  #requestOf({ policy, chunkBytes, avoid }: WriteOrder): PlacementRequest {
    const { map, registry } = this.#options
    const groups = map.index.groupsOfPolicy(policy.name)
    const { strategy } = map
    return { groups, policy, servers: registry.loads(), chunkBytes, avoid: new Set(avoid), strategy }
  }

  #hasFullHandedGroup(policy: Policy, chunkBytes: number): boolean {
    const { map, registry } = this.#options
    const groups = map.index.groupsOfPolicy(policy.name)
    return hasFullHandedGroup({ groups, policy, servers: registry.loads(), chunkBytes })
  }

  /** Asked for each receipt: so without the whole view that placement has of a server. */
  #standing(server: ServerId): 'up' | 'down' | 'dead' {
    const { registry } = this.#options
    const state = registry.stateOf(server)
    if (state === 'dead' || state === 'left') return 'dead'
    return isAway({ state, refusal: registry.get(server)?.space.refusal }) ? 'down' : 'up'
  }

  async #refusal(
    order: WriteOrder,
    { code, rejected }: Placement & { readonly kind: 'refused' },
  ): Promise<AshlarError> {
    const { policy, chunkBytes } = order
    const stranded = strandedServers(this.#requestOf(order), rejected)
    const { trashBytes, purgingBytes } = await this.#options.namespace.totals()
    const domains = new Set(this.#options.map.index.map.servers.map(({ domain }) => domain)).size
    const details = { reasons: rejected, stranded, trashBytes, purgingBytes, policy: policy.name, chunkBytes }
    const what = `Cannot place ${formatSize(chunkBytes)} on ${policy.replicas} chunk servers (${policy.name})`
    if (code === 'unavailable') {
      const state = rejected.length > 0 ? describe(rejected) : `there are ${domains} failure domains with servers`
      return new AshlarError('unavailable', `${what}: ${state}. Start more, or wait for them.`, { details })
    }
    const advice =
      trashBytes > 0
        ? `Trash holds ${formatSize(trashBytes)} of files: "ashlar trash empty" returns them within seconds.`
        : 'Trash is empty: remove files and empty it, or add chunk servers.'
    return new AshlarError('no-space', `${what}: ${describe(rejected)}. ${advice}`, { details })
  }
}

function isFullHanded(placement: Placement): boolean {
  return placement.kind === 'placed' && placement.away.length === 0
}

function describe(rejected: readonly Rejection[]): string {
  const named = rejected.slice(0, reasonsInMessage).map(({ server, reason }) => `${server.slice(0, 8)} is ${reason}`)
  const others = rejected.length - named.length
  return others > 0 ? `${named.join('; ')}; and ${others} more` : named.join('; ')
}
