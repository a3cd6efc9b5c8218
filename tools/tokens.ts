/**
 * TypeScript source as a flat list of tokens, and the imports found in it: enough for checks that must see
 * type-only imports too (which type stripping erases) and must not be fooled by comments, strings and regular
 * expressions. It is no parser: it knows nothing of scopes and types.
 * @module
 */

export interface Token {
  readonly kind: 'word' | 'mark' | 'string' | 'template' | 'regex' | 'number'
  /** For a string its content, for a template the text without its expressions, else the characters themselves. */
  readonly text: string
  /** Counted from 1. */
  readonly line: number
}

export interface Import {
  /** As written; undefined when it is computed, so that nobody can tell what it loads. */
  readonly target: string | undefined
  readonly isTypeOnly: boolean
  readonly line: number
}

const wordPattern = /[\p{ID_Start}_$#@][\p{ID_Continue}$\u200c\u200d]*/uy
const numberPattern = /\d[\w.]*/y
const markPattern = /\?\.(?!\d)|=>|\.\.\.|\*\*|\+\+|--|[^\s]/uy
/** A class may hold an unescaped slash; a literal never spans lines. */
const regexPattern = /\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y
/** After these words a slash begins a regular expression, not a division. */
const wordsBeforeRegex = new Set(['return', 'typeof', 'case', 'in', 'of', 'delete', 'void', 'throw', 'await', 'yield'])

/** Splits `source` into tokens; comments and white space are dropped, expressions inside templates are kept. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  /** One entry per template that is open around the current place: the depth of braces within its expression. */
  const openTemplates: number[] = []
  let at = source.startsWith('#!') ? source.indexOf('\n') : 0
  let line = 1

  function push(kind: Token['kind'], text: string, endsAt: number): void {
    tokens.push({ kind, text, line })
    for (; at < endsAt; at++) if (source[at] === '\n') line++
  }

  function skipTo(end: number): void {
    for (const stop = end < 0 ? source.length : end; at < stop; at++) if (source[at] === '\n') line++
  }

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0]
  }

  /** Reads a template's text from `from` up to its end, or to the next expression. */
  function template(from: number): void {
    let end = from
    while (end < source.length && source[end] !== '`' && !source.startsWith('${', end)) {
      end += source[end] === '\\' ? 2 : 1
    }
    const isExpression = source[end] === '$'
    push('template', source.slice(from, end), end + (isExpression ? 2 : 1))
    if (isExpression) openTemplates.push(0)
  }

  while (at < source.length) {
    const char = source[at] as string
    if (/\s/.test(char)) skipTo(at + 1)
    else if (source.startsWith('//', at)) skipTo(source.indexOf('\n', at))
    else if (source.startsWith('/*', at)) {
      const end = source.indexOf('*/', at + 2)
      skipTo(end < 0 ? -1 : end + 2)
    } else if (char === "'" || char === '"') {
      let end = at + 1
      while (end < source.length && source[end] !== char && source[end] !== '\n') end += source[end] === '\\' ? 2 : 1
      push('string', source.slice(at + 1, end), end + 1)
    } else if (char === '`') template(at + 1)
    else if (char === '}' && openTemplates.at(-1) === 0) {
      openTemplates.pop()
      template(at + 1)
    } else {
      const word = match(wordPattern)
      const number = word === undefined ? match(numberPattern) : undefined
      const regex = char === '/' && regexMayFollow(tokens) ? match(regexPattern) : undefined
      if (word !== undefined) push('word', word, at + word.length)
      else if (number !== undefined) push('number', number, at + number.length)
      else if (regex !== undefined) push('regex', regex, at + regex.length)
      else {
        const mark = match(markPattern) ?? char
        const depth = openTemplates.length - 1
        if (depth >= 0 && mark === '{') openTemplates[depth] = (openTemplates[depth] as number) + 1
        if (depth >= 0 && mark === '}') openTemplates[depth] = (openTemplates[depth] as number) - 1
        push('mark', mark, at + mark.length)
      }
    }
  }
  return tokens
}

function regexMayFollow(tokens: readonly Token[]): boolean {
  const last = tokens.at(-1)
  if (last === undefined) return true
  if (last.kind === 'word') return wordsBeforeRegex.has(last.text)
  if (last.kind !== 'mark') return false
  if (last.text === '!') {
    const before = tokens.at(-2)
    return before?.kind === 'mark' && ![')', ']'].includes(before.text)
  }
  return ![')', ']', '}', '++', '--'].includes(last.text)
}

/** Every import of a file: static, for side effects, type-only, re-exported, dynamic, and `import('…')` in a type. */
export function importsOf(tokens: readonly Token[]): Import[] {
  const imports: Import[] = []
  for (const [index, token] of tokens.entries()) {
    if (token.kind !== 'word' || isProperty(tokens, index)) continue
    const next = tokens[index + 1]
    if (token.text === 'import') {
      if (next?.text === '.' && next.kind === 'mark') continue
      if (next?.text === '(' && next.kind === 'mark') {
        const target = tokens[index + 2]
        const isLiteral = isPlainText(target) && [')', ','].includes(tokens[index + 3]?.text ?? '')
        imports.push({ target: isLiteral ? target?.text : undefined, isTypeOnly: false, line: token.line })
      } else if (next?.kind === 'string') {
        imports.push({ target: next.text, isTypeOnly: false, line: token.line })
      } else imports.push(...fromClause(tokens, index))
    } else if (token.text === 'export') {
      const body = next?.text === 'type' ? tokens[index + 2] : next
      if (body?.kind === 'mark' && (body.text === '*' || body.text === '{')) imports.push(...fromClause(tokens, index))
    }
  }
  return imports
}

/** The module named by `… from 'x'`, where `index` is at `import` or `export`; nothing for an `export { … }` alone. */
function fromClause(tokens: readonly Token[], index: number): Import[] {
  const start = tokens[index] as Token
  const second = tokens[index + 1]
  const third = tokens[index + 2]
  const isTypeOnly =
    second?.text === 'type' && third?.text !== ',' && !(third?.text === 'from' && isPlainText(tokens[index + 3]))
  for (let at = index + 1; at < tokens.length; at++) {
    const token = tokens[at] as Token
    const next = tokens[at + 1]
    if (token.kind === 'word' && token.text === 'from' && next?.kind === 'string') {
      return [{ target: next.text, isTypeOnly, line: start.line }]
    }
    if (token.text === '}' && token.kind === 'mark' && next?.text !== 'from') return []
    if (token.kind === 'mark' && !['{', '}', ',', '*'].includes(token.text)) return []
  }
  return []
}

function isPlainText(token: Token | undefined): boolean {
  return token?.kind === 'string' || token?.kind === 'template'
}

/** Whether the word at `index` is the name of a property: `a.word`, `a?.word`. */
export function isProperty(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1]
  return before?.kind === 'mark' && (before.text === '.' || before.text === '?.')
}
