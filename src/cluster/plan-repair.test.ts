import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PlannedCluster, type PlannedClusterOptions, serverId } from '../../test/cluster/planned-cluster.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { MemberPlan, MemberStep } from './cluster-view.ts'
import { findMassLoss } from './mass-loss.ts'
import { planRepair } from './plan-repair.ts'

const limits = { perServer: 64, inAll: 4096 }
const holdOffMs = 300_000
const random = seededRandom(1)

function clusterOf(options: PlannedClusterOptions): PlannedCluster {
  const cluster = new PlannedCluster(options, seededRandom(7))
  for (const { id } of cluster.groups) cluster.setSize(id, 1e9)
  return cluster
}

function plan(cluster: PlannedCluster, planLimits = limits): MemberPlan {
  const view = cluster.view()
  return planRepair(view, { limits: planLimits, massLoss: findMassLoss(view, { holdOffMs }) }, random)
}

function isWhole(cluster: PlannedCluster): boolean {
  return cluster.groups.every(({ members }) =>
    members.every(({ server, state }) => state === 'in' && cluster.servers.get(server)?.state === 'up'),
  )
}

test('planRepair() does nothing while nobody is lost: a suspect member has its time', () => {
  const cluster = clusterOf({ servers: 5 })
  assert.deepEqual(plan(cluster), { steps: [], waiting: [] })
  cluster.change(serverId(0), { state: 'suspect', silentMs: 29_000 })
  assert.deepEqual(plan(cluster), { steps: [], waiting: [] })
})

test('planRepair() replaces the members of a dead server on all the others', () => {
  const cluster = clusterOf({ servers: 6 })
  cluster.kill(serverId(5))
  const { steps, waiting } = plan(cluster)
  assert.equal(steps.length, 40)
  assert.deepEqual(waiting, [])
  const targets = Map.groupBy(steps, ({ to }) => to)
  assert.equal(targets.size, 5)
  for (const own of targets.values()) assert.ok(own.length <= 10, `${own.length} of 40 groups go to one server`)
})

test('planRepair() takes the groups with the fewest survivors first', () => {
  const cluster = clusterOf({ servers: 7 })
  for (const index of [5, 6]) cluster.kill(serverId(index))
  const { steps } = plan(cluster)
  const survivors = steps.map((step) => step.survivors)
  assert.deepEqual(
    survivors,
    survivors.toSorted((a, b) => a - b),
  )
  assert.equal(survivors[0], 1)
})

test('planRepair() keeps to its limits, for each server and in all, and says what waits', () => {
  const cluster = clusterOf({ servers: 6 })
  cluster.kill(serverId(5))
  const inAll = plan(cluster, { perServer: 8, inAll: 3 })
  assert.equal(inAll.steps.length, 3)
  assert.equal(inAll.waiting.length, 37)
  const perServer = plan(cluster, { perServer: 1, inAll: 1024 })
  const targets = perServer.steps.map(({ to }) => to)
  assert.equal(new Set(targets).size, targets.length)
})

// What is under way counts: a plan a moment later does not begin as much again.
test('planRepair() counts the groups that are filling already', () => {
  const cluster = clusterOf({ servers: 6 })
  cluster.kill(serverId(5))
  for (const step of plan(cluster, { perServer: 8, inAll: 3 }).steps) cluster.begin(step)
  assert.equal(plan(cluster, { perServer: 8, inAll: 3 }).steps.length, 0)
})

test('planRepair() begins nothing on a group that nobody was seen to hold', () => {
  const cluster = clusterOf({ servers: 4 })
  cluster.kill(serverId(3))
  const [first] = plan(cluster).steps
  assert.ok(first !== undefined)
  for (const { server } of cluster.group(first.group).members) cluster.unproven.add(`${first.group}/${server}`)
  const { steps, waiting } = plan(cluster)
  assert.ok(!steps.some(({ group }) => group === first.group))
  assert.match(waiting.find(({ group }) => group === first.group)?.why ?? '', /no member answers/)
})

test('planRepair() leaves a server in maintenance its groups', () => {
  const cluster = clusterOf({ servers: 5 })
  cluster.kill(serverId(4))
  cluster.change(serverId(4), { isInMaintenance: true })
  assert.deepEqual(plan(cluster).steps, [])
})

test('planRepair() says why there is no target', () => {
  const cluster = clusterOf({ servers: 4 })
  cluster.kill(serverId(3))
  cluster.change(serverId(2), { refusal: 'disk-full' })
  const { waiting } = plan(cluster)
  const expected = 'no server can take its place: 2 are members already, 1 is refusing writes (disk-full), 1 is dead'
  assert.ok(
    waiting.some(({ why }) => why === expected),
    JSON.stringify(waiting),
  )
})

