import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import { idAt } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { CompactionPace } from './compaction-pace.ts'

suite('CompactionPace', () => {
  test('rest() takes as many times the work before it as the segments would fit into the room, and at most three seconds', async () => {
    const clock = new ManualClock()
    let roominess = 0
    const pace = new CompactionPace(clock, () => roominess)
    for (const [times, workedMs, restMs] of [
      [5, 10, 50],
      [20, 10, 200],
      [1_000, 10, 490],
      [1_000, 500, 3_000],
    ] as const) {
      roominess = times
      clock.jump(workedMs)
      let isOver = false
      const rest = pace.rest().then(() => {
        isOver = true
      })
      await clock.advance(restMs - 1)
      assert.ok(!isOver, `over before ${restMs} ms`)
      await clock.advance(1)
      assert.ok(isOver, `not over after ${restMs} ms`)
      await rest
    }
  })

  test('rest() takes no time where there is no room for it, or somebody is in a hurry', async () => {
    const clock = new ManualClock()
    const crowded = new CompactionPace(clock, () => 4)
    const pace = new CompactionPace(clock, () => 9)
    clock.jump(10)
    await crowded.rest()
    const rest = pace.rest()
    pace.hurry()
    await rest
    await pace.rest()
    assert.equal(clock.monotonicMs(), 10)
  })
})

/** Between two looks at it a millisecond passes, so that all work takes time. */
class TickingClock extends ManualClock {
  #looks = 0

  override monotonicMs(): number {
    this.#looks++
    return super.monotonicMs() + this.#looks
  }
}

suite('Compactor', () => {
  /** Its round has begun, and rests until the clock moves on. */
  async function restingStore(): Promise<StoreRig> {
    const clock = new TickingClock()
    const rig = new StoreRig({ clock })
    const store = await rig.open()
    const ids = Array.from({ length: 600 }, (_, sequence) => idAt(sequence))
    for (const id of ids) await store.put(id, Buffer.alloc(16, 1), {})
    await store.delete(ids)
    // Seals the segment of all that.
    await store.put(idAt(1000), Buffer.alloc(60_000, 1), {})
    // A second later the index has followed, and compaction is told so.
    await clock.advance(1000)
    assert.ok((await rig.list('segments')).includes('00000001.seg'), 'the round rests')
    return rig
  }

  test('compact() does not wait for a round that rests', async () => {
    const rig = await restingStore()
    await rig.store.compact()
    assert.ok(!(await rig.list('segments')).includes('00000001.seg'))
  })

  test('close() does not wait for a round that rests', async () => {
    const rig = await restingStore()
    await rig.reopen()
    await rig.check(new Map([[idAt(1000), Buffer.alloc(60_000, 1)]]))
  })
})
