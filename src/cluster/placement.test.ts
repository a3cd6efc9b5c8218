import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { Group, Policy } from '../wire/types/cluster-map.ts'
import { planGroups } from './groups.ts'
import { chooseGroup, hasFullHandedGroup, isAnswering, type Placement, type ServerLoad } from './placement.ts'
import { policiesOf } from './policies.ts'

const policy = policiesOf().find(({ name }) => name === 'replicated-3') as Policy

function serverId(index: number): ServerId {
  return index.toString(16).padStart(32, '0') as ServerId
}

function cluster(capacities: readonly number[]): { servers: Map<ServerId, ServerLoad>; groups: Group[] } {
  const servers = capacities.map((capacityBytes, index) => ({
    id: serverId(index),
    domain: `host-${index}`,
    state: 'up' as const,
    capacityBytes,
    freeBytes: capacityBytes,
  }))
  const sets = planGroups({ candidates: servers, existing: [], replicas: 3 }, seededRandom(1))
  const groups = sets.map((members, index) => ({
    id: (index + 1) as GroupId,
    epoch: 1 as Rising,
    policy: policy.name,
    members: members.map((server, slot) => ({ server, slot, state: 'in' as const })),
  }))
  return { servers: new Map(servers.map((server) => [server.id, server])), groups }
}

function change(servers: Map<ServerId, ServerLoad>, index: number, changes: Partial<ServerLoad>): void {
  const server = servers.get(serverId(index))
  assert.ok(server)
  servers.set(server.id, { ...server, ...changes })
}

function placed(placement: Placement): Placement & { kind: 'placed' } {
  assert.equal(placement.kind, 'placed')
  return placement as Placement & { kind: 'placed' }
}

/** Places chunks until the cluster refuses. */
function fill(capacities: readonly number[], { chunkBytes, seed }: { chunkBytes: number; seed: number }) {
  const { servers, groups } = cluster(capacities)
  const random = seededRandom(seed)
  for (let chunks = 0; ; chunks++) {
    const placement = chooseGroup({ groups, policy, servers, chunkBytes }, random)
    if (placement.kind === 'refused') return { servers, chunks, refused: placement }
    for (const { server } of placement.group.members) {
      const load = servers.get(server) as ServerLoad
      servers.set(server, { ...load, freeBytes: load.freeBytes - chunkBytes })
    }
  }
}

test('chooseGroup() fills servers of 50, 75, 100 and 200 bytes to within a chunk or two of what three copies allow', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const { servers, chunks, refused } = fill([50, 75, 100, 200], { chunkBytes: 5, seed })
      // At most 22 chunks of 5 bytes: the three small servers hold two copies of each, and together 225 bytes.
      assert.ok(chunks >= 18 && chunks <= 22, `${chunks} chunks`)
      assert.equal(refused.code, 'no-space')
      for (const { freeBytes } of servers.values()) assert.ok(freeBytes >= 0)
    }),
    { numRuns: 200 },
  )
})

test('chooseGroup() keeps servers of different sizes about equally full while there is room', () => {
  const capacities = [1000, 2000, 3000, 4000, 3000, 2000]
  const { servers, groups } = cluster(capacities)
  const random = seededRandom(7)
  for (let count = 0; count < 2500; count++) {
    const { group } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 1 }, random))
    for (const { server } of group.members)
      change(servers, Number.parseInt(server, 16), {
        freeBytes: (servers.get(server)?.freeBytes ?? 0) - 1,
      })
  }
  for (const { capacityBytes, freeBytes } of servers.values()) {
    const used = 1 - freeBytes / capacityBytes
    assert.ok(used > 0.42 && used < 0.58, `${capacityBytes} bytes are used to ${used}`)
  }
})

test('chooseGroup() avoids servers that come and go, and takes them when there is no other', () => {
  const { servers, groups } = cluster([20, 20, 20, 20])
  change(servers, 0, { isUnsteady: true })
  for (let seed = 0; seed < 50; seed++) {
    const { group } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 1 }, seededRandom(seed)))
    assert.ok(group.members.every(({ server }) => Number.parseInt(server, 16) !== 0))
  }
  change(servers, 1, { freeBytes: 0 })
  const { group, away } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 1 }, seededRandom(1)))
  assert.ok(group.members.some(({ server }) => Number.parseInt(server, 16) === 0))
  assert.deepEqual(away, [])
})

