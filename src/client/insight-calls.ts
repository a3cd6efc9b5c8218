/** What the cluster says of itself, when asked: fsck, the byte ledger. Read only. @module */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type GroupId, parseChunkId, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { getStatus } from '../wire/methods/cluster-methods.ts'
import {
  explainGroup,
  explainRefusal,
  explainServer,
  type FolderUse,
  type FsckCounts,
  type FsckFinding,
  fsckStep,
  type GroupExplanation,
  getEvents,
  type LedgerSums,
  ledgerStep,
  type RefusalRecord,
  type ServerExplanation,
} from '../wire/methods/insight-methods.ts'
import type { ClusterEvent } from '../wire/types/cluster-event.ts'
import { type ByteLedger, byteLedger } from './byte-ledger.ts'
import { type ChunkAccess, type ChunkAccessOptions, chunkAccess } from './chunk-access.ts'
import type { ClientCore } from './client-core.ts'
import type { CallOptions } from './options.ts'

export interface FsckOptions extends CallOptions {
  /** Have every replica read whole. One that turns out wrong is set aside by its server, as by any read. Default false. */
  readonly verify?: boolean
  /** Called after each step with all that was counted so far. */
  readonly onProgress?: (counts: FsckCounts) => void
}

export interface EventOptions extends CallOptions {
  /** From the one after this number on. Default: the last {@link EventOptions.latest}. */
  readonly after?: number | undefined
  /** Default 100. */
  readonly latest?: number
  readonly follow?: boolean
}

export interface FsckReport {
  readonly counts: FsckCounts
  /** Nothing is missing, corrupt or under-replicated. */
  readonly isClean: boolean
  /** The first `limits.fsckFindings`; counts are complete. */
  readonly findings: readonly FsckFinding[]
}

/** What the cluster can say of itself. */
export interface Insight {
  /** Compares the metadata with what chunk servers hold, and files with chunks. */
  fsck(options?: FsckOptions): Promise<FsckReport>
  /** Every allocated byte of all data folders, by what it is for. */
  ledger(options?: CallOptions): Promise<ByteLedger>
  /** Events in order, as far as they go; with `follow` it goes on, and ends by its signal. */
  events(options?: EventOptions): AsyncGenerator<ClusterEvent, void, undefined>
  /** Why a group's members are what they are, and what if one died now. @throws {AshlarError} `not-found` */
  explainGroup(group: number, options?: CallOptions): Promise<GroupExplanation>
  /** Why a server is in its state, and what depends on it. @throws {AshlarError} `not-found` */
  explainServer(server: ServerId, options?: CallOptions): Promise<ServerExplanation>
  /** A write that found no place: by the id in its error's `details.refusal`. @throws {AshlarError} `not-found` */
  explainRefusal(id: string, options?: CallOptions): Promise<RefusalRecord>
  /**
   * How to reach one chunk at the servers of its group, by plain HTTP: see `docs/chunk-server-http.md`.
   * @throws {AshlarError} `invalid-argument` — not a chunk's id; `not-found` — no such group; `forbidden` — to be deleted, and gc has no order for it
   */
  chunkAccess(chunk: string, options?: ChunkAccessOptions): Promise<ChunkAccess>
}

/** A step reads up to 32 MiB on each of several servers before it looks at the clock. */
const stepTimeoutMs = 180_000
/** How long the master holds a question for events that are not there yet. */
const followWaitMs = 5_000
const followTimeoutMs = 60_000

export class InsightCalls implements Insight {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async fsck({ verify = false, onProgress, signal }: FsckOptions = {}): Promise<FsckReport> {
    let counts: FsckCounts | undefined
    const findings: FsckFinding[] = []
    const suspects = new Set<ChunkId>()
    let cursor: Buffer | undefined
    do {
      const request = { verify, cursor, suspects: [...suspects] }
      const { value } = await this.#core.link.call(fsckStep, request, { signal, timeoutMs: stepTimeoutMs })
      counts = counts === undefined ? value.counts : sum(counts, value.counts)
      findings.push(...value.findings.slice(0, limits.fsckFindings - findings.length))
      for (const { kind, chunk } of value.findings) {
        if (kind === 'missing' && chunk !== undefined && suspects.size < limits.fsckFindings) suspects.add(chunk)
      }
      onProgress?.(counts)
      cursor = value.cursor
    } while (cursor !== undefined)
    return { counts, findings, isClean: counts.missing + counts.corrupt + counts.underReplicated === 0 }
  }

