import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster } from '../../test/cluster/fake-cluster.ts'
import { type StrategyName, strategyOf } from '../cluster/placement-strategy.ts'
import { changeSetting, getStatus } from '../wire/methods/cluster-methods.ts'
import { planDuty } from '../wire/methods/duty-methods.ts'
import { getMap } from '../wire/methods/session-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'
import type { ClusterMap } from '../wire/types/cluster-map.ts'

const text = 'ten bytes!'
const files = 12

async function mapOf(cluster: FakeCluster): Promise<ClusterMap> {
  const { map } = await cluster.call(getMap, {})
  assert.ok(map)
  return map
}

/** Groups that are not where the strategy wants them. */
function strays({ servers, groups }: ClusterMap, name: StrategyName): number {
  const layout = strategyOf(name).layout?.(servers)
  return groups.filter(({ id, members }) => {
    const wanted = layout?.(id, 3) ?? []
    return members.length !== 3 || members.some(({ server, state }) => state !== 'in' || !wanted.includes(server))
  }).length
}

test('a cluster places by the strategy that it was made with, and moves to another layout by rebalancing', async () => {
  await using cluster = await FakeCluster.start({
    capacities: [1000, 1000, 1000, 1000, 1000],
    settings: { placement: 'consistent-hash' },
  })
  for (let count = 0; count < files; count++) await cluster.put(`/file-${count}`, text)
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: cluster.allocations.splice(0) })
  await cluster.clock.until(async () => strays(await mapOf(cluster), 'consistent-hash') === 0, 'the layout of the ring')
  const before = strays(await mapOf(cluster), 'hash')
  assert.ok(before > 0)
  await cluster.call(changeSetting, { name: 'placement', value: 'hash' })
  const { steps } = await cluster.call(planDuty, { duty: 'rebalance' })
  assert.ok(steps.length > 0)
  assert.match(steps[0]?.reason ?? '', /placement strategy/)
  await cluster.clock.until(async () => strays(await mapOf(cluster), 'hash') === 0, 'the layout of the hash')
  await cluster.clock.advance(30_000)
  const total = cluster.servers.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  assert.equal(total, 3 * files * text.length, 'every file has its copies, and what moved is gone from where it was')
})

test('with two racks for three copies files are written, the status says what a rack would take, and a third one mends it', async () => {
  await using cluster = await FakeCluster.start({
    capacities: [1000, 1000, 1000, 1000],
    domains: ['a/rack-1', 'b/rack-1', 'c/rack-2', 'd/rack-2', 'e/rack-3'],
  })
  for (let count = 0; count < files; count++) await cluster.put(`/file-${count}`, text)
  const crowding = async () => (await cluster.call(getStatus, {})).status.crowding
  const { groups, ...loss } = (await crowding()) ?? { groups: 0 }
  assert.ok(groups > 0)
  assert.deepEqual(loss, { copies: 2, of: 3, domains: 2 })
  const { steps } = await cluster.call(planDuty, { duty: 'rebalance' })
  assert.deepEqual(steps, [], 'there is nowhere to move to')
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: cluster.allocations.splice(0) })
  cluster.addServer({ capacityBytes: 1000 }).start()
  await cluster.clock.until(async () => (await crowding()) === undefined, 'no rack to hold two copies')
})
