/**
 * What happened to machines and what they did about it, as lines of a story: faults and starts as the world tells them,
 * and what a witness saw of the master and the chunk servers.
 * @module
 */
import type { Fault, HostName } from '../script.ts'
import type { Outcome } from '../simulate.ts'
import type { LoggedMessage, Sight } from '../witness.ts'
import type { StoryLine } from '../world.ts'
import { beginText, endOf, hostOf, whatText } from './fault-words.ts'
import { strikesOf } from './strikes.ts'
import { capital, count, hostsText, hostText } from './words.ts'

export interface StoryEvent {
  readonly atMs: number
  readonly toMs?: number
  readonly text: string
  /** It breaks something, or ends that. */
  readonly isFault: boolean
  /** The fault that begins with it. */
  readonly fault?: Fault
  /** What came of it. */
  readonly consequence?: string
}

/** What happened to machines, as the world told it. The first start of each is no event. */
export function faultEvents({ story, history }: Pick<Outcome, 'story' | 'history'>): readonly StoryEvent[] {
  const events: StoryEvent[] = []
  const losses = history.calls.filter(({ step }) => step.kind === 'rollback')
  const isLost = (atMs: number) => losses.some(({ invokedMs }) => Math.abs(invokedMs - atMs) < 1)
  let isSpared = false
  for (const line of story) {
    const { atMs, host, what, fault } = line
    if (isOutlasted(line, story)) continue
    if (what === 'runs' || what.startsWith('is done') || isOwnEnd(what)) continue
    if (fault?.kind === 'master-disk-lost') isSpared = !isLost(atMs)
    if (what.startsWith('master-disk-lost') && isSpared) {
      if (fault !== undefined) events.push({ atMs, text: sparedText, isFault: true })
      continue
    }
    const text = fault === undefined ? whatText(what) : beginText(fault)
    const begins = fault === undefined || fault.id < 0 ? {} : { fault }
    if (text !== undefined) events.push({ atMs, text: `${capital(hostText(host))} ${text}.`, isFault: true, ...begins })
  }
  return [...events, ...startEvents(story), ...ownEndEvents(story)].sort((a, b) => a.atMs - b.atMs)
}

/** An end that changes nothing, as another fault of its kind still holds its host. */
function isOutlasted({ atMs, host, what }: StoryLine, story: Outcome['story']): boolean {
  return story.some((line, index) => {
    const { fault } = line
    if (fault === undefined || line.atMs >= atMs || hostOf(fault) !== host || what !== `${fault.kind} ends`)
      return false
    const end = endOf(fault, { atMs: line.atMs, later: story.slice(index + 1) })
    return end !== undefined && end.atMs > atMs
  })
}

function isOwnEnd(what: string): boolean {
  return what.startsWith('ends by itself')
}

/** Starts that last; of several machines at once in one line. */
function startEvents(story: Outcome['story']): readonly StoryEvent[] {
  const known = new Set<HostName>()
  const starts: { readonly atMs: number; readonly hosts: Set<HostName> }[] = []
  for (const [index, { atMs, host, what }] of story.entries()) {
    if (what !== 'runs') continue
    const isFirst = !known.has(host)
    known.add(host)
    const next = story.slice(index + 1).find((line) => line.host === host && !line.what.endsWith(' ends'))
    const isVain = next !== undefined && isOwnEnd(next.what) && next.atMs - atMs < togetherMs
    if (isFirst || isVain) continue
    const last = starts.at(-1)
    if (last !== undefined && atMs - last.atMs < togetherMs) last.hosts.add(host)
    else starts.push({ atMs, hosts: new Set([host]) })
  }
  return starts.map(({ atMs, hosts }) => {
    const text = `${capital(hostsText([...hosts]))} run${hosts.size === 1 ? 's' : ''} again.`
    return { atMs, text, isFault: true }
  })
}

