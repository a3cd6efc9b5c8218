/**
 * Backups of the metadata as they lie on chunk servers: pieces, each a run of sealed blocks that only grows.
 *
 * Two kinds: a *base* holds every row as it was at some time during its making, a *log* what was committed after a position.
 * A base is complete when it has its manifest. Names are made from two numbers, so that they sort by what they hold:
 *
 *     base-<leader epoch>-<position before it was begun>      log-<leader epoch>-<position before its first commit>
 *
 * @see docs/formats/backup.md
 * @module
 */
import { field, type Infer, optional, struct, text, uint } from '../../base/codec.ts'
import { AshlarError } from '../../base/errors.ts'
import type { Rising } from '../../base/rising.ts'

export type PieceKind = 'base' | 'log'

export interface PieceId {
  readonly kind: PieceKind
  readonly leaderEpoch: Rising
  readonly start: Rising
}

export const pieceNameBytes = 64

/** A piece as a chunk server lists it. */
export const pieceEntry = struct('backup piece', 1, {
  name: field(1, text(pieceNameBytes)),
  lengthBytes: field(2, uint),
  /** Of the manifest, where there is one. */
  manifestBytes: optional(3, uint),
})
export type PieceEntry = Infer<typeof pieceEntry>

const pattern = /^(base|log)-([0-9a-f]{16})-([0-9a-f]{16})$/

export function pieceName({ kind, leaderEpoch, start }: PieceId): string {
  return `${kind}-${hex(leaderEpoch)}-${hex(start)}`
}

/** Undefined: no name of a piece. */
export function parsePieceName(name: string): PieceId | undefined {
  const [, kind, leaderEpoch = '', start = ''] = pattern.exec(name) ?? []
  if (kind === undefined) return undefined
  const numbers = [Number.parseInt(leaderEpoch, 16), Number.parseInt(start, 16)] as const
  if (!numbers.every(Number.isSafeInteger)) return undefined
  return { kind: kind as PieceKind, leaderEpoch: numbers[0] as Rising, start: numbers[1] as Rising }
}

/** @throws {AshlarError} `protocol` */
export function requirePieceName(name: string): PieceId {
  const id = parsePieceName(name)
  if (id !== undefined) return id
  throw new AshlarError('protocol', 'Cannot use a piece of a backup: its name is none')
}

function hex(value: number): string {
  return value.toString(16).padStart(16, '0')
}
