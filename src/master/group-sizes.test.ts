import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TestMaster, testGroup } from '../../test/namespace/test-master.ts'
import type { GroupId } from '../base/ids.ts'
import type { Clock } from '../env/clock.ts'
import { GroupSizes } from './group-sizes.ts'

test('GroupSizes.refresh() sums the pages of each group, and reads no oftener than asked', async () => {
  let nowMs = 0
  const master = await TestMaster.start()
  const client = await master.client()
  await client.put('/f', 5, 7)
  const sizes = new GroupSizes({ namespace: master.namespace, clock: { monotonicMs: () => nowMs } as Clock })
  assert.deepEqual(sizes.of(testGroup), { chunks: 0, sizeBytes: 0 })
  await sizes.refresh({ maxAgeMs: 1000 })
  assert.deepEqual(sizes.of(testGroup), { chunks: 2, sizeBytes: 12 })
  assert.deepEqual(sizes.of(99 as GroupId), { chunks: 0, sizeBytes: 0 })
  await client.remove('/f')
  master.timeMs += master.trashKeepMs
  await master.purgeAll()
  await sizes.refresh({ maxAgeMs: 1000 })
  assert.equal(sizes.of(testGroup).chunks, 2)
  nowMs = 1000
  await sizes.refresh({ maxAgeMs: 1000 })
  assert.deepEqual(sizes.of(testGroup), { chunks: 0, sizeBytes: 0 })
})
