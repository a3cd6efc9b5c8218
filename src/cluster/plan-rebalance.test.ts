import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PlannedCluster, type PlannedClusterOptions, serverId } from '../../test/cluster/planned-cluster.ts'
import type { GroupId } from '../base/ids.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { planRebalance } from './plan-rebalance.ts'

const GiB = 2 ** 30

function clusterOf(options: PlannedClusterOptions, seed = 1): PlannedCluster {
  const cluster = new PlannedCluster({ capacityBytes: 1000 * GiB, ...options }, seededRandom(seed))
  const sizes = seededRandom(seed + 1)
  for (const { id } of cluster.groups) cluster.setSize(id, (5 + sizes.below(10)) * GiB)
  return cluster
}

interface Run {
  readonly rounds: number
  readonly movedBytes: number
}

/** Plans and moves until nothing is left to do. Each round must leave less unevenness: so no state comes twice. */
function balance(cluster: PlannedCluster): Run {
  let movedBytes = 0
  let uneven = Number.POSITIVE_INFINITY
  for (let rounds = 0; ; rounds++) {
    assert.ok(rounds < 400, 'it does not end')
    const { steps } = planRebalance(cluster.view(), { isStarted: true })
    if (steps.length === 0) return { rounds, movedBytes }
    for (const step of steps) {
      movedBytes += step.sizeBytes
      cluster.begin(step)
    }
    cluster.settleAll()
    const now = unevenness(cluster)
    assert.ok(now < uneven, `${now} after ${uneven}`)
    uneven = now
  }
}

function unevenness(cluster: PlannedCluster): number {
  return [...cluster.servers.values()].reduce(
    (sum, { id, capacityBytes }) => sum + cluster.usedBy(id) ** 2 / capacityBytes,
    0,
  )
}

/** Deviations from the mean, as parts of it. */
function deviations(cluster: PlannedCluster): number[] {
  const servers = [...cluster.servers.values()]
  const used = servers.map(({ id }) => cluster.usedBy(id))
  const mean = used.reduce((sum, bytes) => sum + bytes, 0) / servers.length
  return used.map((bytes) => bytes / mean - 1)
}

test('planRebalance() fills two new servers to within the band, and moves no more than 1.2 times the least possible', () => {
  const cluster = clusterOf({ servers: 20 })
  balance(cluster)
  for (let count = 0; count < 2; count++) cluster.addServer()
  const total = [...cluster.servers.keys()].reduce((sum, id) => sum + cluster.usedBy(id), 0)
  const leastBytes = (2 * total) / 22
  const { movedBytes } = balance(cluster)
  assert.ok(Math.max(...deviations(cluster).map(Math.abs)) <= 0.05 + 1e-9, `${deviations(cluster)}`)
  assert.ok(movedBytes <= 1.2 * leastBytes, `${movedBytes / leastBytes} of the least`)
})

test('planRebalance() does nothing within the band, and nothing for a trifle', () => {
  const even = new PlannedCluster({ servers: 6 }, seededRandom(1))
  for (const { id } of even.groups) even.setSize(id, GiB)
  assert.deepEqual(planRebalance(even.view(), {}).steps, [])
  const tiny = new PlannedCluster({ servers: 6 }, seededRandom(1))
  tiny.setSize(1 as GroupId, 1000)
  assert.deepEqual(planRebalance(tiny.view(), {}).steps, [])
})

// A plan made while moves are under way must not move the same bytes again.
test('planRebalance() counts what is under way as done, and keeps to its bounds', () => {
  const cluster = clusterOf({ servers: 10 })
  balance(cluster)
  const newcomer = cluster.addServer()
  const first = planRebalance(cluster.view(), { perServer: 2 }).steps
  assert.equal(first.filter(({ to }) => to === newcomer).length, 2)
  for (const step of first) cluster.begin(step)
  assert.deepEqual(planRebalance(cluster.view(), { perServer: 2 }).steps, [])
  assert.equal(planRebalance(cluster.view(), { perServer: 8, inAll: 3 }).steps.length, 1)
})

