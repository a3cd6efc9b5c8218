/**
 * Policies from JSON, held to IAM's grammar. Whatever is not understood is refused: a field or operator that were skipped
 * could be the one that was to deny.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 * @module
 */
import { S3Error } from '../s3-error.ts'
import { s3Actions } from './actions.ts'
import { type Condition, type ConditionTest, conditionKey } from './conditions.ts'
import { type OperatorName, operators } from './operators.ts'
import { isFixed, matchesPattern, type Pattern, parsePattern } from './pattern.ts'
import type { Matcher, Policy, Principal, Statement } from './policy.ts'

/** What S3 allows a bucket's policy to be. */
export const policyMaxBytes = 20 * 1024

/** Each `?` makes matching a little slower, and there is no use for many. Measured: 4 ms a request at the worst, on a busy core. */
export const policyMaxQuestionMarks = 256

/** Whose policy it is: a bucket's speaks of principals and of that bucket, a user's of neither. */
export type PolicyOwner = { readonly bucket: string } | 'user'

type Json = Readonly<Record<string, unknown>>

const arnPrefix = 'arn:aws:s3:::'
const policyFields = ['Version', 'Id', 'Statement']
const statementFields = 'Sid Effect Principal NotPrincipal Action NotAction Resource NotResource Condition'.split(' ')
const conditionName = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/

/**
 * @param text JSON as the client sent it
 * @throws {S3Error} `MalformedPolicy`, saying which part is not understood
 */
export function parsePolicy(text: string, owner: PolicyOwner): Policy {
  if (Buffer.byteLength(text) > policyMaxBytes) throw malformed(`Policy exceeds ${policyMaxBytes} bytes`)
  if (text.split('?', policyMaxQuestionMarks + 2).length > policyMaxQuestionMarks + 1) {
    throw malformed(`Policy has more than ${policyMaxQuestionMarks} question marks`)
  }
  const document = asObject(parseJson(text), 'The policy')
  refuseOthers(document, policyFields)
  const { Version: version, Id: id, Statement: list } = document
  if (version !== undefined && version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed('The policy must contain a valid version string')
  }
  if (id !== undefined && typeof id !== 'string') throw malformed('Id must be a string')
  const statements = Array.isArray(list) ? list : [list]
  if (list === undefined || statements.length === 0) throw malformed('Missing required field Statement')
  const isVersion2012 = version === '2012-10-17'
  const parsed = statements.map((one, index) =>
    parseStatement(asObject(one, 'A statement'), { index, owner, isVersion2012 }),
  )
  const names = parsed.map(({ name }) => name)
  if (new Set(names).size !== names.length) throw malformed('Statement IDs (SID) in a single policy must be unique.')
  return { id, statements: parsed }
}

interface Scope {
  readonly index: number
  readonly owner: PolicyOwner
  readonly isVersion2012: boolean
}

function parseStatement(json: Json, scope: Scope): Statement {
  refuseOthers(json, statementFields)
  const { Sid: sid, Effect: effect } = json
  if (effect !== 'Allow' && effect !== 'Deny') throw malformed('Effect must be Allow or Deny')
  if (sid !== undefined && typeof sid !== 'string') throw malformed('Sid must be a string')
  return {
    name: sid === undefined || sid === '' ? `statement ${scope.index + 1}` : sid,
    effect: effect === 'Allow' ? 'allow' : 'deny',
    principals: parsePrincipals(json, scope),
    actions: parseMatcher(json, 'Action', (text) => parseAction(text)),
    resources: parseMatcher(json, 'Resource', (text) => parseResource(text, scope)),
    conditions: parseConditions(json['Condition'], scope),
  }
}

function parseMatcher(json: Json, field: 'Action' | 'Resource', parse: (text: string) => Pattern): Matcher<Pattern> {
  const { [field]: plain, [`Not${field}`]: negated } = json
  if (plain !== undefined && negated !== undefined) throw malformed(`Statement has both ${field} and Not${field}`)
  const value = plain ?? negated
  if (value === undefined) throw malformed(`Missing required field ${field}`)
  return { isNot: negated !== undefined, entries: strings(value, field).map(parse) }
}

/** Actions are compared in lower case, as IAM does. */
function parseAction(text: string): Pattern {
  const pattern = parsePattern(text.toLowerCase(), false)
  const isKnown = /^[\w:*?]+$/.test(text) && s3Actions.some((action) => matchesPattern(pattern, action.toLowerCase()))
  if (!isKnown) throw malformed('Policy has invalid action')
  return pattern
}

function parseResource(text: string, { owner, isVersion2012 }: Scope): Pattern {
  const pattern = parsePattern(text, isVersion2012)
  if (text === '*') return pattern
  if (!text.startsWith(arnPrefix) || text === arnPrefix) throw malformed('Policy has invalid resource')
  if (owner !== 'user') {
    const bucketPart = text.slice(arnPrefix.length).split('/', 1)[0] ?? ''
    if (!matchesPattern(parsePattern(bucketPart, false), owner.bucket)) throw malformed('Policy has invalid resource')
  }
  return pattern
}

