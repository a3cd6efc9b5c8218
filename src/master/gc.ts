/**
 * Garbage collection: has the members delete the chunks that the metadata has turned into tombstones.
 *
 * Only a tombstone permits a delete, never an absence. A chunk stays pending until every present member has said that it
 * is durably gone; one that is suspect is asked again when it is back, one that is dead is not waited for, since a member
 * that returns is compared with the metadata before it counts. While very many servers are silent, nothing is deleted at all.
 * @module
 */
import { assert } from '../base/assert.ts'
import { toAshlarError } from '../base/errors.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Log } from '../env/log.ts'
import type { DueDelete, Leader } from '../namespace/namespace.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { StepResult } from './worker.ts'

export interface GcOptions {
  readonly leader: Leader
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly orders: ChunkOrders
  readonly isHolding: () => boolean
  readonly log: Log
}

const groupsPerStep = 16

export class Gc {
  readonly #options: GcOptions
  #from = 0 as GroupId
  #isProductive = false

  constructor(options: GcOptions) {
    this.#options = options
  }

  /** Takes some groups further; a pass over all of them that confirmed something is followed by another. */
  async step(signal: AbortSignal): Promise<StepResult> {
    if (this.#options.isHolding()) return 'idle'
    const groups = await this.#options.leader.groupsWithDeletes({ from: this.#from, limit: groupsPerStep })
    for (const id of groups) {
      if (signal.aborted) return 'idle'
      const group = this.#options.map.index.group(id)
      assert(group !== undefined, `group ${id} has deletes pending and is not in the map`)
      await this.#collect(group, signal)
    }
    const last = groups.at(-1)
    this.#from = (last === undefined ? 0 : last + 1) as GroupId
    if (groups.length === groupsPerStep) return 'more'
    const again = this.#isProductive
    this.#from = 0 as GroupId
    this.#isProductive = false
    return again ? 'more' : 'idle'
  }

  async #collect(group: Group, signal: AbortSignal): Promise<void> {
    for (let after: ChunkId | undefined, more = true; more && !signal.aborted; ) {
      const due = await this.#options.leader.dueDeletes(group.id, {
        limit: limits.purgeStepChunks,
        ...(after === undefined ? {} : { after }),
      })
      after = due.at(-1)?.id
      more = due.length === limits.purgeStepChunks
      for (const alike of Map.groupBy(due, ({ confirmed }) => [...confirmed].sort().join()).values()) {
        await this.#delete(group, alike)
      }
    }
  }

  /** @param due confirmed by the same members */
  async #delete(group: Group, due: readonly DueDelete[]): Promise<void> {
    const { leader, registry, orders, log } = this.#options
    const chunks = due.map(({ id }) => id)
    const confirmed = new Set(due[0]?.confirmed)
    const owing = group.members.map(({ server }) => server).filter((server) => !confirmed.has(server))
    const servers: ServerId[] = []
    const absent = owing.filter((server) => ['dead', 'left'].includes(registry.stateOf(server)))
    const ordered = owing.filter((server) => registry.peerOf(server) !== undefined)
    await Promise.all(
      ordered.map(async (server) => {
        try {
          await orders.deleteChunks(server, { group, chunks })
          servers.push(server)
        } catch (error) {
          // It stays pending for this member, and is ordered again by a later step.
          log.warn('a delete order failed', { server, group: group.id, error: toAshlarError(error).message })
        }
      }),
    )
    if (servers.length === 0 && absent.length < owing.length) return
    const done = await leader.confirmDeleted({ group: group.id, chunks, servers, absent })
    if (done > 0) this.#isProductive = true
  }
}
