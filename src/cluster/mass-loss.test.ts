import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PlannedCluster, type PlannedClusterOptions, serverId } from '../../test/cluster/planned-cluster.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { findMassLoss } from './mass-loss.ts'

const holdOffMs = 300_000

function clusterWithDead(options: PlannedClusterOptions, dead: readonly number[], silentMs = 40_000): PlannedCluster {
  const cluster = new PlannedCluster(options, seededRandom(1))
  for (const index of dead) cluster.kill(serverId(index), silentMs)
  return cluster
}

const massLossOf = (cluster: PlannedCluster) => findMassLoss(cluster.view(), { holdOffMs })

test('findMassLoss() takes more than a fifth of the servers in more than one domain', () => {
  assert.equal(massLossOf(clusterWithDead({ servers: 10 }, [0, 1])), undefined)
  assert.deepEqual(massLossOf(clusterWithDead({ servers: 10 }, [0, 1, 2])), { silent: 3, servers: 10, leftMs: 260_000 })
})

test('findMassLoss() lets one domain fall as a whole, and one server of few', () => {
  assert.equal(massLossOf(clusterWithDead({ servers: 12, serversPerDomain: 4 }, [0, 1, 2, 3])), undefined)
  assert.notEqual(massLossOf(clusterWithDead({ servers: 12, serversPerDomain: 4 }, [0, 1, 2, 4])), undefined)
  assert.equal(massLossOf(clusterWithDead({ servers: 3 }, [0])), undefined)
})

test('findMassLoss() counts the suspect, and not those silent for long, replaced, or in maintenance', () => {
  const suspect = clusterWithDead({ servers: 8 }, [0])
  suspect.change(serverId(1), { state: 'suspect', silentMs: 4_000 })
  assert.equal(massLossOf(suspect)?.silent, 2)
  suspect.change(serverId(1), { isInMaintenance: true })
  assert.equal(massLossOf(suspect), undefined)
  assert.equal(massLossOf(clusterWithDead({ servers: 10 }, [0, 1, 2], holdOffMs)), undefined)
  const replaced = clusterWithDead({ servers: 4 }, [0])
  replaced.kill(replaced.addServer(), 40_000)
  assert.equal(massLossOf(replaced), undefined, 'nothing depends on the spare one')
})
