/**
 * Walks over every list of extents there is (files of the tree, of trash, and hidden ones) and compares it with the `C` rows
 * that it names: the namespace half of fsck. In bounded transactions that write nothing.
 *
 * Within one transaction extents and chunks are compared exactly. Between two of them files may move: one that is renamed
 * meanwhile is perhaps counted twice or not at all, and never reported wrongly.
 * @module
 */
import { bytes, choice, field, struct, uint } from '../base/codec.ts'
import type { ChunkId, InodeId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { prefixEnd, type Transaction } from '../kv/txn-kv.ts'
import type { Extent } from '../wire/types/extent.ts'
import { isAllocationOpen } from './allocations.ts'
import { readExtents } from './contents.ts'
import { chunkKey, deleteKey, entryName, inodeKey, noInode, rootInode, versionNameBytes } from './keys.ts'
import type { FileSurvey, Stray, SurveyedFile } from './operations.ts'
import { type Content, chunkRow, decodeRow, entryRow, inodeRow, readRow, trashRow } from './rows.ts'

/** Where lists of extents are. */
const families = ['D', 'T', 'I', 'V'] as const
type Family = (typeof families)[number]

const cursorStruct = struct('survey cursor', 1, {
  family: field(1, choice(...families)),
  /** The row to begin with, and the extent in it. */
  key: field(2, bytes(limits.keyBytes)),
  extent: field(3, uint),
})

const rowsPerCall = 256
const extentsPerCall = 2048

interface Place {
  readonly family: Family
  readonly key: Buffer
  readonly extent: number
}

/** @param suspects chunks whose files are wanted */
export async function surveyFiles(
  tx: Transaction,
  { cursor, suspects }: { readonly cursor: Buffer | undefined; readonly suspects: ReadonlySet<ChunkId> },
): Promise<FileSurvey> {
  const first = { family: 'D', key: Buffer.from('D'), extent: 0 } as const
  const from: Place = cursor === undefined ? first : cursorStruct.decode(cursor)
  const rows = await tx.range({ start: from.key, end: prefixEnd(Buffer.from(from.family)), limit: rowsPerCall })
  const directories = new DirectoryPaths(tx)
  const counts = { files: 0, trashedFiles: 0 }
  const damaged: SurveyedFile[] = []
  let extentsLeft = extentsPerCall
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] as { readonly key: Buffer; readonly value: Buffer }
    const found = await fileIn(from.family, row, directories)
    if (found === undefined) continue
    const start = index === 0 ? from.extent : 0
    if (start === 0) {
      if (found.where === 'tree') counts.files++
      if (found.where === 'trash') counts.trashedFiles++
    }
    for (let at = start; at < found.content.extentCount; ) {
      if (extentsLeft <= 0 || damaged.length >= limits.fsckFindings / 2) {
        return { ...counts, damaged, cursor: cursorStruct.encode({ family: from.family, key: row.key, extent: at }) }
      }
      const extents = await readExtents(tx, found.content, at)
      damaged.push(...(await compare(tx, extents, { suspects, path: found.path })))
      at += extents.length
      extentsLeft -= extents.length
    }
  }
  const next = nextPlace(from.family, rows)
  return { ...counts, damaged, cursor: next === undefined ? undefined : cursorStruct.encode(next) }
}

/** What the metadata knows of chunks that it does not list as live. Ask after a member listed them. */
export async function judgeStrays(tx: Transaction, chunks: readonly ChunkId[]): Promise<ReadonlyMap<ChunkId, Stray>> {
  const rows = await tx.getMany(chunks.map(chunkKey))
  const deletes = await tx.getMany(chunks.map(deleteKey))
  const strays = new Map<ChunkId, Stray>()
  for (const [index, chunk] of chunks.entries()) {
    const row = decodeRow(chunkRow, rows[index])
    if (row !== undefined && row.tombstonedMs === undefined) strays.set(chunk, 'live')
    else if (deletes[index] !== undefined) strays.set(chunk, 'pending-delete')
    else strays.set(chunk, row === undefined && (await isAllocationOpen(tx, chunk)) ? 'open' : 'orphan')
  }
  return strays
}

