/**
 * The books, compared to the byte once the cluster is at rest: every member of a group holds exactly the chunks that the
 * metadata names, each whole and right, nobody holds anything else, nothing is reserved, and what each server says of its
 * room is the sum of what it holds.
 * @module
 */
import {
  addDigest,
  type ChunkDigest,
  type ChunkFacts,
  digestFromLanes,
  digestOf,
  emptyDigest,
  equalDigests,
} from '../../base/digest.ts'
import { toAshlarError } from '../../base/errors.ts'
import { type ChunkId, chunkIdParts, type GroupId, groupOf, pageOf } from '../../base/ids.ts'
import { prefixEnd, type TxnKV } from '../../kv/txn-kv.ts'
import * as keys from '../../namespace/keys.ts'
import { chunkOf } from '../../namespace/keys.ts'
import { chunkRow } from '../../namespace/rows.ts'
import type { ChunkStore } from '../../store/chunk-store.ts'
import type { ClusterMap } from '../../wire/types/cluster-map.ts'
import { allIds } from './burials.ts'

/** More than any simulated cluster has. */
const mostRows = 1_000_000

export interface ServerBooks {
  readonly name: string
  readonly serverId: string
  readonly store: ChunkStore
}

/** Chunks that live files, trash and files being written name, by group. */
export async function namedChunks(kv: TxnKV): Promise<{
  readonly byGroup: ReadonlyMap<GroupId, readonly ChunkFacts[]>
  readonly problems: readonly string[]
}> {
  const { chunkRows, digestRows } = await kv.transact(async (tx) => {
    const scan = (letter: string) => {
      const start = Buffer.from(letter)
      return tx.range({ start, end: prefixEnd(start), limit: mostRows })
    }
    return { chunkRows: await scan('C'), digestRows: await scan('E') }
  })
  const live: ChunkFacts[] = []
  const sums = new Map<string, ChunkDigest>()
  for (const { key, value } of chunkRows) {
    const row = chunkRow.decode(value)
    if (row.tombstonedMs !== undefined) continue
    const facts = { id: chunkOf(key), length: row.length, crc: row.crc }
    live.push(facts)
    const page = keys.digestKey(groupOf(facts.id), pageOf(facts.id)).toString('hex')
    sums.set(page, addDigest(sums.get(page) ?? emptyDigest, digestOf(facts)))
  }
  const problems: string[] = []
  const kept = new Map(digestRows.map(({ key, value }) => [key.toString('hex'), digestFromLanes(value)]))
  for (const page of new Set([...sums.keys(), ...kept.keys()])) {
    if (!equalDigests(sums.get(page) ?? emptyDigest, kept.get(page) ?? emptyDigest)) {
      problems.push(`the digest of page ${page} is not that of its chunks`)
    }
  }
  return { byGroup: Map.groupBy(live, ({ id }) => groupOf(id)), problems }
}

/** @returns what differs, one sentence each; empty: the books agree */
export async function compareBooks(
  kv: TxnKV,
  {
    map,
    servers,
    verify,
    generation = 0,
  }: {
    readonly map: ClusterMap
    readonly servers: readonly ServerBooks[]
    readonly verify: boolean
    /** Of the metadata: chunks of older ones that they do not name stay where they are. */
    readonly generation?: number
  },
): Promise<readonly string[]> {
  const { byGroup, problems } = await namedChunks(kv)
  const differences = [...problems]
  for (const server of servers) {
    const expected = map.groups
      .filter(({ members }) => members.some((member) => member.server === server.serverId))
      .flatMap(({ id }) => byGroup.get(id) ?? [])
    differences.push(...(await compareStore(server, { expected, verify, generation })))
  }
  return differences
}

async function compareStore(
  { name, store }: ServerBooks,
  {
    expected,
    verify,
    generation,
  }: { readonly expected: readonly ChunkFacts[]; readonly verify: boolean; readonly generation: number },
): Promise<string[]> {
  const held = new Map<ChunkId, ChunkFacts>()
  for (const facts of await store.list({ ...allIds, limit: mostRows })) held.set(facts.id, facts)
  const differences: string[] = []
  for (const { id, length, crc } of expected) {
    const found = held.get(id)
    held.delete(id)
    if (found === undefined) differences.push(`${name} lacks chunk ${id} (${length} bytes)`)
    else if (found.length !== length || found.crc !== crc)
      differences.push(`${name} holds chunk ${id} with other bytes`)
    else if (verify) {
      await store.verify(id).catch((error: unknown) => {
        differences.push(`${name} cannot give chunk ${id}: ${toAshlarError(error).message}`)
      })
    }
  }
  const stray = [...held.values()].filter(({ id }) => chunkIdParts(id).generation >= generation)
  const kept = [...held.values()].filter((facts) => !stray.includes(facts))
  for (const { id, length } of stray) {
    differences.push(`${name} holds chunk ${id} (${length} bytes), which nobody names`)
  }
  const { usedBytes, reservedBytes, chunks, refusal } = store.space()
  const all = [...expected, ...kept]
  const sum = all.reduce((total, { length }) => total + length, 0)
  if (differences.length === 0 && (usedBytes !== sum || chunks !== all.length)) {
    differences.push(`${name} says ${usedBytes} bytes in ${chunks} chunks, and holds ${sum} in ${all.length}`)
  }
  if (reservedBytes !== 0) differences.push(`${name} keeps ${reservedBytes} bytes reserved for nobody`)
  if (refusal === 'fenced') differences.push(`${name} is fenced`)
  return differences
}
