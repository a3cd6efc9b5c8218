/**
 * What fsck concludes from one look at a page of a group: which chunks have how many good replicas, and which replicas belong
 * to no chunk. Pure: lists in, counts out. What acts on the same lists, and deletes, is reconcile.ts.
 * @module
 */
import type { ChunkFacts } from '../base/digest.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'

/** What a member within reach says it holds of the page. */
export interface MemberList {
  readonly server: ServerId
  /** Members of one slot stand for one replica between them. */
  readonly slot: number
  readonly held: ReadonlyMap<ChunkId, ChunkFacts>
}

export interface ChunkVerdict {
  readonly facts: ChunkFacts
  /** Members that hold it as the metadata names it. */
  readonly good: readonly MemberList[]
  /** Members that hold something else under its id. */
  readonly wrong: readonly ServerId[]
  readonly absent: readonly ServerId[]
}

export function judgeChunk(facts: ChunkFacts, members: readonly MemberList[]): ChunkVerdict {
  const good: MemberList[] = []
  const wrong: ServerId[] = []
  const absent: ServerId[] = []
  for (const member of members) {
    const found = member.held.get(facts.id)
    if (found === undefined) absent.push(member.server)
    else if (found.length === facts.length && found.crc === facts.crc) good.push(member)
    else wrong.push(member.server)
  }
  return { facts, good, wrong, absent }
}

/** Replicas that count: one a slot. */
export function replicasOf(members: readonly Pick<MemberList, 'slot'>[]): number {
  return new Set(members.map(({ slot }) => slot)).size
}

/** What members hold and the metadata does not name. */
export function straysOf(
  members: readonly MemberList[],
  expected: ReadonlySet<ChunkId>,
): readonly { readonly chunk: ChunkId; readonly server: ServerId }[] {
  return members.flatMap(({ server, held }) =>
    [...held.keys()].filter((chunk) => !expected.has(chunk)).map((chunk) => ({ chunk, server })),
  )
}
