import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AshlarError, isAshlarError } from '../base/errors.ts'
import { chunkId, type GroupId, type ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Group, Member, Policy } from '../wire/types/cluster-map.ts'
import type { Receipt } from '../wire/types/extent.ts'
import { policiesOf } from './policies.ts'
import { judgeReceipts, type Witness } from './receipts.ts'

const groupId = 7 as GroupId
const epoch = 5 as Rising
const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(32) as ServerId)
const stranger = 'd'.repeat(32) as ServerId
const chunk = chunkId({ group: groupId, generation: 0, sequence: 1 })

function policyOf(name: string): Policy {
  return policiesOf().find((policy) => policy.name === name) as Policy
}

function groupOf(members: readonly Partial<Member>[] = [{}, {}, {}]): Group {
  return {
    id: groupId,
    epoch,
    policy: 'replicated-3',
    members: members.map((member, slot) => ({ server: ids[slot] as ServerId, slot, state: 'in', ...member })),
  }
}

function receiptOf(server: ServerId, changes: Partial<Receipt> = {}): Receipt {
  return { chunk, length: 10, crc: 99, server, epoch, slot: ids.indexOf(server), mac: Buffer.alloc(16), ...changes }
}

type States = Readonly<Record<string, 'up' | 'down' | 'dead'>>

function witnessOf(states: States, hasFullHandedGroup = false, full = ''): Witness {
  return {
    stateOf: (server) => states[server[0] as string] ?? 'up',
    hasFullHandedGroup: () => hasFullHandedGroup,
    isFull: (server) => full.includes(server[0] as string),
  }
}

/** What comes out: the first letters of the members that owe a replica, or the error's code. */
function outcome(
  receipts: readonly Receipt[],
  {
    states = {},
    fullHanded = false,
    group = groupOf(),
    policy = 'replicated-3',
    full = '',
  }: {
    readonly states?: States
    /** First letters of the members without room. */
    readonly full?: string
    readonly fullHanded?: boolean
    readonly group?: Group
    readonly policy?: string
  } = {},
): string {
  try {
    const owing = judgeReceipts({ group, policy: policyOf(policy), receipts }, witnessOf(states, fullHanded, full))
    return `owing:${owing.map((server) => server[0]).join('')}`
  } catch (error) {
    if (!isAshlarError(error)) throw error
    return (error as AshlarError).code
  }
}

// Every subset of signatures, every state of every member, with and without another group: 8 × 27 × 2 cases.
test('judgeReceipts() accepts exactly what DESIGN section 7 accepts, over all cases', () => {
  const states = ['up', 'down', 'dead'] as const
  for (let signatures = 0; signatures < 8; signatures++) {
    for (const a of states)
      for (const b of states)
        for (const c of states)
          for (const fullHanded of [false, true]) {
            const stateOf: States = { a, b, c }
            const signed = ids.filter((_, index) => (signatures >> index) % 2 === 1)
            const counted = signed.filter((server) => stateOf[server[0] as string] !== 'dead')
            const missing = ids.filter((server) => !counted.includes(server))
            const allExcused = missing.every((server) => stateOf[server[0] as string] !== 'up')
            const accepted = missing.length === 0 || (allExcused && counted.length >= 2 && !fullHanded)
            const wanted = accepted ? `owing:${missing.map((server) => server[0]).join('')}` : 'receipts-rejected'
            const found = outcome(
              signed.map((server) => receiptOf(server)),
              { states: stateOf, fullHanded },
            )
            assert.equal(found, wanted, `${signed.map((s) => s[0])} signed, ${a} ${b} ${c}, other group ${fullHanded}`)
          }
  }
})

// It could never pay what it would owe.
test('judgeReceipts() does not do without a member that has no room for the chunk', () => {
  const [a, b, c] = ids.map((server) => receiptOf(server)) as [Receipt, Receipt, Receipt]
  assert.equal(outcome([a, b], { states: { c: 'down' } }), 'owing:c')
  assert.equal(outcome([a, b], { states: { c: 'down' }, full: 'c' }), 'receipts-rejected')
  assert.equal(outcome([a, b, c], { states: { c: 'down' }, full: 'abc' }), 'owing:', 'who signed has the chunk')
})

test('judgeReceipts() needs both copies of replicated-2 and the one of replicated-1, whoever is down', () => {
  const pair = groupOf([{}, {}])
  const one = groupOf([{}])
  const [a, b] = [receiptOf(ids[0] as ServerId), receiptOf(ids[1] as ServerId)]
  assert.equal(outcome([a, b], { group: pair, policy: 'replicated-2' }), 'owing:')
  assert.equal(outcome([a], { group: pair, policy: 'replicated-2', states: { b: 'down' } }), 'receipts-rejected')
  assert.equal(outcome([a], { group: one, policy: 'replicated-1' }), 'owing:')
  assert.equal(outcome([a], { group: one, policy: 'replicated-1', states: { a: 'dead' } }), 'receipts-rejected')
})

