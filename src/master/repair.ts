/**
 * Repair of known debts: writes that were acknowledged while a member was down, and replicas found bad. When the member
 * is up, it copies the chunk from another one; the debt is struck out only by the receipt of a verified copy.
 * @module
 */
import { isAshlarError, toAshlarError } from '../base/errors.ts'
import { groupOf } from '../base/ids.ts'
import { writingMembers } from '../cluster/cluster-map.ts'
import type { Log } from '../env/log.ts'
import type { DueRepair, Leader, OwedReplica } from '../namespace/namespace.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'
import type { StepResult } from './worker.ts'

export interface RepairOptions {
  readonly leader: Leader
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly orders: ChunkOrders
  readonly log: Log
}

const repairsPerStep = 128

export class Repair {
  readonly #options: RepairOptions
  #after: OwedReplica | undefined

  constructor(options: RepairOptions) {
    this.#options = options
  }

  /** Takes the next debts of the queue; `idle` at its end. */
  async step(signal: AbortSignal): Promise<StepResult> {
    const { owed } = this.#options.registry
    if (this.#after === undefined) owed.beginPass()
    const due = await this.#options.leader.dueRepairs({
      limit: repairsPerStep,
      ...(this.#after === undefined ? {} : { after: this.#after }),
    })
    await Promise.all(due.map((debt) => this.#pay(debt, signal)))
    const last = due.at(-1)
    this.#after =
      due.length === repairsPerStep && last !== undefined ? { chunk: last.chunk, server: last.server } : undefined
    if (this.#after !== undefined) return 'more'
    owed.endPass()
    return 'idle'
  }

  async #pay(debt: DueRepair, signal: AbortSignal): Promise<void> {
    const { leader, map, registry, orders, log } = this.#options
    const stays = () => registry.owed.count(debt.server, debt.length)
    const { chunk, server, id, length, crc } = debt
    const group = map.index.group(groupOf(chunk))
    // One that leaves takes no more; should it turn back, it is compared.
    const isMember = group !== undefined && writingMembers(group).some((member) => member.server === server)
    if (!isMember) return leader.repairDone(chunk, server)
    if (registry.peerOf(server) === undefined) return stays()
    try {
      await orders.copy(server, { id, length, crc }, { group, signal })
    } catch (error) {
      // It stays in the queue; the next round tries again.
      if (isAshlarError(error, 'no-space')) registry.noteCramped(server, group.id)
      log.warn('a repair failed', { server, chunk, error: toAshlarError(error).message })
      return stays()
    }
    await leader.repairDone(chunk, server)
    registry.owed.paid(server, debt.length)
  }
}
