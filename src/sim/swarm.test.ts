import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SeededRandom, seededRandom } from '../env/seeded-random.ts'
import type { Action } from './operations.ts'
import type { FaultKind } from './script.ts'
import { hostsOf, pick, swarm } from './swarm.ts'
import { isRot } from './swarm-faults.ts'

const seeds = Array.from({ length: 400 }, (_, seed) => seed)

test('swarm() draws the same script for the same seed, and it is plain JSON', () => {
  for (const seed of seeds.slice(0, 20)) {
    assert.deepEqual(swarm(seed), swarm(seed))
    assert.deepEqual(JSON.parse(JSON.stringify(swarm(seed))), swarm(seed))
  }
  assert.notDeepEqual(swarm(1).operations, swarm(2).operations)
})

test('swarm() reaches every kind of fault and of operation, every policy and size of cluster', () => {
  const faults = new Set<FaultKind>()
  const actions = new Set<Action['kind']>()
  const clusters = new Set<string>()
  for (const seed of seeds) {
    const script = swarm(seed)
    for (const { kind } of script.faults) faults.add(kind)
    for (const { kind } of script.operations) actions.add(kind)
    clusters.add(script.cluster.policy)
    clusters.add(String(script.cluster.servers.length))
  }
  assert.equal(faults.size, 20)
  assert.equal(actions.size, 14)
  assert.deepEqual([...clusters].sort(), [
    '1',
    '2',
    '3',
    '4',
    '5',
    '6',
    '7',
    'replicated-1',
    'replicated-2',
    'replicated-3',
  ])
})

// What the swarm asks for must be possible to keep: else a failure would prove nothing.
test('swarm() lets one server rot at most, and none where each byte is kept once', () => {
  for (const seed of seeds) {
    const { cluster, faults } = swarm(seed)
    const rotten = new Set(faults.filter(isRot).map((fault) => 'host' in fault && fault.host))
    assert.ok(rotten.size <= (cluster.policy === 'replicated-1' ? 0 : 1), `seed ${seed}`)
  }
})

test('swarm() makes legal scripts: known hosts, own ids, times within the run, racks for every copy', () => {
  for (const seed of seeds) {
    const { cluster, faults, operations, durationMs } = swarm(seed)
    const { master, servers, clients } = hostsOf(cluster)
    const hosts = new Set(['all', 'others', master, ...servers, ...clients])
    for (const fault of faults) {
      assert.ok(fault.atMs >= 0 && fault.atMs < durationMs)
      if ('host' in fault) assert.ok(hosts.has(fault.host), fault.host)
      if ('from' in fault) assert.ok(hosts.has(fault.from) && hosts.has(fault.to))
    }
    for (const { atMs, client } of operations) assert.ok(atMs <= durationMs && client < cluster.clients)
    assert.equal(new Set(operations.map(({ id }) => id)).size, operations.length)
    assert.equal(new Set(faults.map(({ id }) => id)).size, faults.length)
    const domains = new Set(cluster.servers.map(({ rack }, index) => rack ?? index))
    assert.ok(domains.size >= Number(cluster.policy.slice('replicated-'.length)))
  }
})

test('pick() draws by the weights', () => {
  const random: SeededRandom = seededRandom(1)
  assert.deepEqual([...new Set(Array.from({ length: 50 }, () => pick(random, { a: 1, b: 0, c: 1 })))].sort(), [
    'a',
    'c',
  ])
})
