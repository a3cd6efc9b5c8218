/**
 * From conditions of a request to a precondition of the store, which holds it in the transaction that writes.
 * @module
 */
import { isAshlarError } from '../../../base/errors.ts'
import { checkWrite, type WriteConditions } from '../rules/conditions.ts'
import { S3Error } from '../rules/s3-error.ts'
import type { ObjectInfo } from './object-record.ts'
import { conditionTarget } from './objects.ts'

export interface WritePrecondition {
  readonly ifAbsent?: boolean
  readonly ifVersion?: number
}

/**
 * @param find what is there now; asked only where there is a condition
 * @throws {S3Error} `PreconditionFailed`, `NoSuchKey`
 */
export async function writePrecondition(
  conditions: WriteConditions,
  find: () => Promise<ObjectInfo | undefined>,
): Promise<WritePrecondition> {
  if (conditions.ifMatch === undefined && conditions.ifNoneMatch === undefined) return {}
  const current = await find()
  checkWrite(conditions, current === undefined ? undefined : conditionTarget(current))
  return current === undefined ? { ifAbsent: true } : { ifVersion: current.stats.version }
}

/** What the store refused in the end, as the condition that did not hold. */
export function conditionFailure(error: unknown, { ifAbsent, ifVersion }: WritePrecondition): unknown {
  const isLost =
    (ifAbsent === true && isAshlarError(error, 'already-exists', 'is-a-directory')) ||
    (ifVersion !== undefined && isAshlarError(error, 'changed', 'not-found'))
  if (!isLost) return error
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    cause: error,
    details: { Condition: ifAbsent === true ? 'If-None-Match' : 'If-Match' },
  })
}
