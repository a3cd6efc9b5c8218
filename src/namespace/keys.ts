/**
 * The keys of every row. A key is one letter (its family), then big-endian numbers, ids and escaped names: so a range of
 * keys is a range of what they name, in order.
 *
 * Upper-case families are those of DESIGN.md 4; a lower-case family is an index or companion that only this folder
 * reads. Names are escaped so that no key of a family is a prefix of another one and the order of keys is the order of
 * the names' bytes: NUL → 01 01, 01 → 01 02, and 00 ends the name. A directory's name ends in `/` in the key, so a walk
 * in key order gives the listing order of S3.
 *
 *     D dir name      entry                      C group gen seq   chunk              S session        session
 *     I inode         directory, hidden file     R chunk           reference count    s session kind … what hangs on it
 *     i parent child  subdirectories             E group page      digest             Y session seq    answered request
 *     d dir           counters of a directory    G chunk           pending delete     x kind time id   what expires when
 *     K content page  further extents            g time chunk      tombstone to drop  A allocation     allocation
 *     T path ~trash   trash                      P group           group              a group page id  allocations of a page
 *     t time trash    trash by due time          p group           next sequence      N server         chunk server
 *     W queue …       work                       M name            settings, totals   L name           leader
 *     l name          named lock                 e number          event
 *     V dir name ~number  older version, or delete marker               v dir name  number of the null version in V
 *     U, Q            kept for multipart, quota              Z                position of the newest commit
 * @module
 */
import type { AllocationId, ChunkId, ContentId, GroupId, InodeId, ServerId } from '../base/ids.ts'
import { chunkIdFromBytes, pageBounds } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'

/** The root directory; its own entry is named `/` in directory 0, which holds nothing else. */
export const rootInode = 1 as InodeId
export const noInode = 0 as InodeId

/** Chunk ids end in two zero bytes, which keys leave out. */
const chunkKeyBytes = 14

/** A trashed path's key holds at most so many escaped bytes of it; the row holds the whole path. */
const trashPathBytes = 3000

export function entryKey(directory: InodeId, name: string | Buffer): Buffer {
  const plain = typeof name === 'string' ? plainEntryKey(directory, name) : undefined
  if (plain !== undefined) return plain
  const escaped = escapeName(name)
  const key = Buffer.allocUnsafe(10 + escaped.length)
  key[0] = 0x44
  writeNumber(key, directory, 1)
  escaped.copy(key, 9)
  key[9 + escaped.length] = 0
  return key
}

/** Of a name in ASCII with nothing to escape, as most are: in one loop, where the calls below take four times as long. */
function plainEntryKey(directory: InodeId, name: string): Buffer | undefined {
  const key = Buffer.allocUnsafe(10 + name.length)
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index)
    if (code < 2 || code > 0x7f) return undefined
    key[9 + index] = code
  }
  key[0] = 0x44
  writeNumber(key, directory, 1)
  key[9 + name.length] = 0
  return key
}

/** The name in an entry's key, a directory's with its `/`. */
export function entryName(key: Buffer): string {
  return entryNameBytes(key).toString()
}

export function entryNameBytes(key: Buffer): Buffer {
  return unescapeBytes(key.subarray(9, key.length - 1))
}

/** Where the entries of a directory begin whose names begin with `prefix`. */
export function entryPrefix(directory: InodeId, prefix: string | Buffer = ''): Buffer {
  const key = entryKey(directory, prefix)
  return key.subarray(0, key.length - 1)
}

/** Newest first among the versions of one name. Invariant of `V`: the file of this name in `D`, where there is one, is newer than all. */
export const versionKey = (directory: InodeId, name: string | Buffer, version: number): Buffer =>
  Buffer.concat([versionsOfPrefix(directory, name), number(Number.MAX_SAFE_INTEGER - version)])
/** All versions of exactly this name. */
export const versionsOfPrefix = (directory: InodeId, name: string | Buffer): Buffer =>
  Buffer.concat([versionPrefix(directory, name), Buffer.from([0])])
/** Where the versions in a directory begin whose names begin with `prefix`. */
export function versionPrefix(directory: InodeId, prefix: string | Buffer = ''): Buffer {
  const key = entryPrefix(directory, prefix)
  key[0] = 0x56
  return key
}
/** Of a `V` key. */
export const versionNameBytes = (key: Buffer): Buffer => unescapeBytes(key.subarray(9, key.length - 9))
export const versionNumberOf = (key: Buffer): number => Number.MAX_SAFE_INTEGER - readNumber(key, key.length - 8)
export function nullVersionKey(directory: InodeId, name: string | Buffer): Buffer {
  const key = entryKey(directory, name)
  key[0] = 0x76
  return key
}

export const inodeKey = (inode: InodeId): Buffer => numbers('I', inode)
export const childPrefix = (parent: InodeId): Buffer => numbers('i', parent)
export const childKey = (parent: InodeId, child: InodeId): Buffer => numbers('i', parent, child)
export const childOf = (key: Buffer): InodeId => readNumber(key, 9) as InodeId
export const directoryCountersKey = (directory: InodeId): Buffer => numbers('d', directory)
export const extentPageKey = (content: ContentId, page: number): Buffer => numbers('K', content, page)

