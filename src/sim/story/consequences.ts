/**
 * What came of a fault, in a few sentences below it: until when it held its host, how long operations took meanwhile, what
 * the master and the servers did about it, or why nothing was needed. Only what was seen: that an operation ran meanwhile,
 * not that it waited because of it.
 * @module
 */
import type { History } from '../history.ts'
import type { Fault, HostName, Script } from '../script.ts'
import { givesVersion } from '../steps.ts'
import type { Sight } from '../witness.ts'
import type { Deed } from './deeds.ts'
import { isDeadly } from './fault-words.ts'
import type { Strike } from './strikes.ts'
import { count, hostsText, numberText, secondsText, spanText, tookText } from './words.ts'

export interface Surroundings {
  readonly script: Script
  readonly strikes: readonly Strike[]
  readonly deeds: readonly Deed[]
  /** Without those that only were late. */
  readonly sights: readonly Sight[]
  readonly history: History
}

/** What follows from what does not last. */
const aftermathMs = 2_500
/** Until a fault that is over shows no more. */
const echoMs = 20_000
const slowMs = 1_000
/** Numbers that are left out for other reasons are fewer. */
const leastJump = 1_000

/** One paragraph. */
export function consequenceText(strike: Strike, around: Surroundings): string {
  const { fault, host } = strike
  const answers = host.startsWith('chunkserver-') ? serverTexts(strike, around) : []
  const jump = host === 'master' || host === 'all' ? jumpText(strike, around) : ''
  const isQuiet = answers.length === 0 && !isOutlasted(strike, around.strikes)
  return [overText(strike), waitText(strike, around.deeds), ...answers, isQuiet ? quietText(fault) : '', jump]
    .filter((text) => text !== '')
    .join(' ')
}

/** Something else holds the same host for longer. */
function isOutlasted({ host, atMs, overMs = atMs }: Strike, strikes: readonly Strike[]): boolean {
  return strikes.some((other) => {
    if (!('durationMs' in other.fault) || (other.host !== host && other.host !== 'all')) return false
    return other.atMs <= overMs && (other.overMs ?? Number.POSITIVE_INFINITY) > overMs
  })
}

function overText({ fault, host, atMs, overMs }: Strike): string {
  if (!('durationMs' in fault)) return ''
  if (overMs === undefined) return 'It lasted to the end.'
  const verb = isDeadly(fault) ? (host === 'all' ? 'All up again' : 'Up again') : 'Over'
  return `${verb} at ${secondsText(overMs)}, after ${tookText(overMs - atMs)}.`
}

function waitText({ fault, host, atMs, overMs }: Strike, deeds: readonly Deed[]): string {
  const untilMs = overMs ?? ('durationMs' in fault ? Number.POSITIVE_INFINITY : atMs + aftermathMs)
  const ended = deeds.filter(({ beganMs, endedMs }) => beganMs < untilMs && endedMs > atMs && Number.isFinite(endedMs))
  const longest = longestOf(ended)
  // What never ends only counts where it began, and where its client died.
  const isOpen = ({ beganMs, endedMs, operation }: Deed) =>
    !Number.isFinite(endedMs) &&
    beganMs < untilMs &&
    (beganMs >= atMs || (isDeadly(fault) && host === `client-${operation.client + 1}`))
  const open = deeds.filter(isOpen).length
  const failed = ended.filter(({ end }) => end === 'failed').length
  const rest =
    (failed === 0 ? '' : ` ${count(failed, 'operation')} failed without effect.`) +
    (open === 0 ? '' : ` ${count(open, 'operation')} never got an answer.`)
  if (longest === undefined) return open === 0 ? 'No operation ran meanwhile.' : rest.trim()
  const slow = ended.filter((deed) => tookMs(deed) >= slowMs).length
  const took = tookText(tookMs(longest))
  const when = `${took}, ${spanText(longest.beganMs, longest.endedMs).trim()}`
  const all = count(ended.length, 'operation')
  if (slow === 0) return `No operation waited: the longest of ${all} meanwhile took ${took}.${rest}`
  if (ended.length === 1) return `The only operation meanwhile waited (${when}).${rest}`
  const isBefore = ended.every((deed) => tookMs(deed) < slowMs || deed.beganMs < atMs)
  if (isBefore) return `Who waited meanwhile had begun before it (the longest: ${when}).${rest}`
  const waited = slow === ended.length ? `All ${all} meanwhile` : `Of ${all} meanwhile ${numberText(slow)}`
  return `${waited} waited for longer than a second (the longest: ${when}).${rest}`
}

