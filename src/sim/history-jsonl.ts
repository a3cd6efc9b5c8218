/**
 * The history of single files as lines of JSON, for a checker that is not ours (`tools/porcupine`): only files that
 * nothing but single-file operations touch, each of which can be judged alone. Of a run that lost the master's disk there are none:
 * that checker's model knows nothing of what such a loss may undo.
 * @module
 */
import type { Call, History } from './history.ts'
import { keysDirectory } from './swarm-operations.ts'

/** One call on one file. */
interface Line {
  readonly key: string
  readonly client: number
  readonly operation: number
  readonly kind: string
  /** Places in one order of all beginnings and ends; `end` −1: it never ended, and may take effect at any time. */
  readonly begin: number
  readonly end: number
  /** Of what was written or appended; see contents.ts. */
  readonly seed?: number
  readonly length?: number
  readonly ifAbsent?: boolean
  readonly ifVersion?: number
  readonly expectedLength?: number
  /** `ok`, `unknown`, or the code of a refusal. */
  readonly result: string
  /** Of what was read, or made. */
  readonly digest?: string
  readonly size?: number
  readonly version?: number
}

/** @param prefix of every key: tells the files of several runs apart */
export function historyLines({ calls }: History, prefix = ''): readonly string[] {
  if (calls.some(({ step }) => step.kind === 'rollback')) return []
  // The last reader brings files back from trash, which this history knows nothing of.
  const broughtBack = new Set<string>()
  return calls.flatMap((call) => {
    if (call.step.kind === 'undelete') broughtBack.add(call.step.path)
    if ('path' in call.step && broughtBack.has(call.step.path)) return []
    const line = lineOf(call)
    return line === undefined ? [] : [JSON.stringify({ ...line, key: `${prefix}${line.key}` })]
  })
}

function lineOf({ step, client, operation, invokedAt, settledAt, outcome }: Call): Line | undefined {
  if (!('path' in step) || !step.path.startsWith(`${keysDirectory}/`)) return undefined
  if (!['write', 'append', 'read', 'stat', 'remove'].includes(step.kind)) return undefined
  if (outcome.kind === 'void' || (outcome.kind === 'unknown' && step.kind === 'read')) return undefined
  const written = 'content' in step ? step.content : undefined
  const { digest, size, version } = outcome.kind === 'ok' ? outcome.answer : {}
  return {
    key: step.path,
    client,
    operation,
    kind: step.kind,
    begin: invokedAt,
    end: Number.isFinite(settledAt) && outcome.kind !== 'unknown' ? settledAt : -1,
    ...(written === undefined ? {} : { seed: written.seed, length: written.length }),
    ...('ifAbsent' in step && step.ifAbsent === true ? { ifAbsent: true } : {}),
    ...('ifVersion' in step && step.ifVersion !== undefined ? { ifVersion: step.ifVersion } : {}),
    ...('expectedLength' in step && step.expectedLength !== undefined ? { expectedLength: step.expectedLength } : {}),
    result: outcome.kind === 'refused' ? outcome.code : outcome.kind,
    ...(digest === undefined ? {} : { digest }),
    ...(size === undefined ? {} : { size }),
    ...(version === undefined ? {} : { version }),
  }
}
