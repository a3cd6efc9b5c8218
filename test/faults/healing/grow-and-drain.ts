/**
 * Two empty servers join, and are filled until all are within the band: by how many bytes more than had to move. Then two are told to
 * leave, and one of them dies before it is done: whatever they held must be proven elsewhere before anything depends on it no more.
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ClusterMap, NodeStatus } from '../../../src/client/index.ts'
import type { ServerName } from '../hand-cluster.ts'
import type { Ended } from './deaths.ts'
import { Foreground, type Latency } from './foreground.ts'
import { isQuiet, isWhole, Stage, type StageOptions } from './stage.ts'

export interface GrowthResult extends Ended {
  /** The least that brings all within the band, and to the mean. */
  readonly leastBytes: number
  readonly leastToMeanBytes: number
  readonly moves: Moves
  /** Of the mean, the largest in the end. */
  readonly deviation: number
  readonly balanceMs: number
  readonly duringBalance: Latency
  readonly drainMs: number
  readonly duringDrain: Latency
}

const band = 0.05
/** What rebalancing leaves alone whatever the mean (src/cluster/plan-rebalance.ts): where there is little, more than the band. */
const floor = { bytes: 8 * 2 ** 20, ofCapacity: 0.01 }
const first = 6
const leaving: ServerName = 'chunkserver-1'
const dying: ServerName = 'chunkserver-2'

export async function runGrowth(options: StageOptions): Promise<GrowthResult> {
  await using stage = await Stage.open(options, { servers: first, spares: 2 })
  await stage.until('the beginning', isQuiet)
  const startedAfter = await lastEvent(stage)
  const load = new Foreground(stage, { writesPerSecond: 5 })
  await load.start()
  const startMs = performance.now()
  const { leastBytes, leastToMeanBytes } = leastMoves(await stage.client.nodes(), { joining: 2 })
  await stage.startServers('chunkserver-7', 'chunkserver-8')
  await stage.until('balance', async ({ work = [] }) => {
    const isIdle = work.every(({ state }) => state === 'idle')
    // Before it has begun, two empty servers are far from the mean.
    return isIdle && isBalanced(await stage.client.nodes())
  })
  const balanceMs = performance.now() - startMs
  const moves = await movesSince(stage, startedAfter)
  const deviation = deviationOf(await stage.client.nodes())
  const duringBalance = load.latency(startMs, performance.now())
  stage.say(`balanced: ${JSON.stringify(moves)}`)
  // A group of one large chunk may be more than there is to even out: that counts only where there is little.
  if (moves.movedBytes > 1.2 * leastBytes + 2 * floor.bytes)
    stage.tell(`${moves.movedBytes} bytes moved, where ${leastBytes} suffice`)

  const drainFromMs = performance.now()
  await stage.client.duties.drain(idOf(stage, leaving))
  await stage.client.duties.drain(idOf(stage, dying))
  await stage.until('the drain', ({ work = [] }) =>
    work.some(({ duty, state }) => duty === 'drain' && state === 'working'),
  )
  const before = await nodeOf(stage, dying)
  await stage.until(
    'half of the drain',
    async () => ((await nodeOf(stage, dying)).bytesLeft ?? 0) < before.usedBytes / 2,
  )
  await stage.kill(dying)
  await stage.until('the drained server to leave', async () => {
    const isLeft = (await nodeOf(stage, leaving)).state === 'left'
    if (isLeft) await proveNothingDepends(stage, leaving)
    return isLeft
  })
  await stage.kill(leaving)
  await stage.until('all replicas on the others', isWhole)
  const drainMs = performance.now() - drainFromMs
  await load.stop()
  await proveNothingDepends(stage, dying)
  await wait(1_000)
  await stage.fsck({ verify: true })
  await stage.readAll()
  return {
    ...{ scenario: 'grow-and-drain', files: stage.files.size, bytes: options.bytes, violations: stage.violations },
    ...{ leastBytes, leastToMeanBytes, moves },
    deviation: Math.round(deviation * 1000) / 1000,
    balanceMs: Math.round(balanceMs),
    duringBalance,
    drainMs: Math.round(drainMs),
    duringDrain: load.latency(drainFromMs, drainFromMs + drainMs),
  }
}

