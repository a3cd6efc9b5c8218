/**
 * The run by which the simulator's speed is measured: five chunk servers, everything kept three times, the swarm's own mix of
 * work at two operations a virtual second, and no faults, which would only make it faster: who is dead does nothing.
 * @module
 */
import { seededRandom } from '../env/seeded-random.ts'
import type { Script, SimCluster } from './script.ts'
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

export function steadyScript(seed: number): Script {
  const random = seededRandom(seed).stream('operations')
  return { seed, cluster, durationMs, operations: drawOperations(random, { cluster, durationMs }), faults: [] }
}
