/** The end of a story: coming to rest, reading everything back, the verdict with its figures, and what to look at next. @module */
import type { Call } from '../history.ts'
import type { OracleName } from '../oracles/violation.ts'
import { readerClient } from '../read-back.ts'
import type { Script } from '../script.ts'
import type { Outcome } from '../simulate.ts'
import { givesVersion } from '../steps.ts'
import type { Holding } from '../witness.ts'
import { kindsText } from './chapter-lines.ts'
import type { Deed } from './deeds.ts'
import type { StoryEvent } from './events.ts'
import { nextSeeds } from './next-seeds.ts'
import { strikesOf } from './strikes.ts'
import { bytesText, capital, count, hostsText, listText, numberText, secondsText, spanText, wrapped } from './words.ts'

const mostNamed = 12

/** Everything after the work. */
export function readBackLines(
  { durationMs }: Script,
  { history, violations, story }: Outcome,
  {
    after,
    holdings,
    sums,
    named,
    deeds,
  }: {
    readonly after: readonly StoryEvent[]
    /** None where it is not known for sure. */
    readonly holdings: readonly Holding[]
    /** How the chunks that are left come about. */
    readonly sums: readonly string[]
    /** Operations at which a promise was broken. */
    readonly named: ReadonlySet<number>
    readonly deeds: readonly Deed[]
  },
): readonly string[] {
  const calls = readerCalls(history)
  const beganMs = calls[0]?.invokedMs
  const isHealed = strikesOf(story).some(
    ({ fault, overMs = Infinity }) => 'durationMs' in fault && overMs >= durationMs,
  )
  const healed = isHealed ? 'All faults end, every machine that is down is started, what' : 'What'
  const over = `The work is over. ${healed} is under way ends, and the clients go.`
  const events = [{ atMs: durationMs, text: over, isFault: isHealed }, ...after]
  const lines = [
    '',
    `--- ${(durationMs / 1000).toFixed(1)} s: Coming to rest, and reading everything back`,
    ...events.flatMap(({ atMs, toMs, text, isFault }) =>
      wrapped(text, `${spanText(atMs, toMs)}${isFault ? '*' : atMs === durationMs ? ' ' : '>'} `),
    ),
  ]
  if (beganMs === undefined)
    return [...lines, ...wrapped('The cluster never came to rest, so nothing was read back.', blank)]
  const isAtRest = !violations.some(({ oracle }) => oracle === 'rest')
  const rest = isAtRest
    ? 'Nothing is broken, no copy is missing, nothing waits to be deleted: the cluster is at rest.'
    : 'The time in which the cluster must come to rest is over, and it has not.'
  const held = holdings.length === 0 ? [] : [heldText(holdings), ...sums]
  return [
    ...lines,
    ...wrapped([rest, ...held].join(' '), `${spanText(beganMs)}  `),
    ...wrapped(`Another client reads all: ${readBackText(calls, deeds)}`, blank),
    ...calls.filter(({ operation }) => named.has(operation)).flatMap(namedLine),
  ]
}

/** Of the last reading. A loss of metadata, which nobody asked for, is no call. */
function readerCalls({ calls }: Outcome['history']): readonly Call[] {
  return calls.filter(({ client, step }) => client === readerClient && step.kind !== 'rollback')
}

const blank = ' '.repeat(spanText(0).length + 2)

function heldText(holdings: readonly Holding[]): string {
  const numbers = holdings.map(({ chunks }) => chunks)
  const sizeBytes = holdings.reduce((sum, one) => sum + one.sizeBytes, 0)
  const isSame = new Set(numbers).size === 1
  const chunks = isSame
    ? `${count(numbers[0] ?? 0, 'chunk')}${holdings.length === 1 ? '' : ' each'}`
    : `${listText(numbers.map(numberText))} chunks`
  const hold = `${capital(hostsText(holdings.map(({ host }) => host)))} hold${holdings.length === 1 ? 's' : ''}`
  return `${hold} ${chunks} (${bytesText(sizeBytes)} in sum, those in the trash included).`
}

