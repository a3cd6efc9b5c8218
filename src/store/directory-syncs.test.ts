import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refused } from '../../test/contract/chunk-store.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { silentLog } from '../env/node-log.ts'
import { DirectorySyncs } from './directory-syncs.ts'
import { Fence } from './fence.ts'

// A name was given in it just now: "not found" would be taken for the answer that a chunk is not here.
test('sync() of a folder that vanished is a failure of the disk, and fences it', async () => {
  const disk = createMemoryDisk({ clock: createNodeClock() })
  const fence = new Fence(silentLog)
  const syncs = new DirectorySyncs(disk, fence)
  await disk.makeDirectory('/store/chunks')
  await syncs.sync('/store/chunks')
  await disk.removeTree('/store/chunks')
  await refused('disk-failed', syncs.sync('/store/chunks'))
  assert.equal(fence.isUp, true)
})