function nextPlace(family: Family, rows: readonly { readonly key: Buffer }[]): Place | undefined {
  const last = rows.at(-1)
  if (rows.length === rowsPerCall && last !== undefined) {
    return { family, key: Buffer.concat([last.key, Buffer.from([0])]), extent: 0 }
  }
  const next = families[families.indexOf(family) + 1]
  return next === undefined ? undefined : { family: next, key: Buffer.from(next), extent: 0 }
}

interface FoundContent {
  readonly content: Content
  readonly where: 'tree' | 'trash' | 'hidden'
  readonly path: string
}

async function fileIn(
  family: Family,
  { key, value }: { readonly key: Buffer; readonly value: Buffer },
  directories: DirectoryPaths,
): Promise<FoundContent | undefined> {
  if (family === 'I') {
    const { kind, content } = inodeRow.decode(value)
    return kind === 'hidden' && content !== undefined
      ? { content, where: 'hidden', path: '(being written)' }
      : undefined
  }
  if (family === 'T') {
    const { entry, path } = trashRow.decode(value)
    return entry.content === undefined
      ? undefined
      : { content: entry.content, where: 'trash', path: `${path} (in trash)` }
  }
  const { content, objectVersion = 'null' } = entryRow.decode(value)
  if (content === undefined) return undefined
  const directory = await directories.pathOf(readInode(key))
  const name = family === 'D' ? entryName(key) : `${versionNameBytes(key)} (version ${objectVersion})`
  const path = `${directory ?? '(in trash)'}/${name}`
  return { content, where: directory === undefined ? 'trash' : 'tree', path }
}

/** Extents whose chunk is not known, or known otherwise, and those of suspects. */
async function compare(
  tx: Transaction,
  extents: readonly Extent[],
  { suspects, path }: { readonly suspects: ReadonlySet<ChunkId>; readonly path: string },
): Promise<readonly SurveyedFile[]> {
  const rows = await tx.getMany(extents.map(({ chunk }) => chunkKey(chunk)))
  return extents.flatMap(({ chunk, chunkLength, crc }, index): readonly SurveyedFile[] => {
    const row = decodeRow(chunkRow, rows[index])
    if (row === undefined || row.tombstonedMs !== undefined) return [{ path, chunk, damage: 'unknown-chunk' }]
    if (row.length !== chunkLength || row.crc !== crc) return [{ path, chunk, damage: 'contradiction' }]
    return suspects.has(chunk) ? [{ path, chunk, damage: 'suspect' }] : []
  })
}

/** Paths of directories, each looked up once; undefined for those in trash. The root's is empty. */
class DirectoryPaths {
  readonly #tx: Transaction
  readonly #known = new Map<InodeId, string | undefined>([
    [rootInode, ''],
    [noInode, undefined],
  ])

  constructor(tx: Transaction) {
    this.#tx = tx
  }

  async pathOf(directory: InodeId): Promise<string | undefined> {
    const way: { readonly inode: InodeId; readonly name: string }[] = []
    let at = directory
    while (!this.#known.has(at) && way.length < limits.pathBytes) {
      const row = await readRow(this.#tx, inodeRow, inodeKey(at))
      way.push({ inode: at, name: row?.name ?? '' })
      at = row?.parent ?? noInode
    }
    let path = this.#known.get(at)
    for (const { inode, name } of way.reverse()) {
      path = path === undefined ? undefined : `${path}/${name}`
      this.#known.set(inode, path)
    }
    return path
  }
}

function readInode(key: Buffer): InodeId {
  return (key.readUInt32BE(1) * 2 ** 32 + key.readUInt32BE(5)) as InodeId
}
