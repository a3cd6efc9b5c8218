import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import type { ServerId } from '../base/ids.ts'
import { CopyRates } from './copy-rates.ts'
import { CopySlots } from './copy-slots.ts'

const [a, b, c] = [...'abc'].map((letter) => letter.repeat(32) as ServerId) as [ServerId, ServerId, ServerId]
const MB = 1_000_000

test('CopyRates lets begin what the bucket holds, owes for large chunks, and keeps nothing past a second', async () => {
  const clock = new ManualClock()
  const rates = new CopyRates({ clock, bytesPerSecond: (server) => (server === a ? MB : undefined) })
  assert.equal(rates.waitMs(a), 0)
  rates.take(a, 5 * MB)
  assert.equal(rates.waitMs(a), 4001)
  assert.equal(rates.waitMs(b), 0, 'another server is not bounded')
  await clock.advance(4001)
  assert.equal(rates.waitMs(a), 0)
  await clock.advance(3_600_000)
  rates.take(a, MB)
  assert.equal(rates.waitMs(a), 1, 'an idle hour is worth one second')
})

test('CopyRates follows a rate that changes', async () => {
  const clock = new ManualClock()
  let rate: number | undefined = MB
  const rates = new CopyRates({ clock, bytesPerSecond: () => rate })
  rates.take(a, 11 * MB)
  assert.equal(rates.waitMs(a), 10_001)
  rate = 10 * MB
  assert.equal(rates.waitMs(a), 1001)
  rate = undefined
  assert.equal(rates.waitMs(a), 0)
})

// Each copy costs its source a reading, and its target a writing and a reading.
for (const [what, target, most] of [
  ['the target', a, 30],
  ['the source', c, 60],
] as const) {
  test(`CopySlots copies no more in a minute than the disk of ${what} may do, and no less`, async () => {
    const clock = new ManualClock()
    const bytesPerSecond = (server: ServerId) => (server === a ? MB : undefined)
    const slots = new CopySlots({ clock, bytesPerSecond })
    const sources = [target === a ? b : a]
    const { signal } = new AbortController()
    let copiedBytes = 0
    let begun = 0
    for (let count = 0; count < 1000; count++) {
      const request = { target, sources, sizeBytes: MB / 4, duty: 'repair', signal } as const
      // Those that wait at the end of the test never run.
      slots
        .run(request, async () => {
          begun++
          copiedBytes += request.sizeBytes
        })
        .catch(() => undefined)
    }
    await clock.advance(60_000)
    assert.ok(copiedBytes <= (most + 2) * MB, `${copiedBytes}`)
    assert.ok(copiedBytes >= (most - 2) * MB, `${copiedBytes}`)
    assert.ok(begun < 1000)
  })
}

test('CopySlots takes another source while one has read as much as it may', async () => {
  const clock = new ManualClock()
  const slots = new CopySlots({ clock, bytesPerSecond: (server) => (server === b ? 1 : undefined) })
  const used: ServerId[] = []
  const { signal } = new AbortController()
  for (let count = 0; count < 4; count++) {
    const request = { target: a, sources: [b, c], sizeBytes: MB, duty: 'repair', signal } as const
    await slots.run(request, async (source) => {
      used.push(source)
    })
  }
  assert.deepEqual(used, [b, c, c, c])
})
