/**
 * A run told in words, for a person who has never seen the code: what is simulated and promised, what was done, what broke
 * and what the servers did about it, and which promise was kept or broken. Where much happened, what nobody would miss
 * is summed up, so that the whole stays a few pages.
 * @module
 */
import type { Script } from '../script.ts'
import type { Outcome } from '../simulate.ts'
import type { Sight, Witness } from '../witness.ts'
import { type Brevity, type Chapter, chapterLines, toldDeeds } from './chapter-lines.ts'
import { cutIntoSpans } from './chapters.ts'
import { chunkSentences, dropReason, sumSentences } from './chunk-words.ts'
import { consequenceText, type Surroundings } from './consequences.ts'
import { type Deed, deedsOf } from './deeds.ts'
import { endingLines, nextLines, readBackLines } from './ending.ts'
import { faultEvents, lateSights, type StoryEvent, serverEvents } from './events.ts'
import { headLines, keyLines } from './head.ts'
import { strikesOf } from './strikes.ts'
import { summaryLines } from './summary.ts'
import { count } from './words.ts'

export interface TellOptions {
  /** Who looked on; without one nothing is told of what master and servers did. */
  readonly witness?: Witness
  /** For someone who knows what a simulation is: only what happened. */
  readonly isBrief?: boolean
  /** The script is what is left of its seed's. */
  readonly isShrunk?: boolean
}

/** Of what clients did and machines suffered. On bad days quiet times are told in short sooner. */
const wantedLines = { goodDay: 80, badDay: 75 } as const
/** All of so few is told. */
const fewDeeds = 40

/** Lines of plain text. */
export function tellStory(
  script: Script,
  outcome: Outcome,
  { witness, isBrief = false, isShrunk = false }: TellOptions = {},
): readonly string[] {
  const deeds = deedsOf(script.operations, outcome.history)
  const named = new Set(outcome.violations.flatMap(({ operations = [] }) => operations))
  const kept = new Set([...named, ...examplesIn(deeds)])
  const sights = witness?.sights ?? []
  const strikes = strikesOf(outcome.story)
  const late = new Set(lateSights(sights, outcome.story))
  const around = {
    ...{ script, strikes, deeds, history: outcome.history },
    sights: sights.filter((sight) => !late.has(sight)),
  }
  const events = [...faultEvents(outcome), ...serverEvents(sights, outcome.story)]
    .map((event) => withConsequence(event, around))
    .sort((a, b) => a.atMs - b.atMs)
  const chapters = chaptersOf(script, outcome, { deeds, events, sights })
  const { brevity, lines } = inWantedLines(chapters, { script, deeds, named, kept })
  const holdings = witness?.holdings() ?? []
  const sums = sumSentences(sights, { holdings, chunks: witness?.chunks(), why: dropReason(script, deeds) })
  const after = events.filter(({ atMs }) => atMs >= script.durationMs)
  const readBack = readBackLines(script, outcome, { after, holdings, sums, named, deeds })
  return [
    ...(isBrief ? [] : headLines(script, outcome, { isShrunk })),
    ...(isBrief ? [] : summaryLines(outcome, around)),
    ...keyLines([...lines, ...readBack], { isBrief, brevity }),
    ...lines,
    ...readBack,
    ...endingLines(script, outcome, { deeds, explain: (text) => witness?.explain(text) ?? text }),
    ...(isBrief || isShrunk ? [] : nextLines(script, outcome)),
  ]
}

function withConsequence(event: StoryEvent, around: Surroundings): StoryEvent {
  const strike = around.strikes.find(({ fault }) => fault === event.fault)
  return strike === undefined ? event : { ...event, consequence: consequenceText(strike, around) }
}

/** As brief as they must be. */
function inWantedLines(
  chapters: readonly Chapter[],
  {
    script,
    deeds,
    named,
    kept,
  }: {
    readonly script: Script
    readonly deeds: readonly Deed[]
    readonly named: ReadonlySet<number>
    readonly kept: ReadonlySet<number>
  },
): { readonly brevity: Brevity; readonly lines: readonly string[] } {
  const wanted = wantedLines[script.faults.length === 0 ? 'goodDay' : 'badDay']
  const told = brevitiesOf(script, deeds).map((brevity) => {
    const ids = chapters.flatMap((chapter) =>
      toldDeeds(chapter, { brevity, kept }).map(({ operation }) => operation.id),
    )
    const options = { brevity, named, kept, told: new Set(ids) }
    return { brevity, lines: chapters.flatMap((chapter) => ['', ...chapterLines(chapter, options)]) }
  })
  return told.find(({ lines }) => lines.length <= wanted) ?? (told.at(-1) as (typeof told)[number])
}

/** Where nothing breaks, the changes are the story. */
function brevitiesOf({ faults }: Script, deeds: readonly Deed[]): readonly Brevity[] {
  if (deeds.length <= fewDeeds) return [0]
  return faults.length === 0 ? [1, 2] : [1, 2, 3]
}

/** Told in full once before they are summed up: a read, a list of the trash, and each kind of refusal. */
function examplesIn(deeds: readonly Deed[]): readonly number[] {
  const firsts = new Map<string, number>()
  for (const { operation, end, code } of deeds) {
    const isExample = code !== undefined || operation.kind === 'read' || operation.kind === 'list-trash'
    const kind = code ?? `${end} ${operation.kind}`
    if (isExample && !firsts.has(kind)) firsts.set(kind, operation.id)
  }
  return [...firsts.values()]
}

function chaptersOf(
  script: Script,
  { story }: Outcome,
  {
    deeds,
    events,
    sights,
  }: { readonly deeds: readonly Deed[]; readonly events: readonly StoryEvent[]; readonly sights: readonly Sight[] },
): readonly Chapter[] {
  const { durationMs } = script
  const why = dropReason(script, deeds)
  const spans = cutIntoSpans(story, { deeds, durationMs })
  const late = lateSights(sights, story)
  return spans.map(({ fromMs, toMs, title, isTrouble }, index) => {
    const beginMs = index === 0 ? Number.NEGATIVE_INFINITY : fromMs
    const endMs = Math.min(durationMs, spans[index + 1]?.fromMs ?? durationMs)
    const isIn = (atMs: number) => atMs >= beginMs && atMs < endMs
    const own = deeds.filter(({ beganMs }) => isIn(beganMs))
    return {
      title: `${tenths(fromMs)} to ${tenths(toMs)} s: ${title}`,
      isTrouble,
      deeds: own,
      events: events.filter(({ atMs }) => isIn(atMs)),
      background: backgroundOf(
        sights.filter(({ atMs }) => isIn(atMs)),
        {
          why,
          late: late.filter((sight) => sight.kind === 'state' && sight.to === 'suspect' && isIn(sight.atMs)).length,
        },
      ),
    }
  })
}

/** What the servers did, in sum. */
function backgroundOf(sights: readonly Sight[], { why, late }: { readonly why: string; readonly late: number }) {
  const missed = `A server's sign of life came late (${count(late, 'time')}): the master waited.`
  return [...chunkSentences(sights, why), ...(late === 0 ? [] : [missed])]
}

/** Not after what happens at that time. */
function tenths(atMs: number): string {
  return (Math.floor(atMs / 100) / 10).toFixed(1)
}