test('chooseGroup() never chooses a group with a full, suspect or dead member while a full-handed one exists', () => {
  const states = fc.constantFrom('up', 'up', 'up', 'suspect', 'dead', 'draining', 'maintenance')
  const loads = fc.array(fc.record({ state: states, freeBytes: fc.integer({ min: 0, max: 20 }) }), {
    minLength: 3,
    maxLength: 9,
  })
  fc.assert(
    fc.property(loads, fc.nat(), (changes, seed) => {
      const { servers, groups } = cluster(changes.map(() => 20))
      for (const [index, each] of changes.entries()) change(servers, index, each as Partial<ServerLoad>)
      const request = { groups, policy, servers, chunkBytes: 10 }
      const placement = chooseGroup(request, seededRandom(seed))
      if (placement.kind === 'refused') {
        assert.equal(hasFullHandedGroup(request), false)
        return
      }
      const members = placement.group.members.map(({ server }) => servers.get(server) as ServerLoad)
      const up = members.filter(({ state }) => isAnswering(state))
      for (const { freeBytes } of up) assert.ok(freeBytes >= 10)
      assert.equal(placement.away.length, 3 - up.length)
      assert.ok(up.length >= (hasFullHandedGroup(request) ? 3 : policy.minReplicas))
    }),
  )
})

// Its debts would never be paid, and the file would stay short of a copy (seeds 192, 10137 and 33277 of the simulator).
test('chooseGroup() refuses what a member that is away is known to have no room for', () => {
  for (const state of ['suspect', 'dead'] as const) {
    const { servers, groups } = cluster([100, 100, 100])
    change(servers, 2, { state, freeBytes: 9 })
    const request = { groups, policy, servers, chunkBytes: 10 }
    const refused = chooseGroup(request, seededRandom(1))
    assert.ok(refused.kind === 'refused' && refused.code === 'no-space', state)
    const why = refused.rejected.find(({ server }) => server === serverId(2))?.reason
    assert.match(why as string, new RegExp(`^${state}, and full: `))
    assert.equal(placed(chooseGroup({ ...request, chunkBytes: 9 }, seededRandom(1))).away.length, 1)
  }
})

// Nothing is known of one that was away when the master started; and one that left for good never pays.
test('chooseGroup() does without a member of whose room nothing is known, or which has left', () => {
  for (const known of [
    { state: 'suspect', freeBytes: 0, capacityBytes: 0 },
    { state: 'left', freeBytes: 0 },
  ] as const) {
    const { servers, groups } = cluster([100, 100, 100])
    change(servers, 2, known)
    const { away } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 10 }, seededRandom(1)))
    assert.deepEqual(away, [serverId(2)])
  }
})

// A server that is to go takes writes as long as a write would otherwise miss a copy.
test('chooseGroup() leaves servers that drain or are in maintenance alone while it can', () => {
  const { servers, groups } = cluster([100, 100, 100, 100])
  for (const state of ['draining', 'maintenance'] as const) {
    change(servers, 1, { state })
    for (let seed = 0; seed < 20; seed++) {
      const { group } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 1 }, seededRandom(seed)))
      assert.ok(group.members.every(({ server }) => server !== serverId(1)))
    }
    change(servers, 2, { state: 'suspect' })
    const { group, away } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 1 }, seededRandom(1)))
    assert.ok(away.length === 0 && group.members.some(({ server }) => server === serverId(1)))
    change(servers, 2, { state: 'up' })
  }
})

test('chooseGroup() goes short-handed when a member is down, and says which', () => {
  const { servers, groups } = cluster([100, 100, 100])
  change(servers, 1, { state: 'suspect' })
  const { away } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 10 }, seededRandom(1)))
  assert.deepEqual(away, [serverId(1)])
})

