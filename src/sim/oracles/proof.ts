/**
 * Redundancy is proven, not assumed: at any moment, every running member of a group holds every chunk that the metadata
 * names, unless the metadata says that the member owes it. So a write that was acknowledged on receipts which did not
 * hold, or a delete of what is live, shows at the next look, long before the last copy is gone.
 *
 * Not asked of a disk that was told to lie or rot; nor, where reads were told to fail, for replicas that the server set aside
 * for that.
 * @module
 */
import { isAshlarError } from '../../base/errors.ts'
import { type ChunkId, groupOf, type ServerId } from '../../base/ids.ts'
import { prefixEnd, type TxnKV } from '../../kv/txn-kv.ts'
import { chunkOf, queuePrefix, repairOf } from '../../namespace/keys.ts'
import { chunkRow, groupRow } from '../../namespace/rows.ts'
import type { Group } from '../../wire/types/cluster-map.ts'
import type { Fault, HostName } from '../script.ts'
import { isRot } from '../swarm-faults.ts'
import type { WorldFacts } from '../world.ts'
import type { Violation } from './violation.ts'

const mostRows = 1_000_000

/** Chunks that each server must hold: without what it owes. */
type Proven = ReadonlyMap<ServerId, ReadonlySet<ChunkId>>

export class Proof {
  readonly violations: Violation[] = []
  readonly #facts: () => WorldFacts
  readonly #untrusted: ReadonlySet<HostName>
  readonly #unreadable: ReadonlySet<HostName>
  /** By their rows. */
  readonly #groups = new Map<string, Group>()
  /** Looks that could be finished. */
  looks = 0

  /** @param faults of the script: which hosts have disks that break their promises, or fail to read */
  constructor(facts: () => WorldFacts, faults: readonly Fault[]) {
    this.#facts = facts
    this.#untrusted = new Set(faults.flatMap((fault) => (isRot(fault) && 'host' in fault ? [fault.host] : [])))
    this.#unreadable = new Set(
      faults.flatMap((fault) => (fault.kind === 'disk-error' && fault.operations.includes('read') ? [fault.host] : [])),
    )
  }

  /** Looks once. Never rejects; may never settle, when the master dies under it. */
  async look(): Promise<void> {
    const { master, servers } = this.#facts()
    if (master.state !== 'running' || master.kv === undefined) return
    try {
      const before = await this.#provenIn(master.kv)
      const missing: { readonly name: HostName; readonly serverId: ServerId; readonly chunk: ChunkId }[] = []
      for (const { name, serverId, store, state, setAside } of servers) {
        if (store === undefined || serverId === undefined || state !== 'running' || this.#untrusted.has(name)) continue
        for (const chunk of before.get(serverId as ServerId) ?? []) {
          if ((await store.info(chunk)) !== undefined) continue
          if (!this.#unreadable.has(name) || !setAside.has(chunk))
            missing.push({ name, serverId: serverId as ServerId, chunk })
        }
      }
      this.looks++
      if (missing.length === 0) return
      // What was purged, or found to be owed, meanwhile is no loss.
      const after = await this.#provenIn(master.kv)
      for (const { name, serverId, chunk } of missing) {
        if (after.get(serverId)?.has(chunk) !== true || this.#storeOf(name) !== this.#storeIn(servers, name)) continue
        this.#break(`${name} lacks chunk ${chunk}, which it has acknowledged and nobody deleted`)
      }
    } catch (error) {
      // Under faults a look may fail like anything else.
      if (!isAshlarError(error)) throw error
    }
  }

  async #provenIn(kv: TxnKV): Promise<Proven> {
    return kv.transact(async (tx) => {
      const scan = (start: Buffer) => tx.range({ start, end: prefixEnd(start), limit: mostRows })
      const owed = new Set(
        (await scan(queuePrefix('repair'))).map(({ key }) => {
          const { chunk, server } = repairOf(key)
          return `${chunk} ${server}`
        }),
      )
      const groups = new Map(
        (await scan(Buffer.from('P'))).map(({ value }) => this.#groupOf(value)).map((group) => [group.id, group]),
      )
      const proven = new Map<ServerId, Set<ChunkId>>()
      for (const { key, value } of await scan(Buffer.from('C'))) {
        if (chunkRow.decode(value).tombstonedMs !== undefined) continue
        const chunk = chunkOf(key)
        for (const { server, state } of groups.get(groupOf(chunk))?.members ?? []) {
          if (state !== 'in' || (owed.size > 0 && owed.has(`${chunk} ${server}`))) continue
          const held = proven.get(server)
          if (held === undefined) proven.set(server, new Set([chunk]))
          else held.add(chunk)
        }
      }
      return proven
    })
  }

  /** Most rows are those of the last look. */
  #groupOf(row: Buffer): Group {
    const key = row.toString('latin1')
    const known = this.#groups.get(key)
    if (known !== undefined) return known
    const { group } = groupRow.decode(row)
    this.#groups.set(key, group)
    return group
  }

  #storeOf(name: HostName) {
    return this.#storeIn(this.#facts().servers, name)
  }

  #storeIn(servers: WorldFacts['servers'], name: HostName) {
    return servers.find((server) => server.name === name)?.store
  }

  #break(text: string): void {
    if (!this.violations.some((violation) => violation.text === text)) this.violations.push({ oracle: 'proof', text })
  }
}