  async *events({
    after,
    latest = 100,
    follow = false,
    signal,
  }: EventOptions = {}): AsyncGenerator<ClusterEvent, void, undefined> {
    const { link } = this.#core
    const limit = limits.eventsPerAnswer
    let at = after ?? 0
    if (after === undefined) {
      const newest = { after: Number.MAX_SAFE_INTEGER - 1, limit: 1, waitMs: 0 }
      at = Math.max(0, (await link.call(getEvents, newest, { signal })).value.last - latest)
    }
    for (let more = true; more || follow; ) {
      const waitMs: number = follow && !more ? followWaitMs : 0
      const { value } = await link.call(getEvents, { after: at, limit, waitMs }, { signal, timeoutMs: followTimeoutMs })
      for (const event of value.events) {
        yield event
        at = event.number
      }
      more = value.events.length === limit
    }
  }

  async explainGroup(group: number, { signal }: CallOptions = {}): Promise<GroupExplanation> {
    return (await this.#core.link.call(explainGroup, { group: group as GroupId }, { signal })).value.explanation
  }

  async explainServer(server: ServerId, { signal }: CallOptions = {}): Promise<ServerExplanation> {
    return (await this.#core.link.call(explainServer, { server }, { signal })).value.explanation
  }

  async explainRefusal(id: string, { signal }: CallOptions = {}): Promise<RefusalRecord> {
    return (await this.#core.link.call(explainRefusal, { id }, { signal })).value.refusal
  }

  async chunkAccess(chunk: string, options: ChunkAccessOptions = {}): Promise<ChunkAccess> {
    return await chunkAccess(this.#core, chunkIdFrom(chunk), options)
  }

  async ledger({ signal }: CallOptions = {}): Promise<ByteLedger> {
    const { link } = this.#core
    let sums: LedgerSums | undefined
    let cursor: Buffer | undefined
    do {
      const { value } = await link.call(ledgerStep, { cursor }, { signal, timeoutMs: stepTimeoutMs })
      sums = sums === undefined ? value.sums : addSums(sums, value.sums)
      cursor = value.cursor
    } while (cursor !== undefined)
    const { status } = (await link.call(getStatus, {}, { signal })).value
    return byteLedger(sums, status)
  }
}

function addSums(one: LedgerSums, other: LedgerSums): LedgerSums {
  const total = Object.entries(one).map(([name, value]) => {
    const added = other[name as keyof LedgerSums]
    return [name, typeof value === 'number' ? value + Number(added) : addUse(value, added as FolderUse)]
  })
  return Object.fromEntries(total) as LedgerSums
}

/** What a person typed. @throws {AshlarError} `invalid-argument` */
function chunkIdFrom(typed: string): ChunkId {
  try {
    return parseChunkId(typed)
  } catch (cause) {
    const state = 'it is no chunk id, 32 hexadecimal digits as "ashlar stat --chunks" shows them'
    throw new AshlarError('invalid-argument', `Cannot look up chunk "${typed.slice(0, 40)}": ${state}`, { cause })
  }
}

function addUse(one: FolderUse, other: FolderUse): FolderUse {
  const sums = Object.entries(one).map(([name, bytes]) => [name, bytes + other[name as keyof FolderUse]])
  return Object.fromEntries(sums) as FolderUse
}

function sum(one: FsckCounts, other: FsckCounts): FsckCounts {
  const total = Object.entries(one).map(([name, count]) => [name, count + other[name as keyof FsckCounts]])
  return Object.fromEntries(total) as FsckCounts
}
