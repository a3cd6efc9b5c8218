/**
 * Nothing rises from the dead: a chunk whose delete every present member has confirmed does not lie again on a server that held
 * it and was then seen without it. (The comparison of members would remove it again, so nothing else may ever notice.)
 *
 * Not asked of a disk that was told to lie or rot, nor across a restore, which may undo a delete.
 * @module
 */
import { isAshlarError } from '../../base/errors.ts'
import { type ChunkId, chunkId, type GroupId } from '../../base/ids.ts'
import { maxGeneration } from '../../base/rising.ts'
import { prefixEnd, type TxnKV } from '../../kv/txn-kv.ts'
import { chunkOf } from '../../namespace/keys.ts'
import { chunkRow } from '../../namespace/rows.ts'
import type { ChunkStore } from '../../store/chunk-store.ts'
import type { HostName } from '../script.ts'
import type { WorldFacts } from '../world.ts'
import type { Violation } from './violation.ts'

const mostRows = 1_000_000

export class Burials {
  readonly violations: Violation[] = []
  readonly #facts: () => WorldFacts
  readonly #untrusted: ReadonlySet<HostName>
  #generation = 0
  /** What each server was seen to hold. */
  readonly #held = new Map<HostName, Set<ChunkId>>()
  /** Of that, what was deleted for good, and seen to be gone. */
  readonly #buried = new Map<HostName, Set<ChunkId>>()

  /** @param untrusted hosts whose disks break their promises */
  constructor(facts: () => WorldFacts, untrusted: ReadonlySet<HostName>) {
    this.#facts = facts
    this.#untrusted = untrusted
  }

  /** Looks once. Never rejects; may never settle, when the master dies under it. */
  async look(): Promise<void> {
    const { master, servers } = this.#facts()
    if (master.state !== 'running' || master.kv === undefined) return
    if (master.generation !== this.#generation) this.#forget(master.generation)
    try {
      const deleted = await deletedIn(master.kv)
      for (const { name, store, state } of servers) {
        if (store === undefined || state !== 'running' || this.#untrusted.has(name)) continue
        const held = await heldBy(store)
        // It died, or an undone delete came, while it was looked at.
        const now = this.#facts()
        if (now.master.generation !== this.#generation) return
        if (now.servers.find((server) => server.name === name)?.store !== store) continue
        this.#compare(name, held, deleted)
      }
    } catch (error) {
      // Under faults a look may fail like anything else.
      if (!isAshlarError(error)) throw error
    }
  }

  #compare(name: HostName, held: ReadonlySet<ChunkId>, deleted: ReadonlySet<ChunkId>): void {
    const seen = setOf(this.#held, name)
    const buried = setOf(this.#buried, name)
    for (const chunk of deleted) {
      if (!held.has(chunk)) {
        if (seen.has(chunk)) buried.add(chunk)
      } else if (buried.has(chunk)) {
        const text = `${name} holds chunk ${chunk} again, which it had deleted`
        if (!this.violations.some((violation) => violation.text === text))
          this.violations.push({ oracle: 'proof', text })
      }
    }
    for (const chunk of held) seen.add(chunk)
  }

  #forget(generation: number): void {
    this.#generation = generation
    this.#held.clear()
    this.#buried.clear()
  }
}

function setOf(sets: Map<HostName, Set<ChunkId>>, name: HostName): Set<ChunkId> {
  let found = sets.get(name)
  if (found === undefined) {
    found = new Set()
    sets.set(name, found)
  }
  return found
}

/** Chunks whose delete is confirmed, and which nothing names any more. */
async function deletedIn(kv: TxnKV): Promise<ReadonlySet<ChunkId>> {
  return await kv.transact(async (tx) => {
    const scan = (letter: string) => {
      const start = Buffer.from(letter)
      return tx.range({ start, end: prefixEnd(start), limit: mostRows })
    }
    const pending = new Set((await scan('G')).map(({ key }) => chunkOf(key)))
    const tombstones = (await scan('C')).filter(({ value }) => chunkRow.decode(value).tombstonedMs !== undefined)
    return new Set(tombstones.map(({ key }) => chunkOf(key)).filter((chunk) => !pending.has(chunk)))
  })
}

async function heldBy(store: ChunkStore): Promise<ReadonlySet<ChunkId>> {
  return new Set((await store.list({ ...allIds, limit: mostRows })).map(({ id }) => id))
}

/** Of the ids of all groups: one walk through an index costs a fraction of one for each group. */
export const allIds = {
  first: boundsOf(0 as GroupId).first,
  last: boundsOf((2 ** 32 - 1) as GroupId).last,
} as const

/** Of the ids of a group. */
export function boundsOf(group: GroupId): { readonly first: ChunkId; readonly last: ChunkId } {
  return {
    first: chunkId({ group, generation: 0, sequence: 0 }),
    last: chunkId({ group, generation: maxGeneration, sequence: 2 ** 52 - 1 }),
  }
}
