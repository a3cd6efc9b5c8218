/**
 * The promise that all is made good again: once the faults are gone, every server is up and compared, no replica is owed,
 * no delete, purge or allocation is left, and the books agree, within a bound of virtual time.
 * @module
 */
import { AssertionError } from 'node:assert/strict'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/index.ts'
import type { TxnKV } from '../../kv/txn-kv.ts'
import type { Script } from '../script.ts'
import { isRot } from '../swarm-faults.ts'
import type { World } from '../world.ts'
import { compareBooks, namedChunks, type ServerBooks } from './books.ts'
import { checkRows } from './namespace-rows.ts'
import { isProvablyFull } from './room.ts'
import type { Violation } from './violation.ts'

/** Sessions of clients that died end after a minute; members are compared every ten seconds. */
const boundMs = 240_000
const lookIntervalMs = 2_000
const callBoundMs = 60_000

const owed = 'replicas owed'
const notCompared = ', not compared'

/** Of a server that is up and lacks something, and nothing else. */
function isDebt(unrest: string): boolean {
  return unrest.endsWith(` is up${notCompared}`) || unrest.endsWith(` ${owed}`)
}

export class Rest {
  readonly #world: World
  readonly #script: Script
  /** Debts stay, since the cluster cannot hold what it was given: proven. */
  #isExcused = false

  constructor(world: World, script: Script) {
    this.#world = world
    this.#script = script
  }

  /** Runs until the cluster is at rest and its books agree. @returns what still is not so at the bound */
  async reach(client: AshlarClient): Promise<readonly Violation[]> {
    const endMs = this.#world.clock.monotonicMs() + boundMs
    for (;;) {
      const { unrest, differences } = await this.#look(client)
      if (unrest === undefined && differences.length === 0) return []
      if (this.#world.clock.monotonicMs() >= endMs) {
        if (unrest !== undefined && isDebt(unrest) && (await this.#isFull())) {
          this.#isExcused = true
          return (await this.#differences(client, false)).map((text) => ({ oracle: 'books', text }))
        }
        if (unrest !== undefined) return [{ oracle: 'rest', text: `no rest after ${boundMs / 1000} s: ${unrest}` }]
        return differences.map((text) => ({ oracle: 'books', text }))
      }
      await this.#world.runFor(lookIntervalMs)
    }
  }

  /**
   * Everything once more, every stored byte verified, as a scrub would. What a disk has rotted is found by that, and must
   * be made good; where no disk was told to rot, nothing may be wrong in the first place.
   */
  async compare(client: AshlarClient): Promise<readonly Violation[]> {
    const endMs = this.#world.clock.monotonicMs() + boundMs
    let differences: readonly string[] | undefined
    while (differences === undefined) {
      // What is moved from one server to another is on its way; a server that was turned away tries again.
      const isDown = this.#world.facts().servers.some(({ store }) => store === undefined)
      if (isDown || (await this.#changing(client)) > 0) {
        const unrest = await this.reach(client)
        if (unrest.length > 0) return unrest
      }
      try {
        differences = await this.#differences(client, true)
      } catch (error) {
        // One was turned away, and ended, in the middle of this.
        if (!isAshlarError(error, 'closed') || this.#world.clock.monotonicMs() >= endMs) throw error
        await this.#world.runFor(lookIntervalMs)
      }
    }
    if (differences.length === 0) return await this.#rows()
    if (this.#script.faults.some(isRot)) return [...(await this.reach(client)), ...(await this.#verified(client))]
    return differences.map((text) => ({ oracle: 'books', text }))
  }

  /** The rows of the metadata among each other. */
  async #rows(): Promise<readonly Violation[]> {
    const kv = this.#kv()
    try {
      await this.#world.runWhile(checkRows(kv), callBoundMs)
      return []
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error
      return [{ oracle: 'rows', text: error.message }]
    }
  }

  #kv(): TxnKV {
    const { kv } = this.#world.facts().master
    if (kv === undefined) throw new AshlarError('unavailable', 'Cannot read the rows: the master is dead')
    return kv
  }

  async #isFull(): Promise<boolean> {
    const { byGroup } = await this.#world.runWhile(namedChunks(this.#kv()), callBoundMs)
    const servers = this.#world.facts().servers.map(({ domain, store }) => {
      return { domain, capacityBytes: store?.space().capacityBytes ?? 0 }
    })
    const lengths = [...byGroup.values()].flat().map(({ length }) => length)
    const replicas = Number(this.#script.cluster.policy.split('-')[1])
    return isProvablyFull({ lengths, servers, replicas })
  }

  async #verified(client: AshlarClient): Promise<readonly Violation[]> {
    const differences = await this.#differences(client, true)
    return differences.map((text) => ({ oracle: 'books', text: `after a scrub, ${text}` }))
  }

