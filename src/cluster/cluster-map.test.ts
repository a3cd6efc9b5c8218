import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { ClusterMap, Member } from '../wire/types/cluster-map.ts'
import { ClusterMapIndex, failureDomainOf, fullMembers, writingMembers } from './cluster-map.ts'
import { fallbackPolicyName, policiesOf } from './policies.ts'

const [a, b] = ['a'.repeat(32), 'b'.repeat(32)] as [ServerId, ServerId]
const members: readonly Member[] = [
  { server: a, slot: 0, state: 'in' },
  { server: b, slot: 1, state: 'leaving' },
]
const map: ClusterMap = {
  version: 1 as Rising,
  generation: 0,
  servers: [{ id: a, address: 'h:1', httpAddress: 'h:2', domain: 'h', state: 'up' }],
  groups: [{ id: 4 as GroupId, epoch: 1 as Rising, policy: 'replicated-2', members }],
  policies: policiesOf(1024),
  defaultPolicy: fallbackPolicyName,
}

test('ClusterMapIndex finds servers, groups and policies by id, and the groups of each', () => {
  const index = new ClusterMapIndex(map)
  assert.equal(index.server(a)?.address, 'h:1')
  assert.equal(index.server(b), undefined)
  assert.deepEqual(
    index.groupsOfServer(b).map(({ id }) => id),
    [4],
  )
  assert.deepEqual(index.groupsOfPolicy('replicated-3'), [])
  assert.equal(index.group(4 as GroupId)?.policy, 'replicated-2')
  assert.equal(index.policy('replicated-3')?.chunkSizeBytes, 1024)
})

test('writingMembers() and fullMembers() leave out the leaving, and fullMembers() the filling too', () => {
  const filling: Member = { server: b, slot: 1, state: 'filling' }
  const group = { id: 4 as GroupId, epoch: 1 as Rising, policy: 'replicated-2', members: [...members, filling] }
  assert.deepEqual(
    writingMembers(group).map(({ state }) => state),
    ['in', 'filling'],
  )
  assert.deepEqual(
    fullMembers(group).map(({ state }) => state),
    ['in'],
  )
})

test('policiesOf() never acknowledges fewer copies than two where two or more are promised', () => {
  for (const { name, replicas, minReplicas } of policiesOf()) {
    assert.ok(minReplicas >= Math.min(2, replicas) && minReplicas <= replicas, name)
  }
})

// A rack that dies must not take two members of a group with it, on however many hosts they are.
test('failureDomainOf() is the outermost level that a server names', () => {
  const domains = ['host1', 'host1/rack1', 'host2/rack1', 'disk1/host1/rack2'].map((domain) =>
    failureDomainOf({ domain }),
  )
  assert.deepEqual(domains, ['host1', 'rack1', 'rack1', 'rack2'])
})