function parsePrincipals(json: Json, { owner }: Scope): Matcher<Principal> | undefined {
  const { Principal: plain, NotPrincipal: negated, Effect: effect } = json
  const value = plain ?? negated
  if (owner === 'user') {
    if (value !== undefined) throw malformed('A policy of a user cannot name a Principal')
    return undefined
  }
  if (plain !== undefined && negated !== undefined) throw malformed('Statement has both Principal and NotPrincipal')
  if (value === undefined) throw malformed('Missing required field Principal')
  // It would allow everybody on earth but one.
  if (negated !== undefined && effect === 'Allow') throw malformed('Allow with NotPrincipal is not allowed')
  const entries = value === '*' ? [{ kind: 'everyone' } as const] : principalsOf(asObject(value, 'Principal'))
  return { isNot: negated !== undefined, entries }
}

function principalsOf(json: Json): Principal[] {
  const principals = Object.entries(json).flatMap(([kind, value]) =>
    strings(value, 'Principal').map((text) => parsePrincipal(kind, text)),
  )
  if (principals.length === 0) throw malformed('Invalid principal in policy')
  return principals
}

function parsePrincipal(kind: string, text: string): Principal {
  switch (kind) {
    case 'AWS': {
      if (text === '*') return { kind: 'everyone' }
      if (/^\d{12}$/.test(text)) return { kind: 'account', accountId: text }
      const [, accountId, resource] = /^arn:aws:(?:iam|sts)::([^:*?]*):([^*?]+)$/.exec(text) ?? []
      if (accountId === undefined || resource === undefined || (accountId === '' && resource === 'root')) {
        throw malformed('Invalid principal in policy')
      }
      return resource === 'root' ? { kind: 'account', accountId } : { kind: 'arn', arn: text }
    }
    case 'CanonicalUser':
      return { kind: 'canonical', canonicalId: text }
    case 'Service':
    case 'Federated':
      return { kind: 'foreign', name: text }
    default:
      throw malformed('Invalid principal in policy')
  }
}

function parseConditions(value: unknown, scope: Scope): Condition[] {
  if (value === undefined) return []
  return Object.entries(asObject(value, 'Condition')).flatMap(([operator, keys]) =>
    Object.entries(asObject(keys, operator)).map(([key, wanted]) => {
      if (!/^[A-Za-z0-9]+:.+$/.test(key)) throw malformed('Policy has an invalid condition key')
      return { key: conditionKey(key), test: parseTest(operator, scalars(wanted), scope) }
    }),
  )
}

function parseTest(name: string, values: readonly string[], { isVersion2012 }: Scope): ConditionTest {
  const [, quantifier, operator = '', ifExists] = conditionName.exec(name) ?? []
  if (operator === 'Null' && quantifier === undefined && ifExists === undefined) {
    const [value] = values
    if (values.length !== 1 || (value !== 'true' && value !== 'false')) throw invalidValue(name)
    return { kind: 'null', isAbsent: value === 'true' }
  }
  if (!Object.hasOwn(operators, operator)) throw malformed(`Invalid Condition type : ${name}`)
  const alternatives = values.map((value) => {
    const compare = operators[operator as OperatorName].compare(value, isVersion2012)
    if (compare === undefined) throw invalidValue(name)
    return compare
  })
  return {
    kind: 'compare',
    operator: operator as OperatorName,
    quantifier: quantifier === undefined ? undefined : quantifier === 'ForAllValues' ? 'all' : 'any',
    ifExists: ifExists !== undefined,
    alternatives,
    values,
    isFixed: values.every((value) => isFixed(parsePattern(value))),
  }
}

function invalidValue(operator: string): S3Error {
  return malformed(`Policy has an invalid value for the condition ${operator}`)
}

function strings(value: unknown, field: string): string[] {
  const list = Array.isArray(value) ? value : [value]
  if (list.length === 0 || !list.every((item) => typeof item === 'string' && item !== '')) {
    throw malformed(`${field} must be a string, or strings`)
  }
  return list
}

/** IAM takes numbers and booleans for their text. */
function scalars(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw malformed('A condition has no value')
  return list.map((item) => {
    if (typeof item === 'string' || typeof item === 'boolean' || typeof item === 'number') return String(item)
    throw malformed('A condition value must be a string, a number or a boolean')
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new S3Error('MalformedPolicy', "Policies must be valid JSON and the first byte must be '{'", { cause })
  }
}

function asObject(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json
  throw malformed(`${what} must be an object`)
}

function refuseOthers(json: Json, known: readonly string[]): void {
  const other = Object.keys(json).find((field) => !known.includes(field))
  if (other !== undefined) throw malformed(`Unknown field ${other.slice(0, 64)}`)
}

function malformed(message: string): S3Error {
  return new S3Error('MalformedPolicy', message)
}
