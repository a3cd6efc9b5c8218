/**
 * Servers die under load: one, two at once, a second one during the repair of the first, a rack, all. No user may see an error (save
 * where nobody is left to answer), the status must tell the truth at each moment, and everything must be there, three times, in the end.
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { ServerName } from '../hand-cluster.ts'
import { Foreground, type ForegroundOptions, type Latency } from './foreground.ts'
import { HonestStatus, type TimeLeft } from './honest-status.ts'
import { processorMsBetween, processorTimes } from './processor-time.ts'
import { isWhole, Stage, type StageOptions, type StageShape } from './stage.ts'

export interface DeathResult {
  readonly clientErrors: number
  /** Operations refused while nobody could answer. */
  readonly refusals: number
  /** From the kill until every server that died was declared dead, and from then until all is whole. */
  readonly detectMs: number
  readonly repairMs: number
  /** What the dead servers held: that had to be copied. */
  readonly copiedBytes: number
  readonly diskBytesPerSecond: number
  /**
   * What the disk beneath all servers needs at the least for those copies: each byte is read, written, and read back. And with the
   * half of it that repair keeps to.
   */
  readonly bestMs: number
  readonly bestOfHalfMs: number
  readonly timeLeft: TimeLeft
  readonly statusLooks: number
  readonly statusProofs: number
  readonly before: Latency
  /** From when all that died were declared dead. */
  readonly during: Latency
  /** Of users' p99 during the repair, to that before. */
  readonly readRatio: number
  readonly writeRatio: number
  /** Of the master and the chunk servers that live on, in a second: before, and during the repair. */
  readonly processorMsBefore: number
  readonly processorMsDuring: number
}

export type Deaths = (stage: Stage, story: Story) => Promise<void>

/** What a scenario tells of itself while it goes. */
export interface Story {
  /** Bytes that servers held when they died. */
  died(...names: readonly ServerName[]): Promise<void>
}

interface DeathScenario extends StageShape {
  readonly load?: ForegroundOptions
  /** So many die that repairs may wait for minutes. */
  readonly holdsOff?: boolean
  readonly strike: Deaths
}

const quietMs = { long: 20_000, short: 1_500 }
const server = (number: number): ServerName => `chunkserver-${number}`

export const deaths = {
  'one-dies': {
    servers: 6,
    strike: (_, story) => story.died(server(3)),
  },
  'two-at-once': {
    servers: 6,
    holdsOff: true,
    strike: (_, story) => story.died(server(2), server(5)),
  },
  'second-during-repair': {
    servers: 6,
    holdsOff: true,
    strike: async (stage, story) => {
      await story.died(server(2))
      await stage.until('the repair', ({ work = [] }) =>
        work.some(({ duty, state }) => duty === 'repair' && state === 'working'),
      )
      await story.died(server(5))
    },
  },
  rack: {
    servers: 8,
    domainOf: (name) => `${name}/rack-${1 + (Number(name.split('-')[1]) % 4)}`,
    strike: (_, story) => story.died(server(2), server(6)),
  },
  all: {
    servers: 6,
    // Nobody is there to answer: calls wait, and those that waited too long say so.
    load: { allowed: ['unavailable', 'timeout', 'busy'] },
    strike: async (stage, story) => {
      await story.died(...stage.running)
      await wait(2 * Number.parseFloat(stage.options.deadAfter ?? '30s') * 1000)
      await stage.startServers(...stage.cluster.chunkServers)
    },
  },
} as const satisfies Readonly<Record<string, DeathScenario>>

/** So that the test waits for repairs, not for a hold-off of five minutes; what it is for is told by the status. */
async function endHoldOff(stage: Stage): Promise<void> {
  // A small cluster may be whole before there is one.
  await stage.until('the hold-off', (status) => status.holdOffMs !== undefined || isWhole(status))
  await wait(2_000)
  await stage.client.setSetting('hold-off', '0s')
}

export async function runDeaths(name: keyof typeof deaths, options: StageOptions): Promise<DeathResult & Ended> {
  const scenario: DeathScenario = deaths[name]
  await using stage = await Stage.open(options, scenario)
  const honest = new HonestStatus(stage)
  const load = new Foreground(stage, scenario.load)
  await stage.until('the beginning', isWhole)
  await load.start()
  honest.start()
  const isLong = stage.options.files >= 2_000
  await wait(isLong ? 2_000 : 500)
  const quietFromMs = performance.now()
  const quietFrom = processorTimes(stage.cluster)
  await wait(isLong ? quietMs.long : quietMs.short)
  const killedMs = performance.now()
  const quietTo = processorTimes(stage.cluster)
  let copiedBytes = 0
  await scenario.strike(stage, {
    died: async (...names) => {
      const ids = new Set(names.map((each) => stage.cluster.id(each)))
      for (const { id, usedBytes } of await stage.client.nodes()) if (ids.has(id)) copiedBytes += usedBytes
      await stage.kill(...names)
    },
  })
  const down = new Set(
    stage.cluster.chunkServers.filter((each) => !stage.cluster.isRunning(each)).map((each) => stage.cluster.id(each)),
  )
  const isDead = async () => (await stage.client.nodes()).every(({ id, state }) => !down.has(id) || state === 'dead')
  await stage.until('the dead to be dead', isDead)
  const deadMs = performance.now()
  const dead = processorTimes(stage.cluster)
  if (scenario.holdsOff === true) await endHoldOff(stage)
  await stage.until('all replicas', isWhole)
  const wholeMs = performance.now()
  const whole = processorTimes(stage.cluster)
  await load.stop()
  await wait(1_000)
  await honest.stop()
  stage.say('whole: everything is read')
  await stage.fsck({ verify: true })
  await stage.readAll()
  const [before, during] = [load.latency(quietFromMs, killedMs), load.latency(deadMs, wholeMs)]
  const bestMs = Math.round((3 * copiedBytes * 1000) / stage.diskBytesPerSecond)
  return {
    scenario: name,
    files: stage.files.size,
    bytes: options.bytes,
    violations: stage.violations,
    clientErrors: load.errors,
    refusals: load.refusals,
    detectMs: Math.round(deadMs - killedMs),
    repairMs: Math.round(wholeMs - deadMs),
    copiedBytes,
    diskBytesPerSecond: stage.diskBytesPerSecond,
    bestMs,
    bestOfHalfMs: 2 * bestMs,
    timeLeft: honest.timeLeft(wholeMs),
    statusLooks: honest.looks,
    statusProofs: honest.proofs,
    before,
    during,
    readRatio: ratioOf(during.readP99Ms, before.readP99Ms),
    writeRatio: ratioOf(during.writeP99Ms, before.writeP99Ms),
    processorMsBefore: perSecond(processorMsBetween(quietFrom, quietTo), killedMs - quietFromMs),
    processorMsDuring: perSecond(processorMsBetween(dead, whole), wholeMs - deadMs),
  }
}

function ratioOf(during: number, before: number): number {
  return Math.round((100 * during) / before) / 100
}

function perSecond(ms: number, overMs: number): number {
  return Math.round((1000 * ms) / overMs)
}

/** Of every scenario. */
export interface Ended {
  readonly scenario: string
  readonly files: number
  readonly bytes: number
  /** Empty: everything held. */
  readonly violations: readonly string[]
}