test('planRepair() during a mass loss repairs at once only what is down to its last member', () => {
  const cluster = clusterOf({ servers: 8 })
  for (const index of [6, 7]) cluster.kill(serverId(index), 40_000)
  const { steps, waiting } = plan(cluster)
  assert.ok(steps.length > 0 && steps.every(({ survivors }) => survivors === 1))
  assert.ok(waiting.length > 0 && waiting.every(({ why }) => why.includes('holding off')))
  for (const index of [6, 7]) cluster.kill(serverId(index), holdOffMs)
  assert.equal(plan(cluster, { perServer: 200, inAll: 4096 }).waiting.length, 0)
})

test('planRepair() gives the slot back to a member that returned with more than its replacement has', () => {
  const cluster = clusterOf({ servers: 5 })
  cluster.kill(serverId(4))
  const [step] = plan(cluster).steps
  assert.ok(step !== undefined)
  cluster.begin(step)
  cluster.change(serverId(4), { state: 'up', silentMs: 0 })
  cluster.held.set(`${step.group}/${step.to}`, 10)
  cluster.held.set(`${step.group}/${step.from}`, 10)
  assert.deepEqual(plan(cluster).steps, [])
  cluster.held.set(`${step.group}/${step.from}`, 900)
  const [back] = plan(cluster).steps
  assert.deepEqual([back?.group, back?.from, back?.to, back?.chunks], [step.group, step.to, step.from, 100])
  assert.ok(back !== undefined)
  cluster.begin(back)
  assert.deepEqual(plan(cluster).steps, [], 'and no way back again')
})

test('planRepair() gives no slot back to a server that comes and goes, unless its replacement is gone', () => {
  const cluster = clusterOf({ servers: 5 })
  cluster.kill(serverId(4))
  const [step] = plan(cluster).steps
  assert.ok(step !== undefined)
  cluster.begin(step)
  cluster.change(serverId(4), { state: 'up', silentMs: 0, isUnsteady: true })
  cluster.held.set(`${step.group}/${step.from}`, 900)
  assert.deepEqual(plan(cluster).steps, [])
  cluster.kill(step.to)
  const back = plan(cluster).steps.find(({ group }) => group === step.group)
  assert.deepEqual([back?.from, back?.to], [step.to, step.from])
})

test('planRepair() fills a server that comes and goes only when nobody else can take the group', () => {
  const cluster = clusterOf({ servers: 6 })
  cluster.kill(serverId(5))
  cluster.change(serverId(0), { isUnsteady: true })
  const { steps } = plan(cluster)
  const isOther = (index: number) => (group: number) =>
    cluster.group(group as never).members.every(({ server }) => server !== serverId(index))
  // With six servers a group has three left that are no members: one of them is lost, two may be taken.
  assert.ok(steps.length > 0 && steps.every(({ to }) => to !== serverId(0)))
  for (const index of [1, 2, 3, 4]) cluster.change(serverId(index), { refusal: 'disk-full' })
  const again = plan(cluster).steps
  assert.ok(again.length > 0 && again.every(({ to, group }) => to === serverId(0) && isOther(0)(group)))
})

test('planRepair() gives the slot of a member without room for what it lacks to a server that has it', () => {
  const cluster = clusterOf({ servers: 5 })
  const group = cluster.groups[0] as Group
  const [cramped] = group.members.map(({ server }) => server) as [ServerId]
  const lacksRoom = (id: GroupId, server: ServerId) => id === group.id && server === cramped
  const planned = (view = cluster.view()) => planRepair({ ...view, lacksRoom }, { limits, massLoss: undefined }, random)
  const { steps, waiting } = planned()
  assert.deepEqual([steps.length, waiting.length], [1, 0])
  const [step] = steps as [MemberStep]
  assert.deepEqual([step.group, step.from], [group.id, cramped])
  assert.match(step.reason, /has no room for what it lacks/)
  // It stays beside its replacement, holds more yet, and is not given the slot back.
  cluster.begin(step)
  assert.deepEqual(planned(), { steps: [], waiting: [] })
})

// Seed 80059: both waited for ever, the one that held everything and the one that had no room for it.
test('planRepair() gives the slot back to a server that comes and goes where its replacement has no room', () => {
  const cluster = clusterOf({ servers: 4 })
  cluster.kill(serverId(3))
  const [step] = plan(cluster).steps as [MemberStep]
  cluster.begin(step)
  cluster.change(serverId(3), { state: 'up', silentMs: 0, isUnsteady: true })
  cluster.held.set(`${step.group}/${step.from}`, 900)
  const lacksRoom = (id: GroupId, server: ServerId) => id === step.group && server === step.to
  const { steps } = planRepair({ ...cluster.view(), lacksRoom }, { limits, massLoss: undefined }, random)
  const back = steps.find(({ group }) => group === step.group)
  assert.deepEqual([back?.from, back?.to], [step.to, step.from])
})

