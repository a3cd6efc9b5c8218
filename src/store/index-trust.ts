/**
 * Whether an index may be believed: what it says of itself, how it is emptied, and how an opening is marked in it.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd, type TxnKV } from '../kv/txn-kv.ts'
import {
  chunkIdOfKey,
  decodeMarks,
  decodeSegmentRow,
  encodeMarks,
  type IndexMarks,
  indexPrefix,
  marksKey,
  type SegmentRow,
} from './index-rows.ts'

export interface IndexHead {
  readonly marks: IndexMarks
  readonly segments: ReadonlyMap<number, SegmentRow>
}

const everything = { start: Buffer.from([0]), end: Buffer.from([0xff]) }

/** @returns undefined: the index is empty @throws {AshlarError} `metadata-corrupt` */
export async function readIndexHead(kv: TxnKV): Promise<IndexHead | undefined> {
  const row = await kv.transact((tx) => tx.get(marksKey))
  if (row === undefined) return undefined
  const segments = new Map<number, SegmentRow>()
  let start: Buffer = indexPrefix.segment
  const end = prefixEnd(indexPrefix.segment)
  for (let isComplete = false; !isComplete; ) {
    const rows = await kv.transact((tx) => tx.range({ start, end, limit: limits.listPageEntries }))
    for (const { key, value } of rows) segments.set(key.readUInt32BE(1), decodeSegmentRow(value))
    const last = rows.at(-1)
    isComplete = rows.length < limits.listPageEntries || last === undefined
    if (last !== undefined) start = prefixEnd(last.key)
  }
  return { marks: decodeMarks(row), segments }
}

/** A page of the ids that have a grave, and where the next one starts. */
export async function gravesFrom(
  kv: TxnKV,
  start: Buffer,
): Promise<{ readonly ids: readonly ChunkId[]; readonly next: Buffer | undefined }> {
  const end = prefixEnd(indexPrefix.grave)
  const rows = await kv.transact((tx) => tx.range({ start, end, limit: limits.listPageEntries }))
  const last = rows.at(-1)
  const isComplete = rows.length < limits.listPageEntries || last === undefined
  return { ids: rows.map(({ key }) => chunkIdOfKey(key)), next: isComplete ? undefined : prefixEnd(last.key) }
}

export async function clearIndex(kv: TxnKV): Promise<void> {
  for (let left = true; left; ) {
    left = await kv.transact(
      async (tx) => {
        const rows = await tx.range({ ...everything, limit: limits.listPageEntries })
        for (const { key } of rows) tx.del(key)
        return rows.length > 0
      },
      { freesRoom: true },
    )
  }
}

/**
 * The index of an open store: damage found in it is told to `onCorrupt`, and met by callers as a failed disk.
 * @param onCorrupt fences the store, and sees to it that the next opening rebuilds the index
 */
export function watchIndex(kv: TxnKV, onCorrupt: (error: unknown) => Promise<void>): TxnKV {
  return {
    transact: async (body, options) => {
      try {
        return await kv.transact(body, options)
      } catch (error) {
        if (!isAshlarError(error, 'metadata-corrupt')) throw error
        await onCorrupt(error)
        const what = 'Cannot use store: its index is damaged; open the store again to rebuild it'
        throw new AshlarError('disk-failed', what, { cause: error })
      }
    },
    get isReadOnly() {
      return kv.isReadOnly
    },
    usedBytes: () => kv.usedBytes(),
    close: () => kv.close(),
  }
}

/** Marks in the index that the store is open for the `opening`-th time. */
export async function markOpening(kv: TxnKV, opening: number): Promise<void> {
  await kv.transact(
    async (tx) => {
      const row = await tx.get(marksKey)
      const marks = row === undefined ? { sequence: 0, usedBytes: 0, chunks: 0 } : decodeMarks(row)
      tx.put(marksKey, encodeMarks({ ...marks, opening }))
    },
    { freesRoom: true },
  )
}
