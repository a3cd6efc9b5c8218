/**
 * Judges whether the receipts of a chunk prove that it is durable enough to be acknowledged.
 *
 * Every writing member must have signed. Fewer (but `minReplicas`) pass only when the master itself holds each missing
 * member for down *and* no full-handed group has room: a member that is merely slow, or full (as far as is known, also when
 * it is down: it could never pay what it owes), is no excuse, since the writer can go to another group. A receipt of a member that has died since counts as missing.
 *
 * Receipts are judged by the epoch they name: what a *leaving* member signed at an older one counts while it is there, so
 * that a change of members does not throw away what is under way. The member that fills its slot owes the replica then, by a
 * row of the same transaction, and the leaving one stays until that is paid. Once it is gone its receipts count no more.
 The MACs were verified before: here a receipt is the word of the server it names.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { groupOf, type ServerId } from '../base/ids.ts'
import type { Group, Member, Policy } from '../wire/types/cluster-map.ts'
import type { Receipt } from '../wire/types/extent.ts'
import { writingMembers } from './cluster-map.ts'

export interface ReceiptCase {
  /** As of now: the commit's transaction has read it. */
  readonly group: Group
  readonly policy: Policy
  /** All of one chunk, with verified MACs, in any order; a repeated one counts once. */
  readonly receipts: readonly Receipt[]
}

/** What the master believes of the servers. */
export interface Witness {
  readonly stateOf: (server: ServerId) => 'up' | 'down' | 'dead'
  /** Whether a group of this policy with all its members up has room for the chunk. */
  readonly hasFullHandedGroup: (policy: Policy, chunkBytes: number) => boolean
  /** Whether a server that is not up is known to have no room for the chunk when it returns. */
  readonly isFull: (server: ServerId, chunkBytes: number) => boolean
}

/**
 * @returns the members that owe a replica: none when all have signed
 * @throws {AshlarError} `receipts-rejected` — the proof does not do: write under new ids; `stale-epoch` — it was gathered
 *   from other members than the group has now
 */
export function judgeReceipts({ group, policy, receipts }: ReceiptCase, witness: Witness): readonly ServerId[] {
  const first = receipts[0]
  if (first === undefined) throw rejected('there is none')
  const members = new Map(writingMembers(group).map((member) => [member.server, member]))
  const signed = new Set<ServerId>()
  /** Slots that a leaving member signed for while it still took writes. */
  const signedBefore = new Set<number>()
  for (const receipt of receipts) {
    requireAgreement(receipt, first, group)
    if (witness.stateOf(receipt.server) === 'dead') continue
    if (counts(receipt, members.get(receipt.server), group)) signed.add(receipt.server)
    else if (isOfLeaving(receipt, group)) signedBefore.add(receipt.slot)
  }

  const unsigned = [...members.values()].filter(({ server }) => !signed.has(server))
  const missing = unsigned.filter(({ slot }) => !signedBefore.has(slot)).map(({ server }) => server)
  if (missing.length === 0) return unsigned.map(({ server }) => server)
  const excused = missing.filter((server) => witness.stateOf(server) !== 'up')
  if (excused.length < missing.length) {
    if (receipts.some((receipt) => receipt.epoch < group.epoch)) throw staleEpoch(group)
    const slow = missing.find((server) => witness.stateOf(server) === 'up')
    throw rejected(`member ${slow} is up and has not signed`)
  }
  const replicas = members.size - missing.length
  if (replicas < policy.minReplicas) {
    throw rejected(`${replicas} of ${members.size} members have signed, and ${policy.name} needs ${policy.minReplicas}`)
  }
  const full = missing.find((server) => witness.isFull(server, first.length))
  if (full !== undefined) throw rejected(`member ${full} is down, and would have no room for its copy`)
  if (witness.hasFullHandedGroup(policy, first.length)) {
    throw rejected(`${missing.length} of ${members.size} members are down, and another group has all of its members`)
  }
  return unsigned.map(({ server }) => server)
}

/** It was signed before the member began to leave. A leaving member is asked for nothing, so at this epoch it signs nothing. */
function isOfLeaving({ server, slot, epoch }: Receipt, group: Group): boolean {
  return (
    epoch < group.epoch &&
    group.members.some((member) => member.server === server && member.slot === slot && member.state === 'leaving')
  )
}

function requireAgreement(receipt: Receipt, first: Receipt, group: Group): void {
  if (groupOf(receipt.chunk) !== group.id) throw rejected(`chunk ${receipt.chunk} is not of group ${group.id}`)
  const agrees = receipt.chunk === first.chunk && receipt.length === first.length && receipt.crc === first.crc
  if (!agrees) throw rejected(`members do not agree about chunk ${first.chunk}`)
  if (receipt.epoch > group.epoch) throw staleEpoch(group)
}

/** A member that was one at an older epoch and is none now has kept its word in vain; a stranger never was one. */
function counts(receipt: Receipt, member: Member | undefined, group: Group): boolean {
  if (member === undefined) {
    if (receipt.epoch === group.epoch && !group.members.some(({ server }) => server === receipt.server)) {
      throw rejected(`server ${receipt.server} is not a member of group ${group.id}`)
    }
    return false
  }
  if (receipt.slot !== member.slot) throw rejected(`server ${receipt.server} signed for slot ${receipt.slot}`)
  return true
}

function rejected(state: string): AshlarError {
  return new AshlarError('receipts-rejected', `Cannot accept receipts: ${state}. Write the bytes under new ids.`)
}

function staleEpoch(group: Group): AshlarError {
  return new AshlarError(
    'stale-epoch',
    `Cannot accept receipts: group ${group.id} has had other members since. Fetch the map and write under new ids.`,
  )
}