/** One that ends again and again for the same reason does so in one line. */
function ownEndEvents(story: Outcome['story']): readonly StoryEvent[] {
  const ends: { readonly atMs: number; readonly host: HostName; readonly text: string; toMs: number; times: number }[] =
    []
  for (const { atMs, host, what } of story) {
    if (!isOwnEnd(what)) continue
    const text = `${capital(hostText(host))} ${whatText(what)}`
    const last = ends.findLast((end) => end.text === text)
    if (last !== undefined && atMs - last.toMs < causeMs) Object.assign(last, { toMs: atMs, times: last.times + 1 })
    else ends.push({ atMs, host, text, toMs: atMs, times: 1 })
  }
  return ends.map(({ atMs, toMs, text, times }) => {
    return { atMs, toMs, text: `${text}${times === 1 ? '' : ` (${times} times)`}.`, isFault: true }
  })
}

const sparedText = 'The master is spared the loss of its disk: its backups are not up to date.'

/** What happens within that to several servers happens at once. */
const togetherMs = 1_000
/** Before a server is missed, what befell it. */
const causeMs = 20_000

/** What a reader should know of what master and servers did. */
export function serverEvents(sights: readonly Sight[], story: Outcome['story']): readonly StoryEvent[] {
  const late = new Set(lateSights(sights, story))
  const told = sights.filter((sight) => !late.has(sight))
  return [...stateEvents(told), ...debtEvents(told), ...otherEvents(told)].sort((a, b) => a.atMs - b.atMs)
}

/** Heartbeats that came late and nothing else: a server is missed, though nothing befell it, and comes back. */
export function lateSights(sights: readonly Sight[], story: Outcome['story']): readonly Sight[] {
  const states = sights.filter((sight) => sight.kind === 'state')
  const strikes = strikesOf(story)
  const isStruck = (at: HostName, atMs: number) =>
    strikes.some(({ fault, host, atMs: sinceMs, overMs }) => {
      const untilMs = overMs ?? ('durationMs' in fault ? sinceMs + causeMs : sinceMs)
      if (atMs < sinceMs || atMs > untilMs + noticeMs) return false
      return host === at || (fault.kind === 'partition' && fault.to === at)
    })
  return states.flatMap((sight, index) => {
    const next = states.slice(index + 1).find(({ host }) => host === sight.host)
    if (sight.to !== 'suspect' || next?.to !== 'up') return []
    const isFleeting = next.atMs - sight.atMs < shortlyMs
    return isFleeting || !isStruck(sight.host, sight.atMs) ? [sight, next] : []
  })
}

/** Within which a server is missed after what befell it. */
const noticeMs = 3_000
/** A server that is missed for less is not worth telling, whatever befell it. */
const shortlyMs = 500

const stateTexts: Partial<Readonly<Record<string, (hosts: string, isOne: boolean) => string>>> = {
  suspect: (hosts) => `The master hears nothing from ${hosts}, and waits.`,
  dead: (hosts, isOne) =>
    isOne
      ? `The master gives ${hosts} up for dead: a copy of every chunk on it is missing now.`
      : `The master gives ${hosts} up for dead: copies of every chunk on them are missing now.`,
  up: (hosts) => `The master hears ${hosts} again.`,
  left: (hosts) => `The master lets ${hosts} go: nothing depends on it any more.`,
}

function stateEvents(sights: readonly Sight[]): readonly StoryEvent[] {
  const kept = sights.filter((sight) => sight.kind === 'state')
  const groups: { readonly atMs: number; readonly to: string; readonly hosts: Set<HostName> }[] = []
  for (const { atMs, to, host } of kept) {
    const last = groups.findLast((group) => group.to === to)
    if (last !== undefined && atMs - last.atMs < togetherMs) last.hosts.add(host)
    else groups.push({ atMs, to, hosts: new Set([host]) })
  }
  return groups.flatMap(({ atMs, to, hosts }) => {
    const text = stateTexts[to]?.(hostsText([...hosts]), hosts.size === 1)
    return text === undefined ? [] : [{ atMs, text, isFault: false }]
  })
}

