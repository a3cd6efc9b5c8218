import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlannedCluster, serverId } from '../../test/cluster/planned-cluster.ts'
import { seededRandom } from '../env/seeded-random.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { passedOver } from './explain.ts'

test('passedOver() gives the reason for which a server would not be chosen now', () => {
  const cluster = new PlannedCluster({ servers: 6 }, seededRandom(1))
  cluster.change(serverId(3), { isUnsteady: true })
  cluster.change(serverId(4), { domain: 'host-0' })
  const group = cluster.groups.find(({ members }) => members.every(({ server }) => server <= serverId(2))) as Group
  const reasons = new Map(passedOver(cluster.view(), group).map(({ server, reason }) => [server, reason]))
  assert.equal(reasons.get(serverId(3)), 'comes and goes: it is given nothing new')
  assert.match(reasons.get(serverId(4)) ?? '', /^shares the failure domain with member /)
  assert.match(reasons.get(serverId(5)) ?? '', /^would do/)
})
