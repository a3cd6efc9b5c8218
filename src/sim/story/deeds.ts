/**
 * An operation of a script and all that came of it: when it ran, how it ended, what it may have changed; and which of them
 * ran at the same time on the same files, so that either may have come first.
 * @module
 */
import type { Call, History } from '../history.ts'
import type { Action, Operation } from '../operations.ts'
import type { RefusalCode } from '../steps.ts'
import { phraseOf, resultOf } from './deed-words.ts'

export interface Deed {
  readonly operation: Operation
  readonly calls: readonly Call[]
  readonly beganMs: number
  /** Infinity: it never ended. */
  readonly endedMs: number
  readonly end: DeedEnd
  /** Of a refusal. */
  readonly code: RefusalCode | undefined
  /** `writes 441 bytes to /t/a` */
  readonly phrase: string
  /** What came of it; may be empty. */
  readonly result: string
  readonly paths: readonly string[]
  /** Others that ran at the same time on the same files, where one of both changed them. */
  readonly rivals: Deed[]
}

/** `failed`: without effect. `unknown`: nobody was told. */
export type DeedEnd = 'done' | 'refused' | 'failed' | 'unknown'

/** In the order in which they began; those that nobody began are left out. */
export function deedsOf(operations: readonly Operation[], history: History): readonly Deed[] {
  const calls = Map.groupBy(history.calls, ({ operation }) => operation)
  const deeds = operations.flatMap((operation) => {
    const own = calls.get(operation.id)
    return own === undefined ? [] : [deedOf(operation, { calls: own, history })]
  })
  deeds.sort((a, b) => beganAt(a) - beganAt(b))
  findRivals(deeds)
  return deeds
}

export function isReading({ kind }: Pick<Action, 'kind'>): boolean {
  return kind === 'read' || kind === 'stat' || kind === 'list' || kind === 'list-trash'
}

/** @param calls of one operation: a list makes one for each page, and some others look before they change something */
function deedOf(
  operation: Operation,
  { calls, history }: { readonly calls: readonly Call[]; readonly history: History },
): Deed {
  const asked = calls.filter(({ outcome }) => outcome.kind !== 'void' || outcome.code !== 'no-answer')
  const known = asked.length > 0 ? asked : calls
  const [first, last] = [known[0], known.at(-1)] as [Call, Call]
  const { outcome } = last
  // One that looked first, and found a directory, asked for nothing else.
  const isLookOnly = last.step.kind === 'stat' && operation.kind !== 'stat' && outcome.kind === 'ok'
  const code = outcome.kind === 'refused' ? outcome.code : isLookOnly ? 'is-a-directory' : undefined
  return {
    operation,
    calls: known,
    beganMs: first.invokedMs,
    endedMs: last.settledMs,
    end:
      code !== undefined ? 'refused' : outcome.kind === 'ok' ? 'done' : outcome.kind === 'void' ? 'failed' : 'unknown',
    code,
    phrase: phraseOf(operation, known, { isOfDirectory: isOfDirectory(operation, { first, history }) }),
    result: isLookOnly ? 'a directory is there' : resultOf(operation, known),
    paths: pathsOf(operation),
    rivals: [],
  }
}

/** By the last thing that was heard of its path before it began. */
function isOfDirectory(
  operation: Operation,
  { first, history }: { readonly first: Call; readonly history: History },
): boolean {
  if (operation.kind !== 'remove') return false
  const { path } = operation
  const last = history.calls.findLast(({ step, outcome, settledAt }) => {
    if (outcome.kind !== 'ok' || settledAt > first.invokedAt || step.kind.endsWith('-trash')) return false
    return 'path' in step && isWithin(step.path, path)
  })
  if (last?.outcome.kind !== 'ok' || !('path' in last.step)) return false
  const isMade = last.step.kind === 'make-directory' || last.step.kind === 'list-page'
  return last.step.path !== path || isMade || last.outcome.answer.kind === 'directory'
}

function beganAt({ calls }: Deed): number {
  return calls[0]?.invokedAt ?? 0
}

function endedAt({ calls }: Deed): number {
  return calls.at(-1)?.settledAt ?? 0
}

export function pathsOf(action: Action): readonly string[] {
  if (action.kind === 'rename' || action.kind === 'copy') return [action.from, action.to]
  if (action.kind === 'concat') return [action.path, ...action.sources]
  return [action.path]
}

function findRivals(deeds: readonly Deed[]): void {
  for (const [index, deed] of deeds.entries()) {
    for (const other of deeds.slice(index + 1)) {
      if (beganAt(other) > endedAt(deed)) continue
      if ((isChange(deed) || isChange(other)) && meets(deed, other)) {
        deed.rivals.push(other)
        other.rivals.push(deed)
      }
    }
  }
}

function isChange({ operation, end }: Deed): boolean {
  return !isReading(operation) && (end === 'done' || end === 'unknown')
}

function meets(a: Deed, b: Deed): boolean {
  return a.paths.some((one) => b.paths.some((other) => isWithin(one, other) || isWithin(other, one)))
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : `${directory}/`)
}
