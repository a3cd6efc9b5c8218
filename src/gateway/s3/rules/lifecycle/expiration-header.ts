/** What the answers about an object say of its end. @module */
import type { LifecycleRule, LifecycleSubject } from '../../../../base/lifecycle-rule.ts'
import { objectExpiry } from '../../../../base/lifecycle-steps.ts'
import { formatHttpDate } from '../timestamps.ts'

/**
 * The `x-amz-expiration` of an object: when its current version goes, and by which rule. Always in real days.
 * @returns undefined: no rule removes it
 */
export function expirationHeader(
  rules: readonly LifecycleRule[],
  object: LifecycleSubject & { readonly lastModifiedMs: number },
): string | undefined {
  const first = objectExpiry(rules, object)
  if (first === undefined) return undefined
  return `expiry-date="${formatHttpDate(first.expiresMs)}", rule-id="${encodeURIComponent(first.rule.id)}"`
}
