import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverId } from '../../test/chunkserver/chunk-server-rig.ts'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import type { ClusterId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { createMemoryStoreImage, openMemoryStore } from '../store/memory-store.ts'
import { MapView } from './map-view.ts'

async function openView() {
  const image = createMemoryStoreImage({ server: serverId, cluster: '00'.repeat(16) as ClusterId, capacityBytes: 1000 })
  const clock = new ManualClock()
  const view = await MapView.open({ serverId, clock, store: await openMemoryStore({ image }) })
  /** The master answers with `clusterMs`, `tookMs` after it was asked. */
  const hear = (clusterMs: number, tookMs = 0) => {
    const askedAtMs = clock.monotonicMs()
    clock.jump(tookMs)
    view.learnTime(rising(0, clusterMs), askedAtMs)
  }
  return { clock, view, hear }
}

test('clusterTimeMs() goes on with the own clock from what the master said', async () => {
  const { clock, view, hear } = await openView()
  hear(5_000)
  clock.jump(700)
  assert.equal(view.clusterTimeMs(), 5_700)
})

test('learnTime() brings back an estimate that ran ahead with the own clock', async () => {
  const { clock, view, hear } = await openView()
  hear(5_000)
  clock.jump(1_500_000)
  hear(6_000, 20)
  // The master may have read its time at once, 20 ms before its answer came.
  assert.equal(view.clusterTimeMs(), 6_020)
})

test('learnTime() does not believe that time went back by as much as an answer took', async () => {
  const { view, hear } = await openView()
  hear(5_000)
  hear(5_010, 400)
  assert.equal(view.clusterTimeMs(), 5_400)
})

test('learnTime() never goes before what a master has said', async () => {
  const { view, hear } = await openView()
  hear(5_000)
  hear(3_000)
  assert.equal(view.clusterTimeMs(), 5_000)
})

test('learnTime() follows a master of a newer generation', async () => {
  const { view, hear } = await openView()
  hear(5_000)
  view.learnTime(rising(1, 10), 0)
  assert.equal(view.clusterTimeMs(), rising(1, 10))
})
