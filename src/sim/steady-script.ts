/**
 * The run by which the simulator's speed is measured: five chunk servers, everything kept three times, and the swarm's own mix of
 * work at two operations a virtual second; without faults, or with those that a seed of the swarm would draw for this cluster.
 * @module
 */
import { seededRandom } from '../env/seeded-random.ts'
import type { Script, SimCluster } from './script.ts'
import { drawFaults } from './swarm-faults.ts'
import { drawOperations } from './swarm-operations.ts'

const cluster: SimCluster = {
  servers: [{}, {}, {}, {}, {}],
  clients: 2,
  policy: 'replicated-3',
  chunkSizeBytes: 64 * 1024,
  trashKeepMs: 7 * 86_400_000,
  deadAfterMs: 8_000,
  buggify: false,
  networkDelayMs: 0.2,
  syncDelayMs: 0.3,
}
const durationMs = 60_000

export function steadyScript(seed: number, { hasFaults = false }: { readonly hasFaults?: boolean } = {}): Script {
  const random = seededRandom(seed)
  return {
    seed,
    cluster,
    durationMs,
    operations: drawOperations(random.stream('operations'), { cluster, durationMs }),
    faults: hasFaults ? drawFaults(random.stream('faults'), { cluster, durationMs }) : [],
  }
}
