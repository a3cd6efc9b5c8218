/**
 * From a seed to a script: each seed draws its own cluster, its own mixture of work and its own few kinds of faults, so
 * that rare combinations come up, and no fault hides behind a more frequent one.
 *
 * Pure: the same seed draws the same script on every machine. Cluster, work and faults are drawn from streams of their
 * own. What is drawn here keeps every promise possible to keep: at most one server's disk lies or rots, and only where
 * another holds each byte too.
 * @module
 */
import type { Random } from '../env/random.ts'
import { type SeededRandom, seededRandom } from '../env/seeded-random.ts'
import type { HostName, Script, SimCluster } from './script.ts'
import { drawFaults } from './swarm-faults.ts'
import { drawOperations } from './swarm-operations.ts'

const KiB = 1024
const MiB = 1024 * KiB
const day = 86_400_000

/** How long operations and faults go on: one virtual minute. */
export const swarmDurationMs = 60_000

export function swarm(seed: number): Script {
  const plan = swarmPlan(seed)
  const { cluster, durationMs } = plan
  return { ...plan, operations: drawOperations(seededRandom(seed).stream('operations'), { cluster, durationMs }) }
}

/** What a seed is about, without its work: cheap enough to look through thousands. */
export function swarmPlan(seed: number): Omit<Script, 'operations'> {
  const random = seededRandom(seed)
  const cluster = drawCluster(random.stream('cluster'))
  const faults = drawFaults(random.stream('faults'), { cluster, durationMs: swarmDurationMs })
  return { seed, cluster, durationMs: swarmDurationMs, faults }
}

function drawCluster(random: SeededRandom): SimCluster {
  const servers = pick(random, { 1: 1, 2: 2, 3: 8, 4: 4, 5: 6, 6: 2, 7: 1 })
  const count = Number(servers)
  const racks = count >= 4 && chance(random, 0.25) ? Math.max(3, count - 2) : count
  const isSmall = chance(random, 0.15)
  const policies = ['replicated-1', 'replicated-2', 'replicated-3'] as const
  const widest = Math.min(3, racks)
  // The widest one mostly: it has the most to go wrong.
  const policy = policies[chance(random, 0.8) ? widest - 1 : random.below(widest)] as SimCluster['policy']
  return {
    servers: Array.from({ length: count }, (_, index) => ({
      ...(racks === count ? {} : { rack: `rack-${(index % racks) + 1}` }),
      ...(isSmall ? { capacityBytes: 512 * KiB + random.below(4 * MiB) } : {}),
    })),
    clients: 1 + random.below(4),
    policy,
    chunkSizeBytes: Number(
      pick(random, { [KiB]: 1, [4 * KiB]: 4, [64 * KiB]: 3, [100_000]: 1, [MiB]: 2, [8 * MiB]: 1 }),
    ),
    trashKeepMs: Number(pick(random, { 0: 1, 5000: 1, 20000: 2, [7 * day]: 6 })),
    deadAfterMs: Number(pick(random, { 3000: 1, 8000: 3, 30000: 2 })),
    buggify: chance(random, 0.5),
    networkDelayMs: Number(pick(random, { 0.2: 4, 2: 2, 20: 1 })),
    syncDelayMs: Number(pick(random, { 0.3: 3, 5: 2, 30: 2 })),
    // Everything is read a few times while the faults last; not in every seed, since that is a fifth of its cost.
    ...(chance(random, 0.25) ? { scrubWithinMs: 20_000 } : {}),
    ...(chance(random, 0.3) ? { backups: true } : {}),
  }
}

/** Every machine of a cluster, by name. */
export function hostsOf({ servers, clients }: SimCluster): {
  readonly master: HostName
  readonly servers: readonly HostName[]
  readonly clients: readonly HostName[]
} {
  return {
    master: 'master',
    servers: servers.map((_, index) => `chunkserver-${index + 1}`),
    clients: Array.from({ length: clients }, (_, index) => `client-${index + 1}`),
  }
}

export function chance(random: Random, probability: number): boolean {
  return random.fraction() < probability
}

/** One of the keys, with the chances that their values give. */
export function pick<Key extends string | number>(random: Random, weights: Readonly<Record<Key, number>>): string {
  return random.weighted(Object.entries<number>(weights), ([, weight]) => weight)[0]
}
