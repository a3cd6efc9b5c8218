/**
 * Counters and digests that a transaction changes, gathered and written as one blind `add` a key: so two creates in one
 * directory do not conflict, and status and `du` never scan files.
 * Invariant: each counter equals what a scan of the rows would count (tested after random operations).
 * @module
 */
import {
  addDigest,
  type ChunkDigest,
  type ChunkFacts,
  digestOf,
  negateDigest,
  writeDigestLanes,
} from '../base/digest.ts'
import { type GroupId, groupOf, type InodeId, pageOf } from '../base/ids.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import { digestKey, directoryCountersKey, recordKey } from './keys.ts'
import type { Entry } from './rows.ts'

/** Lanes of a directory: what is directly inside, older versions and delete markers by themselves. The order is the format: append only. */
const directoryLanes = ['files', 'directories', 'lengthBytes', 'versions', 'versionBytes'] as const
/** Lanes of the whole namespace. The order is the format: append only. */
const totalLanes = [
  'files',
  'directories',
  'lengthBytes',
  'trashEntries',
  'trashBytes',
  'purgingBytes',
  'pendingDeletes',
  'pendingDeleteBytes',
  'sessions',
  'openAllocations',
  'owedReplicas',
  'versions',
  'versionBytes',
] as const

export type DirectoryCounters = Readonly<Record<(typeof directoryLanes)[number], number>>
export type TotalCounters = Readonly<Record<(typeof totalLanes)[number], number>>

const directoryPlaces = placesOf(directoryLanes)
const totalPlaces = placesOf(totalLanes)

export const totalsKey: Buffer = recordKey('counter', 'totals')

export class Tally {
  readonly #directories = new Map<InodeId, number[]>()
  #totals: number[] | undefined
  readonly #pages = new Map<string, PageChange>()

  /** Something directly inside `directory` changed. */
  directory(directory: InodeId, change: Partial<DirectoryCounters>): void {
    const lanes = this.#directories.get(directory) ?? []
    addTo(lanes, directoryPlaces, change)
    this.#directories.set(directory, lanes)
  }

  totals(change: Partial<TotalCounters>): void {
    this.#totals ??= []
    addTo(this.#totals, totalPlaces, change)
  }

  /** A live file or directory of the tree came (`sign` 1) or went (−1). */
  entry(directory: InodeId, kind: Entry['kind'], lengthBytes: number, sign: 1 | -1): void {
    if (kind !== 'file' && kind !== 'directory') return
    const change = kind === 'file' ? { files: sign, lengthBytes: sign * lengthBytes } : { directories: sign }
    this.directory(directory, change)
    this.totals(change)
  }

  /** An older version or delete marker came (`sign` 1) or went (−1). */
  version(directory: InodeId, lengthBytes: number, sign: 1 | -1): void {
    const change = { versions: sign, versionBytes: sign * lengthBytes }
    this.directory(directory, change)
    this.totals(change)
  }

  chunkAdded(facts: ChunkFacts): void {
    this.#page(facts, digestOf(facts), facts.length)
  }

  chunkRemoved(facts: ChunkFacts): void {
    this.#page(facts, negateDigest(digestOf(facts)), -facts.length)
  }

  /** Writes all that was gathered. Call it last in the transaction. */
  flush(tx: Transaction): void {
    for (const [directory, lanes] of this.#directories) addLanes(tx, directoryCountersKey(directory), lanes)
    if (this.#totals !== undefined) addLanes(tx, totalsKey, this.#totals)
    for (const change of this.#pages.values()) tx.add(digestKey(change.group, change.page), pageLanes(change))
  }

  #page({ id }: ChunkFacts, digest: ChunkDigest, sizeBytes: number): void {
    const group = groupOf(id)
    const page = pageOf(id)
    const name = `${group}/${page}`
    const known = this.#pages.get(name)
    if (known === undefined) {
      this.#pages.set(name, { group, page, digest, sizeBytes })
      return
    }
    known.digest = addDigest(known.digest, digest)
    known.sizeBytes += sizeBytes
  }
}

interface PageChange {
  readonly group: GroupId
  readonly page: number
  digest: ChunkDigest
  sizeBytes: number
}

/** A row `E`: the lanes of the digest, then the bytes of the page's live chunks. */
function pageLanes({ digest, sizeBytes }: PageChange): Buffer {
  const lanes = Buffer.allocUnsafe(32)
  writeDigestLanes(digest, lanes)
  writeLane(lanes, sizeBytes, 24)
  return lanes
}

/** Of a row `E`; 0 where chunks were written before bytes were counted. */
export function readPageBytes(value: Buffer): number {
  return value.length < 32 ? 0 : Math.max(0, Number(value.readBigInt64LE(24)))
}

export const noCounters: DirectoryCounters = { files: 0, directories: 0, lengthBytes: 0, versions: 0, versionBytes: 0 }

export function addCounters(one: DirectoryCounters, other: DirectoryCounters): DirectoryCounters {
  const sum = { ...noCounters } as Record<(typeof directoryLanes)[number], number>
  for (const lane of directoryLanes) sum[lane] = one[lane] + other[lane]
  return sum
}

export function readDirectoryCounters(value: Buffer | undefined): DirectoryCounters {
  return readLanes(directoryLanes, value)
}

export function readTotals(value: Buffer | undefined): TotalCounters {
  return readLanes(totalLanes, value)
}

function placesOf<Lane extends string>(names: readonly Lane[]): Readonly<Record<Lane, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Lane, number>
}

function addTo<Lane extends string>(
  lanes: number[],
  places: Readonly<Record<Lane, number>>,
  change: Partial<Record<Lane, number>>,
): void {
  for (const name in change) {
    const place = places[name]
    while (lanes.length <= place) lanes.push(0)
    lanes[place] = (lanes[place] as number) + (change[name] ?? 0)
  }
}

/** As many lanes as were changed, from the first on: the rows have at least those that ever were. */
function addLanes(tx: Transaction, key: Buffer, lanes: readonly number[]): void {
  if (lanes.every((lane) => lane === 0)) return
  const bytes = Buffer.allocUnsafe(lanes.length * 8)
  for (let index = 0; index < lanes.length; index++) writeLane(bytes, lanes[index] as number, index * 8)
  tx.add(key, bytes)
}

/** A safe integer as 64 bits, below zero as two's complement: by halves, since a `BigInt` for each takes five times as long. */
function writeLane(lanes: Buffer, value: number, at: number): void {
  lanes.writeUInt32LE(value >>> 0, at)
  lanes.writeUInt32LE(Math.floor(value / 2 ** 32) >>> 0, at + 4)
}

/** Counters below zero would be a bug: they are shown as they are, so that tests and people see them. */
function readLanes<Lane extends string>(names: readonly Lane[], value: Buffer | undefined): Record<Lane, number> {
  const lanes = {} as Record<Lane, number>
  names.forEach((name, index) => {
    lanes[name] = value !== undefined && value.length >= index * 8 + 8 ? Number(value.readBigInt64LE(index * 8)) : 0
  })
  return lanes
}