test('planRebalance() takes no server that drains, died or refuses writes', () => {
  const cluster = clusterOf({ servers: 10 })
  const unfit = [cluster.addServer(), cluster.addServer(), cluster.addServer()] as const
  cluster.change(unfit[0], { state: 'draining' })
  cluster.kill(unfit[1])
  cluster.change(unfit[2], { refusal: 'disk-full' })
  const { steps } = planRebalance(cluster.view(), { perServer: 100 })
  for (const { from, to } of steps) assert.ok(!unfit.includes(to as never) && !unfit.includes(from as never))
})

test('planRebalance() ends within the band or where no move helps, never comes back to where it was, and keeps domains apart', () => {
  const shape = fc.record({
    servers: fc.integer({ min: 4, max: 24 }),
    serversPerDomain: fc.integer({ min: 1, max: 2 }),
    added: fc.integer({ min: 0, max: 4 }),
    growth: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 60 }),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(shape, ({ servers, serversPerDomain, added, growth, seed }) => {
      const cluster = clusterOf({ servers, serversPerDomain }, seed)
      cluster.groups.forEach(({ id }, index) => {
        cluster.setSize(id, (growth[index % growth.length] as number) * GiB)
      })
      for (let count = 0; count < added; count++) cluster.addServer()
      const before = unevenness(cluster)
      const { rounds } = balance(cluster)
      assert.ok(rounds === 0 || unevenness(cluster) < before)
      for (const { members } of cluster.groups) {
        const domains = members.map(({ server }) => cluster.servers.get(server)?.domain)
        assert.equal(new Set(domains).size, domains.length)
      }
    }),
    { numRuns: 60 },
  )
})

test('planRebalance() weighs servers by their capacity', () => {
  const cluster = clusterOf({ servers: 12 })
  for (let index = 0; index < 4; index++) cluster.change(serverId(index), { capacityBytes: 3000 * GiB })
  balance(cluster)
  const fractions = [...cluster.servers.values()].map(({ id, capacityBytes }) => cluster.usedBy(id) / capacityBytes)
  const mean = fractions.reduce((sum, fraction) => sum + fraction, 0) / 12
  for (const fraction of fractions) assert.ok(Math.abs(fraction / mean - 1) < 0.35, `${fraction} of ${mean}`)
})

// Writes tip the balance a little all the time: what is begun upon each of them never ends.
test('planRebalance() begins outside of twice the band, and goes on to within it', () => {
  const cluster = new PlannedCluster({ servers: 4, capacityBytes: 1000 * GiB }, seededRandom(1))
  for (const { id } of cluster.groups) cluster.setSize(id, 10 * GiB)
  const [first] = cluster.groups
  assert.ok(first !== undefined)
  cluster.setSize(first.id, 40 * GiB)
  assert.ok(Math.max(...deviations(cluster).map(Math.abs)) > 0.05)
  assert.ok(Math.max(...deviations(cluster).map(Math.abs)) < 0.1)
  assert.deepEqual(planRebalance(cluster.view(), {}).steps, [])
  assert.ok(planRebalance(cluster.view(), { isStarted: true }).steps.length > 0)
})

// A group of a large cluster weighs more than what each server has above the mean once an empty one joins.
test('planRebalance() fills a new server of a large cluster where all others are alike', () => {
  const cluster = clusterOf({ servers: 100 })
  makeAlike(cluster)
  assert.ok(Math.max(...deviations(cluster).map(Math.abs)) < 0.001)
  const joined = cluster.addServer()
  const { movedBytes } = balance(cluster)
  const used = cluster.usedBy(joined)
  assert.equal(movedBytes, used, 'nothing moved but to the new one')
  for (const deviation of deviations(cluster)) assert.ok(Math.abs(deviation) <= 0.05, `${deviation} from the mean`)
})

/** Chooses the sizes of groups so that every server holds the same, as writes to the emptiest do. */
function makeAlike(cluster: PlannedCluster): void {
  const loads = new Map(deviations(cluster).map((deviation, index) => [serverId(index), 1 + deviation]))
  for (let rounds = 0; rounds < 400; rounds++) {
    for (const { id, members } of cluster.groups) {
      const load = members.reduce((sum, { server }) => sum + (loads.get(server) ?? 1), 0) / members.length
      cluster.setSize(id, Math.round((cluster.sizes.get(id) ?? 0) / load))
    }
    for (const [index, deviation] of deviations(cluster).entries()) loads.set(serverId(index), 1 + deviation)
  }
}
