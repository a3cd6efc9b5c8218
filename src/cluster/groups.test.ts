import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { type GroupCandidate, planGroups } from './groups.ts'

function candidates(count: number, domainOf: (index: number) => string = String): GroupCandidate[] {
  return Array.from({ length: count }, (_, index) => ({
    id: index.toString(16).padStart(32, '0') as ServerId,
    domain: domainOf(index),
  }))
}

function groupCounts(groups: readonly (readonly ServerId[])[]): Map<ServerId, number> {
  const counts = new Map<ServerId, number>()
  for (const id of groups.flat()) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}

const clusters = fc.record({
  servers: fc.integer({ min: 1, max: 40 }),
  domains: fc.integer({ min: 1, max: 40 }),
  replicas: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat(),
})

// So that one lost domain costs a group at most one member.
test('planGroups() never shares a failure domain, whatever the cluster', () => {
  fc.assert(
    fc.property(clusters, ({ servers, domains, replicas, seed }) => {
      const all = candidates(servers, (index) => `host-${index % domains}`)
      const domainOf = new Map(all.map(({ id, domain }) => [id, domain]))
      const groups = planGroups({ candidates: all, existing: [], replicas }, seededRandom(seed))
      for (const members of groups) {
        assert.equal(members.length, replicas)
        assert.equal(new Set(members.map((id) => domainOf.get(id))).size, replicas)
      }
      if (Math.min(servers, domains) >= replicas) assert.ok(groups.length > 0)
      else assert.equal(groups.length, 0)
    }),
    { numRuns: 300 },
  )
})

// So that users of two racks, or of one, have a cluster at all, and one rack takes as little of a group as it must.
test('planGroups() spreads over the racks there are when they are fewer than copies, on distinct hosts', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 40 }), fc.integer({ min: 1, max: 2 }), fc.nat(), (servers, racks, seed) => {
      const all = candidates(servers, (index) => `host-${index}/rack-${index % racks}`)
      const rackOf = new Map(all.map(({ id, domain }) => [id, domain.split('/')[1]]))
      const groups = planGroups({ candidates: all, existing: [], replicas: 3 }, seededRandom(seed))
      assert.ok(groups.length > 0)
      assert.equal(new Set(groups.flat()).size, servers, 'each server has a group')
      for (const members of groups) {
        assert.equal(new Set(members).size, 3)
        assert.equal(new Set(members.map((id) => rackOf.get(id))).size, racks)
      }
    }),
    { numRuns: 60 },
  )
})

// Groups move as a whole: few of them could not be shared out evenly with a server that is added.
test('planGroups() plans every combination while servers are few, so often that each server has its share', () => {
  for (const [count, sets, length] of [
    [3, 1, 32],
    [4, 4, 44],
    [8, 56, 112],
  ] as const) {
    const groups = planGroups({ candidates: candidates(count), existing: [], replicas: 3 }, seededRandom(1))
    assert.equal(groups.length, length)
    assert.equal(new Set(groups.map((members) => [...members].sort().join())).size, sets)
    for (const own of groupCounts(groups).values()) assert.ok(own >= limits.groupsPerServer)
  }
})

test('planGroups() adds only what is missing, and nothing the second time', () => {
  const random = seededRandom(2)
  const existing = planGroups({ candidates: candidates(3), existing: [], replicas: 3 }, random)
  const added = planGroups({ candidates: candidates(4), existing, replicas: 3 }, random)
  assert.equal(existing.length, 32)
  assert.equal(added.length, 33)
  const newcomer = candidates(4)[3]?.id as ServerId
  for (const members of added) assert.ok(members.includes(newcomer))
  const all = [...existing, ...added]
  assert.deepEqual(planGroups({ candidates: candidates(4), existing: all, replicas: 3 }, random), [])
})

// So that the number of sets whose joint loss loses data stays small, and no server carries much more than another.
test('planGroups() gives each of many servers about its share of groups, evenly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 12, max: 150 }), fc.nat(), (servers, seed) => {
      const groups = planGroups({ candidates: candidates(servers), existing: [], replicas: 3 }, seededRandom(seed))
      const counts = [...groupCounts(groups).values()]
      assert.equal(counts.length, servers)
      assert.ok(Math.min(...counts) >= limits.groupsPerServer)
      assert.ok(Math.max(...counts) <= limits.groupsPerServer + 8, `${Math.max(...counts)} groups on one server`)
      assert.ok(groups.length <= (servers * (limits.groupsPerServer + 4)) / 3)
    }),
    { numRuns: 20 },
  )
})

test('planGroups() lets servers that join one at a time fill, and stays bounded', () => {
  const random = seededRandom(3)
  const groups: (readonly ServerId[])[] = []
  for (let count = 3; count <= 60; count++) {
    groups.push(...planGroups({ candidates: candidates(count), existing: groups, replicas: 3 }, random))
  }
  const counts = groupCounts(groups)
  for (const { id } of candidates(60)) {
    assert.ok((counts.get(id) ?? 0) >= limits.groupsPerServer)
    assert.ok((counts.get(id) ?? 0) <= 4 * limits.groupsPerServer)
  }
})

test('planGroups() makes one group for each server when one copy is kept', () => {
  const groups = planGroups({ candidates: candidates(30), existing: [], replicas: 1 }, seededRandom(4))
  assert.equal(groups.length, 30)
})

test('planGroups() replays from its seed', () => {
  const plan = () => planGroups({ candidates: candidates(40), existing: [], replicas: 3 }, seededRandom(5))
  assert.deepEqual(plan(), plan())
})

// Repair gives the groups of a dead server to others; if each return formed as many again, groups would grow for ever.
test('planGroups() stays bounded however often a server dies, is replaced and returns', () => {
  for (const count of [4, 12]) {
    const random = seededRandom(6)
    const groups: (readonly ServerId[])[] = []
    const [first, ...others] = candidates(count)
    const combined = planGroups({ candidates: candidates(count), existing: [], replicas: 3 }, random)
    groups.push(...combined)
    for (let round = 0; round < 12; round++) {
      groups.forEach((members, index) => {
        const spare = others.find(({ id }) => !members.includes(id))?.id as ServerId
        groups[index] = members.map((id) => (id === first?.id ? spare : id))
      })
      groups.push(...planGroups({ candidates: candidates(count), existing: groups, replicas: 3 }, random))
    }
    assert.ok(groups.length <= 4 * combined.length, `${groups.length} groups of ${combined.length}`)
  }
})
