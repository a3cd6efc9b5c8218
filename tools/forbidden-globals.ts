/**
 * Finds uses of the clock, timers, randomness, network and process by name, where only `Env` may give them.
 * It works on names, not on scopes: a local variable called `process` is reported too, and better renamed.
 * @module
 */
import { isProperty, type Token } from './tokens.ts'

/** Names that reach the operating system by themselves. */
const globals = new Map<string, string>([
  ...['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate'].map(
    (name) => [name, 'take timers from Env.clock'] as const,
  ),
  ...['performance', 'Temporal'].map((name) => [name, 'take time from Env.clock'] as const),
  ...['WeakRef', 'FinalizationRegistry'].map((name) => [name, 'the garbage collector decides nothing here'] as const),
  ...['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'].map((name) => [name, 'take it from Env.network'] as const),
  ...['globalThis', 'global', 'require', 'eval'].map((name) => [name, 'the check cannot see what it reaches'] as const),
  ['console', 'write to Env.log; only cli prints'],
  ['process', 'only cli reads, prints and exits; ask Env for the rest'],
])

/** Common words: a file that declares such a name itself means its own. */
const commonWords = new Set(['fetch', 'require', 'global', 'performance'])
const declaring = new Set(['const', 'let', 'function', 'class'])

/** Functions of `node:crypto` and its likes that make randomness, whatever object they are called on. */
const randomness = new Set(
  'randomBytes randomUUID randomUUIDv7 randomInt randomFill randomFillSync getRandomValues webcrypto pseudoRandomBytes'.split(
    ' ',
  ),
)

/** Members of otherwise harmless objects. */
const members: Readonly<Record<string, readonly string[]>> = {
  Math: ['random'],
  AbortSignal: ['timeout'],
  Atomics: ['wait', 'waitAsync'],
  Date: ['now'],
}

/** What `src/env` may not touch either. */
const cliOnly = new Set(['env', 'argv', 'execArgv', 'exit', 'exitCode', 'stdout', 'stderr', 'stdin'])

export interface Finding {
  readonly line: number
  readonly why: string
}

export function forbiddenGlobals(
  tokens: readonly Token[],
  { isSystem, isCli }: { readonly isSystem: boolean; readonly isCli: boolean },
): Finding[] {
  if (isCli) return []
  const findings: Finding[] = []
  const declared = new Set(
    tokens.filter((_, index) => declaring.has(tokens[index - 1]?.text ?? '')).map(({ text }) => text),
  )
  for (const [index, { kind, text, line }] of tokens.entries()) {
    if (kind !== 'word' || (commonWords.has(text) && declared.has(text))) continue
    const why = isSystem ? reasonInEnv(tokens, index) : reasonElsewhere(tokens, index)
    if (why !== undefined) findings.push({ line, why: `${text}: ${why}` })
  }
  return findings
}

function reasonInEnv(tokens: readonly Token[], index: number): string | undefined {
  const { text } = tokens[index] as Token
  if (text === 'console' && isGlobal(tokens, index)) return 'only cli prints'
  if (text !== 'process' || !isGlobal(tokens, index)) return undefined
  if (tokens[index - 1]?.text === '=') return 'write process.member, so that the check sees which'
  const member = memberAfter(tokens, index)
  return member !== undefined && cliOnly.has(member) ? `only cli uses process.${member}` : undefined
}

function reasonElsewhere(tokens: readonly Token[], index: number): string | undefined {
  const { text } = tokens[index] as Token
  if (randomness.has(text)) return 'take randomness from Env.random'
  if (!isGlobal(tokens, index)) return undefined
  if (text === 'Date') return reasonAgainstDate(tokens, index)
  const forbidden = members[text]
  if (forbidden !== undefined) {
    const member = memberAfter(tokens, index)
    if (member === undefined && tokens[index - 1]?.text === '=') return 'write the member that you use'
    if (tokens[index + 1]?.text === '[') return 'write the member that you use'
    return member !== undefined && forbidden.includes(member) ? `.${member} is for Env alone` : undefined
  }
  return globals.get(text)
}

/** `new Date(value)`, `Date.UTC`, `Date.parse` and the type `Date` only convert; everything else reads the clock. */
function reasonAgainstDate(tokens: readonly Token[], index: number): string | undefined {
  const before = tokens[index - 1]?.text ?? ''
  const after = tokens[index + 1]?.text ?? ''
  const why = 'the clock is Env.clock'
  if (after === '.' || after === '?.')
    return ['UTC', 'parse'].includes(memberAfter(tokens, index) ?? '') ? undefined : why
  if (before === 'new') return after === '(' && tokens[index + 2]?.text !== ')' ? undefined : why
  return [':', '|', '<', 'instanceof', 'as', 'satisfies'].includes(before) && after !== '(' ? undefined : why
}

function memberAfter(tokens: readonly Token[], index: number): string | undefined {
  const mark = tokens[index + 1]
  return mark?.kind === 'mark' && (mark.text === '.' || mark.text === '?.') ? tokens[index + 2]?.text : undefined
}

/** Not a property (`a.fetch`), nor the key or the declaration of one (`fetch: …`, `fetch?: …`). */
function isGlobal(tokens: readonly Token[], index: number): boolean {
  if (isProperty(tokens, index)) return false
  const before = tokens[index - 1]?.text
  const after = tokens[index + 1]?.text
  const isKey =
    (after === ':' || (after === '?' && tokens[index + 2]?.text === ':')) && before !== '?' && before !== 'case'
  return !isKey
}