export function tookMs({ beganMs, endedMs }: Deed): number {
  return endedMs - beganMs
}

/** Of those that ended. */
export function longestOf(deeds: readonly Deed[]): Deed | undefined {
  const ended = deeds.filter(({ endedMs }) => Number.isFinite(endedMs))
  return ended.reduce<Deed | undefined>((best, deed) => (best && tookMs(best) >= tookMs(deed) ? best : deed), undefined)
}

/** What the master did about a chunk server, and what that one lacked. */
function serverTexts(strike: Strike, { script, strikes, sights }: Surroundings): readonly string[] {
  const { host, atMs, overMs = atMs } = strike
  const next = strikes.find((other) => other.atMs > atMs && (other.host === host || other.host === 'all'))
  const untilMs = Math.min(next?.atMs ?? Number.POSITIVE_INFINITY, overMs + echoMs)
  const own = sights.filter((sight) => sight.atMs >= atMs && sight.atMs < untilMs)
  const states = own.flatMap((sight) => (sight.kind === 'state' && sight.host === host ? [sight] : []))
  const suspect = states.find(({ to, atMs: sinceMs }) => to !== 'up' && sinceMs <= overMs + aftermathMs)
  const dead = suspect && states.find((state) => state.to === 'dead' && state.atMs >= suspect.atMs)
  const since = dead ?? suspect
  const up = since && states.find((state) => state.to === 'up' && state.atMs > since.atMs)
  if (dead !== undefined) {
    const back = up === undefined ? [] : [backText(strike, { own, sights })]
    return [`Given up for dead at ${secondsText(dead.atMs)}; ${copyText(strike, { script, strikes, own })}.`, ...back]
  }
  const lacked = own.flatMap((sight) => (sight.kind === 'repaid' && sight.host === host ? [sight] : []))
  const missed =
    suspect === undefined || up === undefined
      ? []
      : [
          `The master missed it for ${tookText(up.atMs - suspect.atMs)} and waited, as it gives a server up only after ${tookText(script.cluster.deadAfterMs)}.`,
        ]
  const repaid =
    lacked.length === 0
      ? []
      : [`It got ${count(lacked.length, 'chunk')} that it lacked, by ${secondsText(lacked.at(-1)?.atMs ?? 0)}.`]
  return [...missed, ...repaid]
}

/** Why nothing was copied elsewhere, or where to. */
function copyText(
  { host, atMs, overMs = Number.POSITIVE_INFINITY }: Strike,
  {
    script,
    strikes,
    own,
  }: { readonly script: Script; readonly strikes: readonly Strike[]; readonly own: readonly Sight[] },
): string {
  const joins = own.flatMap((sight) => (sight.kind === 'joins' && sight.host !== host ? [sight.host] : []))
  if (joins.length > 0) return `what it had was then to be copied to ${hostsText([...new Set(joins)])}`
  const { servers, policy } = script.cluster
  const copies = Number(policy.slice('replicated-'.length))
  const others = servers.filter((_, index) => `chunkserver-${index + 1}` !== host)
  const racks = new Set(others.map(({ rack }, index) => rack ?? index)).size
  const isRacked = servers[0]?.rack !== undefined
  if (racks < copies) {
    return `nothing could be copied elsewhere, as ${count(copies, 'copy', 'copies')} of a chunk must be ${isRacked ? 'in as many racks' : 'on as many servers'}, and only ${racks} ${racks === 1 ? 'was' : 'were'} left`
  }
  const isBusy = strikes.some(
    (other) => other.host !== host && other.atMs < overMs && (other.overMs ?? other.atMs) > atMs,
  )
  return `nothing was copied elsewhere before it came back${isBusy ? ' (others were struck meanwhile)' : ''}`
}