// Seed 1787: it had died before it got anything, and came back with room; nobody else had any.
test('planRepair() gives the slot back to a server with room where its replacement has none, though both hold nothing', () => {
  const cluster = clusterOf({ servers: 4 })
  cluster.kill(serverId(3))
  const [step] = plan(cluster).steps as [MemberStep]
  cluster.begin(step)
  cluster.change(serverId(3), { state: 'up', silentMs: 0 })
  for (const server of [step.from, step.to]) cluster.held.set(`${step.group}/${server}`, 0)
  const lacksRoom = (id: GroupId, server: ServerId) => id === step.group && server === step.to
  const back = () => {
    const { steps } = planRepair({ ...cluster.view(), lacksRoom }, { limits, massLoss: undefined }, random)
    return steps.find(({ group }) => group === step.group)
  }
  assert.deepEqual([back()?.from, back()?.to], [step.to, step.from])
  cluster.change(serverId(3), { capacityBytes: step.sizeBytes - 1 })
  assert.equal(back(), undefined, 'it has no room either')
})

// Seed 4494: two members stood in one rack from then on.
test('planRepair() gives no slot back where another one went to a neighbour meanwhile', () => {
  const cluster = clusterOf({ servers: 8, serversPerDomain: 2 })
  const planned = () => planRepair(cluster.view(), { limits, massLoss: undefined }, random).steps
  const [returning, neighbour] = [serverId(0), serverId(1)]
  cluster.kill(returning)
  const first = planned().find(({ to }) => to !== neighbour)
  assert.ok(first !== undefined)
  const plannedHere = () => planned().find(({ group }) => group === first.group)
  cluster.begin(first)
  const second = cluster.group(first.group).members.find(({ state }) => state === 'in')?.server as ServerId
  cluster.kill(second)
  for (let index = 2; index < 8; index++) cluster.change(serverId(index), { refusal: 'disk-full' })
  const next = plannedHere()
  assert.ok(next !== undefined)
  assert.deepEqual([next.from, next.to], [second, neighbour])
  cluster.change(returning, { state: 'up', silentMs: 0 })
  cluster.held.set(`${first.group}/${returning}`, 900)
  cluster.held.set(`${first.group}/${first.to}`, 0)
  assert.equal(plannedHere()?.to, returning, 'nobody stands beside it yet')
  cluster.begin(next)
  assert.equal(plannedHere(), undefined)
})

test('planRepair() says why nobody takes the slot of a member without room', () => {
  const cluster = clusterOf({ servers: 3 })
  const group = cluster.groups[0] as Group
  const lacksRoom = (id: GroupId, server: ServerId) => id === group.id && server === serverId(1)
  const plan = planRepair({ ...cluster.view(), lacksRoom }, { limits, massLoss: undefined }, random)
  assert.deepEqual(plan.steps, [])
  assert.match(plan.waiting[0]?.why as string, /no server can take its place/)
})

test('planRepair() replaces a member that dies while it is filling', () => {
  const cluster = clusterOf({ servers: 6 })
  cluster.kill(serverId(5))
  const [step] = plan(cluster).steps
  assert.ok(step !== undefined)
  cluster.begin(step)
  cluster.kill(step.to)
  const again = plan(cluster).steps.find(({ group }) => group === step.group)
  assert.equal(again?.from, step.to)
  assert.ok(![step.to, step.from].includes(again?.to as never))
})

test('planRepair() makes every group whole again whatever died, and never puts two members in one domain', () => {
  const shape = fc.record({
    servers: fc.integer({ min: 4, max: 30 }),
    serversPerDomain: fc.integer({ min: 1, max: 3 }),
    deaths: fc.array(fc.nat(), { maxLength: 6 }),
    seed: fc.nat(),
  })
  fc.assert(
    fc.property(shape, ({ servers, serversPerDomain, deaths, seed }) => {
      const cluster = new PlannedCluster({ servers, serversPerDomain }, seededRandom(seed))
      for (const { id } of cluster.groups) cluster.setSize(id, 1e6)
      const draws = seededRandom(seed + 1)
      for (const death of deaths) {
        cluster.kill(serverId(death % servers))
        for (let rounds = 0; rounds < 60; rounds++) {
          const { steps } = planRepair(cluster.view(), { limits, massLoss: undefined }, draws)
          if (steps.length === 0) break
          for (const step of steps) cluster.begin(step)
          checkDomains(cluster)
          cluster.settleAll()
        }
        checkDomains(cluster)
        const living = [...cluster.servers.values()].filter(({ state }) => state === 'up')
        const domains = new Set(living.map(({ domain }) => domain)).size
        // With a domain to spare for every group, nothing may stay short.
        if (domains > 2 * 3) assert.ok(isWhole(cluster), 'every group is whole')
      }
    }),
    { numRuns: 60 },
  )
})

function checkDomains(cluster: PlannedCluster): void {
  for (const { id, members } of cluster.groups) {
    const domains = members
      .filter(({ state }) => state !== 'leaving')
      .map(({ server }) => cluster.servers.get(server)?.domain)
    assert.equal(new Set(domains).size, domains.length, `group ${id}: ${domains}`)
  }
}
