/** The whole run in a few lines, for whoever reads no further. @module */
import { readerClient } from '../read-back.ts'
import type { Outcome } from '../simulate.ts'
import { longestOf, type Surroundings, tookMs } from './consequences.ts'
import type { Deed } from './deeds.ts'
import { capital, count, hostText, listText, numberText, spanText, tookText, wrapped } from './words.ts'

export function summaryLines(outcome: Outcome, around: Surroundings): readonly string[] {
  const sentences = [verdictText(outcome, around), operationsText(outcome, around), awayText(around), leftText(outcome)]
  return [...wrapped(`In short: ${sentences.filter((text) => text !== '').join(' ')}`), '']
}

function verdictText({ ok, violations, history }: Outcome, { strikes }: Surroundings): string {
  const faults = strikes.length === 0 ? 'nothing broke' : `${count(strikes.length, 'fault')} struck`
  if (!ok) return `${faults}, and ${count(Math.max(1, violations.length), 'promise was', 'promises were')} broken.`
  const isLost = history.calls.some(({ step }) => step.kind === 'rollback')
  const lost = isLost
    ? 'nothing was lost but what the last second before the loss of a disk may cost'
    : 'nothing was lost'
  return `${faults}, ${lost}, and every promise was kept.`
}

function operationsText({ ok }: Outcome, { script, deeds }: Surroundings): string {
  const number = (end: Deed['end']) => deeds.filter((deed) => deed.end === end).length
  const uncertain = number('unknown')
  const missing = script.operations.length - deeds.length
  const texts = [
    `${numberText(number('done'))} were done`,
    number('refused') === 0 ? '' : `${numberText(number('refused'))} ${ok ? 'rightly refused' : 'refused'}`,
    number('failed') === 0 ? '' : `${numberText(number('failed'))} failed without effect`,
    uncertain === 0 ? '' : `${numberText(uncertain)} got no certain answer`,
    missing === 0 ? '' : `${numberText(missing)} not begun, as their client was down`,
  ]
  const longest = longestOf(deeds)
  const wait =
    longest === undefined
      ? ''
      : ` The longest took ${tookText(tookMs(longest))} (${spanText(longest.beganMs, longest.endedMs).trim()}).`
  return `Of ${count(script.operations.length, 'operation')} ${listText(texts.filter((text) => text !== ''))}.${wait}`
}

/** Servers that were given up, and how long they were away. */
function awayText({ strikes, sights }: Surroundings): string {
  const dead = sights.flatMap((sight) => (sight.kind === 'state' && sight.to === 'dead' ? [sight] : []))
  const texts = dead.map(({ host, atMs }) => {
    const strike = strikes.findLast((one) => (one.host === host || one.host === 'all') && one.atMs <= atMs)
    const since = strike?.atMs ?? atMs
    const up = sights.find((sight) => {
      return sight.kind === 'state' && sight.host === host && sight.to === 'up' && sight.atMs > atMs
    })
    const away = up === undefined ? 'for good' : `for ${tookText(up.atMs - since)}`
    return `${capital(hostText(host))} was away ${away}, and was given up for dead${up === undefined ? '' : ' until it came back'}.`
  })
  return texts.join(' ')
}

function leftText({ history }: Outcome): string {
  const calls = history.calls.filter(({ client }) => client === readerClient)
  const undelete = calls.findIndex(({ step }) => step.kind === 'undelete')
  const reads = calls
    .slice(0, undelete < 0 ? calls.length : undelete)
    .filter(({ step, outcome }) => step.kind === 'read' && outcome.kind === 'ok')
  const trash = calls.find(({ step }) => step.kind === 'list-trash')
  if (trash?.outcome.kind !== 'ok') return ''
  const trashed = trash.outcome.answer.trash?.length ?? 0
  return `In the end ${reads.length === 1 ? '1 file was' : `${numberText(reads.length)} files were`} there and read back, and ${count(trashed, 'old content')} in the trash.`
}
