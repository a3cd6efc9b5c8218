/** Faults in words: what happens to whom, what ends it, and the same for a heading. @module */
import type { Fault, HostName } from '../script.ts'
import type { StoryLine } from '../world.ts'
import { count, durationText, hostText, listText } from './words.ts'

/** What happens to its host, which stands before it: `is killed: …`. */
export function beginText(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return 'is killed: what it had in memory is gone, what it had given to its disk stays'
    case 'power-loss':
      return `loses power${fault.host === 'all' ? ', the master too' : ''}: what was not synced to disk is lost, or partly so`
    case 'pause':
      return 'stands still, as an overwhelmed machine does'
    case 'partition': {
      const others = fault.to === 'others' ? 'all others' : hostText(fault.to)
      return fault.oneWay ? `is not heard any more by ${others}, but hears` : `is cut off from ${others}`
    }
    case 'slow-link':
      return `has a slow network: every message takes ${fault.delayMs} ms longer`
    case 'drop-connections':
      return 'loses all its connections'
    case 'clock-jump':
      return `has its wall clock jump ${durationText(Math.abs(fault.jumpMs))} ${fault.jumpMs > 0 ? 'ahead' : 'back'}`
    case 'clock-rate':
      return `has clocks that run ${fault.rate} times as fast as they should`
    case 'disk-error':
      return `has a disk on which ${percent(fault.chance)} of all ${listText(fault.operations.map((one) => `${one}s`))} fail`
    case 'disk-full':
      return 'has a full disk'
    case 'disk-stall':
      return 'has a disk that answers nothing'
    case 'disk-slow':
      return `has a disk ${fault.factor} times as slow as usual`
    case 'lying-sync':
      return 'has a disk that says "synced" and lies'
    case 'failed-sync':
      return 'has a disk that will fail the next sync, and forget what it should have stored'
    case 'master-disk-lost':
      return 'dies, and its disk is gone: what it answered in the last second may be undone, and no more'
    case 'bit-flip':
      return `has ${count(fault.flips, 'bit')} flipped on its disk, behind its back`
    case 'misdirected-write':
      return 'has a disk that will put the next write in the wrong place'
    case 'metadata-conflicts':
      return `has transactions of which ${percent(fault.chance)} conflict and have to run again`
    case 'metadata-unknown':
      return `does not learn the results of ${percent(fault.chance)} of its commits`
    case 'metadata-slow':
      return `has a slow database: it answers up to ${fault.delayMs} ms later than usual`
  }
}

/** The fault in a few words: `chunk server 2 is killed`. */
export function shortText(fault: Fault): string {
  const host = hostText(hostOf(fault))
  if (fault.kind !== 'partition') return `${host}${shortTexts[fault.kind]}`
  const others = fault.to === 'others' ? 'all others' : hostText(fault.to)
  return `${host} is ${fault.oneWay ? 'not heard by' : 'cut off from'} ${others}`
}

const shortTexts: Readonly<Record<Exclude<Fault['kind'], 'partition'>, string>> = {
  kill: ' is killed',
  'power-loss': ' loses power',
  pause: ' stands still',
  'slow-link': ' has a slow network',
  'drop-connections': ' loses its connections',
  'clock-jump': "'s clock jumps",
  'clock-rate': "'s clocks go wrong",
  'disk-error': "'s disk fails",
  'disk-full': "'s disk is full",
  'disk-stall': "'s disk hangs",
  'disk-slow': "'s disk is slow",
  'lying-sync': "'s disk lies",
  'failed-sync': "'s disk fails a sync",
  'master-disk-lost': "'s disk is lost",
  'bit-flip': "'s disk rots",
  'misdirected-write': "'s disk misplaces a write",
  'metadata-conflicts': "'s transactions conflict",
  'metadata-unknown': ' misses results of commits',
  'metadata-slow': "'s database is slow",
}

export function hostOf(fault: Fault): HostName {
  if ('host' in fault) return fault.host
  return 'from' in fault ? fault.from : 'master'
}

/** What ends it among the lines behind its beginning: at its time, or earlier when all is mended. */
export function endOf(
  fault: Fault,
  { atMs, later }: { readonly atMs: number; readonly later: readonly StoryLine[] },
): StoryLine | undefined {
  if (!('durationMs' in fault)) return undefined
  const ends = later.filter(({ host, what }) => host === hostOf(fault) && what === `${fault.kind} ends`)
  const isOwn = (line: StoryLine) => Math.abs(line.atMs - atMs - fault.durationMs) < 1
  return ends.find(isOwn) ?? ends.findLast((line) => line.atMs < atMs + fault.durationMs)
}

/** Whether its host has to start again after it. */
export function isDeadly({ kind }: Fault): boolean {
  return kind === 'kill' || kind === 'power-loss' || kind === 'failed-sync' || kind === 'master-disk-lost'
}

/** What ends a fault, and what machines do, as a world tells it. Undefined: nothing that a reader needs. */
export function whatText(what: string): string | undefined {
  if (what === 'kill ends') return undefined
  // What it said when it ended goes on with advice for an operator.
  const [said] = what.split('. ') as [string]
  return (
    whatTexts[what] ??
    said
      .replace('ends by itself: Cannot', 'ends by itself, to be started again: it cannot')
      .replace(/ server [0-9a-f]{32}/, '')
      .replace(/\.$/, '')
  )
}

const whatTexts: Readonly<Record<string, string>> = {
  'power-loss ends': 'has power again',
  'pause ends': 'goes on',
  'partition ends': 'is reachable again',
  'slow-link ends': 'has its network back to normal',
  'clock-rate ends': 'has right clocks again',
  'disk-error ends': 'has a disk that works again',
  'disk-full ends': 'has room on its disk again',
  'disk-stall ends': 'has a disk that answers again',
  'disk-slow ends': 'has a disk of normal speed again',
  'lying-sync ends': 'has an honest disk again',
  'failed-sync ends': 'loses power for a moment',
  'master-disk-lost ends': 'is built anew, from what the chunk servers keep of its metadata',
  'metadata-conflicts ends': 'has no more conflicts than usual',
  'metadata-unknown ends': 'learns the results of its commits again',
  'metadata-slow ends': 'has a database of normal speed again',
  runs: 'runs again',
}

function percent(chance: number): string {
  return `${Math.round(chance * 100)} %`
}
