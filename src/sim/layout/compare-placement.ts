/**
 * Placement strategies beside each other, and beside what others do: chunks placed one by one, at random or by consistent
 * hashing. How evenly they fill, how many sets of servers share fate, how likely a loss is when so many servers die at
 * once, what moves when a server joins, and how long the production planners take.
 *
 * Groups are real here, chunks are counted: a billion chunks on ten thousand servers take about a minute. The same seed gives the
 * same figures, but for the times.
 * @module
 */
import type { ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { chooseGroup } from '../../cluster/placement.ts'
import { ringArcs } from '../../cluster/placement-layouts.ts'
import { type StrategyName, strategyNames, strategyOf } from '../../cluster/placement-strategy.ts'
import { planDrain } from '../../cluster/plan-drain.ts'
import { planRebalance } from '../../cluster/plan-rebalance.ts'
import { planRepair } from '../../cluster/plan-repair.ts'
import { policiesOf } from '../../cluster/policies.ts'
import { type SeededRandom, seededRandom } from '../../env/seeded-random.ts'
import type { Policy } from '../../wire/types/cluster-map.ts'
import {
  Copysets,
  chanceOfAny,
  chanceOfSet,
  estimateRandomLoss,
  type LossEstimate,
  type WeightedSet,
} from './copysets.ts'
import { fillGroups } from './fill-groups.ts'
import { addServer, type Moves, settle } from './join-moves.ts'
import { LayoutCluster, type LayoutShape } from './layout-cluster.ts'

export interface ComparisonOptions {
  readonly servers: number
  readonly racks: number
  readonly policy: Policy
  readonly chunks: number
  /** Absent: twice what the chunks need. */
  readonly capacityBytes?: number | undefined
  /** Servers that die at once. */
  readonly deaths: readonly number[]
  readonly trials: number
  readonly seed: number
  /** Measures how long planning takes. */
  readonly nowMs: () => number
  /** Told before each strategy. */
  readonly onStrategy?: (name: string) => void
}

export interface LossRow extends LossEstimate {
  readonly deaths: number
  /** Of the closed form: 1 − (1 − C(k,r)/C(n,r))^sets. */
  readonly formula: number
}

export interface PlacementRow {
  readonly name: string
  readonly groups: number
  readonly copysets: number
  /** Servers that take part in the repair of one. */
  readonly partners: number
  /** Bytes of the fullest server beside the mean. */
  readonly maxOfMean: number
  /** When a server joins, of what it should get: 1 is the least possible. */
  readonly movedOfLeast: number
  readonly loss: readonly LossRow[]
}

export interface StrategyRow extends PlacementRow {
  readonly name: StrategyName
  /** What was moved to even out what writing left uneven. */
  readonly evened: Moves
  readonly joined: Moves
  readonly planMs: PlanTimes
}

export interface PlanTimes {
  readonly formGroups: number
  /** The group for one write. */
  readonly choose: number
  readonly repairServer: number
  readonly repairRack: number
  readonly drainServer: number
  readonly rebalance: number
}

export interface PlacementReport {
  readonly cluster: {
    readonly servers: number
    readonly racks: number
    readonly policy: string
    readonly chunks: number
    readonly chunkBytes: number
    readonly capacityBytes: number
  }
  readonly strategies: readonly StrategyRow[]
  /** Chunks placed one by one. */
  readonly baselines: readonly PlacementRow[]
  readonly trials: number
  readonly seed: number
}

const chunkBytes = limits.chunkSizeDefaultBytes
/** Allocations for each group: fewer would make chance look like a property of the strategy. */
const fewestPortions = 8
const mostPortions = 40
const choicesTimed = 5

export function comparePlacement(options: ComparisonOptions): PlacementReport {
  const { servers, racks, policy, chunks, trials, seed } = options
  const dataBytes = chunks * chunkBytes
  const capacityBytes = options.capacityBytes ?? Math.ceil((2 * dataBytes * policy.replicas) / servers)
  const shape = {
    servers,
    racks,
    domain: racks > 0 ? 'rack' : 'host',
    replicas: policy.replicas,
    capacityBytes,
  } as const
  const strategies = strategyNames.map((name) => {
    options.onStrategy?.(name)
    return strategyRow({ ...shape, strategy: strategyOf(name) }, options)
  })
  options.onStrategy?.('chunks placed one by one')
  return {
    cluster: { servers, racks, policy: policy.name, chunks, chunkBytes, capacityBytes },
    strategies,
    baselines: [ringRow(shape, options), randomRow(shape, options)],
    trials,
    seed,
  }
}

function strategyRow(shape: LayoutShape, options: ComparisonOptions): StrategyRow {
  const { chunks, seed, nowMs } = options
  const random = seededRandom(seed)
  const startMs = nowMs()
  const cluster = new LayoutCluster(shape, random.stream('groups'))
  const formGroups = nowMs() - startMs
  cluster.setChunkBytes(chunkBytes)
  const groups = cluster.groups.length
  const allocations = Math.min(chunks / limits.allocationIds, mostPortions * groups)
  const portions = Math.ceil(Math.min(chunks, Math.max(fewestPortions * groups, allocations)))
  fillGroups(cluster, { chunkBytes: chunks * chunkBytes, portions }, random.stream('fill'))
  const used = cluster.serverIds.map((id) => cluster.usedBytes(id))
  const maxOfMean = Math.max(...used) / mean(used)
  const sets = cluster.groups.map(({ id, members }) => ({
    members: members.map(({ server }) => indexOf(server)),
    fraction: cluster.sizeBytes(id) / (chunks * chunkBytes),
  }))
  const copysets = new Copysets(sets, shape.servers)
  const loss = lossRows(copysets, shape.replicas, options)
  const planMs = { formGroups, ...planTimes(cluster, options) }
  const evened = settle(cluster)
  const joined = addServer(cluster, random.stream('join'))
  const least = (chunks * chunkBytes * shape.replicas) / (shape.servers + 1)
  return {
    name: shape.strategy.name,
    groups,
    copysets: copysets.count,
    partners: copysets.partners,
    maxOfMean,
    movedOfLeast: joined.bytes / least,
    loss,
    evened,
    joined,
    planMs,
  }
}

function lossRows(copysets: Copysets, replicas: number, options: ComparisonOptions): readonly LossRow[] {
  const { deaths, servers, trials, seed } = options
  return deaths.map((dead) => ({
    deaths: dead,
    ...copysets.estimateLoss({ deaths: dead, trials }, seededRandom(seed).stream(`deaths ${dead}`)),
    formula: chanceOfAny(chanceOfSet(replicas, { deaths: dead, servers }), copysets.count),
  }))
}

function planTimes(cluster: LayoutCluster, options: ComparisonOptions): Omit<PlanTimes, 'formGroups'> {
  const { nowMs, policy, seed } = options
  const random: SeededRandom = seededRandom(seed).stream('plans')
  const timed = (work: () => void): number => {
    const startMs = nowMs()
    work()
    return nowMs() - startMs
  }
  const planLimits = { perServer: limits.fillsPerServer, inAll: limits.fillsInAll }
  const repair = () => planRepair(cluster.view(), { limits: planLimits, massLoss: undefined }, random)
  const during = (change: (id: ServerId) => void, ids: readonly ServerId[], plan: () => void): number => {
    for (const id of ids) change(id)
    const elapsedMs = timed(plan)
    for (const id of ids) cluster.revive(id)
    return elapsedMs
  }
  const [first] = cluster.serverIds as [ServerId, ...ServerId[]]
  const rack = cluster.serverIds.filter((id) => id === first || (cluster.rackOf(id) === 1 && cluster.shape.racks > 0))
  const { servers, groups } = cluster.view()
  const { strategy } = cluster.shape
  const choose = () => {
    for (let count = 0; count < choicesTimed; count++)
      chooseGroup({ groups, policy, servers, chunkBytes, strategy }, random)
  }
  const kill = (id: ServerId) => cluster.kill(id, limits.deadAfterMs)
  return {
    choose: timed(choose) / choicesTimed,
    repairServer: during(kill, [first], repair),
    repairRack: during(kill, rack, repair),
    drainServer: during(
      (id) => cluster.drain(id),
      [first],
      () => planDrain(cluster.view(), { limits: planLimits, busy: new Set() }, random),
    ),
    rebalance: timed(() => planRebalance(cluster.view(), {})),
  }
}

type BaselineShape = Omit<LayoutShape, 'strategy'>

/** Consistent hashing of the chunks themselves: each stretch of the ring is a set of servers. */
function ringRow(shape: BaselineShape, options: ComparisonOptions): PlacementRow {
  const { servers, replicas } = shape
  const arcsOf = (count: number): readonly WeightedSet[] => {
    const arcs: WeightedSet[] = []
    for (const { members, fraction } of ringArcs(candidatesOf({ ...shape, servers: count }), replicas)) {
      arcs.push({ members: members.map(indexOf), fraction })
    }
    return arcs
  }
  const arcs = arcsOf(servers)
  const shares = sharesOf(arcs, servers)
  const copysets = new Copysets(arcs, servers)
  return {
    name: 'consistent hashing of chunks',
    groups: 0,
    copysets: copysets.count,
    partners: copysets.partners,
    maxOfMean: Math.max(...shares) / mean(shares),
    movedOfLeast: ((sharesOf(arcsOf(servers + 1), servers + 1)[servers] as number) * (servers + 1)) / replicas,
    loss: lossRows(copysets, replicas, options),
  }
}

/** Each chunk on servers drawn for it alone, in distinct domains. */
function randomRow(shape: BaselineShape, options: ComparisonOptions): PlacementRow {
  const { servers, replicas, racks } = shape
  const { chunks, deaths, trials, seed } = options
  const domainOf = Array.from({ length: servers }, (_, index) => (racks > 0 ? index % racks : index))
  const possible = distinctSets(servers, replicas)
  const perServer = (chunks * replicas) / servers
  return {
    name: 'random for each chunk',
    groups: 0,
    copysets: Math.round(possible * -Math.expm1(-chunks / possible)),
    partners: Math.round((servers - 1) * -Math.expm1((-perServer * (replicas - 1)) / Math.max(1, servers - 1))),
    // The largest of so many sums of independent draws.
    maxOfMean: 1 + Math.sqrt((2 * Math.log(servers)) / perServer),
    movedOfLeast: 1,
    loss: deaths.map((dead) => ({
      deaths: dead,
      ...estimateRandomLoss(
        { domainOf, replicas, chunks },
        { deaths: dead, trials },
        seededRandom(seed).stream(`deaths ${dead}`),
      ),
      formula: chanceOfAny(chanceOfSet(replicas, { deaths: dead, servers }), chunks),
    })),
  }
}

function candidatesOf({ servers, racks }: BaselineShape) {
  return Array.from({ length: servers }, (_, index) => ({
    id: (index + 1).toString(16).padStart(32, '0') as ServerId,
    domain: racks > 0 ? `rack-${(index % racks) + 1}` : `host-${index + 1}`,
  }))
}

function sharesOf(sets: readonly WeightedSet[], servers: number): Float64Array {
  const shares = new Float64Array(servers)
  for (const { members, fraction } of sets) {
    for (const member of members) shares[member] = (shares[member] as number) + fraction
  }
  return shares
}

function distinctSets(servers: number, replicas: number): number {
  let sets = 1
  for (let index = 0; index < replicas; index++) sets *= (servers - index) / (index + 1)
  return sets
}

function indexOf(server: ServerId): number {
  return Number.parseInt(server, 16) - 1
}

function mean(values: ArrayLike<number> & Iterable<number>): number {
  let sum = 0
  for (const value of values) sum += value
  return sum / values.length
}

export function replicatedPolicy(name: string): Policy | undefined {
  return policiesOf().find((policy) => policy.name === name)
}
