/**
 * The lines of one chapter: what broke, what master and servers did about it, what clients did; and in a few sentences
 * behind them what need not be told one by one.
 * @module
 */
import type { RefusalCode } from '../steps.ts'
import { type Deed, isReading } from './deeds.ts'
import type { StoryEvent } from './events.ts'
import { count, listText, secondsText, spanText, tookText, wrapped } from './words.ts'

/**
 * How much is summed up. 0: nothing. 1: answers that nothing contested (reads of what was there, refusals for what was
 * not). 2: also such answers that something did. 3: also changes that went as asked, where all is quiet.
 */
export type Brevity = 0 | 1 | 2 | 3

export interface Chapter {
  readonly title: string
  readonly isTrouble: boolean
  readonly deeds: readonly Deed[]
  readonly events: readonly StoryEvent[]
  /** Sentences about what went on behind it all. */
  readonly background: readonly string[]
}

export interface LineOptions {
  readonly brevity: Brevity
  /** Operations at which a promise was broken. */
  readonly named: ReadonlySet<number>
  /** Operations that have lines of their own, in any chapter. */
  readonly told: ReadonlySet<number>
  /** Operations that are told in any case. */
  readonly kept: ReadonlySet<number>
}

interface Line {
  readonly atMs: number
  readonly toMs: number
  readonly mark: string
  readonly text: string
  readonly consequence?: string
  /** None: an event. */
  readonly deeds: readonly Deed[]
}

const slowMs = 1_000
const blank = ' '.repeat(spanText(0).length)
/** Between two deeds that are told in one breath. */
const breathMs = 200
const mostInOneLine = 100
const mostPaths = 4
const mostRivals = 3

export function chapterLines(chapter: Chapter, options: LineOptions): readonly string[] {
  const { deeds, events, background } = chapter
  const told = toldDeeds(chapter, options)
  const lines: Line[] = [...events.map(eventLine), ...told.map((deed) => deedLine(deed, options))]
  lines.sort((a, b) => a.atMs - b.atMs)
  const rest = deeds.filter((deed) => !told.includes(deed))
  const sentences = [...summary(rest), ...background]
  return [
    `--- ${chapter.title}`,
    ...joined(lines).flatMap(({ atMs, toMs, mark, text, consequence = '' }) => [
      ...wrapped(text, `${spanText(atMs, toMs)}${mark} `),
      ...(consequence === '' ? [] : wrapped(consequence, `${blank}= `)),
    ]),
    ...(sentences.length === 0 ? [] : wrapped(sentences.join(' '), `${blank}  `)),
  ]
}

/** Those that get lines of their own. */
export function toldDeeds(
  chapter: Pick<Chapter, 'deeds' | 'isTrouble'>,
  options: Pick<LineOptions, 'brevity' | 'kept'>,
): readonly Deed[] {
  return chapter.deeds.filter((deed) => !isSummedUp(deed, chapter, options))
}

/** Whether nothing is lost when it is only counted. */
function isSummedUp(
  deed: Deed,
  { isTrouble }: Pick<Chapter, 'isTrouble'>,
  { brevity, kept }: Pick<LineOptions, 'brevity' | 'kept'>,
): boolean {
  const { operation, rivals, end } = deed
  if (brevity === 0 || kept.has(operation.id)) return false
  if (isSlow(deed) && (brevity < 2 || (end === 'done' && !isReading(operation)))) return false
  if (rivals.length > 0 && brevity < 2) return false
  if (end === 'refused') return true
  return end === 'done' && (isReading(operation) || (brevity === 3 && !isTrouble))
}

const summedUpRefusals: Readonly<Record<RefusalCode, string>> = {
  'not-found': 'nothing was there',
  'already-exists': 'something was there already',
  'is-a-directory': 'a directory was there',
  'not-a-directory': 'a file was there, and no directory',
  'not-empty': 'the directory was not empty',
  changed: 'the file was not as expected',
  'invalid-argument': 'it could not be done',
}

function isSlow({ beganMs, endedMs }: Deed): boolean {
  return endedMs - beganMs >= slowMs
}

function eventLine({ atMs, toMs = atMs, text, isFault, consequence = '' }: StoryEvent): Line {
  return { atMs, toMs, mark: isFault ? '*' : '>', text, consequence, deeds: [] }
}

function deedLine(deed: Deed, { named, told }: LineOptions): Line {
  const { operation, phrase, result, end, beganMs, endedMs } = deed
  // One that never ends meets all that comes: it says itself that it may have happened.
  const rivals = Number.isFinite(endedMs) ? deed.rivals.filter((rival) => told.has(rival.operation.id)) : []
  const isNamed = named.has(operation.id)
  const took = end === 'done' && isSlow(deed) ? `after ${tookText(endedMs - beganMs)}` : ''
  const facts = [result, took].filter((text) => text !== '').join(', ')
  const outcome =
    facts === '' ? '' : end === 'done' ? ` (${facts})` : end === 'refused' ? `: refused, ${result}` : `: ${result}`
  return {
    atMs: beganMs,
    toMs: endedMs,
    mark: isNamed ? '!' : rivals.length > 0 ? '|' : ' ',
    text: `${isNamed ? `Operation ${operation.id}: client` : 'Client'} ${operation.client + 1} ${phrase}${outcome}${meetsText(rivals)}.`,
    deeds: [deed],
  }
}