/** Copies that are missing, and made good: each stretch of them in one line. */
function debtEvents(sights: readonly Sight[]): readonly StoryEvent[] {
  const runs: {
    readonly kind: 'owed' | 'repaid'
    readonly host: HostName
    atMs: number
    toMs: number
    chunks: number
  }[] = []
  for (const sight of sights) {
    if (sight.kind !== 'owed' && sight.kind !== 'repaid') continue
    const { kind, host, atMs } = sight
    const last = runs.findLast((run) => run.host === host)
    if (last?.kind !== kind) runs.push({ kind, host, atMs, toMs: atMs, chunks: 1 })
    else Object.assign(last, { toMs: atMs, chunks: last.chunks + 1 })
  }
  return runs.map(({ kind, host, atMs, toMs, chunks }) => {
    const copies = count(chunks, 'chunk')
    const text =
      kind === 'owed'
        ? `${capital(copies)} ${chunks === 1 ? 'is' : 'are'} stored without ${hostText(host)}: the master notes that it lacks ${chunks === 1 ? 'it' : 'them'}.`
        : `${capital(hostText(host))} gets ${copies} that it lacked, from the servers that have ${chunks === 1 ? 'it' : 'them'}.`
    return { atMs, toMs, text, isFault: false }
  })
}

const loggedTexts: Readonly<
  Record<LoggedMessage, (who: { readonly hosts: string; readonly isOne: boolean }, chunks: number) => string>
> = {
  'store is fenced: a write or sync failed': ({ hosts, isOne }) =>
    isOne
      ? `${hosts} takes no more writes, as its disk failed one.`
      : `${hosts} take no more writes, as their disks failed one.`,
  'replica was put into quarantine': ({ hosts, isOne }) =>
    `${hosts} ${isOne ? 'finds' : 'find'} a copy that is damaged, and set${isOne ? 's' : ''} it aside.`,
  'torn tail of a segment is cut off': ({ hosts, isOne }) =>
    `${hosts} cut${isOne ? 's' : ''} off what had been written only in part.`,
  'damaged part of a segment is set aside': ({ hosts, isOne }) =>
    `${hosts} ${isOne ? 'finds' : 'find'} a damaged stretch on disk, and set${isOne ? 's' : ''} it aside.`,
  'removing chunks that no file names': ({ hosts, isOne }, chunks) =>
    `${hosts} ${isOne ? 'has' : 'have'} ${count(chunks, 'copy', 'copies')} removed that no file names: left by writes that did not end.`,
  'the metadata is older than what chunk servers hold: files can only be read until that is settled': () =>
    'The master finds chunks that are newer than its metadata: nothing is removed.',
}

interface Repeated {
  readonly atMs: number
  readonly key: string
  readonly hosts: Set<HostName>
  toMs: number
  times: number
  chunks: number
}

function otherEvents(sights: readonly Sight[]): readonly StoryEvent[] {
  const events: Repeated[] = []
  for (const sight of sights) {
    if (sight.kind !== 'logged' && sight.kind !== 'joins') continue
    const { atMs, host } = sight
    const key = sight.kind === 'logged' ? sight.message : `joins ${host}`
    const chunks = sight.kind === 'logged' ? sight.chunks : 0
    const last = events.findLast((event) => event.key === key)
    if (last !== undefined && atMs - last.toMs < 5 * togetherMs) {
      Object.assign(last, { toMs: atMs, times: last.times + 1, chunks: last.chunks + chunks })
      last.hosts.add(host)
    } else events.push({ atMs, toMs: atMs, key, hosts: new Set([host]), times: 1, chunks })
  }
  return events.map(({ atMs, toMs, key, hosts: set, times, chunks }) => {
    const hosts = capital(hostsText([...set]))
    const logged = loggedTexts[key as LoggedMessage]?.({ hosts, isOne: set.size === 1 }, chunks)
    const joins = `${hosts} is to hold, in the place of another one, the chunks of ${count(times, 'group')}: they are copied to it.`
    return { atMs, toMs, text: logged ?? joins, isFault: false }
  })
}
