/**
 * Drops what former members still hold of a group, once nothing can need it any more.
 *
 * A former member is a source of last resort until every member of the group was seen to hold everything. Then its pages go one
 * by one, each with a proof: the scan of `C` equals `E`, and each member, asked after that, lists every chunk of it with its length
 * and crc. So what is deleted here is on all members; or no file names it, nor can any, since no allocation is open in its page.
 * Never drops what the metadata may have lost (an id never given out, an older generation), and nothing in safe mode or while
 * many servers are silent.
 * @module
 */
import { digestOf, equalDigests } from '../base/digest.ts'
import { toAshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { planLeftovers, wasNeverGivenOut } from '../cluster/reconcile.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { type ComparisonOptions, sumOf } from './member-comparison.ts'
import type { StepResult } from './worker.ts'

const groupsPerStep = 16

export class Leftovers {
  readonly #options: ComparisonOptions
  #from = 0

  constructor(options: ComparisonOptions) {
    this.#options = options
  }

  /** Looks at some groups of each server; `idle` after a pass over all. */
  async step(signal: AbortSignal): Promise<StepResult> {
    const { registry, map, env, isHolding } = this.#options
    if (isHolding()) return 'idle'
    const due = map.index.map.servers
      .filter(({ id }) => registry.peerOf(id) !== undefined)
      .flatMap(({ id }) => registry.formerGroupsOf(id).map((group) => ({ server: id, group: map.index.group(group) })))
    const some = due.slice(this.#from, this.#from + groupsPerStep)
    let dropped = 0
    for (const { server, group } of some) {
      if (signal.aborted) return 'idle'
      if (group === undefined || !this.#isWhole(group)) continue
      try {
        dropped += await this.#drop(server, group)
      } catch (error) {
        // Nothing is concluded from what failed; a later pass tries again.
        const { message } = toAshlarError(error)
        env.log.warn('what a former member holds could not be dropped', { server, group: group.id, error: message })
      }
    }
    if (dropped > 0) env.log.info('dropped copies of former members', { chunks: dropped })
    this.#from = some.length < groupsPerStep ? 0 : this.#from + groupsPerStep
    return this.#from === 0 ? 'idle' : 'more'
  }

  /** Nothing changes in it, and each member was seen to hold everything. */
  #isWhole(group: Group): boolean {
    const { registry } = this.#options
    return group.members.every(
      ({ server, state }) =>
        state === 'in' && registry.peerOf(server) !== undefined && registry.isProven(group, server),
    )
  }

  /** @returns chunks that were dropped */
  async #drop(server: ServerId, group: Group): Promise<number> {
    const { orders, registry, map, isHolding } = this.#options
    let dropped = 0
    for (const page of (await orders.pageDigests(server, group)).keys()) {
      const chunks = await this.#droppable(server, { group, page })
      if (chunks.length === 0) continue
      // The server may have become a member again meanwhile, or a member may have gone.
      const isUnchanged = map.index.group(group.id)?.epoch === group.epoch
      if (!isUnchanged || !this.#isWhole(group) || isHolding() || registry.peerOf(server) === undefined) break
      await orders.deleteChunks(server, { group, chunks, because: 'former-copies-dropped' })
      dropped += chunks.length
    }
    return dropped
  }

  async #droppable(server: ServerId, { group, page }: { readonly group: Group; readonly page: number }) {
    const { orders, namespace, map, lostFuture } = this.#options
    const { generation } = map.index.map
    const held = await orders.listPage(server, { group: group.id, page })
    const isClosed = await namespace.pageIsClosed(group.id, page)
    const { chunks, digest, nextSequence } = await namespace.pageChunks(group.id, page)
    const proof = held.find((facts) => wasNeverGivenOut(facts, { nextSequence, generation }))
    if (proof !== undefined) await lostFuture.found(proof.id, server)
    const heldByMembers = await Promise.all(
      group.members.map((member) => orders.listPage(member.server, { group: group.id, page })),
    )
    return planLeftovers({
      expected: chunks,
      held,
      nextSequence,
      generation,
      isClosed,
      scanEqualsDigest: equalDigests(sumOf(chunks.map(digestOf)), digest),
      heldByMembers,
    }).map(({ id }) => id)
  }
}
