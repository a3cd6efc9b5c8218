import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Group, Policy } from '../wire/types/cluster-map.ts'
import { chooseGroup, type PlacementRequest, type ServerLoad } from './placement.ts'
import { strandedServers } from './stranded-servers.ts'

const policy = { name: 'replicated-3', replicas: 3, minReplicas: 2 } as Policy

function request(
  servers: Readonly<Record<string, Partial<ServerLoad>>>,
  sets: readonly (readonly string[])[],
): PlacementRequest {
  const loads = Object.entries(servers).map(
    ([id, load]): ServerLoad => ({
      id: id as ServerId,
      domain: id,
      state: 'up',
      capacityBytes: 100,
      freeBytes: 50,
      ...load,
    }),
  )
  const groups = sets.map((members, index) => ({
    id: index as GroupId,
    members: members.map((server, slot) => ({ server, slot, state: 'in' })),
  }))
  return {
    groups: groups as unknown as readonly Group[],
    policy,
    servers: new Map(loads.map((load) => [load.id, load])),
    chunkBytes: 10,
  }
}

/** Everybody of a refused write, with the reason. */
function allReasons(asked: PlacementRequest): Readonly<Record<string, string>> {
  const placement = chooseGroup(asked, { below: () => 0 } as never)
  assert.equal(placement.kind, 'refused')
  const named = [...placement.rejected, ...strandedServers(asked, placement.rejected)]
  assert.equal(named.length, asked.servers.size, 'each once')
  return Object.fromEntries(named.map(({ server, reason }) => [server, reason]))
}

test('strandedServers() names every server that placement did not, with the member that each of its groups lacks', () => {
  const servers = { a: { freeBytes: 5 }, b: {}, c: { state: 'draining' }, d: { state: 'suspect' }, e: {} } as const
  const reasons = allReasons(
    request(servers, [
      ['a', 'b', 'c'],
      ['a', 'c', 'd'],
    ]),
  )
  assert.deepEqual(reasons, {
    a: 'full: 5 B of 100 B free, 10 B needed',
    b: 'has 50 B free, but its one group has another member that cannot take the write, as a in one',
    c: 'draining; has 50 B free, but each of its 2 groups has another member that cannot take the write, as a in one',
    d: 'suspect',
    e: 'has 50 B free, but it is a member of no group of replicated-3',
  })
})

test('strandedServers() says that failure domains are too few, and who shares one', () => {
  const reasons = allReasons(request({ a: { domain: 'x' }, b: { domain: 'x' }, c: {} }, []))
  assert.equal(
    reasons['a'],
    'has 50 B free, but replicated-3 needs 3 failure domains and there are 2; it shares its own with b',
  )
  assert.equal(reasons['c'], 'has 50 B free, but replicated-3 needs 3 failure domains and there are 2')
})
