/**
 * How the members of a group change: one slot at a time, by two transitions.
 *
 *     in X ──replace X by Y──▶ leaving X, filling Y ──settle Y──▶ in Y
 *                                    │  ▲
 *                                    └──┘ replace Y by Z (Y is lost), or by X (turned back: leaving Y, filling X)
 *
 * A *filling* member takes every write from its first moment and copies what is older; a *leaving* one takes none and keeps
 * what it has until the filling one was seen to hold everything. So at each moment every chunk is on the other members, and on
 * one of these two.
 * Invariants: each slot has exactly one member that takes writes, and at most one leaving beside it; no server is a member
 * twice. The epoch rises when the members that take writes change; `settle` changes only what counts.
 * Pure: a group and a change in, a group out.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Group, Member, MemberDuty } from '../wire/types/cluster-map.ts'

/** One member gives its slot to another server. Planned on a group at `epoch`, and refused on any other. */
export interface Replacement {
  readonly group: GroupId
  readonly epoch: Rising
  /** Takes writes now (`in` or `filling`). */
  readonly from: ServerId
  /** No member, or the leaving member of the same slot. */
  readonly to: ServerId
  readonly duty: MemberDuty
}

/** A filling member was seen to hold everything. */
export interface Settlement {
  readonly group: GroupId
  readonly epoch: Rising
  readonly joined: ServerId
}

/**
 * @param epoch of the changed group: higher than before
 * @throws {AshlarError} `stale-epoch` — the plan was made on other members; `invalid-argument` — it is not possible
 */
export function replaceMember(group: Group, { from, to, duty, ...plan }: Replacement, epoch: Rising): Group {
  requireEpoch(group, plan.epoch)
  const giving = group.members.find(({ server }) => server === from)
  const known = group.members.find(({ server }) => server === to)
  if (giving === undefined || giving.state === 'leaving') {
    throw impossible(group, `server ${from} is no member that takes writes`)
  }
  if (known !== undefined && (known.state !== 'leaving' || known.slot !== giving.slot)) {
    throw impossible(group, `server ${to} is a member already`)
  }
  const isTurnedBack = known !== undefined
  const members = group.members.flatMap((member): Member[] => {
    if (member === giving) {
      const joining: Member = { server: to, slot: giving.slot, state: 'filling', duty }
      // What a filling member has taken counts until the one that turns back holds it too.
      const isKept = giving.state === 'in' || isTurnedBack
      return isKept ? [{ server: from, slot: giving.slot, state: 'leaving' }, joining] : [joining]
    }
    return member === known ? [] : [member]
  })
  return { ...group, epoch, members }
}

/** @throws {AshlarError} `stale-epoch`; `invalid-argument` — `joined` is not filling */
export function settleMember(group: Group, { joined, epoch }: Settlement): Group {
  requireEpoch(group, epoch)
  const filling = group.members.find(({ server }) => server === joined)
  if (filling?.state !== 'filling') throw impossible(group, `server ${joined} is not filling`)
  const members = group.members.flatMap((member): Member[] => {
    if (member === filling) return [{ server: joined, slot: filling.slot, state: 'in' }]
    return member.slot === filling.slot ? [] : [member]
  })
  return { ...group, members }
}

/** The member of the same slot that a filling one replaces, if it is still there. */
export function leavingBeside(group: Group, { slot }: Pick<Member, 'slot'>): Member | undefined {
  return group.members.find((member) => member.slot === slot && member.state === 'leaving')
}

function requireEpoch(group: Group, epoch: Rising): void {
  if (group.epoch === epoch) return
  throw new AshlarError(
    'stale-epoch',
    `Cannot change group ${group.id}: it is at epoch ${group.epoch}, and the plan was made at ${epoch}. Plan again.`,
  )
}

function impossible(group: Group, state: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot change the members of group ${group.id}: ${state}`)
}