function idOf(stage: Stage, name: ServerName): NodeStatus['id'] {
  return stage.cluster.id(name) as NodeStatus['id']
}

async function nodeOf(stage: Stage, name: ServerName): Promise<NodeStatus> {
  return (await stage.client.nodes()).find(({ id }) => id === idOf(stage, name)) as NodeStatus
}

/** No group names it, and every slot of each has a member that counts. */
async function proveNothingDepends(stage: Stage, name: ServerName): Promise<void> {
  const { groups }: ClusterMap = await stage.client.map()
  const id = idOf(stage, name)
  const depending = groups.filter(({ members }) =>
    members.some(({ server, state }) => server === id && state !== 'leaving'),
  )
  if (depending.length > 0) stage.tell(`${depending.length} groups still name ${name}, which has left`)
}

/** Of usage, capacities being equal: what lies beyond the band above the mean has to go, what lacks below it has to come. */
function leastMoves(nodes: readonly NodeStatus[], { joining }: { readonly joining: number }) {
  const used = [...nodes.map(({ usedBytes }) => usedBytes), ...Array.from({ length: joining }, () => 0)]
  const mean = used.reduce((sum, bytes) => sum + bytes, 0) / used.length
  const over = (limit: number) => used.reduce((sum, bytes) => sum + Math.max(0, bytes - limit), 0)
  const under = (limit: number) => used.reduce((sum, bytes) => sum + Math.max(0, limit - bytes), 0)
  const allowed = allowedBytes(nodes, mean)
  const leastBytes = Math.round(Math.max(over(mean + allowed), under(mean - allowed)))
  return { leastBytes, leastToMeanBytes: Math.round(over(mean)) }
}

function isBalanced(nodes: readonly NodeStatus[]): boolean {
  const { mean, farthestBytes } = spreadOf(nodes)
  return farthestBytes <= allowedBytes(nodes, mean)
}

function allowedBytes(nodes: readonly NodeStatus[], mean: number): number {
  const capacityBytes = nodes[0]?.capacityBytes ?? 0
  return Math.max(mean * band, Math.min(floor.bytes, floor.ofCapacity * capacityBytes))
}

function deviationOf(nodes: readonly NodeStatus[]): number {
  const { mean, farthestBytes } = spreadOf(nodes)
  return farthestBytes / mean
}

function spreadOf(nodes: readonly NodeStatus[]): { readonly mean: number; readonly farthestBytes: number } {
  const used = nodes.filter(({ state }) => state === 'up').map(({ usedBytes }) => usedBytes)
  const mean = used.reduce((sum, bytes) => sum + bytes, 0) / used.length
  return { mean, farthestBytes: Math.max(...used.map((bytes) => Math.abs(bytes - mean))) }
}

interface Moves {
  readonly movedBytes: number
  readonly movedGroups: number
  /** Of them, those to a server that was there before. */
  readonly toOldGroups: number
  /** Groups that were moved more than once. */
  readonly repeatedGroups: number
}

async function lastEvent({ client }: Stage): Promise<number> {
  let last = 0
  for await (const { number } of client.insight.events({ latest: 1 })) last = number
  return last
}

/** By the events: each move of a group once, also one that went back. */
async function movesSince(stage: Stage, after: number): Promise<Moves> {
  const times = new Map<number, number>()
  const joined = new Set(['chunkserver-7', 'chunkserver-8'].map((name) => stage.cluster.id(name as ServerName)))
  let [movedBytes, movedGroups, toOldGroups] = [0, 0, 0]
  for await (const { kind, group, server } of stage.client.insight.events({ after })) {
    if (kind !== 'rebalance-done' || group === undefined) continue
    movedGroups++
    if (server !== undefined && !joined.has(server)) toOldGroups++
    times.set(group, (times.get(group) ?? 0) + 1)
    movedBytes += (await stage.client.insight.explainGroup(group)).bytes
  }
  const repeatedGroups = [...times.values()].filter((count) => count > 1).length
  return { movedBytes, movedGroups, toOldGroups, repeatedGroups }
}