function readBackText(calls: readonly Call[], deeds: readonly Deed[]): string {
  const undeletes = calls.filter(({ step }) => step.kind === 'undelete')
  const firstUndelete = undeletes[0] === undefined ? calls.length : calls.indexOf(undeletes[0])
  const reads = calls.slice(0, firstUndelete).filter(({ step }) => step.kind === 'read')
  const trash = calls.find(({ step }) => step.kind === 'list-trash')
  const files = reads.map((read) => readText(read, deeds))
  const trashed = trash?.outcome.kind === 'ok' ? (trash.outcome.answer.trash ?? []).length : 0
  const named = files.length > mostNamed ? [...files.slice(0, mostNamed), `${files.length - mostNamed} more`] : files
  const all = [
    files.length === 0 ? 'no file is left.' : `${count(files.length, 'file')}: ${listText(named)}.`,
    trashed === 0
      ? 'The trash is empty.'
      : `The trash has ${count(trashed, 'old content')}. The newest of each path is asked back (of ${count(undeletes.length, 'path')}): ${undeletedText(undeletes, calls)}.`,
  ]
  return all.join(' ')
}

/** One request of the last reading, in full. */
function namedLine(call: Call): readonly string[] {
  const { operation, step, outcome, invokedMs, settledMs } = call
  const text =
    step.kind === 'list-page' && outcome.kind === 'ok'
      ? `lists ${step.path}${step.after === '' ? '' : ` from behind ${step.after}`} (${(outcome.answer.names ?? []).join(', ') || 'nothing more'})`
      : step.kind === 'read'
        ? `reads ${readText(call, [])}`
        : `${step.kind} ${'path' in step ? step.path : ''} (${outcome.kind})`
  return wrapped(`Operation ${operation}: it ${text}.`, `${spanText(invokedMs, settledMs)}! `)
}

function readText({ step, outcome }: Call, deeds: readonly Deed[]): string {
  const path = 'path' in step ? step.path : ''
  if (outcome.kind !== 'ok') return `${path} cannot be read (${outcome.code})`
  return `${path} (${bytesText(outcome.answer.size ?? 0)}, v${outcome.answer.version}${makerText(outcome.answer.version, { path, deeds })})`
}

/** Who wrote what is there: a version is made once. */
function makerText(
  version: number | undefined,
  { path, deeds }: { readonly path: string; readonly deeds: readonly Deed[] },
): string {
  const maker = deeds.find(({ calls }) =>
    calls.some(({ step, outcome }) => {
      return givesVersion(step) && outcome.kind === 'ok' && outcome.answer.version === version
    }),
  )
  if (maker !== undefined) {
    const elsewhere = maker.paths.includes(path) ? '' : ` to ${maker.paths.at(-1)}`
    return `, written${elsewhere} by client ${maker.operation.client + 1} at ${secondsText(maker.beganMs)}`
  }
  const isOpen = deeds.some(({ end, paths }) => end === 'unknown' && paths.includes(path))
  return isOpen ? ', written by one that got no certain answer' : ''
}

function undeletedText(undeletes: readonly Call[], calls: readonly Call[]): string {
  const byEnd = Map.groupBy(undeletes, (call) => undeleteEnd(call, calls))
  const pathsOf = (own: readonly Call[]) => listText(own.map(({ step }) => ('path' in step ? step.path : '')))
  return [...byEnd].map(([end, own]) => `${pathsOf(own)} ${end}`).join('; ')
}

function undeleteEnd({ step, outcome }: Call, calls: readonly Call[]): string {
  if (outcome.kind === 'refused')
    return outcome.code === 'already-exists' ? 'refused, as the path is taken' : `refused (${outcome.code})`
  if (outcome.kind !== 'ok') return `failed (${outcome.code})`
  if (outcome.answer.kind === 'directory') return 'back, a directory'
  const path = 'path' in step ? step.path : ''
  const read = calls.findLast((call) => call.step.kind === 'read' && call.step.path === path)
  return read?.outcome.kind === 'ok' ? 'back, and read' : 'back, but cannot be read'
}

