/**
 * A run's minute cut into chapters: those in which something is broken, from the first fault to the last machine that is
 * up again, and the quiet times between them, in pieces that a reader can take in at once.
 * @module
 */

import type { Fault } from '../script.ts'
import type { StoryLine } from '../world.ts'
import type { Deed } from './deeds.ts'
import { shortText } from './fault-words.ts'
import { strikesOf } from './strikes.ts'
import { capital, count, listText } from './words.ts'

export interface Span {
  readonly fromMs: number
  readonly toMs: number
  readonly title: string
  /** Something is broken in it. */
  readonly isTrouble: boolean
}

interface Trouble {
  readonly fromMs: number
  readonly toMs: number
  readonly faults: readonly Fault[]
}

/** What is over belongs together when it was over for less than that. */
const restMs = 1_500
/** What follows from a trouble is told with it. */
const aftermathMs = 2_500
const mostTroubles = 5
/** Of a quiet chapter. */
const mostDeeds = 60
const mostNamed = 3

/** One after the other, without gaps, from 0 to the end of the work. */
export function cutIntoSpans(
  story: readonly StoryLine[],
  { deeds, durationMs }: { readonly deeds: readonly Deed[]; readonly durationMs: number },
): readonly Span[] {
  const spans: Span[] = []
  let fromMs = 0
  const troubles = mergedTroubles(troublesOf(story, durationMs))
  const isGoodDay = troubles.length === 0
  const isAfter = () => spans.some(({ isTrouble }) => isTrouble)
  for (const trouble of troubles) {
    spans.push(...quietSpans(deeds, { fromMs, toMs: trouble.fromMs, isGoodDay, isAfter: isAfter() }))
    spans.push({ ...trouble, title: troubleTitle(trouble.faults), isTrouble: true })
    fromMs = trouble.toMs
  }
  spans.push(...quietSpans(deeds, { fromMs, toMs: durationMs, isGoodDay, isAfter: isAfter() }))
  return spans
}

function troublesOf(story: readonly StoryLine[], durationMs: number): readonly Trouble[] {
  return strikesOf(story).flatMap(({ fault, atMs, overMs }) => {
    if (atMs >= durationMs) return []
    const endMs = 'durationMs' in fault ? (overMs ?? durationMs) : atMs
    return [{ fromMs: atMs, toMs: Math.min(durationMs, endMs + aftermathMs), faults: [fault] }]
  })
}

/** Those that overlap are one, and so are neighbours, as long as there are too many. */
function mergedTroubles(troubles: readonly Trouble[]): readonly Trouble[] {
  for (let gapMs = restMs; ; gapMs *= 1.5) {
    const merged: Trouble[] = []
    for (const trouble of troubles) {
      const last = merged.at(-1)
      if (last === undefined || trouble.fromMs > last.toMs + gapMs) merged.push(trouble)
      else {
        const faults = [...last.faults, ...trouble.faults]
        merged.splice(-1, 1, { fromMs: last.fromMs, toMs: Math.max(last.toMs, trouble.toMs), faults })
      }
    }
    if (merged.length <= mostTroubles) return merged
  }
}

function troubleTitle(faults: readonly Fault[]): string {
  const counts = new Map<string, number>()
  for (const fault of faults) counts.set(shortText(fault), (counts.get(shortText(fault)) ?? 0) + 1)
  const texts = [...counts].map(([text, times]) => (times === 1 ? text : `${text} (${times} times)`))
  const named = texts.slice(0, texts.length > mostNamed ? mostNamed - 1 : mostNamed)
  const more = texts.length - named.length
  return capital(listText(more === 0 ? named : [...named, `${count(more, 'more fault')}`]))
}

/** Cut where nothing was asked for the longest time. A piece without deeds is none. */
function quietSpans(
  deeds: readonly Deed[],
  {
    fromMs,
    toMs,
    isGoodDay,
    isAfter,
  }: {
    readonly fromMs: number
    readonly toMs: number
    readonly isGoodDay: boolean
    readonly isAfter: boolean
  },
): readonly Span[] {
  const own = deeds.filter(({ beganMs }) => beganMs >= fromMs && beganMs < toMs)
  if (own.length === 0) return []
  const pieces = isGoodDay ? split(own) : [own]
  return pieces.map((piece, index) => ({
    fromMs: index === 0 ? fromMs : (piece[0] as Deed).beganMs,
    toMs: pieces[index + 1]?.[0]?.beganMs ?? toMs,
    title: isAfter ? 'Quiet again' : index === 0 ? 'Quiet work' : 'Quiet work goes on',
    isTrouble: false,
  }))
}

function split(deeds: readonly Deed[]): readonly (readonly Deed[])[] {
  if (deeds.length <= mostDeeds) return [deeds]
  const quarter = Math.floor(deeds.length / 4)
  const pause = (index: number) => (deeds[index] as Deed).beganMs - (deeds[index - 1] as Deed).beganMs
  let at = quarter
  for (let index = quarter; index <= deeds.length - quarter; index++) if (pause(index) > pause(at)) at = index
  return [...split(deeds.slice(0, at)), ...split(deeds.slice(at))]
}
