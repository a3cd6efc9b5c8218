/**
 * Hashes that are too slow for the thread that serves: MD5 runs at 0.65 GiB/s, so a gateway that hashed what it receives would do little
 * else. Node's Env hashes long contents in threads of their own (`node-hashes.ts`), all others on the calling thread.
 * @module
 */
import type { Hash } from 'node:crypto'

export type HashName = 'md5' | 'sha256'

/** One content under one or more hashes. */
export interface RunningHash {
  /**
   * Takes the bytes before it returns: they may be changed afterwards.
   * @returns a promise: wait for it before giving more
   * @throws {AshlarError} `internal` — the thread ended
   */
  update(bytes: Uint8Array): Promise<void> | undefined
  /** Hex, in the order in which the hashes were named. Ends it. @throws {AshlarError} `internal` — the thread ended */
  digest(): Promise<readonly string[]>
  /** Gives it up. Idempotent; also after its end. */
  drop(): void
}

export interface Hashes {
  /** @param expectedBytes how much will come, where that is known; it need not be true */
  start(names: readonly HashName[], options?: { readonly expectedBytes?: number | undefined }): RunningHash
}

/** On the calling thread. */
export const inlineHashes: Hashes = { start: (names) => new InlineHash(names) }

/** Not imported: `ashlar up`, for which its servers wait, hashes nothing and would pay 5 ms of CPU for it. */
function nodeCrypto(): typeof import('node:crypto') {
  return process.getBuiltinModule('node:crypto')
}

class InlineHash implements RunningHash {
  readonly #hashes: readonly Hash[]

  constructor(names: readonly HashName[]) {
    this.#hashes = names.map((name) => nodeCrypto().createHash(name))
  }

  update(bytes: Uint8Array): undefined {
    for (const hash of this.#hashes) hash.update(bytes)
  }

  async digest(): Promise<readonly string[]> {
    return this.#hashes.map((hash) => hash.digest('hex'))
  }

  drop(): void {
    // Nothing is held.
  }
}
