/**
 * What was acknowledged outlives the end of a process or of power: a server that has just started gives every byte of each
 * chunk that the metadata name and do not say that it owes. (Its index may list what its disk has lost, and whoever reads or
 * scrubs later mends it, so a look at what it holds is not enough.)
 *
 * Not asked of a disk that was told to lie, rot or fail.
 * @module
 */
import { isAshlarError } from '../../base/errors.ts'
import type { ServerId } from '../../base/ids.ts'
import { chunkKey, repairKey } from '../../namespace/keys.ts'
import { chunkRow } from '../../namespace/rows.ts'
import type { Fault, HostName } from '../script.ts'
import { untrustedHosts } from '../swarm-faults.ts'
import type { WorldFacts } from '../world.ts'
import { allIds } from './burials.ts'
import type { Violation } from './violation.ts'

const mostChunks = 1_000_000

export class KeptBytes {
  readonly violations: Violation[] = []
  readonly #facts: () => WorldFacts
  readonly #untrusted: ReadonlySet<HostName>

  constructor(facts: () => WorldFacts, faults: readonly Fault[]) {
    this.#facts = facts
    const failing = faults.flatMap((fault) => (fault.kind === 'disk-error' ? [fault.host] : []))
    this.#untrusted = new Set([...untrustedHosts(faults), ...failing])
  }

  /** Of a server that has just started. Never rejects; may never settle, when it dies under it. */
  async look(host: HostName): Promise<void> {
    const { master, servers } = this.#facts()
    const server = servers.find(({ name }) => name === host)
    const { kv } = master
    if (server?.store === undefined || kv === undefined || this.#untrusted.has(host)) return
    const { store, serverId } = server
    try {
      for (const { id } of await store.list({ ...allIds, limit: mostChunks })) {
        const isGood = await store.verify(id).then(
          () => true,
          (error: unknown) => !isAshlarError(error, 'corrupt', 'not-found'),
        )
        if (isGood || this.#facts().servers.find(({ name }) => name === host)?.store !== store) continue
        const keys = [chunkKey(id), repairKey(id, serverId as ServerId)]
        const [row, owed] = await kv.transact((tx) => tx.getMany(keys))
        // Verifying has queued its repair by now, if the master heard of it.
        if (row === undefined || chunkRow.decode(row).tombstonedMs !== undefined || owed !== undefined) continue
        const text = `${host} has started, and cannot give chunk ${id}, which it has acknowledged`
        this.violations.push({ oracle: 'proof', text })
      }
    } catch (error) {
      // Under faults a look may fail like anything else.
      if (!isAshlarError(error)) throw error
    }
  }
}
