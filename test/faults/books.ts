/**
 * The books of a stopped cluster against its disks: what the metadata names (rows `C`) must lie on every member's disk, whole,
 * and after gc nothing else may. Both are read by the code that serves them, the disks by a scan: their index is thrown away first.
 * @module
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ChunkId,
  type ClusterId,
  chunkId,
  chunkIdParts,
  type GroupId,
  groupOf,
  type ServerId,
} from '../../src/base/ids.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { openSqliteKV } from '../../src/kv/sqlite-kv.ts'
import { prefixEnd, type TxnKV } from '../../src/kv/txn-kv.ts'
import { chunkOf, queuePrefix, repairOf } from '../../src/namespace/keys.ts'
import { chunkRow, groupRow } from '../../src/namespace/rows.ts'
import { openDiskStore } from '../../src/store/open-disk-store.ts'
import { clusterIdOf, type HandCluster, master } from './hand-cluster.ts'

interface Facts {
  readonly length: number
  readonly crc: number
}

export interface Books {
  /** What live files hold. */
  readonly live: ReadonlyMap<ChunkId, Facts>
  readonly members: ReadonlyMap<GroupId, readonly ServerId[]>
  /** `chunk server`: copies that are known to be missing. */
  readonly owed: ReadonlySet<string>
}

/** What one disk differs in. */
export interface Difference {
  /** Named by the books, expected on this disk, and not there or of other bytes. */
  readonly missing: readonly ChunkId[]
  /** On the disk, and nothing names it. */
  readonly extra: readonly ChunkId[]
  readonly extraBytes: number
  readonly temporaryFiles: number
  readonly chunks: number
  readonly usedBytes: number
}

const env = createNodeEnv({ log: 'silent' })
const rowsAtOnce = 1000

/** Opens the metadata as a master does: what a crash left is recovered. */
export async function readBooks(cluster: HandCluster): Promise<Books> {
  const path = join(cluster.data(master), 'metadata.db')
  const kv = await openSqliteKV({ ...env, path, reserveBytes: 0, onFatal: failNow })
  try {
    const live = new Map<ChunkId, Facts>()
    for await (const { key, value } of rows(kv, Buffer.from('C'))) {
      const { length, crc, tombstonedMs } = chunkRow.decode(value)
      if (tombstonedMs === undefined) live.set(chunkOf(key), { length, crc })
    }
    const members = new Map<GroupId, ServerId[]>()
    for await (const { value } of rows(kv, Buffer.from('P'))) {
      const { group } = groupRow.decode(value)
      members.set(
        group.id,
        group.members.map(({ server }) => server),
      )
    }
    const owed = new Set<string>()
    for await (const { key } of rows(kv, queuePrefix('repair'))) {
      const { chunk, server } = repairOf(key)
      owed.add(`${chunk} ${server}`)
    }
    return { live, members, owed }
  } finally {
    await kv.close()
  }
}

/** Opens the store of one stopped chunk server, which makes it whole as its own start would. */
export async function compareDisk(
  cluster: HandCluster,
  {
    name,
    books,
    rescan,
  }: { readonly name: HandCluster['names'][number]; readonly books: Books; readonly rescan: boolean },
): Promise<Difference> {
  const path = cluster.data(name)
  const server = cluster.id(name) as ServerId
  const index = join(path, 'index')
  if (rescan && existsSync(index)) rmSync(index, { recursive: true })
  const store = await openDiskStore({ env, path, identity: { cluster: clusterIdOf(cluster) as ClusterId } })
  try {
    const held = new Map<ChunkId, Facts>()
    for (const group of await store.groups()) {
      for (const { id, length, crc } of await listGroup(store, group)) held.set(id, { length, crc })
    }
    const missing: ChunkId[] = []
    for (const [id, facts] of books.live) {
      if (!books.members.get(groupOf(id))?.includes(server) || books.owed.has(`${id} ${server}`)) continue
      const found = held.get(id)
      if (found?.length !== facts.length || found.crc !== facts.crc) missing.push(id)
    }
    const extra = [...held.keys()].filter((id) => !books.live.has(id))
    const extraBytes = extra.reduce((sum, id) => sum + (held.get(id)?.length ?? 0), 0)
    const { usedBytes, chunks } = store.space()
    return { missing, extra, extraBytes, temporaryFiles: readdirSync(join(path, 'tmp')).length, chunks, usedBytes }
  } finally {
    await store.close()
  }
}

async function listGroup(store: Awaited<ReturnType<typeof openDiskStore>>, group: GroupId) {
  const last = chunkId({ group, generation: 2047, sequence: 2 ** 52 - 1 })
  const all = []
  for (let first = chunkId({ group, generation: 0, sequence: 0 }); ; ) {
    const some = await store.list({ first, last, limit: rowsAtOnce })
    all.push(...some)
    const end = some.at(-1)
    if (end === undefined || some.length < rowsAtOnce) return all
    const { generation, sequence } = chunkIdParts(end.id)
    first = chunkId({ group, generation, sequence: sequence + 1 })
  }
}

async function* rows(kv: TxnKV, prefix: Buffer) {
  const end = prefixEnd(prefix)
  for (let start = prefix; ; ) {
    const some = await kv.transact((tx) => tx.range({ start, end, limit: rowsAtOnce }))
    yield* some
    const last = some.at(-1)
    if (last === undefined || some.length < rowsAtOnce) return
    start = Buffer.concat([last.key, Buffer.from([0])])
  }
}

function failNow(error: Error): never {
  throw error
}
