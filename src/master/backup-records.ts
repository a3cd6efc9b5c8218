/**
 * What stands in the blocks of a backup: rows, commits, and the manifest of a base.
 *
 * A base's text is changes (`kv/changes.ts`), each block whole for itself. A log's text is one run of commits, cut into blocks
 * anywhere: a commit counts only when all of it is there.
 *
 *     commit = position:8 atMs:8 length:4 changes
 * @module
 */
import { bytes, field, hex, type Infer, id, list, struct, text, uint } from '../base/codec.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { CommittedBatch } from '../kv/change-feed.ts'

/** A small file of the master's folder. */
export const attachment = struct('attachment', 1, {
  name: field(1, text(64)),
  bytes: field(2, bytes(limits.backupAttachmentBytes)),
})
export type Attachment = Infer<typeof attachment>

/** What completes a base. */
export const manifest = struct('backup manifest', 1, {
  clusterId: field(1, hex<ClusterId>(16)),
  generation: field(2, uint),
  leaderEpoch: field(3, id<Rising>()),
  /** The rows were read after this commit… */
  start: field(4, id<Rising>()),
  /** …and until this one: with the log from `start` to here, or further, they are the state of one moment. */
  consistentAt: field(5, id<Rising>()),
  /** Wall clock, for people. */
  atMs: field(6, uint),
  rows: field(7, uint),
  lengthBytes: field(8, uint),
  crc: field(9, uint),
  attachments: field(10, list(attachment, 16)),
})
export type Manifest = Infer<typeof manifest>

const headBytes = 20
/** A batch ends once it is this long, and the last transaction may be as long again; encoding adds little. */
const changesMaxBytes = 4 * limits.transactionBytes

export function encodeCommit({ position, atMs, changes }: CommittedBatch): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeBigUInt64BE(BigInt(position), 0)
  head.writeBigUInt64BE(BigInt(atMs), 8)
  head.writeUInt32BE(changes.length, 16)
  return Buffer.concat([head, changes])
}

/** Puts commits together again from the blocks of a log. */
export class CommitReader {
  #rest: Buffer = Buffer.alloc(0)

  /** The commits that are whole with this text. @throws {AshlarError} `corrupt` */
  read(text: Buffer): Iterable<CommittedBatch> {
    return this.#commits(text)
  }

  *#commits(text: Buffer): Generator<CommittedBatch> {
    this.#rest = this.#rest.length === 0 ? text : Buffer.concat([this.#rest, text])
    while (this.#rest.length >= headBytes) {
      const length = this.#rest.readUInt32BE(16)
      if (length > changesMaxBytes) {
        throw new AshlarError('corrupt', `Cannot read a commit of a backup: a length of ${length}`)
      }
      const end = headBytes + length
      if (this.#rest.length < end) return
      const position = Number(this.#rest.readBigUInt64BE(0)) as Rising
      const atMs = Number(this.#rest.readBigUInt64BE(8))
      const changes = this.#rest.subarray(headBytes, end)
      this.#rest = this.#rest.subarray(end)
      yield { position, atMs, changes }
    }
  }
}
