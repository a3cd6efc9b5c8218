/**
 * Which seeds to look at next: the nearest ones whose plans hold a dead server, a cut network, a lost master, and little
 * else. Plans are drawn, not run, so what is named here is always true of the version that names it.
 * @module
 */

import type { Fault, Script } from '../script.ts'
import { hostsOf, swarm, swarmPlan } from '../swarm.ts'
import { pathsOf } from './deeds.ts'
import { shortText } from './fault-words.ts'

export interface NextSeed {
  readonly seed: number
  readonly fault: Fault
  /** `at 40.9 s chunk server 2 is cut off` */
  readonly text: string
}

type Plan = Omit<Script, 'operations'>

const mostFaults = 4
/** Within which a fault is seen at work: some work before it, and some after it. */
const [leastAtMs, mostAtMs] = [5_000, 50_000]
const leastDurationMs = 1_500
const leastWrites = 25
const mostPaths = 8
/** Seeds to look through; the rarest wish comes true every few dozen seeds. */
const mostLooks = 2_000

const wishes: readonly ((fault: Fault, plan: Plan) => boolean)[] = [
  (fault) => (fault.kind === 'kill' || fault.kind === 'power-loss') && fault.host.startsWith('chunkserver-'),
  (fault) => fault.kind === 'partition',
  (fault, { cluster }) =>
    (fault.kind === 'kill' || fault.kind === 'power-loss') && fault.host === hostsOf(cluster).master,
]

/** One for each wish, the nearest after `seed`, each another one. */
export function nextSeeds(seed: number): readonly NextSeed[] {
  const found: NextSeed[] = []
  const open = new Set(wishes)
  for (let look = 1; look <= mostLooks && open.size > 0; look++) {
    const plan = swarmPlan((seed + look) % 2 ** 32)
    if (plan.faults.length > mostFaults) continue
    for (const wish of open) {
      const fault = plan.faults.find((one) => isSeen(one) && wish(one, plan))
      if (fault === undefined || !isLively(swarm(plan.seed))) continue
      open.delete(wish)
      found.push({ seed: plan.seed, fault, text: `${shortText(fault)} at ${(fault.atMs / 1000).toFixed(1)} s` })
      break
    }
  }
  return found
}

/** Most of its work comes to something: it writes often, and to few paths. */
function isLively({ operations }: Script): boolean {
  const writes = operations.filter(({ kind }) => kind === 'write' || kind === 'append')
  return writes.length >= leastWrites && new Set(writes.flatMap(pathsOf)).size <= mostPaths
}

/** It strikes at its time, whatever clients do, and lasts. */
function isSeen(fault: Fault): boolean {
  const waits = fault.atAnswer === true || fault.atWrite === true
  return (
    !waits &&
    fault.atMs >= leastAtMs &&
    fault.atMs <= mostAtMs &&
    'durationMs' in fault &&
    fault.durationMs >= leastDurationMs
  )
}
