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
 * A change that arrives while a heartbeat is under way is told by the next one.
 */
export class ToldDigests {
  readonly #store: ChunkStore
  readonly #told = new Map<GroupId, number>()

  constructor(store: ChunkStore) {
    this.#store = store
  }

  /** Forgets what was told: a new registration tells everything. */
  reset(): void {
    this.#told.clear()
  }

  /** Digests of changed groups; call `acknowledged` when the master has them. */
  async changed(): Promise<{ readonly digests: readonly GroupDigest[]; readonly acknowledged: () => void }> {
    const counts = new Map<GroupId, number>()
    const digests: GroupDigest[] = []
    const groups = new Set([...(await this.#store.groups()), ...this.#told.keys()])
    for (const group of groups) {
      const count = this.#store.changeCount(group)
      if (this.#told.get(group) === count) continue
      digests.push(await groupDigestOf(this.#store, group))
      counts.set(group, count)
    }
    const acknowledged = () => {
      for (const [group, count] of counts) this.#told.set(group, count)
    }
    return { digests, acknowledged }
  }
}