test('judgeReceipts() counts a repeated receipt once', () => {
  const a = receiptOf(ids[0] as ServerId)
  assert.equal(outcome([a, a, a], { states: { b: 'down', c: 'down' } }), 'receipts-rejected')
})

test('judgeReceipts() refuses receipts that disagree', () => {
  const good = ids.slice(0, 2).map((server) => receiptOf(server))
  const last = ids[2] as ServerId
  assert.equal(outcome([...good, receiptOf(last, { length: 11 })]), 'receipts-rejected')
  assert.equal(outcome([...good, receiptOf(last, { crc: 98 })]), 'receipts-rejected')
  const other = chunkId({ group: groupId, generation: 0, sequence: 2 })
  assert.equal(outcome([...good, receiptOf(last, { chunk: other })]), 'receipts-rejected')
  assert.equal(outcome([...good, receiptOf(last, { slot: 1 })]), 'receipts-rejected')
  const elsewhere = chunkId({ group: 8 as GroupId, generation: 0, sequence: 1 })
  assert.equal(outcome(ids.map((server) => receiptOf(server, { chunk: elsewhere }))), 'receipts-rejected')
})

test('judgeReceipts() refuses a stranger, and no receipts at all', () => {
  assert.equal(outcome([...ids.map((server) => receiptOf(server)), receiptOf(stranger)]), 'receipts-rejected')
  assert.equal(outcome([]), 'receipts-rejected')
})

test('judgeReceipts() refuses a newer epoch, and takes an older one only while its signers are members', () => {
  const older = { epoch: 4 as Rising }
  assert.equal(outcome(ids.map((server) => receiptOf(server, { epoch: 6 as Rising }))), 'stale-epoch')
  assert.equal(outcome(ids.map((server) => receiptOf(server, older))), 'owing:')
  const former = [
    receiptOf(ids[0] as ServerId, older),
    receiptOf(ids[1] as ServerId, older),
    receiptOf(stranger, older),
  ]
  assert.equal(outcome(former), 'stale-epoch')
  assert.equal(outcome(former, { states: { c: 'down' } }), 'owing:c')
})

test('judgeReceipts() asks a filling member to sign, and a leaving one never', () => {
  const [a, b, c] = ids.map((server) => receiptOf(server)) as [Receipt, Receipt, Receipt]
  assert.equal(outcome([a, b], { group: groupOf([{}, {}, { state: 'filling' }]) }), 'receipts-rejected')
  assert.equal(outcome([a, b, c], { group: groupOf([{}, {}, { state: 'filling' }]) }), 'owing:')
  assert.equal(outcome([a, b], { group: groupOf([{}, {}, { state: 'leaving' }]) }), 'owing:')
  const twoIn = groupOf([{}, {}, { state: 'leaving' }])
  assert.equal(outcome([a, c], { group: twoIn, states: { b: 'down' } }), 'receipts-rejected')
})

// A change of members must not throw away what writers have under way; it must not lose the debt either.
test('judgeReceipts() takes what a leaving member signed before it began to leave, and has the filling one owe it', () => {
  const filling: Member = { server: stranger, slot: 2, state: 'filling' }
  const changing: Group = { ...groupOf([{}, {}, { state: 'leaving' }]), epoch: 6 as Rising }
  const group: Group = { ...changing, members: [...changing.members, filling] }
  const before = ids.map((server) => receiptOf(server))
  assert.equal(outcome(before, { group }), 'owing:d')
  assert.equal(outcome(before, { group, fullHanded: true }), 'owing:d')
  const now = before.map((receipt) => ({ ...receipt, epoch: 6 as Rising }))
  assert.equal(outcome(now, { group }), 'receipts-rejected', 'a leaving member takes nothing at this epoch')
  assert.equal(outcome([...now.slice(0, 2), receiptOf(stranger, { epoch: 6 as Rising, slot: 2 })], { group }), 'owing:')
  assert.equal(outcome(before, { group, states: { c: 'dead' } }), 'stale-epoch')
  assert.equal(outcome([before[0], before[2]] as Receipt[], { group, states: { b: 'down' } }), 'owing:bd')
  assert.equal(outcome(before, { group, states: { c: 'dead', d: 'down' } }), 'owing:d')
  const gone: Group = { ...group, members: group.members.filter(({ state }) => state !== 'leaving') }
  assert.equal(outcome(before, { group: gone }), 'stale-epoch')
})
