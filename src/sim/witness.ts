/**
 * What the master and the chunk servers did, seen from behind, for whoever tells the story of a run: the rows of the
 * metadata as they are written, and a few of the lines that processes log. No oracle believes it, and it changes nothing:
 * a run with a witness is the same run, event by event.
 * @module
 */
import { type ChunkId, groupOf, type ServerId } from '../base/ids.ts'
import type { WriteSet } from '../kv/write-set.ts'
import { chunkOf, queuePrefix, repairOf } from '../namespace/keys.ts'
import { chunkRow, groupRow, serverRow } from '../namespace/rows.ts'
import type { Group, ServerState } from '../wire/types/cluster-map.ts'
import type { HostName } from './script.ts'
import type { LogLine } from './world.ts'

interface At {
  readonly atMs: number
}

export type Sight = At &
  (
    | { readonly kind: 'state'; readonly host: HostName; readonly from: ServerState; readonly to: ServerState }
    /** A file names it from now on, and `hosts` hold it. */
    | { readonly kind: 'stored'; readonly chunk: ChunkId; readonly hosts: readonly HostName[] }
    /** It is gone. `unused`: it was uploaded, and no file ever named it. */
    | { readonly kind: 'dropped' | 'unused'; readonly chunk: ChunkId }
    /** The host has no copy of it that counts; `moot`: the chunk is not needed any more. */
    | { readonly kind: 'owed' | 'repaid' | 'moot'; readonly chunk: ChunkId; readonly host: HostName }
    | { readonly kind: 'joins'; readonly host: HostName; readonly group: number }
    | { readonly kind: 'logged'; readonly host: HostName; readonly message: LoggedMessage; readonly chunks: number }
  )

/** Lines of the log that belong to a story. */
export const loggedMessages = [
  'store is fenced: a write or sync failed',
  'replica was put into quarantine',
  'torn tail of a segment is cut off',
  'damaged part of a segment is set aside',
  'removing chunks that no file names',
  'the metadata is older than what chunk servers hold: files can only be read until that is settled',
] as const
export type LoggedMessage = (typeof loggedMessages)[number]

/** What the servers must hold by the metadata. */
export interface Holding {
  readonly host: HostName
  readonly chunks: number
  readonly sizeBytes: number
}

const [chunkFamily, deleteFamily, groupFamily, serverFamily] = [...Buffer.from('CGPN')]
const repairPrefix = queuePrefix('repair')

export class Witness {
  readonly sights: Sight[] = []
  readonly #servers = new Map<ServerId, { readonly host: HostName; readonly state: ServerState }>()
  readonly #groups = new Map<number, Group>()
  /** Live chunks, and their lengths. */
  readonly #live = new Map<ChunkId, number>()
  /** Chunks that a file names or once named. */
  readonly #named = new Set<ChunkId>()
  readonly #owed = new Set<string>()
  #isSure = true
  /** Undefined until the cluster is ready: nobody tells of its first start. */
  #nowMs: (() => number) | undefined

  /** From now on there is something to tell. */
  begin(nowMs: () => number): void {
    this.#nowMs = nowMs
  }

  hear({ host, message, fields }: LogLine): void {
    const known = loggedMessages.find((one) => one === message)
    if (known === undefined) return
    const of = fields['server'] as ServerId | undefined
    const chunks = typeof fields['chunks'] === 'number' ? fields['chunks'] : 0
    this.#see({ kind: 'logged', host: this.#servers.get(of as ServerId)?.host ?? host, message: known, chunks })
  }

  /** One transaction of the master. */
  seeWrites(writes: WriteSet): void {
    for (const [, { key, kind, value }] of writes.writes()) {
      const row = Buffer.from(key)
      const put = kind === 'put' ? Buffer.from(value) : undefined
      if (row[0] === serverFamily && put !== undefined) this.#seeServer(put)
      else if (row[0] === groupFamily && put !== undefined) this.#seeGroup(put)
      else if (row[0] === chunkFamily && put !== undefined) this.#seeChunk(chunkOf(row), put)
      else if (row[0] === deleteFamily && kind === 'del') this.#seeDeleted(chunkOf(row))
      else if (row.subarray(0, 2).equals(repairPrefix)) this.#seeDebt(row, kind === 'put')
    }
  }

