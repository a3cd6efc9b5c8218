/**
 * The shelf: pieces of the master's backups, in a folder of their own beside the chunks. The server keeps them and cannot read them.
 *
 *     backup/<name>             the piece: bytes that only grow
 *     backup/<name>.manifest    of a base: it is complete, and was read back
 *
 * They are no chunks: they count neither as used nor against the declared capacity.
 * Invariants: what was answered is synced; paths are made from checked names; a piece whose sync failed takes no more bytes.
 * A disk without room for writes takes no base; a log goes on while the disk takes anything at all, since it is small and is what a
 * lost master costs.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { File } from '../env/disk.ts'
import type { Env } from '../env/env.ts'
import { Limiter, throwIfCancelled } from '../env/waiting.ts'
import { type PieceEntry, parsePieceName, requirePieceName } from '../wire/types/backup.ts'

const manifestSuffix = '.manifest'
const readBackBytes = 1024 * 1024

/** Of a chunk server's data folder. */
export function backupFolderOf(dataFolder: string): string {
  return `${dataFolder}/backup`
}

export interface BackupShelfOptions {
  readonly env: Pick<Env, 'disk'>
  /** Absolute. Made when the first piece comes. */
  readonly folder: string
  /** Why the disk takes no more writes of chunks, if it does not. */
  readonly refusal: () => string | undefined
}

export class BackupShelf {
  readonly #options: BackupShelfOptions
  readonly #turns = new Limiter({ name: 'work on backups', slots: 1, maxWaiting: 256 })
  readonly #broken = new Set<string>()

  constructor(options: BackupShelfOptions) {
    this.#options = options
  }

  async list(): Promise<readonly PieceEntry[]> {
    const names = await this.#names()
    const pieces: PieceEntry[] = []
    for (const name of names.filter((each) => parsePieceName(each) !== undefined).sort()) {
      const lengthBytes = await this.#lengthOf(this.#path(name))
      // Removed meanwhile.
      if (lengthBytes === undefined) continue
      const isFinished = names.includes(`${name}${manifestSuffix}`)
      pieces.push({
        name,
        lengthBytes,
        manifestBytes: isFinished ? await this.#lengthOf(this.#manifestPath(name)) : undefined,
      })
    }
    return pieces.slice(-limits.backupPieces)
  }

