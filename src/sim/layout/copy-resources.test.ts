import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../../base/ids.ts'
import { strategyOf } from '../../cluster/placement-strategy.ts'
import { seededRandom } from '../../env/seeded-random.ts'
import { CopyResources, type Hardware } from './copy-resources.ts'
import { fairRates } from './fair-rates.ts'
import { LayoutCluster } from './layout-cluster.ts'

const MiB = 2 ** 20
const shape = {
  servers: 6,
  racks: 3,
  domain: 'rack',
  replicas: 3,
  capacityBytes: 1e12,
  strategy: strategyOf('spread'),
} as const
const cluster = new LayoutCluster(shape, seededRandom(1))
const [first, second, third, fourth] = cluster.serverIds as [ServerId, ServerId, ServerId, ServerId]

function speed(pairs: readonly (readonly [ServerId, ServerId])[], changes: Partial<Hardware> & { copyBytes?: number }) {
  const { copyBytes = 8 * MiB, ...hardware } = changes
  const resources = new CopyResources(
    cluster,
    {
      ...{ diskBytesPerSecond: 100 * MiB, netBytesPerSecond: 1000 * MiB, repairShare: 0.5, copyLatencyMs: 10 },
      ...hardware,
    },
    { copyBytes },
  )
  return fairRates(pairs.map(([source, target]) => resources.usesOf(source, target))).map(
    ({ bytesPerSecond, limit }) => `${(bytesPerSecond / MiB).toFixed(1)} ${limit.kind}`,
  )
}

// A copy counts only after it was read back.
test('a copy takes the disk of its target twice, and of both what repair may take', () => {
  assert.deepEqual(speed([[first, second]], {}), ['25.0 disks'])
  assert.deepEqual(speed([[first, second]], { repairShare: 1 }), ['50.0 disks'])
  assert.deepEqual(
    speed(
      [
        [first, second],
        [second, third],
      ],
      {},
    ),
    ['16.7 disks', '16.7 disks'],
  )
})

test('links, uplinks and copies at once limit a copy too; an uplink only between racks', () => {
  assert.deepEqual(speed([[first, second]], { netBytesPerSecond: 8 * MiB }), ['4.0 network links'])
  assert.deepEqual(speed([[first, second]], { uplinkBytesPerSecond: 8 * MiB }), ['4.0 uplinks of racks'])
  assert.deepEqual(speed([[first, fourth]], { uplinkBytesPerSecond: 8 * MiB }), ['25.0 disks'])
  // Eight small copies in each 10 ms.
  assert.deepEqual(speed([[first, second]], { copyBytes: 1024 }), ['0.8 copies at once'])
})