  async #look(client: AshlarClient): Promise<{ readonly unrest?: string; readonly differences: readonly string[] }> {
    const unrest = await this.#unrest(client)
    if (unrest !== undefined) return { unrest, differences: [] }
    try {
      return { differences: await this.#differences(client, false) }
    } catch (error) {
      // A process that ended between the two looks starts again.
      if (!isAshlarError(error)) throw error
      return { unrest: `no books: ${error.message}`, differences: [] }
    }
  }

  /** @returns why the cluster is not at rest, if so */
  async #unrest(client: AshlarClient): Promise<string | undefined> {
    try {
      const [status, nodes] = await this.#world.runWhile(Promise.all([client.status(), client.nodes()]), callBoundMs)
      const away = nodes.find(({ state, synced }) => state !== 'left' && (state !== 'up' || !synced))
      if (away !== undefined) return `server ${away.id} is ${away.state}${away.synced ? '' : notCompared}`
      if (nodes.length < this.#script.cluster.servers.length) return `only ${nodes.length} servers are known`
      const changing = await this.#changing(client)
      if (changing > 0) return `${changing} groups change their members`
      const left = {
        [owed]: status.underReplicatedChunks,
        'deletes pending': status.pendingDeletes,
        'allocations open': status.openAllocations,
        'entries of trash past their time': this.#script.cluster.trashKeepMs < boundMs / 4 ? status.trashEntries : 0,
      }
      const found = Object.entries(left).find(([, count]) => count > 0)
      return found === undefined ? undefined : `${found[1]} ${found[0]}`
    } catch (error) {
      if (!isAshlarError(error)) throw error
      return `no answer: ${error.message}`
    }
  }

  async #differences(client: AshlarClient, verify: boolean): Promise<readonly string[]> {
    const { master, servers } = this.#world.facts()
    if (master.kv === undefined) throw new AshlarError('unavailable', 'Cannot read the books: the master is dead')
    const books: ServerBooks[] = []
    for (const { name, serverId, store, state } of servers) {
      // One that comes back before the master has missed it is turned away at first, and tries again.
      if (store === undefined || serverId === undefined) return [`${name} is ${state}`]
      books.push({ name, serverId, store })
    }
    const compared = this.#compare(client, { kv: master.kv, books, verify })
    const differences = await this.#world.runWhile(compared, callBoundMs)
    return this.#isExcused ? differences.filter((text) => !text.includes(' lacks chunk ')) : differences
  }

  /** Groups of which a member joins or leaves. */
  async #changing(client: AshlarClient): Promise<number> {
    const { groups } = await this.#world.runWhile(client.map(), callBoundMs)
    return groups.filter(({ members }) => members.some(({ state }) => state !== 'in')).length
  }

  async #compare(
    client: AshlarClient,
    { kv, books, verify }: { readonly kv: TxnKV; readonly books: readonly ServerBooks[]; readonly verify: boolean },
  ): Promise<readonly string[]> {
    const { generation } = this.#world.facts().master
    return compareBooks(kv, { map: await client.map(), servers: books, verify, generation })
  }
}
