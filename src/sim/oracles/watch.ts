/**
 * Looks at the cluster while it runs and at its end: nothing that only rises may go back, and no group may have two
 * members in one failure domain.
 * @module
 */
import { isAshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/index.ts'
import type { ClusterMap } from '../../wire/types/cluster-map.ts'
import type { Violation } from './violation.ts'

export class Watch {
  readonly violations: Violation[] = []
  readonly #highest = new Map<string, number>()
  /** The last one seen. */
  #map: ClusterMap | undefined
  /** Answered looks. */
  looks = 0

  /** Asks once. Never rejects: an answer that does not come says nothing. */
  async look(client: AshlarClient): Promise<void> {
    // What was known before the question was asked is what the answer must not fall below.
    const floors = new Map(this.#highest)
    try {
      const status = await client.status()
      this.#rises('the leader epoch', status.leaderEpoch, floors)
      this.#rises('cluster time', status.clusterTime, floors)
      const map = await client.map()
      this.#rises("the cluster map's version", map.version, floors)
      this.looks++
      // The very same one: all of it was judged, and nothing newer was seen since.
      if (map === this.#map) return
      this.#map = map
      for (const group of map.groups) this.#rises(`the epoch of group ${group.id}`, group.epoch, floors)
      this.judgeDomains(map)
    } catch (error) {
      if (!isAshlarError(error)) throw error
    }
  }

  judgeDomains(map: ClusterMap): void {
    const domains = new Map(map.servers.map(({ id, domain }) => [id, domain]))
    for (const group of map.groups) {
      const members = group.members.filter(({ state }) => state !== 'leaving')
      const own = members.map(({ server }) => domains.get(server) ?? server)
      if (new Set(own).size < own.length) {
        this.#break('domains', `two members of group ${group.id} share a failure domain: ${own.join(', ')}`)
      }
      const policy = map.policies.find(({ name }) => name === group.policy)
      if (policy === undefined || members.length < policy.replicas) {
        this.#break('domains', `group ${group.id} has ${members.length} members, too few for ${group.policy}`)
      }
    }
  }

  #rises(what: string, value: number, floors: ReadonlyMap<string, number>): void {
    const floor = floors.get(what)
    if (floor !== undefined && value < floor) this.#break('epochs', `${what} went back from ${floor} to ${value}`)
    this.#highest.set(what, Math.max(value, this.#highest.get(what) ?? value))
  }

  #break(oracle: Violation['oracle'], text: string): void {
    if (!this.violations.some((violation) => violation.text === text)) this.violations.push({ oracle, text })
  }
}
