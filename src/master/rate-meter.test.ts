import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../env/clock.ts'
import { RateMeter } from './rate-meter.ts'

test('RateMeter.perSecond() is what was added over the last seconds, and 0 after a pause', () => {
  let nowMs = 0
  const meter = new RateMeter({ monotonicMs: () => nowMs } as Clock)
  assert.equal(meter.perSecond(), 0)
  for (; nowMs < 30_000; nowMs += 100) meter.add(10)
  assert.ok(Math.abs(meter.perSecond() - 100) < 2, `${meter.perSecond()}`)
  assert.ok(meter.measuredMs > 9_000, `${meter.measuredMs}`)
  nowMs += 60_000
  assert.deepEqual([meter.perSecond(), meter.measuredMs], [0, 0])
  meter.add(1)
  nowMs += 1_000
  assert.equal(meter.measuredMs, 1_000)
})
