/**
 * Where a restore reads pieces from: chunk servers that run, their folders, or a file. Several of them together: each block is
 * taken from the first that has it whole, since every server holds the same bytes of a piece at the same offsets.
 *
 * Invariant: a piece ends at the first block that no source has whole; what may follow it is not used.
 * @module
 */
import { type AshlarError, isAshlarError, toAshlarError } from '../base/errors.ts'
import type { Log } from '../env/log.ts'
import { type PieceEntry, type PieceId, parsePieceName, pieceName } from '../wire/types/backup.ts'
import { type BlockSeal, isAtPlace, type OpenedBlock } from './backup-blocks.ts'
import { type Manifest, manifest } from './backup-records.ts'

export interface BackupSource {
  /** For people: which server or folder. */
  readonly label: string
  list(): Promise<readonly PieceEntry[]>
  /** Some bytes from `offset` on, at least a block where there is one; empty at the end. */
  read(name: string, range: { readonly offset: number; readonly manifest: boolean }): Promise<Buffer>
}

interface Listed {
  readonly source: BackupSource
  readonly pieces: ReadonlyMap<string, PieceEntry>
}

export interface SourcesOptions {
  readonly seal: BlockSeal
  readonly log: Log
}

export class BackupSources {
  readonly #listed: readonly Listed[]
  readonly #options: SourcesOptions
  /** Sources that could not be read at all, with why. */
  readonly failures: readonly { readonly label: string; readonly error: AshlarError }[]

  private constructor(listed: readonly Listed[], failures: BackupSources['failures'], options: SourcesOptions) {
    this.#listed = listed
    this.failures = failures
    this.#options = options
  }

  static async open(sources: readonly BackupSource[], options: SourcesOptions): Promise<BackupSources> {
    const listed: Listed[] = []
    const failures: { label: string; error: AshlarError }[] = []
    for (const source of sources) {
      try {
        const pieces = await source.list()
        listed.push({ source, pieces: new Map(pieces.map((piece) => [piece.name, piece])) })
      } catch (error) {
        failures.push({ label: source.label, error: toAshlarError(error) })
      }
    }
    return new BackupSources(listed, failures, options)
  }

  get labels(): readonly string[] {
    return this.#listed.map(({ source }) => source.label)
  }

  /** Sources that have something of a piece. */
  holdersOf(name: string): readonly string[] {
    return this.#listed.filter(({ pieces }) => pieces.has(name)).map(({ source }) => source.label)
  }

  /** Every piece that a source has. */
  pieces(): readonly PieceId[] {
    const names = new Set(this.#listed.flatMap(({ pieces }) => [...pieces.keys()]))
    return [...names].map(parsePieceName).filter((id) => id !== undefined)
  }

  /** Of a base; undefined: no source has a whole one. @throws {AshlarError} `forbidden` — sealed under another secret */
  async manifestOf(id: PieceId): Promise<Manifest | undefined> {
    const name = pieceName(id)
    const place = { ...id, kind: 'base' as const }
    for (const { source, pieces } of this.#listed) {
      if (pieces.get(name)?.manifestBytes === undefined) continue
      try {
        const opened = this.#options.seal.open(await source.read(name, { offset: 0, manifest: true }))
        if (opened?.place.kind !== 'manifest') continue
        const isOfPiece = opened.place.leaderEpoch === place.leaderEpoch && opened.place.start === place.start
        if (isOfPiece) return manifest.decode(opened.text)
      } catch (error) {
        this.#passOver(source, { name, error })
      }
    }
    return undefined
  }

  /** The text of a piece, block by block, up to the first one that no source has whole. */
  async *blocks(id: PieceId): AsyncGenerator<Buffer, void, undefined> {
    const name = pieceName(id)
    let preferred = 0
    for (let offset = 0, index = 0; ; ) {
      let found: readonly OpenedBlock[] = []
      for (let turn = 0; turn < this.#listed.length && found.length === 0; turn++) {
        const at = (preferred + turn) % this.#listed.length
        found = await this.#read(this.#listed[at] as Listed, { id, name, offset, index })
        if (found.length > 0) preferred = at
      }
      if (found.length === 0) return
      for (const { text, sizeBytes } of found) {
        yield text
        offset += sizeBytes
        index++
      }
    }
  }

  /** Whole blocks that a source has in their place, from `offset` on. */
  async #read(
    { source, pieces }: Listed,
    at: { readonly id: PieceId; readonly name: string; readonly offset: number; readonly index: number },
  ): Promise<readonly OpenedBlock[]> {
    const found: OpenedBlock[] = []
    if ((pieces.get(at.name)?.lengthBytes ?? 0) <= at.offset) return found
    try {
      let bytes = await source.read(at.name, { offset: at.offset, manifest: false })
      while (bytes.length > 0) {
        const block = this.#options.seal.open(bytes)
        if (block === undefined || !isAtPlace(block, at.id, at.index + found.length)) break
        found.push(block)
        bytes = bytes.subarray(block.sizeBytes)
      }
    } catch (error) {
      this.#passOver(source, { name: at.name, error })
    }
    return found
  }

  #passOver(source: BackupSource, { name, error }: { readonly name: string; readonly error: unknown }): void {
    // Nothing of another cluster is ever used, and no other source can help.
    if (isAshlarError(error, 'forbidden', 'version-unsupported')) throw error
    const { message } = toAshlarError(error)
    this.#options.log.warn('part of a backup cannot be read there', { source: source.label, name, error: message })
  }
}
