/**
 * What policies say about a request: an explicit deny wins over every allow, and without an allow nothing is allowed.
 * The statement that decided is named, so that a refusal can be explained.
 * @module
 */
import { unreachable } from '../../../../base/assert.ts'
import { type Context, conditionHolds, lookupIn } from './conditions.ts'
import { type Lookup, matchesPattern } from './pattern.ts'
import type { Identity, Matcher, Policy, Principal, Statement } from './policy.ts'

export interface PolicyRequest {
  /** undefined: nobody signed it. */
  readonly identity: Identity | undefined
  /** `s3:GetObject` */
  readonly action: string
  /** `arn:aws:s3:::bucket/key`, the key as stored */
  readonly resource: string
  readonly context: Context
}

export interface PolicyVerdict {
  /** `none`: no statement speaks of it, which is no allow. */
  readonly effect: 'allow' | 'deny' | 'none'
  /** Name of the statement that decided. */
  readonly statement?: string
  readonly policy?: Policy
}

/** The verdict of several policies taken together. */
export function evaluatePolicies(policies: readonly Policy[], request: PolicyRequest): PolicyVerdict {
  let verdict: PolicyVerdict = { effect: 'none' }
  for (const policy of policies) {
    for (const statement of policy.statements) {
      if (statement.effect === 'allow' && verdict.effect === 'allow') continue
      if (!statementApplies(statement, request)) continue
      verdict = { effect: statement.effect, statement: statement.name, policy }
      if (statement.effect === 'deny') return verdict
    }
  }
  return verdict
}

/** Whether the statement speaks of this request. */
function statementApplies(statement: Statement, request: PolicyRequest): boolean {
  const lookup = lookupIn(request.context)
  const action = request.action.toLowerCase()
  return (
    matches(statement.principals, (principal) => isPrincipal(principal, request.identity)) &&
    matches(statement.actions, (pattern) => matchesPattern(pattern, action, lookup)) &&
    matchesResource(statement, request.resource, lookup) &&
    statement.conditions.every((condition) => conditionHolds(condition, request.context))
  )
}

function matchesResource({ resources }: Statement, resource: string, lookup: Lookup): boolean {
  return matches(resources, (pattern) => matchesPattern(pattern, resource, lookup))
}

function matches<Entry>(matcher: Matcher<Entry> | undefined, isMatch: (entry: Entry) => boolean): boolean {
  return matcher === undefined || matcher.entries.some(isMatch) !== matcher.isNot
}

function isPrincipal(principal: Principal, identity: Identity | undefined): boolean {
  switch (principal.kind) {
    case 'everyone':
      return true
    case 'account':
      return identity?.accountId === principal.accountId
    case 'arn':
      return isArnOf(principal.arn, identity)
    case 'canonical':
      return identity?.canonicalId === principal.canonicalId
    case 'foreign':
      return false
    default:
      return unreachable(principal)
  }
}

/** People know names, not ids: `arn:aws:iam:::user/NAME` is the user too. Names are never given twice. */
function isArnOf(arn: string, identity: Identity | undefined): boolean {
  return identity !== undefined && (arn === identity.arn || arn === `arn:aws:iam:::user/${identity.userName}`)
}
