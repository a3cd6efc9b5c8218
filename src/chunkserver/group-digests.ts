/** The digest of all that this server holds of a group, and which groups changed since it was last told. @module */
import { addDigest, digestToLanes, emptyDigest } from '../base/digest.ts'
import type { GroupId } from '../base/ids.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import type { GroupDigest } from '../wire/methods/cluster-methods.ts'

export async function groupDigestOf(store: ChunkStore, group: GroupId): Promise<GroupDigest> {
  let total = emptyDigest
  for (const { digest } of await store.digests(group)) total = addDigest(total, digest)
  return { group, lanes: digestToLanes(total) }
}

/**
 * Remembers which change of each group the master has acknowledged.
 * A change that arrives while a heartbeat is under way is told by the next one. The store is asked for all its groups only
 * until they were told once: a heartbeat of a server where nothing changed reads no index.
 */
export class ToldDigests {
  readonly #store: ChunkStore
  readonly #told = new Map<GroupId, number>()
  #isAllTold = false

  constructor(store: ChunkStore) {
    this.#store = store
  }

  /** Forgets what was told: a new registration tells everything. */
  reset(): void {
    this.#told.clear()
    this.#isAllTold = false
  }

  /** Digests of changed groups; call `acknowledged` when the master has them. */
  async changed(): Promise<{ readonly digests: readonly GroupDigest[]; readonly acknowledged: () => void }> {
    const counts = new Map<GroupId, number>()
    const digests: GroupDigest[] = []
    for (const group of await this.#candidates()) {
      const count = this.#store.changeCount(group)
      if (this.#told.get(group) === count) continue
      digests.push(await groupDigestOf(this.#store, group))
      counts.set(group, count)
    }
    const acknowledged = () => {
      for (const [group, count] of counts) this.#told.set(group, count)
      this.#isAllTold = true
    }
    return { digests, acknowledged }
  }

  /** A group without a change since the store was opened is told once, and then only if it holds a chunk. */
  async #candidates(): Promise<Iterable<GroupId>> {
    const changed = [...this.#store.changedGroups()]
    return this.#isAllTold ? changed : new Set([...(await this.#store.groups()), ...changed])
  }
}
