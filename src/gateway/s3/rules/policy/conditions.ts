/**
 * Conditions of a statement: an operator, a key of the request's context, and the values to compare with.
 *
 * A key that the request lacks fails a positive operator and holds for a negated one (`StringNotEquals`), as in IAM;
 * `…IfExists` then holds either way. Several values of a policy are alternatives; several of a request need
 * `ForAllValues` or `ForAnyValue` (without them: any for a positive operator, all for a negated one).
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * @module
 */

import { type Compare, type OperatorName, operators } from './operators.ts'
import type { Lookup } from './pattern.ts'

/** The facts of a request by key, each with its values. Keys as `conditionKey` gives them. */
export type Context = ReadonlyMap<string, readonly string[]>

export interface Condition {
  /** As `conditionKey` gives it. */
  readonly key: string
  readonly test: ConditionTest
}

export type ConditionTest =
  | { readonly kind: 'null'; readonly isAbsent: boolean }
  | {
      readonly kind: 'compare'
      readonly operator: OperatorName
      readonly quantifier: 'all' | 'any' | undefined
      readonly ifExists: boolean
      /** One for each value of the policy. */
      readonly alternatives: readonly Compare[]
      /** The values as written, and whether none has a wildcard or variable. */
      readonly values: readonly string[]
      readonly isFixed: boolean
    }

/** The form in which keys are compared: names in lower case, what follows a slash (the key of a tag) as it is. */
export function conditionKey(name: string): string {
  const slash = name.indexOf('/')
  return slash === -1 ? name.toLowerCase() : name.slice(0, slash).toLowerCase() + name.slice(slash)
}

/** Whether the condition holds for a request with these facts. */
export function conditionHolds({ key, test }: Condition, context: Context): boolean {
  const values = context.get(key)
  if (test.kind === 'null') return test.isAbsent === (values === undefined)
  const { isNegated } = operators[test.operator]
  if (values === undefined)
    return test.ifExists || (test.quantifier === undefined ? isNegated : test.quantifier === 'all')
  const lookup = lookupIn(context)
  const passes = (value: string) => test.alternatives.some((compare) => compare(value, lookup)) !== isNegated
  const isForAll = test.quantifier === undefined ? isNegated : test.quantifier === 'all'
  return isForAll ? values.every(passes) : values.some(passes)
}

/** Policy variables: the keys that have one value. */
export function lookupIn(context: Context): Lookup {
  return (name) => {
    const values = context.get(conditionKey(name))
    return values?.length === 1 ? values[0] : undefined
  }
}
