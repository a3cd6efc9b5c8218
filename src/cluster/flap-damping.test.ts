import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faded, flapped, steady } from './flap-damping.ts'

const minuteMs = 60_000

/** Flaps at these minutes. */
function after(...minutes: readonly number[]) {
  return minutes.reduce((known, minute) => flapped(known, minute * minuteMs), steady)
}

test('flapped() makes a server unsteady by the third time in a few minutes, and not by restarts a while apart', () => {
  assert.equal(after(0, 1).isUnsteady, false)
  assert.equal(after(0, 1, 2).isUnsteady, true)
  assert.equal(after(0, 30, 60, 90, 120, 150, 180).isUnsteady, false)
})

test('faded() forgives within half an hour or so, and not between two flaps', () => {
  const unsteady = after(0, 1, 2)
  assert.equal(faded(unsteady, 10 * minuteMs).isUnsteady, true)
  assert.equal(faded(unsteady, 20 * minuteMs).isUnsteady, false)
  const often = after(...Array.from({ length: 1000 }, (_, index) => index / 10))
  assert.equal(faded(often, 120 * minuteMs).isUnsteady, true, 'still flapping a moment ago')
  assert.equal(faded(often, 140 * minuteMs).isUnsteady, false, 'and forgiven, however often it was')
})

test('a server that is steady again is unsteady only by new flaps', () => {
  const again = faded(after(0, 1, 2), 20 * minuteMs)
  assert.equal(flapped(again, 21 * minuteMs).isUnsteady, false)
})
