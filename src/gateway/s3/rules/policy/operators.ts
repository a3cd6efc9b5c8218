/**
 * The comparisons of conditions. Each operator turns a value of a policy into a comparison once, when the policy is
 * parsed, and so refuses a value that it cannot compare with; a value of a request that is of another kind does not match.
 * @module
 */
import { parseIsoTime } from '../timestamps.ts'
import { contains, parseIpRange } from './ip-range.ts'
import { type Lookup, matchesPattern, parsePattern, textOf } from './pattern.ts'

/** Whether a value of the request matches the value of the policy that this was made from. */
export type Compare = (value: string, lookup: Lookup) => boolean

interface Operator {
  /** Holds when none of the policy's values matches. */
  readonly isNegated: boolean
  /** @returns undefined: the operator cannot compare with such a value */
  readonly compare: (policyValue: string, isVersion2012: boolean) => Compare | undefined
}

type Negatable = 'StringEquals' | 'StringEqualsIgnoreCase' | 'StringLike' | 'NumericEquals' | 'DateEquals' | 'IpAddress'
type Arn = 'ArnEquals' | 'ArnLike'
type Ordered = `${'Numeric' | 'Date'}${'LessThan' | 'GreaterThan'}${'' | 'Equals'}`
type Negated = 'StringNotEquals' | 'StringNotEqualsIgnoreCase' | 'StringNotLike' | 'NumericNotEquals' | 'DateNotEquals'
export type OperatorName =
  | Negatable
  | Negated
  | Ordered
  | Arn
  | 'NotIpAddress'
  | 'ArnNotEquals'
  | 'ArnNotLike'
  | 'Bool'
  | 'BinaryEquals'

const is = (compare: Operator['compare']): Operator => ({ isNegated: false, compare })
const isNot = (compare: Operator['compare']): Operator => ({ isNegated: true, compare })
const numeric = (holds: (value: number, limit: number) => boolean) => ordered(numberOf, holds)
const date = (holds: (value: number, limit: number) => boolean) => ordered(timeOf, holds)
const equal = (value: number, limit: number) => value === limit
const less = (value: number, limit: number) => value < limit
const atMost = (value: number, limit: number) => value <= limit
const greater = (value: number, limit: number) => value > limit
const atLeast = (value: number, limit: number) => value >= limit

export const operators: Readonly<Record<OperatorName, Operator>> = {
  StringEquals: is(stringEquals),
  StringNotEquals: isNot(stringEquals),
  StringEqualsIgnoreCase: is(stringEqualsIgnoreCase),
  StringNotEqualsIgnoreCase: isNot(stringEqualsIgnoreCase),
  StringLike: is(stringLike),
  StringNotLike: isNot(stringLike),
  NumericEquals: is(numeric(equal)),
  NumericNotEquals: isNot(numeric(equal)),
  NumericLessThan: is(numeric(less)),
  NumericLessThanEquals: is(numeric(atMost)),
  NumericGreaterThan: is(numeric(greater)),
  NumericGreaterThanEquals: is(numeric(atLeast)),
  DateEquals: is(date(equal)),
  DateNotEquals: isNot(date(equal)),
  DateLessThan: is(date(less)),
  DateLessThanEquals: is(date(atMost)),
  DateGreaterThan: is(date(greater)),
  DateGreaterThanEquals: is(date(atLeast)),
  Bool: is(bool),
  BinaryEquals: is(binaryEquals),
  IpAddress: is(ipAddress),
  NotIpAddress: isNot(ipAddress),
  ArnEquals: is(arnLike),
  ArnNotEquals: isNot(arnLike),
  ArnLike: is(arnLike),
  ArnNotLike: isNot(arnLike),
}

function stringEquals(policyValue: string, isVersion2012: boolean): Compare {
  const pattern = parsePattern(policyValue, isVersion2012)
  return (value, lookup) => textOf(pattern, lookup) === value
}

function stringEqualsIgnoreCase(policyValue: string, isVersion2012: boolean): Compare {
  const pattern = parsePattern(policyValue, isVersion2012)
  return (value, lookup) => textOf(pattern, lookup)?.toLowerCase() === value.toLowerCase()
}

function stringLike(policyValue: string, isVersion2012: boolean): Compare {
  const pattern = parsePattern(policyValue, isVersion2012)
  return (value, lookup) => matchesPattern(pattern, value, lookup)
}

function ordered(
  read: (text: string) => number | undefined,
  holds: (value: number, limit: number) => boolean,
): Operator['compare'] {
  return (policyValue) => {
    const limit = read(policyValue)
    if (limit === undefined) return undefined
    return (text) => {
      const value = read(text)
      return value !== undefined && holds(value, limit)
    }
  }
}

function numberOf(text: string): number | undefined {
  return /^[+-]?\d{1,15}(?:\.\d{1,15})?$/.test(text) ? Number(text) : undefined
}

/** ISO 8601, or seconds since 1970. */
function timeOf(text: string): number | undefined {
  return /^\d{1,11}$/.test(text) && text.length !== 4 ? Number(text) * 1000 : parseIsoTime(text)
}

function bool(policyValue: string): Compare | undefined {
  const wanted = policyValue.toLowerCase()
  if (wanted !== 'true' && wanted !== 'false') return undefined
  return (value) => value.toLowerCase() === wanted
}

function binaryEquals(policyValue: string): Compare | undefined {
  const wanted = Buffer.from(policyValue, 'base64')
  if (wanted.toString('base64') !== policyValue) return undefined
  return (value) => Buffer.from(value, 'base64').equals(wanted)
}

function ipAddress(policyValue: string): Compare | undefined {
  const range = parseIpRange(policyValue)
  if (range === undefined) return undefined
  return (value) => {
    const address = parseIpRange(value)
    return address !== undefined && contains(range, address)
  }
}

/** Each of the six parts by itself, so that a `*` does not reach over a colon; the last part holds any colons. */
function arnLike(policyValue: string, isVersion2012: boolean): Compare | undefined {
  const parts = arnParts(policyValue)
  if (parts === undefined) return undefined
  const patterns = parts.map((part) => parsePattern(part, isVersion2012))
  return (value, lookup) => {
    const valueParts = arnParts(value)
    return (
      valueParts !== undefined && patterns.every((pattern, at) => matchesPattern(pattern, valueParts[at] ?? '', lookup))
    )
  }
}

function arnParts(text: string): string[] | undefined {
  const parts = ['']
  // A variable has a colon in its name.
  for (const piece of text.split(/(\$\{[^}]*\}|:)/)) {
    if (piece === ':' && parts.length < 6) parts.push('')
    else parts[parts.length - 1] += piece
  }
  return parts.length < 6 ? undefined : parts
}
