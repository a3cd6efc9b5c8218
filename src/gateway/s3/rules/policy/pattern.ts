/**
 * Patterns of policies: `*` is any run of characters, `?` any one, `${name}` a fact of the request.
 *
 * What a variable brings in is literal: a user called `*` matches only `*`. Nothing is tried twice, and texts are compared
 * and searched natively, so that no policy or key can make matching slow (no regular expression is built from a policy).
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
  readonly segments: readonly Segment[] | undefined
}

/** What stands between two `*`: texts with a `?` between each two. */
type Segment = readonly string[]

/** One value of a fact of the request; undefined when it has none, or several. */
export type Lookup = (name: string) => string | undefined

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
  return { parts, segments: isVariable ? undefined : segmentsOf(parts, () => undefined) }
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
  const segments = pattern.segments ?? segmentsOf(pattern.parts, lookup)
  return segments !== undefined && matchesSegments(segments, text)
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

function segmentsOf(parts: readonly Part[], lookup: Lookup): readonly Segment[] | undefined {
  let texts = ['']
  const segments = [texts]
  for (const part of parts) {
    if (typeof part !== 'string' && 'wild' in part) {
      if (part.wild === '?') texts.push('')
      else {
        texts = ['']
        segments.push(texts)
      }
      continue
    }
    const value = typeof part === 'string' ? part : expansionOf(part, lookup)
    if (value === undefined) return undefined
    texts.push(`${texts.pop()}${value}`)
  }
  return segments
}

/** The first and the last segment stand at the ends; each other one is taken where it comes first. */
function matchesSegments(segments: readonly Segment[], text: string): boolean {
  const first = segments[0] as Segment
  const last = segments.at(-1) as Segment
  const end = text.length - lengthOf(last)
  if (segments.length === 1) return end === 0 && standsAt(first, text, 0)
  let at = lengthOf(first)
  if (at > end || !standsAt(first, text, 0) || !standsAt(last, text, end)) return false
  for (let index = 1; index < segments.length - 1; index++) {
    const segment = segments[index] as Segment
    at = find(segment, text, at)
    if (at === -1) return false
    at += lengthOf(segment)
  }
  return at <= end
}

function lengthOf(segment: Segment): number {
  return segment.reduce((length, text) => length + text.length, segment.length - 1)
}

function standsAt(segment: Segment, text: string, at: number): boolean {
  let position = at
  for (const piece of segment) {
    if (position > text.length || !text.startsWith(piece, position)) return false
    position += piece.length + 1
  }
  return true
}

/** Where the segment first stands from `from` on; -1 where it does not. */
function find(segment: Segment, text: string, from: number): number {
  const head = segment[0] as string
  const lastStart = text.length - lengthOf(segment)
  for (let at = text.indexOf(head, from); at !== -1 && at <= lastStart; at = text.indexOf(head, at + 1)) {
    if (standsAt(segment, text, at)) return at
  }
  return -1
}