  /** What was seen may not have stayed. */
  doubt(): void {
    this.#isSure = false
  }

  /** As the metadata have it by now, by host. Undefined when that is not known for sure. */
  holdings(): readonly Holding[] | undefined {
    if (!this.#isSure) return undefined
    const held = new Map<HostName, { chunks: number; sizeBytes: number }>()
    for (const [chunk, length] of this.#live) {
      for (const host of this.#hostsOf(chunk)) {
        const sum = held.get(host) ?? { chunks: 0, sizeBytes: 0 }
        held.set(host, { chunks: sum.chunks + 1, sizeBytes: sum.sizeBytes + length })
      }
    }
    return [...held].map(([host, sum]) => ({ host, ...sum })).sort((a, b) => a.host.localeCompare(b.host))
  }

  /** Chunks that files or the trash name by now. Undefined when that is not known for sure. */
  chunks(): number | undefined {
    return this.#isSure ? this.#live.size : undefined
  }

  /** Names servers in words, and says when a chunk was stored that is named there. */
  explain(text: string): string {
    let named = text
    for (const [id, { host }] of this.#servers) named = named.replaceAll(id, host)
    const chunk = /chunk ([0-9a-f]{32})/.exec(text)?.[1]
    const stored = this.sights.find((sight) => sight.kind === 'stored' && sight.chunk === chunk)
    return stored === undefined ? named : `${named} (stored at ${(stored.atMs / 1000).toFixed(3)} s)`
  }

  #seeServer(row: Buffer): void {
    const { id, address, state } = serverRow.decode(row).server
    const host = address.slice(0, address.indexOf(':'))
    const former = this.#servers.get(id)
    this.#servers.set(id, { host, state })
    if (former !== undefined && former.state !== state)
      this.#see({ kind: 'state', host, from: former.state, to: state })
  }

  #seeGroup(row: Buffer): void {
    const { group } = groupRow.decode(row)
    const former = this.#groups.get(group.id)
    this.#groups.set(group.id, group)
    if (former === undefined) return
    for (const { server, state } of group.members) {
      const before = former.members.find((one) => one.server === server)
      if (before === undefined && state === 'filling') {
        this.#see({ kind: 'joins', host: this.#hostOf(server), group: group.id })
      }
    }
  }

  #seeChunk(chunk: ChunkId, row: Buffer): void {
    const { length, tombstonedMs } = chunkRow.decode(row)
    if (tombstonedMs !== undefined) this.#live.delete(chunk)
    else {
      const isNew = !this.#live.has(chunk)
      this.#live.set(chunk, length)
      this.#named.add(chunk)
      if (isNew) this.#see({ kind: 'stored', chunk, hosts: this.#hostsOf(chunk) })
    }
  }

  #seeDeleted(chunk: ChunkId): void {
    this.#live.delete(chunk)
    this.#see({ kind: this.#named.has(chunk) ? 'dropped' : 'unused', chunk })
  }

  #seeDebt(row: Buffer, isOwed: boolean): void {
    const { chunk, server } = repairOf(row)
    const debt = `${chunk} ${server}`
    const isNew = !this.#owed.has(debt)
    if (isOwed) this.#owed.add(debt)
    else this.#owed.delete(debt)
    if (isOwed !== isNew) return
    const paid = this.#live.has(chunk) ? 'repaid' : 'moot'
    this.#see({ kind: isOwed ? 'owed' : paid, chunk, host: this.#hostOf(server) })
  }

  #hostsOf(chunk: ChunkId): readonly HostName[] {
    const members = this.#groups.get(groupOf(chunk))?.members ?? []
    return members.filter(({ state }) => state === 'in').map(({ server }) => this.#hostOf(server))
  }

  #hostOf(server: ServerId): HostName {
    return this.#servers.get(server)?.host ?? 'a former server'
  }

  #see(sight: Unplaced<Sight>): void {
    if (this.#nowMs !== undefined) this.sights.push({ ...sight, atMs: this.#nowMs() } as Sight)
  }
}

type Unplaced<T> = T extends At ? Omit<T, 'atMs'> : never
