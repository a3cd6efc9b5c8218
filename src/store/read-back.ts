/**
 * Reads back, from the medium, what was just written and synced, before anybody may see it: a copy that a repair made counts as
 * soon as it shows in a digest, so it must not show before it is proven (promise P4), whoever dies meanwhile.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, groupOf } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { findBadBlock } from './block-sums.ts'
import { streamBufferBytes } from './buffer-pool.ts'
import { alignUp, type ChunkFooter } from './chunk-file-format.ts'
import type { RecordPlace } from './chunk-state.ts'
import { readFooter } from './replica-reader.ts'
import {
  decodeRecordHead,
  payloadMatches,
  recordBytes,
  recordHeadBytes,
  type SegmentRecord,
  segmentSeed,
} from './segment-format.ts'
import type { StoreParts } from './store-parts.ts'

/** @throws {AshlarError} `corrupt`; `disk-failed` */
export async function readBackFile(
  { env, pool }: Pick<StoreParts, 'env' | 'pool'>,
  path: string,
  { id, sequence, storedLength, blockCrcs }: ChunkFooter,
): Promise<void> {
  const file = await env.disk.open(path, { mode: 'read', direct: true })
  try {
    const footer = await readFooter(pool, file, storedLength)
    if (footer?.id !== id || footer.sequence !== sequence) throw notRight(id)
    for (let offset = 0; offset < storedLength; offset += streamBufferBytes) {
      const length = Math.min(streamBufferBytes, storedLength - offset)
      const lease = await pool.lease(length)
      try {
        const count = await file.read(lease.bytes.subarray(0, file.direct ? alignUp(length) : length), offset)
        const bytes = lease.bytes.subarray(0, Math.min(count, length))
        const isRight = bytes.length === length && findBadBlock(bytes, blockCrcs, blockAt(offset)) < 0
        if (!isRight) throw notRight(id)
      } finally {
        lease.release()
      }
    }
  } finally {
    await file.close()
  }
}

/** @throws {AshlarError} `corrupt`; `disk-failed` */
export async function readBackRecord(
  { env, layout, identity, directRanges }: Pick<StoreParts, 'env' | 'layout' | 'identity' | 'directRanges'>,
  { segment, offset }: Pick<RecordPlace, 'segment' | 'offset'>,
  record: SegmentRecord,
): Promise<void> {
  const file = await env.disk.open(layout.segment(segment), { mode: 'read', direct: true })
  try {
    const bytes = Buffer.allocUnsafe(recordBytes(record))
    const count = await directRanges.of(file).read(bytes, offset)
    const seed = segmentSeed({ server: identity.server, number: segment })
    const found = decodeRecordHead(bytes.subarray(0, Math.min(count, recordHeadBytes(record))), { seed, offset })
    const isSame = found?.kind === 'put' && found.id === record.id && found.sequence === record.sequence
    if (count !== bytes.length || !isSame || !payloadMatches(record, bytes.subarray(recordHeadBytes(record)))) {
      throw notRight(record.id)
    }
  } finally {
    await file.close()
  }
}

function blockAt(offset: number): number {
  return offset / limits.blockBytes
}

function notRight(id: ChunkId): AshlarError {
  return new AshlarError('corrupt', `Cannot store chunk ${id}: other bytes were read back than were written`, {
    details: { group: groupOf(id) },
  })
}