function backText(
  { host, atMs }: Strike,
  { own, sights }: { readonly own: readonly Sight[]; readonly sights: readonly Sight[] },
): string {
  const at = (sight: Sight) => sight.kind === 'stored' && sight.atMs < atMs && sight.hosts.includes(host)
  const before = new Set(sights.flatMap((sight) => (at(sight) && 'chunk' in sight ? [sight.chunk] : [])))
  for (const sight of sights) if (sight.kind === 'dropped' && sight.atMs < atMs) before.delete(sight.chunk)
  const owed = own.flatMap((sight) => (sight.kind === 'owed' && sight.host === host ? [sight.chunk] : []))
  const lost = owed.filter((chunk) => before.has(chunk)).length
  const repaid = own.filter((sight) => sight.kind === 'repaid' && sight.host === host)
  const had = before.size - lost
  const got =
    repaid.length === 0
      ? 'it lacked none'
      : `the ${count(repaid.length, 'chunk')} that it lacked it got from the others by ${secondsText(repaid.at(-1)?.atMs ?? 0)}`
  return `It came back with ${had === 0 ? 'nothing' : count(had, 'chunk')} that it had before; ${got}.`
}

/** Why nobody had to do anything, where that can be said of all faults of this kind. */
function quietText(fault: Fault): string {
  const host: HostName = 'host' in fault ? fault.host : 'master'
  switch (fault.kind) {
    case 'clock-jump':
      return host === 'master'
        ? 'Nothing was needed: the master sees that its wall clock jumped, and lets nothing expire by it.'
        : "Nothing was needed: only this machine's wall clock jumped, and nothing of what is promised uses that."
    case 'metadata-slow':
      return 'Nothing was needed: operations only take longer.'
    case 'metadata-conflicts':
      return 'Nothing was needed: such a transaction runs again.'
    case 'drop-connections':
      return 'Nothing was needed: who needs a connection makes a new one.'
    case 'slow-link':
    case 'disk-slow':
    case 'disk-stall':
    case 'pause':
      return host.startsWith('chunkserver-') ? 'It was silent too briefly for the master to miss it.' : ''
    case 'kill':
    case 'power-loss':
      return host.startsWith('chunkserver-') ? 'It was back before the master had to do anything.' : ''
    case 'bit-flip':
    case 'misdirected-write':
      return 'No damage was ever found by anybody who needed these bytes.'
    default:
      return ''
  }
}

/** Versions jump when a master starts again. */
function jumpText({ fault, atMs, overMs }: Strike, { history }: Surroundings): string {
  if (overMs === undefined || !isDeadly(fault)) return ''
  const versions = history.calls.flatMap(({ step, outcome, settledMs }) => {
    const version = givesVersion(step) && outcome.kind === 'ok' ? outcome.answer.version : undefined
    return version === undefined ? [] : [{ version, settledMs }]
  })
  const before = Math.max(0, ...versions.filter(({ settledMs }) => settledMs < atMs).map(({ version }) => version))
  const after = Math.min(...versions.filter(({ settledMs }) => settledMs >= overMs).map(({ version }) => version))
  return !Number.isFinite(after) || after - before < leastJump
    ? ''
    : `Versions go on${before === 0 ? '' : ` from v${before}`} at v${after}: a master takes its numbers in blocks, noted on disk beforehand, and the one that starts gives up what was left of them.`
}
