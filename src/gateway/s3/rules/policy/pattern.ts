/**
 * Patterns of policies: `*` is any run of characters, `?` any one, `${name}` a fact of the request.
 *
 * What a variable brings in is literal: a user called `*` matches only `*`. Matching takes at most
 * pattern length × text length steps, whatever an attacker sends (no regular expression is built from a policy).
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
 * @module
 */

interface Variable {
  readonly variable: string
  readonly otherwise: string | undefined
}
type Wild = '*' | '?'
interface Wildcard {
  readonly wild: Wild
}
/** A string stands for itself. */
type Part = string | Wildcard | Variable

export interface Pattern {
  readonly parts: readonly Part[]
  /** What to match with, where that is the same for every request. */
  readonly units: readonly number[] | undefined
}

/** One value of a fact of the request; undefined when it has none, or several. */
export type Lookup = (name: string) => string | undefined

const anyRun = -1
const anyOne = -2
const piece = /\$\{([^}]*)\}|[*?]/g
const variableForm = /^([^,]+?)\s*(?:,\s*'([^']*)')?$/

/** @param isVersion2012 before it, `${` stands for itself */
export function parsePattern(text: string, isVersion2012 = true): Pattern {
  const parts: Part[] = []
  let from = 0
  for (const match of text.matchAll(piece)) {
    const [whole, inner] = match
    if (inner !== undefined && !isVersion2012) continue
    if (match.index > from) parts.push(text.slice(from, match.index))
    from = match.index + whole.length
    parts.push(inner === undefined ? { wild: whole as Wild } : variable(inner))
  }
  if (from < text.length) parts.push(text.slice(from))
  const isVariable = parts.some((part) => typeof part !== 'string' && 'variable' in part)
  return { parts, units: isVariable ? undefined : unitsOf(parts, () => undefined) }
}

/** `${*}`, `${?}` and `${$}` are the characters themselves. */
function variable(inner: string): string | Variable {
  if (inner === '*' || inner === '?' || inner === '$') return inner
  const [, name = inner, otherwise] = variableForm.exec(inner) ?? []
  return { variable: name.trim(), otherwise }
}

/** Whether the pattern says the same for every request and stands for one text only. */
export function isFixed({ parts }: Pattern): boolean {
  return parts.every((part) => typeof part === 'string')
}

/** Whether `text` matches; never when the pattern names a variable that the request does not have. */
export function matchesPattern(pattern: Pattern, text: string, lookup: Lookup = () => undefined): boolean {
  const units = pattern.units ?? unitsOf(pattern.parts, lookup)
  return units !== undefined && matchesUnits(units, text)
}

/** The text of a pattern in which `*` and `?` stand for themselves; undefined when it names a missing variable. */
export function textOf({ parts }: Pattern, lookup: Lookup): string | undefined {
  let text = ''
  for (const part of parts) {
    const value = typeof part === 'string' ? part : 'wild' in part ? part.wild : expansionOf(part, lookup)
    if (value === undefined) return undefined
    text += value
  }
  return text
}

function expansionOf({ variable, otherwise }: Variable, lookup: Lookup): string | undefined {
  return lookup(variable) ?? otherwise
}

function unitsOf(parts: readonly Part[], lookup: Lookup): number[] | undefined {
  const units: number[] = []
  for (const part of parts) {
    if (typeof part !== 'string' && 'wild' in part) {
      units.push(part.wild === '*' ? anyRun : anyOne)
      continue
    }
    const value = typeof part === 'string' ? part : expansionOf(part, lookup)
    if (value === undefined) return undefined
    for (let at = 0; at < value.length; at++) units.push(value.charCodeAt(at))
  }
  return units
}

/** Takes each `*` as short as it can be, and goes back only to the last one. */
function matchesUnits(units: readonly number[], text: string): boolean {
  let unit = 0
  let at = 0
  let lastRun = -1
  let runEnd = 0
  while (at < text.length) {
    const wanted = units[unit]
    if (wanted === anyRun) {
      lastRun = unit
      runEnd = at
      unit += 1
    } else if (wanted === anyOne || wanted === text.charCodeAt(at)) {
      unit += 1
      at += 1
    } else if (lastRun !== -1) {
      unit = lastRun + 1
      runEnd += 1
      at = runEnd
    } else return false
  }
  while (units[unit] === anyRun) unit += 1
  return unit === units.length
}
