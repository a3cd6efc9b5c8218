/** Backups of the metadata, which the master keeps on the chunk servers: made, listed, fetched. @module */
import { type BackupEntry, fetchPiece, listBackups, makeBackup } from '../wire/methods/backup-methods.ts'
import type { PieceEntry } from '../wire/types/backup.ts'
import type { BackupStatus } from '../wire/types/backup-status.ts'
import type { ClientCore } from './client-core.ts'
import type { CallOptions } from './options.ts'

export interface BackupList {
  /** Complete ones, the newest first. */
  readonly backups: readonly BackupEntry[]
  readonly status: BackupStatus
}

/** @throws {AshlarError} `not-supported` — this cluster keeps none */
export interface Backups {
  /** Makes one now, or waits for the one that is being made. Resolves when it is on enough chunk servers, read back there. */
  make(options?: CallOptions): Promise<BackupEntry>
  list(options?: CallOptions): Promise<BackupList>
  /**
   * All bytes that a restore of the newest one needs, for a file elsewhere. They are sealed: only who has the cluster secret can read
   * them. What is committed meanwhile may or may not be in them.
   * @throws {AshlarError} `not-found` — there is none
   */
  download(options?: CallOptions): AsyncGenerator<Buffer, void, undefined>
}

/** Metadata of gigabytes takes minutes. */
const makeTimeoutMs = 600_000

export class BackupCalls implements Backups {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async make({ signal }: CallOptions = {}): Promise<BackupEntry> {
    return (await this.#core.link.call(makeBackup, {}, { signal, timeoutMs: makeTimeoutMs })).value.backup
  }

  async list({ signal }: CallOptions = {}): Promise<BackupList> {
    const { backups, status } = (await this.#core.link.call(listBackups, {}, { signal })).value
    return { backups, status }
  }

  async *download({ signal }: CallOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    const { pieces } = (await this.#core.link.call(listBackups, {}, { signal })).value
    for (const piece of pieces) yield* this.#piece(piece, signal)
  }

  async *#piece({ name, lengthBytes, manifestBytes }: PieceEntry, signal: AbortSignal | undefined) {
    for (const manifest of manifestBytes === undefined ? [false] : [false, true]) {
      // No further than it was when it was listed: a log grows on.
      const end = manifest ? (manifestBytes ?? 0) : lengthBytes
      for (let offset = 0; offset < end; ) {
        const { payload } = await this.#core.link.call(fetchPiece, { name, offset, manifest }, { signal })
        if (payload.length === 0) return
        const some = payload.subarray(0, end - offset)
        yield some
        offset += some.length
      }
    }
  }
}
