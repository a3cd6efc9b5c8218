/**
 * Reads that were told `changed`: a reader keeps to the one version that it opened; when that was replaced and is gone
 * before all of it was read, the reader says so. No moment explains such an answer, but two: one at which the path held
 * what was opened, and a later one at which it held something else. So it is judged here and not by the search for an order:
 * somebody must have been able to replace the file between the read's beginning and its end.
 * @module
 */
import type { Call } from '../history.ts'
import { pathsOf } from '../history-parts.ts'
import { isAtOrBelow } from '../model-tree.ts'
import { isReading } from '../steps.ts'
import type { Violation } from './violation.ts'

/** @returns what nobody can have caused, and the calls that one moment must explain each */
export function judgeReplacedReads(calls: readonly Call[]): {
  readonly violations: readonly Violation[]
  readonly others: readonly Call[]
} {
  const [replaced, others] = [calls.filter(isReplacedRead), calls.filter((call) => !isReplacedRead(call))]
  const violations = replaced
    .filter((read) => !others.some((other) => mayReplace(other, read)))
    .map(
      ({ operation, step }): Violation => ({
        oracle: 'order',
        text: `operation ${operation} (read ${(step as { readonly path: string }).path}) was told that the file changed while it was read, and nobody changed it`,
      }),
    )
  return { violations, others }
}

function isReplacedRead({ step, outcome }: Call): boolean {
  return step.kind === 'read' && outcome.kind === 'refused' && outcome.code === 'changed'
}

/** Whether it may have had its effect, on the file or on a directory above it, while the read was under way. */
function mayReplace({ step, outcome, invokedAt, settledAt }: Call, read: Call): boolean {
  if (isReading(step) || outcome.kind === 'void' || outcome.kind === 'refused') return false
  const isBeside = invokedAt < read.settledAt && (outcome.kind === 'unknown' || settledAt > read.invokedAt)
  const { path } = read.step as { readonly path: string }
  return isBeside && (step.kind === 'rollback' || pathsOf(step).some((changed) => isAtOrBelow(path, changed)))
}
