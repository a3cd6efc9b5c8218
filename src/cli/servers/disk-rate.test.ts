import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../test/cluster/manual-clock.ts'
import { createMemoryDisk } from '../../env/memory-disk.ts'
import { createNodeEnv } from '../../env/node-env.ts'
import { DiskRate, measureDiskRate } from './disk-rate.ts'

const base = createNodeEnv({ log: 'silent' })

/** A server on a disk that takes 2 ms for each write. */
async function server(facts = new Map<string, Buffer>()) {
  const clock = new ManualClock()
  const disk = createMemoryDisk({ clock })
  await disk.makeDirectory('/data/tmp')
  const store = {
    getFact: async (name: string) => facts.get(name),
    setFact: async (name: string, value: Uint8Array) => void facts.set(name, Buffer.from(value)),
  }
  disk.setFault((operation) => {
    if (operation === 'write') clock.jump(2)
    return undefined
  })
  const begin = (declared?: string) =>
    new DiskRate({ env: { ...base, clock, disk }, store, data: '/data', shareOf: 1, declared })
  return { clock, disk, facts, begin }
}

test('DiskRate measures once, a while after the start, leaves nothing behind, and keeps the result', async () => {
  const { clock, disk, facts, begin } = await server()
  const rate = begin()
  rate.start()
  await clock.advance(59_000)
  assert.equal(rate.bytesPerSecond, undefined)
  await clock.until(() => rate.bytesPerSecond !== undefined, 'it is measured')
  assert.deepEqual(await disk.list('/data/tmp'), [])
  await rate.stop()

  const later = await server(facts)
  const kept = later.begin()
  kept.start()
  await later.clock.advance(1)
  assert.equal(kept.bytesPerSecond, rate.bytesPerSecond)
  await kept.stop()
})

test('DiskRate takes what was declared, and ends while it waits', async () => {
  const { facts, begin } = await server()
  const declared = begin('100MiB')
  declared.start()
  assert.equal(declared.bytesPerSecond, 100 * 2 ** 20)
  await declared.stop()
  assert.throws(() => begin('fast'), { code: 'invalid-argument' })
  const ended = begin()
  ended.start()
  await ended.stop()
  assert.equal(facts.size, 0)
})

test('measureDiskRate() divides what was written and read by its time, and by those who share the disk', async () => {
  const { clock, disk } = await server()
  // 8 writes of 4 MiB in 16 ms, and as many reads in none.
  const bytesPerSecond = (64 * 2 ** 20 * 1000) / 16
  assert.equal(await measureDiskRate({ ...base, clock, disk }, '/data', { shareOf: 1 }), bytesPerSecond)
  assert.equal(await measureDiskRate({ ...base, clock, disk }, '/data', { shareOf: 4 }), bytesPerSecond / 4)
})
