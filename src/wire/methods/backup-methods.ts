/**
 * Backups of the metadata: of the leader to a chunk server (numbers 165–169), which keeps the pieces and cannot read them; and of a
 * client to the master (107–109). Each piece is bytes that only grow; see `types/backup.ts`.
 * @module
 */
import { bool, field, hex, type Infer, id, list, struct, text, uint } from '../../base/codec.ts'
import type { ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import type { Rising } from '../../base/rising.ts'
import { method } from '../method.ts'
import { pieceEntry, pieceNameBytes } from '../types/backup.ts'
import { backupStatus } from '../types/backup-status.ts'
import { nothing } from './session-methods.ts'

const name = text(pieceNameBytes)

/** What the server keeps. Changes nothing. */
export const listPieces = method({
  number: 165,
  name: 'listPieces',
  request: nothing,
  response: struct('listPieces response', 1, { pieces: field(1, list(pieceEntry, limits.backupPieces)) }),
  callers: ['master'],
})

/**
 * Adds the payload at `offset`, durably; offset 0 begins the piece. Other bytes that lie there already are cut off first: what an
 * earlier call left whose answer was lost. The same bytes stay, so a call may be repeated, and may come late. @throws {AshlarError} `range-not-satisfiable` — the piece is shorter; `no-space`; `disk-failed`
 */
export const appendPiece = method({
  number: 166,
  name: 'appendPiece',
  request: struct('appendPiece', 1, {
    leaderEpoch: field(1, id<Rising>()),
    name: field(2, name),
    offset: field(3, uint),
  }),
  response: struct('appendPiece response', 1, { lengthBytes: field(1, uint) }),
  callers: ['master'],
})

/** Completes a base: reads it back, and keeps the manifest (the payload) only if length and crc are these. @throws {AshlarError} `corrupt` */
export const finishPiece = method({
  number: 167,
  name: 'finishPiece',
  request: struct('finishPiece', 1, {
    leaderEpoch: field(1, id<Rising>()),
    name: field(2, name),
    lengthBytes: field(3, uint),
    crc: field(4, uint),
  }),
  response: nothing,
  callers: ['master'],
})

/** Bytes of a piece, or of its manifest; fewer where it ends. @throws {AshlarError} `not-found` */
export const readPiece = method({
  number: 168,
  name: 'readPiece',
  request: struct('readPiece', 1, {
    name: field(1, name),
    offset: field(2, uint),
    length: field(3, uint),
    manifest: field(4, bool),
  }),
  response: nothing,
  callers: ['master'],
})

/** Absent ones are no error. An order of the leader. */
export const removePieces = method({
  number: 169,
  name: 'removePieces',
  request: struct('removePieces', 1, {
    leaderEpoch: field(1, id<Rising>()),
    names: field(2, list(name, limits.backupPieces)),
  }),
  response: struct('removePieces response', 1, { removed: field(1, uint) }),
  callers: ['master'],
})

/** One complete base, and where it is. */
export const backupEntry = struct('backup', 1, {
  name: field(1, name),
  /** Wall clock of the master that made it, when it was complete. */
  atMs: field(2, uint),
  generation: field(3, uint),
  position: field(4, id<Rising>()),
  rows: field(5, uint),
  sizeBytes: field(6, uint),
  servers: field(7, list(hex<ServerId>(16), limits.chunkServers)),
})
export type BackupEntry = Infer<typeof backupEntry>

/** Begins a base, unless one is being made; resolves when it is complete. @throws {AshlarError} `unavailable`, `not-supported` — off */
export const makeBackup = method({
  number: 107,
  name: 'makeBackup',
  request: nothing,
  response: struct('makeBackup response', 1, { backup: field(1, backupEntry) }),
  callers: ['client'],
})

export const listBackups = method({
  number: 108,
  name: 'listBackups',
  request: nothing,
  response: struct('listBackups response', 1, {
    backups: field(1, list(backupEntry, limits.backupPieces)),
    status: field(2, backupStatus),
    /** All pieces that a restore from the newest backup needs, in order. */
    pieces: field(3, list(pieceEntry, limits.backupPieces)),
  }),
  callers: ['client'],
})

/**
 * Bytes of a piece, from any server that has them: sealed under a key that clients do not have, so that a copy can be kept anywhere
 * and read only with the join file.
 */
export const fetchPiece = method({
  number: 109,
  name: 'fetchPiece',
  request: struct('fetchPiece', 1, {
    name: field(1, name),
    offset: field(2, uint),
    manifest: field(3, bool),
  }),
  response: struct('fetchPiece response', 1, { more: field(1, bool) }),
  callers: ['client'],
})
