/**
 * What a restore has lost stays on the chunk servers: a chunk of an acknowledged file that the restored metadata does not
 * know is nobody's orphan, and is on every server that held it when the master's disk was gone.
 *
 * Not asked of a disk that was told to lie or rot, nor of replicas that a server set aside.
 * @module
 */
import { type AshlarError, isAshlarError } from '../../base/errors.ts'
import type { ChunkId } from '../../base/ids.ts'
import type { TxnKV } from '../../kv/txn-kv.ts'
import { chunkKey } from '../../namespace/keys.ts'
import type { ChunkStore } from '../../store/chunk-store.ts'
import type { HostName } from '../script.ts'
import type { WorldFacts } from '../world.ts'
import type { Violation } from './violation.ts'

export class LostTime {
  readonly #facts: () => WorldFacts
  readonly #untrusted: ReadonlySet<HostName>
  readonly #held: { readonly name: HostName; readonly chunk: ChunkId }[] = []

  /** @param untrusted hosts whose disks break their promises */
  constructor(facts: () => WorldFacts, untrusted: ReadonlySet<HostName>) {
    this.#facts = facts
    this.#untrusted = untrusted
  }

  /** The metadata are gone. @param chunks of acknowledged files. Never rejects; may never settle, when a server dies under it */
  async begin(chunks: readonly ChunkId[]): Promise<void> {
    for (const { name, store } of this.#facts().servers) {
      if (store === undefined || this.#untrusted.has(name)) continue
      for (const chunk of chunks) if (await isHeld(store, chunk)) this.#held.push({ name, chunk })
    }
  }

  /** At rest. @returns what is gone although the metadata never knew of its end */
  async judge(kv: TxnKV): Promise<readonly Violation[]> {
    const chunks = [...new Set(this.#held.map(({ chunk }) => chunk))]
    const known = new Set(
      await kv.transact(async (tx) => {
        const rows = await tx.getMany(chunks.map(chunkKey))
        return chunks.filter((_, index) => rows[index] !== undefined)
      }),
    )
    const violations: Violation[] = []
    for (const { name, chunk } of this.#held) {
      const server = this.#facts().servers.find((each) => each.name === name)
      if (known.has(chunk) || server?.store === undefined || server.setAside.has(chunk)) continue
      if (await isHeld(server.store, chunk)) continue
      const text = `${name} has deleted chunk ${chunk}, which a restore had lost: nothing permits that`
      violations.push({ oracle: 'books', text })
    }
    return violations
  }
}

async function isHeld(store: ChunkStore, chunk: ChunkId): Promise<boolean> {
  try {
    return (await store.info(chunk)) !== undefined
  } catch (error) {
    // Under faults a look may fail like anything else: then nothing is known.
    if (!isAshlarError(error)) throw error
    return (error as AshlarError).code === 'corrupt'
  }
}
