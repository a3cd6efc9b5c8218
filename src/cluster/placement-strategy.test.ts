import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { GroupCandidate } from './groups.ts'
import { type StrategyName, strategyNamed, strategyNames, strategyOf } from './placement-strategy.ts'

const layoutNames = strategyNames.filter((name) => strategyOf(name).layout !== undefined)

function candidates(count: number, domains = count): GroupCandidate[] {
  return Array.from({ length: count }, (_, index) => ({
    id: (index * 0x9e37 + 1).toString(16).padStart(32, '0') as ServerId,
    domain: `rack-${index % domains}`,
  }))
}

function plan(name: StrategyName, servers: readonly GroupCandidate[], { replicas = 3, seed = 1 } = {}) {
  return strategyOf(name).planGroups(
    { candidates: servers, existing: [], replicas, firstId: 1 as GroupId },
    seededRandom(seed),
  )
}

function groupCounts(groups: readonly (readonly ServerId[])[]): number[] {
  const counts = new Map<ServerId, number>()
  for (const id of groups.flat()) counts.set(id, (counts.get(id) ?? 0) + 1)
  return [...counts.values()]
}

/** Members that other servers hold after a change, as a part of all. */
function movedFraction(
  name: StrategyName,
  before: readonly GroupCandidate[],
  after: readonly GroupCandidate[],
): number {
  const layout = strategyOf(name).layout
  assert.ok(layout)
  const [old, now] = [layout(before), layout(after)]
  let moved = 0
  let members = 0
  for (const [index, kept] of plan(name, before).entries()) {
    const id = (index + 1) as GroupId
    assert.deepEqual(old(id, 3), kept)
    const next = now(id, 3)
    moved += next.filter((server) => !kept.includes(server)).length
    members += kept.length
  }
  return moved / members
}

const clusters = fc.record({
  name: fc.constantFrom(...strategyNames),
  servers: fc.integer({ min: 1, max: 40 }),
  domains: fc.integer({ min: 1, max: 40 }),
  replicas: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat(),
})

test('every strategy plans groups whose members share no failure domain, the same from the same seed', () => {
  fc.assert(
    fc.property(clusters, ({ name, servers, domains, replicas, seed }) => {
      const all = candidates(servers, domains)
      const domainOf = new Map(all.map(({ id, domain }) => [id, domain]))
      const groups = plan(name, all, { replicas, seed })
      assert.deepEqual(plan(name, all, { replicas, seed }), groups)
      for (const members of groups) {
        assert.equal(members.length, replicas)
        assert.equal(new Set(members.map((id) => domainOf.get(id))).size, replicas)
      }
      assert.equal(groups.length > 0, Math.min(servers, domains) >= replicas)
    }),
    { numRuns: 300 },
  )
})

test('every strategy draws a group that it was offered', () => {
  fc.assert(
    fc.property(clusters, ({ name, servers, seed }) => {
      const sets = candidates(servers).map(({ id }) => [id])
      const roomOf = (id: ServerId) => ({ freeBytes: Number.parseInt(id, 16) % 7, capacityBytes: 10 })
      const weights = strategyOf(name).weigh({ sets, roomOf }, seededRandom(seed))
      assert.ok(weights.length > 0)
      for (const { index, weight } of weights) assert.ok(sets[index] !== undefined && weight >= 0)
    }),
  )
})

// A master that starts again, and one that simulates, must come to the same layout.
test('a layout does not depend on the order of the servers', () => {
  for (const name of layoutNames) {
    const all = candidates(30, 7)
    const [one, other] = [strategyOf(name).layout?.(all), strategyOf(name).layout?.(all.toReversed())]
    for (let id = 1; id <= 100; id++) assert.deepEqual(one?.(id as GroupId, 3), other?.(id as GroupId, 3), name)
  }
})

test('groups lie on servers as evenly as each strategy can', () => {
  const mostOfMean = { spread: 1.25, 'load-sorted': 1.25, 'consistent-hash': 2, hash: 1.7, range: 1.15 } as const
  for (const name of strategyNames) {
    const counts = groupCounts(plan(name, candidates(200, 10)))
    assert.equal(counts.length, 200, `${name} leaves servers out`)
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    assert.ok(mean >= limits.groupsPerServer - 1, `${name}: ${mean} groups on a server`)
    assert.ok(Math.max(...counts) <= mostOfMean[name] * mean, `${name}: ${Math.max(...counts)} groups on one server`)
  }
})

test('a server that joins moves little with a ring, and almost everything with a hash', () => {
  const before = candidates(100, 10)
  const after = candidates(101, 10)
  const ring = movedFraction('consistent-hash', before, after)
  assert.ok(ring > 0 && ring < 3 / 101, `the ring moves ${ring}`)
  assert.ok(movedFraction('hash', before, after) > 0.9)
  assert.ok(movedFraction('range', before, after) < 0.5)
})

test('a ring takes from those who stay nothing but what the new server gets', () => {
  const before = candidates(50, 50)
  const after = candidates(51, 51)
  const joined = after[50]?.id
  const [old, now] = [strategyOf('consistent-hash').layout?.(before), strategyOf('consistent-hash').layout?.(after)]
  let taken = 0
  for (let id = 1 as GroupId; id <= 500; id++) {
    const known = old?.(id, 3) ?? []
    const gained = (now?.(id, 3) ?? []).filter((server) => !known.includes(server))
    for (const server of gained) assert.equal(server, joined)
    taken += gained.length
  }
  assert.ok(taken > 0)
})

test('a layout adds groups for servers that join, and keeps the numbers of those that are there', () => {
  for (const name of layoutNames) {
    const first = plan(name, candidates(20))
    const more = strategyOf(name).planGroups(
      { candidates: candidates(30), existing: first, replicas: 3, firstId: (first.length + 1) as GroupId },
      seededRandom(1),
    )
    assert.equal(first.length + more.length, Math.ceil((30 * limits.groupsPerServer) / 3))
    const layout = strategyOf(name).layout?.(candidates(30))
    assert.deepEqual(more[0], layout?.((first.length + 1) as GroupId, 3))
  }
})

test('load-sorted takes the group whose fullest member is emptiest', () => {
  const ids = candidates(4).map(({ id }) => id) as [ServerId, ServerId, ServerId, ServerId]
  const free = new Map(ids.map((id, index) => [id, [5, 9, 1, 8][index] as number]))
  const roomOf = (id: ServerId) => ({ freeBytes: free.get(id) as number, capacityBytes: 10 })
  const sets = [
    [ids[0], ids[1]],
    [ids[1], ids[2]],
    [ids[1], ids[3]],
  ]
  assert.deepEqual(strategyOf('load-sorted').weigh({ sets, roomOf }, seededRandom(1)), [{ index: 2, weight: 1 }])
})

test('strategyNamed() refuses what is none, and names those there are', () => {
  assert.equal(strategyNamed('range'), 'range')
  assert.throws(() => strategyNamed('random'), /spread, load-sorted, consistent-hash, hash, range/)
})
