/**
 * Judges what clients were told: whether some order of all operations explains every answer, whether versions rise and
 * name one content each, and whether every failure has a reason among the faults.
 * @module
 */
import { isAshlarError } from '../../base/errors.ts'
import { ModelContent } from '../contents.ts'
import type { GuessedOrder } from '../guess-order.ts'
import type { Call, History } from '../history.ts'
import { linearize } from '../linearize.ts'
import { givesVersion, type Step } from '../steps.ts'
import { judgeReplacedReads } from './replaced-reads.ts'
import type { Violation } from './violation.ts'

export interface AnswersOptions {
  readonly trashLastsMs: number
  /** In which order calls seem to have taken effect. */
  readonly guess?: GuessedOrder
}

export interface AnswersVerdict {
  readonly violations: readonly Violation[]
  /** The search for an order ended at its bound: nothing is known, which is a violation of its own. */
  readonly isUndecided: boolean
}

export function judgeAnswers(history: History, { trashLastsMs, guess }: AnswersOptions): AnswersVerdict {
  const { calls, surprises } = history
  const violations: Violation[] = surprises.map(({ operation, atMs, error }) => ({
    oracle: 'surprise',
    operations: [operation],
    text: `operation ${operation} failed strangely at ${seconds(atMs)}: ${errorText(error)}`,
  }))
  const replaced = judgeReplacedReads(calls)
  violations.push(...judgeBytes(calls), ...judgeVersions(calls), ...replaced.violations)
  const verdict = linearize(replaced.others, { trashLastsMs, ...(guess && { guess }) })
  if (verdict.kind === 'impossible') {
    const stuck = verdict.stuck.map(
      ({ call, foreseen }) =>
        `operation ${call.operation} (${stepText(call)}) was told ${outcomeText(call)}, not ${foreseen}`,
    )
    violations.push({
      oracle: 'order',
      operations: verdict.stuck.map(({ call }) => call.operation),
      text: `no order of the operations explains every answer; ${verdict.placed} of ${verdict.calls} fit, then ${stuck.join('; and ')}`,
    })
  }
  if (verdict.kind === 'undecided') {
    violations.push({
      oracle: 'order',
      text: `no verdict: the search for an order of ${calls.length} calls was given up after ${verdict.configurations} configurations`,
    })
  }
  return { violations, isUndecided: verdict.kind === 'undecided' }
}

/** A version names one content for ever: what a write called by it is what every reader of it gets. */
function judgeBytes(calls: readonly Call[]): Violation[] {
  const violations: Violation[] = []
  const known = new Map<number, { readonly digest: string; readonly by: number }>()
  for (const { step, outcome, operation } of calls) {
    if (step.kind !== 'write' || outcome.kind !== 'ok' || outcome.answer.version === undefined) continue
    known.set(outcome.answer.version, { digest: ModelContent.of(step.content).digest, by: operation })
  }
  for (const call of calls) {
    if (call.step.kind !== 'read' || call.outcome.kind !== 'ok') continue
    const { version, digest } = call.outcome.answer
    const first = known.get(version as number)
    if (first === undefined) known.set(version as number, { digest: digest as string, by: call.operation })
    else if (first.digest !== digest) {
      violations.push({
        oracle: 'bytes',
        operations: [call.operation, first.by],
        text: `operation ${call.operation} (${stepText(call)}) got other bytes of version ${version} than operation ${first.by} knows`,
      })
    }
  }
  return violations
}

/** A version that was made after another one was told is greater; no two calls make the same. */
function judgeVersions(calls: readonly Call[]): Violation[] {
  const violations: Violation[] = []
  const made = calls.filter(({ step, outcome }) => givesVersion(step) && outcome.kind === 'ok')
  const moments = made
    .flatMap((call) => [
      { at: call.invokedAt, call, isEnd: false },
      { at: call.settledAt, call, isEnd: true },
    ])
    .sort((a, b) => a.at - b.at)
  let highest: { readonly version: number; readonly call: Call } | undefined
  const before = new Map<Call, typeof highest>()
  const makers = new Map<number, Call>()
  for (const { call, isEnd } of moments) {
    if (!isEnd) {
      before.set(call, highest)
      continue
    }
    const version = versionOf(call)
    const floor = before.get(call)
    if (floor !== undefined && version <= floor.version) {
      violations.push({
        oracle: 'versions',
        operations: [floor.call.operation, call.operation],
        text: `operation ${call.operation} (${stepText(call)}) made version ${version}, after operation ${floor.call.operation} was told ${floor.version}`,
      })
    }
    const other = makers.get(version)
    if (other !== undefined) {
      violations.push({
        oracle: 'versions',
        operations: [other.operation, call.operation],
        text: `operations ${other.operation} and ${call.operation} both made version ${version}`,
      })
    }
    makers.set(version, call)
    if (highest === undefined || version > highest.version) highest = { version, call }
  }
  return violations
}

function versionOf({ outcome }: Call): number {
  return outcome.kind === 'ok' ? (outcome.answer.version as number) : 0
}

export function stepText({ step }: { readonly step: Step }): string {
  const { kind, ...rest } = step
  // What a script asks for and a client does in the same words carries what only the script needs.
  const facts = Object.entries(rest).filter(([name]) => !['id', 'client', 'atMs'].includes(name))
  const parts = facts.map(([name, value]) =>
    name === 'content' ? `${(value as { length: number }).length} bytes` : `${name} ${JSON.stringify(value)}`,
  )
  return [kind, ...parts].join(' ')
}

export function outcomeText({ outcome }: Call): string {
  return outcome.kind === 'ok' ? JSON.stringify(outcome.answer) : outcome.code
}

export function errorText(error: unknown): string {
  if (isAshlarError(error)) return `${error.code}: ${error.message}`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function seconds(atMs: number): string {
  return `${(atMs / 1000).toFixed(1)} s`
}