function meetsText(rivals: readonly Deed[]): string {
  if (rivals.length === 0) return ''
  const ended = rivals.filter(({ endedMs }) => Number.isFinite(endedMs))
  const times = [...new Set(ended.map(({ beganMs }) => secondsText(beganMs)))]
  const named = times.slice(0, times.length > mostRivals ? mostRivals - 1 : mostRivals)
  const more = times.length - named.length
  const open = rivals.length - ended.length
  const others = [...(more === 0 ? [] : [`${more} more`]), ...(open === 0 ? [] : [`${open} without an answer`])]
  return ` [meets ${listText([...named, ...others])}]`
}

/** What one client did in one breath becomes one line, where it fits into one. */
function joined(lines: readonly Line[]): readonly Line[] {
  const result: Line[] = []
  for (const line of lines) {
    const last = result.at(-1)
    const text = last === undefined ? undefined : inOneBreath(last, line)
    if (last === undefined || text === undefined) result.push(line)
    else
      result.splice(-1, 1, {
        ...last,
        toMs: Math.max(last.toMs, line.toMs),
        text,
        deeds: [...last.deeds, ...line.deeds],
      })
  }
  return result
}

function inOneBreath(last: Line, next: Line): string | undefined {
  const [before, deed] = [last.deeds.at(-1), next.deeds[0]]
  if (before === undefined || deed === undefined || before.operation.client !== deed.operation.client) return undefined
  const isPlain = before.end === 'done' && deed.end === 'done' && last.mark === ' ' && next.mark === ' '
  if (!isPlain || next.atMs - last.toMs > breathMs) return undefined
  const link = next.atMs >= last.toMs ? ', then' : ' and'
  const text = `${last.text.slice(0, -1)}${link} ${next.text.replace(/^Client \d+ /, '')}`
  return text.length <= mostInOneLine ? text : undefined
}

function summary(rest: readonly Deed[]): readonly string[] {
  const done = rest.filter(({ end }) => end === 'done')
  const reads = done.filter(({ operation }) => isReading(operation))
  const changes = done.filter(({ operation }) => !isReading(operation))
  const refused = rest.filter(({ end }) => end === 'refused')
  const slow = rest.filter(isSlow)
  return [
    ...(changes.length === 0 ? [] : [`Done as asked: ${kindsText(changes)}.`]),
    ...(reads.length === 0 ? [] : [`Found as it was: ${kindsText(reads)}.`]),
    ...(refused.length === 0 ? [] : [`Refused: ${refusalsText(refused)}.`]),
    ...(slow.length === 0 ? [] : [`${slow.length} of these waited for seconds: ${waitText(slow)}.`]),
  ]
}

function waitText(slow: readonly Deed[]): string {
  const ends = slow.map(({ endedMs }) => endedMs)
  const [first, last] = [secondsText(Math.min(...ends)), secondsText(Math.max(...ends))]
  return first === last ? `answered at ${last} s` : `answered from ${first} to ${last} s`
}

const kindNouns: Readonly<Record<Deed['operation']['kind'], string>> = {
  write: 'write',
  append: 'append',
  read: 'read',
  stat: 'question for a size',
  list: 'list',
  'make-directory': 'new directory',
  rename: 'rename',
  remove: 'removal',
  copy: 'copy',
  truncate: 'truncation',
  concat: 'concatenation',
  undelete: 'return from the trash',
  'empty-trash': 'emptied trash',
  'list-trash': 'list of the trash',
}

/** `3 reads and 1 list`, in the order of {@link kindNouns}. */
export function kindsText(deeds: readonly Deed[]): string {
  const byKind = Map.groupBy(deeds, ({ operation }) => operation.kind)
  const kinds = (Object.keys(kindNouns) as Deed['operation']['kind'][]).filter((kind) => byKind.has(kind))
  return listText(
    kinds.map((kind) => {
      const number = byKind.get(kind)?.length ?? 0
      return count(number, kindNouns[kind], pluralOf(kindNouns[kind]))
    }),
  )
}

function pluralOf(noun: string): string {
  const irregular: Readonly<Record<string, string>> = {
    'new directory': 'new directories',
    copy: 'copies',
    'emptied trash': 'emptied trashes',
  }
  const [head, ...tail] = noun.split(' ')
  return irregular[noun] ?? [`${head}s`, ...tail].join(' ')
}

function refusalsText(refused: readonly Deed[]): string {
  const byCode = Map.groupBy(refused, ({ code }) => code as RefusalCode)
  const texts = [...byCode].map(([code, own]) => {
    const paths = Map.groupBy(own, ({ paths: [path] }) => path as string)
    const where = [...paths].map(([path, all]) => (all.length === 1 ? path : `${path} ${all.length}x`))
    const more = where.length - mostPaths
    const named = more > 1 ? [...where.slice(0, mostPaths), `${more} others`] : where
    return `${own.length} as ${summedUpRefusals[code]} (${named.join(', ')})`
  })
  return texts.join('; ')
}
