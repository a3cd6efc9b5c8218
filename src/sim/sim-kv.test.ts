/** The engine as the simulator uses it: commits become durable in groups, and a crash loses the rest. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { get, type KVUnderTest, put } from '../../test/contract/kv-under-test.ts'
import { testTxnKV } from '../../test/contract/txn-kv.ts'
import { testSerializability } from '../../test/contract/txn-kv-history.ts'
import { BackgroundRig } from '../../test/sim/background-rig.ts'
import { isAshlarError } from '../base/errors.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createMemoryImage, type MemoryImage } from '../kv/memory-image.ts'
import { createMemoryKV, type MemoryFaults, type MemoryKV } from '../kv/memory-kv.ts'

const clock = createNodeClock()
let seed = 1

function open(faults: Partial<MemoryFaults>, image?: MemoryImage): MemoryKV {
  const random = seededRandom(seed++)
  return createMemoryKV({ clock, random, faults: { ...faults }, syncDelayMs: 0.2, ...(image && { image }) })
}

function underTest(kv: MemoryKV, faults: Partial<MemoryFaults>): KVUnderTest {
  return {
    kv,
    crashAndReopen: async () => {
      kv.crash()
      return underTest(open(faults, kv.image), faults)
    },
    [Symbol.asyncDispose]: () => kv.close(),
  }
}

testTxnKV('simulated engine', async () => underTest(open({}), {}))

describe('simulated engine under conflicts, delays and unknown results', () => {
  const faults = { conflict: 0.1, unknown: 0.1, delayMs: 0.5 }
  testSerializability(async () => underTest(open(faults), faults))
})

/** On virtual time, which only the test moves. */
function newEngine(engineSeed: number) {
  const rig = new BackgroundRig(engineSeed)
  const { clock: virtualClock } = rig.host('master')
  const image = createMemoryImage()
  const openAgain = () =>
    createMemoryKV({ clock: virtualClock, random: seededRandom(engineSeed), image, syncDelayMs: 10 })
  return { runFor: (ms: number) => rig.scheduler.run(rig.scheduler.nowMs + ms), openAgain, image }
}

test('crash() keeps every acknowledged commit; the group under way survives whole or not at all', async () => {
  const survivals = new Set<string>()
  for (let engineSeed = 1; engineSeed <= 20; engineSeed++) {
    const { runFor, openAgain, image } = newEngine(engineSeed)
    const kv = openAgain()
    const acknowledged = put(kv, 'acknowledged', '1')
    await runFor(20)
    await acknowledged
    const lost = ['a', 'b', 'c'].map((name, index) => {
      const running = put(kv, name, String(index))
      return assert.rejects(running, (error) => isAshlarError(error, 'closed'))
    })
    await runFor(1)
    const after = put(kv, 'later', '1').catch((error: unknown) => assert.ok(isAshlarError(error, 'closed')))
    await runFor(1)
    kv.crash()
    await runFor(1)
    await Promise.all([...lost, after])
    const again = openAgain()
    const found = await Promise.all(['acknowledged', 'a', 'b', 'c', 'later'].map((name) => get(again, name)))
    survivals.add(found.map((value) => (value === undefined ? '-' : '+')).join(''))
    assert.equal(image.unsyncedCount, 0)
  }
  assert.deepEqual([...survivals].sort(), ['++++-', '+----'])
})

test('a read is answered only when what it saw is durable', async () => {
  const { runFor, openAgain } = newEngine(1)
  const kv = openAgain()
  const written = put(kv, 'k', 'new')
  let seen: string | undefined
  const reading = get(kv, 'k').then((value) => {
    seen = value
  })
  await runFor(2)
  assert.equal(seen, undefined)
  await runFor(40)
  await Promise.all([written, reading])
  assert.equal(seen, 'new')
})