export const chunkKey = (chunk: ChunkId): Buffer => withChunk('C', chunk)
export const referencesKey = (chunk: ChunkId): Buffer => withChunk('R', chunk)
export const deleteKey = (chunk: ChunkId): Buffer => withChunk('G', chunk)
export const deletePrefix = (group: GroupId): Buffer => groupPrefix('G', group)
/** Of a `C`, `R` or `G` key. */
export const chunkOf = (key: Buffer): ChunkId => chunkAt(key, 1)
export const groupOfKey = (key: Buffer): GroupId => key.readUInt32BE(1) as GroupId

/** The inclusive start and exclusive end of a page's rows in family `C` or `G`. */
export function pageRange(
  family: 'C' | 'G',
  group: GroupId,
  page: number,
): { readonly start: Buffer; readonly end: Buffer } {
  const { first, last } = pageBounds(group, page)
  // A chunk's key is never longer, so one byte more is the next key.
  return { start: withChunk(family, first), end: Buffer.concat([withChunk(family, last), Buffer.from([0])]) }
}

export const digestPrefix = (group: GroupId): Buffer => groupPrefix('E', group)
export const digestKey = (group: GroupId, page: number): Buffer => Buffer.concat([digestPrefix(group), number(page)])
export const digestPageOf = (key: Buffer): number => readNumber(key, 5)

export const allocationKey = (allocation: AllocationId): Buffer => numbers('A', allocation)
export const pageAllocationsPrefix = (group: GroupId, page: number): Buffer =>
  Buffer.concat([groupPrefix('a', group), number(page)])
export const pageAllocationKey = (group: GroupId, page: number, allocation: AllocationId): Buffer =>
  Buffer.concat([pageAllocationsPrefix(group, page), number(allocation)])

export const sessionKey = (session: number): Buffer => numbers('S', session)
export const requestKey = (session: number, sequence: number): Buffer => numbers('Y', session, sequence)
export const requestPrefix = (session: number): Buffer => numbers('Y', session)
export const requestSequenceOf = (key: Buffer): number => readNumber(key, 9)

/** What hangs on a session. */
export type HeldKind = 'allocation' | 'inode' | 'lock'
const heldKinds: readonly HeldKind[] = ['allocation', 'inode', 'lock']
export const heldPrefix = (session: number): Buffer => numbers('s', session)
export const heldKindPrefix = (session: number, kind: HeldKind): Buffer =>
  Buffer.concat([heldPrefix(session), Buffer.from([heldKinds.indexOf(kind)])])
export const heldKey = (session: number, kind: HeldKind, what: number | string): Buffer =>
  Buffer.concat([heldKindPrefix(session, kind), typeof what === 'number' ? number(what) : terminated(what)])
export function heldOf(key: Buffer): { readonly kind: HeldKind; readonly id: number; readonly name: string } {
  const kind = heldKinds[key[9] as number] as HeldKind
  return kind === 'lock'
    ? { kind, id: 0, name: unescapeName(key.subarray(10, key.length - 1)) }
    : { kind, id: readNumber(key, 10), name: '' }
}

export type ExpiringKind = 'allocation' | 'session'
const expiringKinds: readonly ExpiringKind[] = ['allocation', 'session']
export const expiryKey = (kind: ExpiringKind, timeMs: number, id: number): Buffer =>
  Buffer.concat([Buffer.from(['x'.charCodeAt(0), expiringKinds.indexOf(kind)]), number(timeMs), number(id)])
export const expiryIdOf = (key: Buffer): number => readNumber(key, 10)

/** Newest first among the trash of one path. */
export const trashKey = (path: string, trash: Rising): Buffer =>
  Buffer.concat([trashPathPrefix(path), number(Number.MAX_SAFE_INTEGER - trash)])
/** All trash of exactly this path (rows of a very long one: compare the row's path). */
export const trashPathPrefix = (path: string): Buffer => Buffer.concat([trashBelowPrefix(path), Buffer.from([0])])
/** All trash whose path begins with these bytes. */
export const trashBelowPrefix = (path: string): Buffer =>
  Buffer.concat([Buffer.from('T'), escapeName(path).subarray(0, trashPathBytes)])
export const trashIdOf = (key: Buffer): Rising => (Number.MAX_SAFE_INTEGER - readNumber(key, key.length - 8)) as Rising
export const trashDueKey = (timeMs: number, trash: Rising): Buffer => numbers('t', timeMs, trash)

export const tombstoneKey = (timeMs: number, chunk: ChunkId): Buffer =>
  Buffer.concat([numbers('g', timeMs), chunkBytes(chunk)])
/** Of a `g` key. */
export const tombstoneOf = (key: Buffer): ChunkId => chunkAt(key, 9)

