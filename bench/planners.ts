/**
 * How long the planners take at the size of a large cluster: forming its groups, repairing a dead server and a dead rack,
 * draining ten servers, rebalancing after a tenth more were added. Nothing but planning: no disk, no network.
 *
 *     node bench/planners.ts [servers]
 * @module
 */
import type { MemberPlan } from '../src/cluster/cluster-view.ts'
import { findMassLoss } from '../src/cluster/mass-loss.ts'
import { planDrain } from '../src/cluster/plan-drain.ts'
import { planRebalance } from '../src/cluster/plan-rebalance.ts'
import { planRepair } from '../src/cluster/plan-repair.ts'
import { crowdingOf, planSpread } from '../src/cluster/plan-spread.ts'
import { seededRandom } from '../src/env/seeded-random.ts'
import { PlannedCluster, serverId } from '../test/cluster/planned-cluster.ts'

const servers = Number(process.argv[2] ?? 10_000)
const limits = { perServer: 64, inAll: 4096 }
const random = seededRandom(1)

const cluster = timed(
  'forming groups',
  () => new PlannedCluster({ servers, serversPerDomain: 10, capacityBytes: 20e12 }, random),
)
for (const { id } of cluster.groups) cluster.setSize(id, (50 + random.below(100)) * 2 ** 30)
const chunks = (cluster.groups.length * 100 * 2 ** 30) / (8 * 2 ** 20)
console.log(`${servers} servers, ${cluster.groups.length} groups, about ${Math.round(chunks / 1e6)} million chunks`)

planned('nothing to repair', () => planRepair(cluster.view(), { limits, massLoss: undefined }, random))
planned('nothing to move apart', () => planSpread(cluster.view(), { limits }, random))
timed('what a lost domain would take', () => crowdingOf(cluster.groups, cluster.servers))
cluster.kill(serverId(1))
planned('repair of one server', () => planRepair(cluster.view(), { limits, massLoss: undefined }, random))
for (let index = 0; index < 100; index++) cluster.kill(serverId(index))
const rack = planned('repair of a hundred servers', () =>
  planRepair(cluster.view(), { limits, massLoss: undefined }, random),
)
for (const step of rack.steps) cluster.begin(step)
planned('repair while those are under way', () => planRepair(cluster.view(), { limits, massLoss: undefined }, random))
timed('looking for a mass loss', () => findMassLoss(cluster.view(), { holdOffMs: 300_000 }))
cluster.settleAll()
for (let index = 100; index < 110; index++) cluster.change(serverId(index), { state: 'draining' })
planned('drain of ten servers', () => planDrain(cluster.view(), { limits, busy: new Set() }, random))
for (let count = 0; count < servers / 10; count++) cluster.addServer()
planned('rebalance onto a tenth more', () => planRebalance(cluster.view(), {}))

function planned(name: string, plan: () => MemberPlan): MemberPlan {
  const result = timed(name, plan)
  console.log(`    ${result.steps.length} steps, ${result.waiting.length} wait`)
  return result
}

function timed<T>(name: string, work: () => T): T {
  const start = performance.now()
  const result = work()
  console.log(`${name}: ${Math.round(performance.now() - start)} ms`)
  return result
}
