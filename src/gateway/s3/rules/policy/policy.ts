/**
 * A policy in the shape in which it is evaluated: parsed and checked once, by `parse-policy.ts`. A bucket's policy says
 * who may do what with the bucket (`Principal`); a user's policy says what this user may do.
 * @module
 */
import type { Condition } from './conditions.ts'
import type { Pattern } from './pattern.ts'

export interface Policy {
  readonly id: string | undefined
  readonly statements: readonly Statement[]
}

export interface Statement {
  /** Its `Sid`, or `statement 2` for the second of those without. */
  readonly name: string
  readonly effect: 'allow' | 'deny'
  /** Absent in a user's policy: it is about that user. */
  readonly principals: Matcher<Principal> | undefined
  readonly actions: Matcher<Pattern>
  readonly resources: Matcher<Pattern>
  /** All must hold. */
  readonly conditions: readonly Condition[]
}

/** One of `entries` must match; with `isNot` (NotAction and its likes), none may. */
export interface Matcher<Entry> {
  readonly isNot: boolean
  readonly entries: readonly Entry[]
}

export type Principal =
  | { readonly kind: 'everyone' }
  /** An ARN of one user. */
  | { readonly kind: 'arn'; readonly arn: string }
  /** An account: by its number, or the ARN of its root. */
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'canonical'; readonly canonicalId: string }
  /** A service or federation: nobody who comes to this door. */
  | { readonly kind: 'foreign'; readonly name: string }

/** Who sends a request, if it is signed. */
export interface Identity {
  readonly accountId: string
  readonly userName: string
  /** `arn:aws:iam::ACCOUNT:user/NAME` */
  readonly arn: string
  /** The id that owns buckets and objects, in ACLs. */
  readonly canonicalId: string
}