  /**
   * See `appendPiece`. @returns the length of the piece
   * @param options.signal once the caller has given up nothing is written any more: it may have gone on from there meanwhile
   */
  async append(
    name: string,
    bytes: Uint8Array,
    { offset, signal }: { readonly offset: number; readonly signal?: AbortSignal },
  ): Promise<number> {
    const { kind } = requirePieceName(name)
    return await this.#turns.run(async () => {
      throwIfCancelled(signal, 'add to a backup')
      const refusal = this.#options.refusal()
      if (kind === 'base' && refusal === 'disk-full') {
        throw new AshlarError('no-space', 'Cannot keep a backup: the disk of this server is full')
      }
      if (this.#broken.has(name)) {
        throw new AshlarError('disk-failed', 'Cannot add to a backup: an earlier write of it failed')
      }
      const isNew = offset === 0
      if (isNew) await this.#prepare(name)
      const file = await this.#open(name, isNew)
      try {
        const length = await file.lengthBytes()
        if (length < offset) {
          throw new AshlarError(
            'range-not-satisfiable',
            `Cannot add to a backup at ${offset}: this server has ${length} bytes of it`,
          )
        }
        // The same bytes stay, with what follows them: a call that comes late must not take back what a later one was told.
        const overlapBytes = Math.min(length - offset, bytes.length)
        const isThere = overlapBytes === 0 || (await holds(file, bytes.subarray(0, overlapBytes), offset))
        if (!isThere) await file.truncate(offset)
        const from = isThere ? overlapBytes : 0
        await this.#write(name, { file, bytes: bytes.subarray(from), offset: offset + from })
      } finally {
        await file.close()
      }
      if (isNew) await this.#options.env.disk.syncDirectory(this.#options.folder)
      return offset + bytes.length
    })
  }

  /** See `finishPiece`. */
  async finish(
    name: string,
    expected: { readonly lengthBytes: number; readonly crc: number; readonly manifest: Buffer },
  ) {
    requirePieceName(name)
    // Not in its turn: a large base takes seconds to read, and the log goes on meanwhile.
    const { lengthBytes, crc } = await this.#readBack(name)
    if (lengthBytes !== expected.lengthBytes || crc !== expected.crc) {
      throw new AshlarError(
        'corrupt',
        `Cannot complete a backup: ${lengthBytes} bytes were read back that are not the ${expected.lengthBytes} sent`,
      )
    }
    await this.#turns.run(() => this.#options.env.disk.writeSmall(this.#manifestPath(name), expected.manifest))
  }

  /** Up to `length` bytes of a piece, or of its manifest. @throws {AshlarError} `not-found` */
  async read(name: string, range: { readonly offset: number; readonly length: number; readonly manifest: boolean }) {
    requirePieceName(name)
    const path = range.manifest ? this.#manifestPath(name) : this.#path(name)
    const file = await this.#options.env.disk.open(path, { mode: 'read' })
    try {
      const most = Math.max(0, (await file.lengthBytes()) - range.offset)
      const bytes = Buffer.alloc(Math.min(range.length, most, limits.framePayloadBytes))
      return bytes.subarray(0, await file.read(bytes, range.offset))
    } finally {
      await file.close()
    }
  }

  /** @returns how many were there */
  async remove(names: readonly string[]): Promise<number> {
    for (const name of names) requirePieceName(name)
    return await this.#turns.run(async () => {
      let removed = 0
      for (const name of names) {
        // The manifest first: what a crash leaves in between is an incomplete base, never a manifest without one.
        await this.#removeFile(this.#manifestPath(name))
        if (await this.#removeFile(this.#path(name))) removed++
        this.#broken.delete(name)
      }
      if (removed > 0) await this.#options.env.disk.syncDirectory(this.#options.folder)
      return removed
    })
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await this.#options.env.disk.list(this.#options.folder)
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return []
      throw error
    }
  }

  async #prepare(name: string): Promise<void> {
    await this.#options.env.disk.makeDirectory(this.#options.folder)
    const names = await this.#names()
    if (names.includes(`${name}${manifestSuffix}`)) {
      throw new AshlarError('already-exists', 'Cannot begin a backup again: it is complete')
    }
    if (names.filter((each) => parsePieceName(each) !== undefined).length >= limits.backupPieces) {
      throw new AshlarError('too-large', `Cannot keep another piece of a backup: there are ${limits.backupPieces}`)
    }
  }

  async #open(name: string, isNew: boolean): Promise<File> {
    try {
      return await this.#options.env.disk.open(this.#path(name), { mode: isNew ? 'append-or-create' : 'read-write' })
    } catch (cause) {
      if (isNew || !isAshlarError(cause, 'not-found')) throw cause
      throw new AshlarError('range-not-satisfiable', 'Cannot add to a backup: this server has nothing of it', { cause })
    }
  }

  async #write(
    name: string,
    { file, bytes, offset }: { readonly file: File; readonly bytes: Uint8Array; readonly offset: number },
  ): Promise<void> {
    if (bytes.length > 0) await file.write([bytes], offset)
    try {
      await file.sync()
    } catch (error) {
      // The kernel may have dropped the bytes: nothing that follows them could be trusted.
      this.#broken.add(name)
      throw error
    }
  }

  async #readBack(name: string): Promise<{ readonly lengthBytes: number; readonly crc: number }> {
    const file = await this.#options.env.disk.open(this.#path(name), { mode: 'read' })
    try {
      const buffer = Buffer.alloc(readBackBytes)
      let lengthBytes = 0
      let crc = 0
      for (;;) {
        const read = await file.read(buffer, lengthBytes)
        crc = crc32(buffer.subarray(0, read), crc)
        lengthBytes += read
        if (read < buffer.length) return { lengthBytes, crc: crc >>> 0 }
      }
    } finally {
      await file.close()
    }
  }

  async #lengthOf(path: string): Promise<number | undefined> {
    try {
      return (await this.#options.env.disk.info(path)).lengthBytes
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return undefined
      throw error
    }
  }

  async #removeFile(path: string): Promise<boolean> {
    try {
      await this.#options.env.disk.remove(path)
      return true
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return false
      throw error
    }
  }

  #path(name: string): string {
    return `${this.#options.folder}/${name}`
  }

  #manifestPath(name: string): string {
    return `${this.#path(name)}${manifestSuffix}`
  }
}

async function holds(file: File, bytes: Uint8Array, offset: number): Promise<boolean> {
  const found = Buffer.alloc(bytes.length)
  return (await file.read(found, offset)) === bytes.length && found.equals(bytes)
}
