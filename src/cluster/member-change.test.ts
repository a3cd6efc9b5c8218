import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { GroupId, ServerId } from '../base/ids.ts'
import { type Rising, rising } from '../base/rising.ts'
import type { Group, Member } from '../wire/types/cluster-map.ts'
import { leavingBeside, replaceMember, settleMember } from './member-change.ts'

const servers = [...'abcdef'].map((letter) => letter.repeat(32) as ServerId)
const [a, b, c, d, e] = servers as [ServerId, ServerId, ServerId, ServerId, ServerId]
const first = rising(0, 10)
const second = rising(0, 11)
const third = rising(0, 12)
const whole: Group = {
  id: 1 as GroupId,
  epoch: first,
  policy: 'replicated-3',
  members: [a, b, c].map((server, slot) => ({ server, slot, state: 'in' })),
}

const replace = (group: Group, from: ServerId, to: ServerId, epoch = second) =>
  replaceMember(group, { group: group.id, epoch: group.epoch, from, to, duty: 'repair' }, epoch)
const settle = (group: Group, joined: ServerId) => settleMember(group, { group: group.id, epoch: group.epoch, joined })
const shape = (group: Group) => group.members.map(({ server, slot, state }) => `${server[0]}${slot} ${state}`)

test('replaceMember() keeps the old member until settleMember() has the new one', () => {
  const changing = replace(whole, c, d)
  assert.deepEqual(shape(changing), ['a0 in', 'b1 in', 'c2 leaving', 'd2 filling'])
  assert.equal(changing.epoch, second)
  const settled = settle(changing, d)
  assert.deepEqual(shape(settled), ['a0 in', 'b1 in', 'd2 in'])
  assert.equal(settled.epoch, second)
})

// What it has taken since is on the others; the one before it keeps what is older.
test('replaceMember() of a filling member drops it, and keeps the leaving one', () => {
  const changing = replace(replace(whole, c, d), d, e, third)
  assert.deepEqual(shape(changing), ['a0 in', 'b1 in', 'c2 leaving', 'e2 filling'])
})

test('replaceMember() turns back: the two members of the slot change places', () => {
  const back = replace(replace(whole, c, d), d, c, third)
  assert.deepEqual(shape(back), ['a0 in', 'b1 in', 'd2 leaving', 'c2 filling'])
  assert.deepEqual(shape(settle(back, c)), ['a0 in', 'b1 in', 'c2 in'])
})

test('replaceMember() refuses what would double or invent a member', () => {
  const changing = replace(whole, c, d)
  assert.throws(() => replace(whole, d, e), { code: 'invalid-argument' })
  assert.throws(() => replace(whole, a, b), { code: 'invalid-argument' })
  assert.throws(() => replace(changing, c, e), { code: 'invalid-argument' })
  assert.throws(() => replace(changing, a, c), { code: 'invalid-argument' })
  assert.throws(() => settle(whole, a), { code: 'invalid-argument' })
})

test('replaceMember() and settleMember() refuse a plan that was made on another epoch', () => {
  const changing = replace(whole, c, d)
  const stale = { group: whole.id, epoch: first }
  assert.throws(() => replaceMember(changing, { ...stale, from: a, to: e, duty: 'drain' }, third), {
    code: 'stale-epoch',
  })
  assert.throws(() => settleMember(changing, { ...stale, joined: d }), { code: 'stale-epoch' })
})

test('leavingBeside() finds the member whose slot is being filled', () => {
  const changing = replace(whole, c, d)
  assert.equal(leavingBeside(changing, { slot: 2 })?.server, c)
  assert.equal(leavingBeside(changing, { slot: 0 }), undefined)
})

test('whatever changes, each slot keeps one member that takes writes, and its old one until the new one is settled', () => {
  const anyMove = fc.record({
    from: fc.constantFrom(...servers),
    to: fc.constantFrom(...servers),
    settles: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(anyMove, { maxLength: 30 }), (moves) => {
      let group = whole
      let epoch: number = first
      for (const { from, to, settles } of moves) {
        const before = group
        try {
          group = settles ? settle(group, to) : replace(group, from, to, ++epoch as Rising)
        } catch {
          continue
        }
        assert.equal(new Set(group.members.map(({ server }) => server)).size, group.members.length)
        for (const slot of [0, 1, 2]) {
          const own = group.members.filter((member) => member.slot === slot)
          assert.equal(own.filter(({ state }) => state !== 'leaving').length, 1)
          assert.ok(own.filter(({ state }) => state === 'leaving').length <= 1)
          if (!settles) assert.ok(keepsCounting(before, own, slot), `slot ${slot}: ${shape(before)} → ${shape(group)}`)
        }
      }
    }),
  )
})

/** A member that counted, or held what counted, is still there. */
function keepsCounting(before: Group, after: readonly Member[], slot: number): boolean {
  const counted = before.members.filter((member) => member.slot === slot && member.state !== 'filling')
  return counted.every(({ server }) => after.some((member) => member.server === server))
}