// Full is not down: a full member does not excuse a missing copy.
test('chooseGroup() refuses with no-space when a member is full, with one reason per server', () => {
  const { servers, groups } = cluster([100, 100, 100, 100])
  change(servers, 1, { freeBytes: 9 })
  change(servers, 3, { freeBytes: 500, refusal: 'disk-full' })
  const placement = chooseGroup({ groups, policy, servers, chunkBytes: 10 }, seededRandom(1))
  assert.equal(placement.kind, 'refused')
  assert.equal((placement as Placement & { kind: 'refused' }).code, 'no-space')
  assert.deepEqual(
    placement.rejected.map(({ server, reason }) => [server, reason]),
    [
      [serverId(1), 'full: 9 B of 100 B free, 10 B needed'],
      [serverId(3), 'the disk beneath is full: 500 B may be written'],
    ],
  )
})

test('chooseGroup() refuses with unavailable when too few servers are there, whatever their room', () => {
  const { servers, groups } = cluster([100, 100, 100])
  change(servers, 0, { state: 'dead' })
  change(servers, 1, { state: 'suspect', freeBytes: 0 })
  const placement = chooseGroup({ groups, policy, servers, chunkBytes: 10 }, seededRandom(1))
  assert.equal(placement.kind === 'refused' && placement.code, 'unavailable')
})

test('chooseGroup() takes an avoided group only when no other is usable', () => {
  const { servers, groups } = cluster([100, 100, 100, 100])
  const avoid = new Set(groups.slice(1).map(({ id }) => id))
  for (let seed = 0; seed < 20; seed++) {
    const { group } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 1, avoid }, seededRandom(seed)))
    assert.equal(group.id, groups[0]?.id)
  }
  const all = new Set(groups.map(({ id }) => id))
  placed(chooseGroup({ groups, policy, servers, chunkBytes: 1, avoid: all }, seededRandom(1)))
})

test('chooseGroup() uses a member whose disk failed as one that is away, not as a full one', () => {
  const { servers, groups } = cluster([100, 100, 100])
  // As a fenced store reports: no room, since nothing can be written.
  change(servers, 2, { refusal: 'fenced', freeBytes: 0 })
  const { away } = placed(chooseGroup({ groups, policy, servers, chunkBytes: 10 }, seededRandom(1)))
  assert.deepEqual(away, [serverId(2)])
})

/** Counts how often a server is looked up. */
class CountedServers extends Map<ServerId, ServerLoad> {
  lookups = 0
  override get(id: ServerId): ServerLoad | undefined {
    this.lookups++
    return super.get(id)
  }
}

// An allocation must not cost more the more servers there are.
test('chooseGroup() looks at a sample of a large cluster, and at all of it when nothing there is as good as can be', () => {
  const { servers, groups } = cluster(Array.from({ length: 600 }, () => 1000))
  assert.ok(groups.length > 6000, String(groups.length))
  const counted = new CountedServers(servers)
  const random = seededRandom(5)
  const chosen = new Set<GroupId>()
  for (let round = 0; round < 50; round++) {
    chosen.add(placed(chooseGroup({ groups, policy, servers: counted, chunkBytes: 10 }, random)).group.id)
  }
  assert.ok(counted.lookups / 50 < 2 * groups.length, `${counted.lookups / 50} lookups for ${groups.length} groups`)
  assert.ok(chosen.size > 40, 'not the same ones again and again')

  const only = groups[4711] as Group
  for (let index = 0; index < 600; index++) {
    if (!only.members.some(({ server }) => server === serverId(index))) change(counted, index, { freeBytes: 0 })
  }
  assert.equal(placed(chooseGroup({ groups, policy, servers: counted, chunkBytes: 10 }, random)).group.id, only.id)
  const avoid = new Set([only.id])
  assert.equal(
    placed(chooseGroup({ groups, policy, servers: counted, chunkBytes: 10, avoid }, random)).group.id,
    only.id,
  )
  change(counted, 0, { freeBytes: 1000 })
  for (const { server } of only.members)
    counted.set(server, { ...(servers.get(server) as ServerLoad), state: 'draining' })
  assert.equal(placed(chooseGroup({ groups, policy, servers: counted, chunkBytes: 10 }, random)).group.id, only.id)
})
