import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import { rising } from '../base/rising.ts'
import { ClusterTime } from './cluster-time.ts'

function start(startMs: number, persist: (timeMs: number) => Promise<void>) {
  const clock = new ManualClock()
  return { clock, time: new ClusterTime({ clock, generation: 3, startMs, persist }) }
}

test('ClusterTime advances with the clock from what was stored, under its generation', async () => {
  const marks: number[] = []
  const { clock, time } = start(500, async (mark) => void marks.push(mark))
  await time.keepAhead()
  assert.equal(time.now(), rising(3, 500))
  await clock.advance(1234)
  assert.equal(time.now(), rising(3, 1734))
})

// Else a restart could give a time that was given before, and things would live longer than they should.
test('ClusterTime never gives a time past the mark that is stored', async () => {
  let stored = 0
  let isFailing = false
  const { clock, time } = start(0, async (mark) => {
    if (isFailing) throw new Error('no store')
    stored = mark
  })
  assert.equal(time.now(), rising(3, 0))
  await time.keepAhead()
  isFailing = true
  for (let round = 0; round < 20; round++) {
    await clock.advance(1000)
    await time.keepAhead().catch(() => undefined)
    assert.ok(time.now() <= rising(3, stored))
  }
  isFailing = false
  await time.keepAhead()
  assert.equal(time.now(), rising(3, 20_000))
  assert.ok(stored > 20_000)
})