export const groupKey = (group: GroupId): Buffer => groupPrefix('P', group)
export const groupSequenceKey = (group: GroupId): Buffer => groupPrefix('p', group)
export const serverKey = (server: ServerId): Buffer => Buffer.concat([Buffer.from('N'), Buffer.from(server, 'hex')])

/** Work: `repair` by chunk and server; `purge` and `measure` by number; `prune` by directory. */
export type Queue = 'repair' | 'purge' | 'measure' | 'prune'
const queueLetters: Readonly<Record<Queue, string>> = { repair: 'Wr', purge: 'Wp', measure: 'Wm', prune: 'Wd' }
export const queuePrefix = (queue: Queue): Buffer => Buffer.from(queueLetters[queue])
export const jobKey = (queue: 'purge' | 'measure' | 'prune', id: number): Buffer =>
  Buffer.concat([queuePrefix(queue), number(id)])
export const jobIdOf = (key: Buffer): number => readNumber(key, 2)
export const repairsOfChunkPrefix = (chunk: ChunkId): Buffer =>
  Buffer.concat([queuePrefix('repair'), chunkBytes(chunk)])
export const repairsOfGroupPrefix = (group: GroupId): Buffer =>
  Buffer.concat([queuePrefix('repair'), groupPrefix('P', group).subarray(1)])
export const repairKey = (chunk: ChunkId, server: ServerId): Buffer =>
  Buffer.concat([repairsOfChunkPrefix(chunk), Buffer.from(server, 'hex')])
export function repairOf(key: Buffer): { readonly chunk: ChunkId; readonly server: ServerId } {
  return { chunk: chunkAt(key, 2), server: key.subarray(2 + chunkKeyBytes).toString('hex') as ServerId }
}

export const eventKey = (event: number): Buffer => numbers('e', event)
export const lockKey = (name: string): Buffer => Buffer.concat([Buffer.from('l'), terminated(name)])
export const leaderKey: Buffer = Buffer.from('Lleader')
/** Written by the engine itself, in each commit: see `kv/change-feed.ts`. */
export const positionKey: Buffer = Buffer.from('Zposition')
export type RecordKind = 'counter' | 'setting' | 'record'
export const recordPrefix = (kind: RecordKind): Buffer => Buffer.from(`M${kind}/`)
export const recordKey = (kind: RecordKind, name: string): Buffer => Buffer.from(`M${kind}/${name}`)
export const recordNameOf = (kind: RecordKind, key: Buffer): string => key.toString('utf8', recordPrefix(kind).length)

function escapeName(name: string | Buffer): Buffer {
  const bytes = typeof name === 'string' ? Buffer.from(name) : name
  let escapes = 0
  for (let index = 0; index < bytes.length; index++) if ((bytes[index] as number) < 2) escapes++
  if (escapes === 0) return bytes
  const escaped = Buffer.allocUnsafe(bytes.length + escapes)
  let at = 0
  for (const byte of bytes) {
    if (byte < 2) escaped[at++] = 1
    escaped[at++] = byte < 2 ? byte + 1 : byte
  }
  return escaped
}

function unescapeName(escaped: Buffer): string {
  return unescapeBytes(escaped).toString()
}

function unescapeBytes(escaped: Buffer): Buffer {
  if (!escaped.includes(1)) return escaped
  const bytes: number[] = []
  for (let index = 0; index < escaped.length; index++) {
    const byte = escaped[index] as number
    bytes.push(byte === 1 ? (escaped[++index] as number) - 1 : byte)
  }
  return Buffer.from(bytes)
}

function terminated(name: string): Buffer {
  return Buffer.concat([escapeName(name), Buffer.from([0])])
}

function numbers(family: string, ...values: readonly number[]): Buffer {
  const key = Buffer.allocUnsafe(1 + 8 * values.length)
  key[0] = family.charCodeAt(0)
  for (let index = 0; index < values.length; index++) writeNumber(key, values[index] as number, 1 + 8 * index)
  return key
}

function number(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  writeNumber(bytes, value, 0)
  return bytes
}

function writeNumber(target: Buffer, value: number, at: number): void {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  target.writeUInt32BE(value % 2 ** 32, at + 4)
}

function readNumber(source: Buffer, at: number): number {
  return source.readUInt32BE(at) * 2 ** 32 + source.readUInt32BE(at + 4)
}

function groupPrefix(family: string, group: GroupId): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = family.charCodeAt(0)
  key.writeUInt32BE(group, 1)
  return key
}

function withChunk(family: string, chunk: ChunkId): Buffer {
  const key = Buffer.allocUnsafe(1 + chunkKeyBytes)
  key[0] = family.charCodeAt(0)
  key.write(chunk, 1, chunkKeyBytes, 'hex')
  return key
}

function chunkBytes(chunk: ChunkId): Buffer {
  return Buffer.from(chunk.slice(0, 2 * chunkKeyBytes), 'hex')
}

function chunkAt(key: Buffer, at: number): ChunkId {
  return chunkIdFromBytes(Buffer.concat([key.subarray(at, at + chunkKeyBytes), Buffer.alloc(2)]))
}
