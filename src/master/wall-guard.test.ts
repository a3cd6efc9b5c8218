import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WallGuard } from './wall-guard.ts'

const hour = 3_600_000
const day = 24 * hour
const start = 1_700_000_000_000

function guard(mark?: Buffer) {
  const at = { wallMs: start, clusterMs: 0 }
  const options = { wallMs: () => at.wallMs, clusterMs: () => at.clusterMs, mark, acceptAfterMs: day }
  const pass = (ms: number, wallMs = ms) => {
    at.clusterMs += ms
    at.wallMs += wallMs
  }
  return { at, pass, guard: new WallGuard(options) }
}

test('a wall that keeps pace is believed, small corrections included', () => {
  const { guard: wall, pass, at } = guard()
  for (let minute = 0; minute < 100; minute++) {
    pass(60_000, 61_000)
    assert.equal(wall.look(), undefined)
    assert.equal(wall.provenMs(), at.wallMs)
  }
})

test('a clock that jumps ahead proves nothing before it kept its pace for a day, and stamps go with it', () => {
  const { guard: wall, pass, at } = guard()
  pass(1_000, 365 * day)
  assert.equal(wall.look(), 'jumped')
  assert.equal(wall.provenMs(), start + 1_000)
  assert.equal(wall.stampMs(), at.wallMs)
  pass(23 * hour)
  assert.equal(wall.look(), undefined)
  assert.equal(wall.provenMs(), start + 1_000 + 23 * hour)
  pass(2 * hour)
  assert.equal(wall.look(), 'accepted')
  assert.equal(wall.provenMs(), at.wallMs)
})

test('a clock that falls back does not make what is written look old', () => {
  const { guard: wall, pass, at } = guard()
  pass(1_000, -365 * day)
  assert.equal(wall.look(), 'jumped')
  assert.equal(wall.stampMs(), start + 1_000)
  assert.equal(wall.provenMs(), at.wallMs)
  pass(1_000, 365 * day + 2_000)
  assert.equal(wall.look(), 'right')
  assert.equal(wall.provenMs(), at.wallMs)
})

test('a clock of another rate is never accepted', () => {
  const { guard: wall, pass } = guard()
  for (let hours = 0; hours < 100; hours++) {
    pass(hour, 10 * hour)
    assert.notEqual(wall.look(), 'accepted')
  }
  assert.equal(wall.provenMs(), start + 100 * hour)
})

test('the mark outlives the master: a jump while it was off is one', () => {
  const first = guard()
  first.guard.look()
  const second = guard(first.guard.mark)
  second.pass(0, 30 * day)
  assert.equal(second.guard.provenMs(), start)
})