const promises: Readonly<Record<OracleName, string>> = {
  order: 'one order of all operations, which fits the times and explains every answer',
  versions: 'versions that rise, and name one content each',
  bytes: 'no wrong byte',
  surprise: 'no failure that nothing explains',
  ended: 'every operation ends',
  epochs: 'what only rises never goes back',
  domains: 'copies in different places',
  proof: 'every server has what it said that it has',
  rest: 'all is made good once nothing is broken',
  readable: 'every file can be read once nothing is broken',
  books: 'the disks hold exactly what the files need',
  rows: 'metadata that agree with each other',
  world: 'the cluster starts, and can be mended',
}

export function endingLines(
  script: Script,
  outcome: Outcome,
  { deeds, explain }: { readonly deeds: readonly Deed[]; readonly explain: (text: string) => string },
): readonly string[] {
  const { ok, violations, isUndecided, history } = outcome
  const readings = readerCalls(history).length
  const missed = script.faults.length - strikesOf(outcome.story).length
  const figures = [
    ...figureLines(script, deeds),
    ...(missed === 0 ? [] : [missedText(missed)]),
    ...wrapped(traceText(outcome)),
  ]
  if (ok) {
    return [
      '',
      '--- The verdict: every promise was kept',
      ...wrapped(
        `There is one order of all operations that fits the times and in which the model gives every answer that was given, those to the ${count(readings, 'request')} of the last reading included: so everything that was answered is there, byte for byte. ` +
          'Every chunk server holds exactly what the files and the trash need, and nothing else.',
      ),
      ...figures,
    ]
  }
  return [
    '',
    '--- The verdict: a promise was broken',
    ...(isUndecided ? ['- The search for an order was given up: it may have been kept.'] : []),
    ...violations
      .slice(0, 10)
      .flatMap(({ oracle, text }) => wrapped(`${capital(promises[oracle])} (${oracle}): ${explain(text)}.`, '- ')),
    ...figures,
  ]
}

/** Sums that add up: every operation of the script is in one of them. */
function figureLines({ operations }: Script, deeds: readonly Deed[]): readonly string[] {
  const byEnd = Map.groupBy(deeds, ({ end }) => end)
  const of = (end: Deed['end']) => byEnd.get(end) ?? []
  const notFound = of('refused').filter(({ code }) => code === 'not-found').length
  const missing = operations.length - deeds.length
  const sentences = [
    `Of ${count(operations.length, 'operation')} ${numberText(of('done').length)} ${of('done').length === 1 ? 'was' : 'were'} done (${kindsText(of('done'))})`,
    of('refused').length === 0 ? '' : `${numberText(of('refused').length)} refused (${notFound} as nothing was there)`,
    of('failed').length === 0 ? '' : `${numberText(of('failed').length)} failed without effect`,
    of('unknown').length === 0 ? '' : `${numberText(of('unknown').length)} ended without a certain answer`,
    missing === 0 ? '' : `${numberText(missing)} not begun, as their client was down`,
  ]
  return wrapped(`${listText(sentences.filter((text) => text !== ''))}.`)
}

function missedText(missed: number): string {
  return `${count(missed, 'more fault')} waited for a moment that did not come.`
}

function traceText({ traceHash, events, virtualMs }: Outcome): string {
  return (
    `Hash ${traceHash} is over all ${numberText(events)} events (messages, disk accesses, timers) of these ${(virtualMs / 1000).toFixed(1)} s, the last reading included. ` +
    'The same seed and version give the same hash on any machine: what was seen once can be seen again.'
  )
}

/** Where to go from here. */
export function nextLines({ seed }: Script, { ok }: Outcome): readonly string[] {
  const seeds = nextSeeds(seed).map(
    ({ seed: next, text }) => `  ashlar sim --seed ${next} --story`.padEnd(38) + capital(text),
  )
  const shrink = ok
    ? []
    : [
        '',
        `"ashlar sim --seed ${seed} --shrink" looks for the smallest run that fails like this one, and makes a test of it.`,
      ]
  return [...shrink, '', 'Other days to look at:', ...seeds]
}
