/**
 * The chunks that a commit names, and the proof that members hold them.
 *
 * A commit that names chunks is applied once by them: any of its `C` rows, live or tombstone, means that it was applied
 * (see DESIGN.md 4). Only then are the session, the allocation and the receipts looked at. A chunk is committed whole or
 * in part, once, and by the session whose open allocation holds its id.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type AllocationId, type ChunkId, type ContentId, groupOf } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Transaction } from '../kv/txn-kv.ts'
import type { RequestId } from '../wire/types/attributes.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { Extent, Receipt } from '../wire/types/extent.ts'
import { holdsChunk } from './allocations.ts'
import type { Change } from './change.ts'
import { keptAllocations, keptGroups, keptSessions } from './kept-rows.ts'
import { allocationKey, chunkKey, groupKey, sessionKey } from './keys.ts'
import { queueRepair } from './repairs.ts'
import { checkSession } from './requests.ts'
import { type AllocationRow, chunkRow, decodeRow } from './rows.ts'

/** The part of a request that proves its chunks. */
export interface Proof {
  readonly request: RequestId
  readonly extents: readonly Extent[]
  readonly receipts: readonly Receipt[]
  readonly allocations: readonly AllocationId[]
}

interface ProvenChunk {
  readonly extent: Extent
  readonly receipts: readonly Receipt[]
}

/** A proof whose form was checked. */
export interface SortedProof {
  readonly request: RequestId
  readonly allocations: readonly AllocationId[]
  readonly chunks: readonly ProvenChunk[]
}

/**
 * Checks all that needs no transaction.
 * @throws {AshlarError} `invalid-argument` — an extent is not a part of its chunk, a chunk is named twice;
 *   `receipts-rejected` — a receipt is missing, of another chunk, or of other bytes
 */
export function sortProof({ request, extents, receipts, allocations }: Proof): SortedProof {
  for (const { chunk, offset, length, chunkLength } of extents) {
    if (length < 1 || offset + length > chunkLength) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot commit chunk ${chunk}: ${offset}+${length} is not within its ${chunkLength} bytes`,
      )
    }
  }
  const [first] = extents
  const isSole = first !== undefined && extents.length === 1
  const chunks = isSole ? [soleChunk(first, receipts)] : sortReceipts(extents, receipts)
  for (const { extent, receipts: own } of chunks) {
    if (own.length === 0) throw rejected(extent.chunk, 'it has no receipt')
    for (const { length, crc } of own) {
      if (length === extent.chunkLength && crc === extent.crc) continue
      throw rejected(extent.chunk, 'a receipt is for other bytes than the extent names')
    }
  }
  return { request, allocations, chunks }
}

/** As {@link sortReceipts}, for the most common of all: nothing has to be sorted. */
function soleChunk(extent: Extent, receipts: readonly Receipt[]): ProvenChunk {
  for (const { chunk } of receipts) if (chunk !== extent.chunk) throw unnamed(chunk)
  return { extent, receipts }
}

function sortReceipts(extents: readonly Extent[], receipts: readonly Receipt[]): ProvenChunk[] {
  const receiptsOf = new Map<ChunkId, Receipt[]>()
  for (const { chunk } of extents) {
    if (receiptsOf.has(chunk))
      throw new AshlarError('invalid-argument', `Cannot commit chunk ${chunk}: it is named twice`)
    receiptsOf.set(chunk, [])
  }
  for (const receipt of receipts) {
    const known = receiptsOf.get(receipt.chunk)
    if (known === undefined) throw unnamed(receipt.chunk)
    known.push(receipt)
  }
  return extents.map((extent) => ({ extent, receipts: receiptsOf.get(extent.chunk) as Receipt[] }))
}

/** What a proof's transaction reads, in one go. */
export interface ProofRows {
  /** The version that was answered, when the commit was applied before. */
  readonly applied: Rising | undefined
  /** Judges the proof and admits its chunks to `content`. */
  admit(change: Change, admission: Admission): void
}

export interface Admission {
  readonly content: ContentId
  /** What the commit answers. */
  readonly version: Rising
}

/** @throws {AshlarError} `chunk-conflict` — a chunk was committed with other bytes; `session-ended`; `allocation-closed`; `forbidden` */
export async function readProof(change: Change, proof: SortedProof): Promise<ProofRows> {
  const { chunks, allocations, request } = proof
  const groups = [...new Set(chunks.map(({ extent }) => groupOf(extent.chunk)))]
  const values = await change.tx.getMany([
    sessionKey(request.session),
    ...groups.map(groupKey),
    ...allocations.map(allocationKey),
    ...chunks.map(({ extent }) => chunkKey(extent.chunk)),
  ])
  const applied = appliedVersion(proof, values.slice(1 + groups.length + allocations.length))
  if (applied !== undefined) return { applied, admit: neverAdmitted }
  checkSession(keptSessions.decode(values[0]), request)
  const groupById = new Map(groups.map((group, index) => [group, keptGroups.decode(values[1 + index])?.group]))
  const open = allocations.map((_, index) => keptAllocations.decode(values[1 + groups.length + index]))
  checkAllocations(change, proof, open)
  return {
    applied: undefined,
    admit: (admitting, admission) => {
      for (const chunk of chunks) admitChunk(admitting, chunk, groupById.get(groupOf(chunk.extent.chunk)), admission)
    },
  }
}

/** Whether a commit that names these chunks was applied: for the witness of an unknown commit. */
export async function wasApplied(tx: Transaction, proof: SortedProof): Promise<boolean> {
  const first = proof.chunks[0]
  return first !== undefined && (await tx.get(chunkKey(first.extent.chunk))) !== undefined
}

function appliedVersion({ chunks }: SortedProof, values: readonly (Buffer | undefined)[]): Rising | undefined {
  let version: Rising | undefined
  chunks.forEach(({ extent }, index) => {
    const row = decodeRow(chunkRow, values[index])
    if (row === undefined) return
    if (row.length !== extent.chunkLength || row.crc !== extent.crc) {
      throw new AshlarError('chunk-conflict', `Cannot commit chunk ${extent.chunk}: it was committed with other bytes`)
    }
    version ??= row.version ?? (row.content as number as Rising)
  })
  return version
}

function checkAllocations(change: Change, proof: SortedProof, open: readonly (AllocationRow | undefined)[]): void {
  for (const { extent } of proof.chunks) {
    const row = open.find((each) => each !== undefined && holdsChunk(each, extent.chunk))
    // One of another session is no better: whoever began a new session meanwhile writes the bytes under its own ids.
    if (row === undefined || row.closesAtMs <= change.nowMs || row.session !== proof.request.session) {
      throw new AshlarError(
        'allocation-closed',
        `Cannot commit chunk ${extent.chunk}: no open allocation of this session, named by the request, holds its id; write the bytes under new ids`,
      )
    }
  }
}

function admitChunk(change: Change, chunk: ProvenChunk, group: Group | undefined, admission: Admission): void {
  const { context, tx, tally } = change
  const { extent, receipts } = chunk
  const policy = group && context.policy(group.policy)
  if (group === undefined || policy === undefined) throw rejected(extent.chunk, 'its group is unknown')
  const owing = context.judgeReceipts({ group, policy, receipts })
  const facts = { id: extent.chunk, length: extent.chunkLength, crc: extent.crc }
  const version = (admission.version as number) === admission.content ? undefined : admission.version
  // Read as absent by this transaction.
  tx.put(
    chunkKey(extent.chunk),
    chunkRow.encode({ content: admission.content, length: facts.length, crc: facts.crc, version }),
  )
  tally.chunkAdded(facts)
  for (const server of owing) queueRepair(change, extent.chunk, server)
}

function neverAdmitted(): never {
  throw new AshlarError('internal', 'Cannot admit chunks: the commit was applied before')
}

function unnamed(chunk: ChunkId): AshlarError {
  return rejected(chunk, 'a receipt is for a chunk that the request does not name')
}

function rejected(chunk: ChunkId, why: string): AshlarError {
  return new AshlarError('receipts-rejected', `Cannot commit chunk ${chunk}: ${why}`)
}
