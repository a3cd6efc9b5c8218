/**
 * A line of the shell into words, as sh does: blanks part words, `'…'` keeps everything, `"…"` everything but `\"` and `\\`,
 * and a backslash keeps the next character. Nothing is expanded. A line that begins with `#` is a comment.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'

export interface Word {
  readonly text: string
  /** Where it begins in the line, quote included. */
  readonly start: number
  /** Whether any of it was quoted. */
  readonly isQuoted: boolean
}

export interface SplitLine {
  readonly words: readonly Word[]
  /** What is not closed at the end of the line. */
  readonly open?: "'" | '"' | '\\'
}

/** As {@link splitLine}, of a whole command. @throws {AshlarError} `invalid-argument` — a quote is not closed */
export function splitWords(line: string): string[] {
  const { words, open } = splitLine(line)
  if (open !== undefined) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot read the command: ${open === '\\' ? 'it ends with \\' : `${open} is not closed`}`,
    )
  }
  return words.map(({ text }) => text)
}

export function splitLine(line: string): SplitLine {
  const words: Word[] = []
  if (line.trimStart().startsWith('#')) return { words }
  let at = 0
  while (at < line.length) {
    if (isBlank(line[at])) {
      at++
      continue
    }
    const { word, end, open } = readWord(line, at)
    words.push(word)
    if (open !== undefined) return { words, open }
    at = end
  }
  return { words }
}

function readWord(line: string, start: number): { word: Word; end: number; open?: SplitLine['open'] } {
  let text = ''
  let quote: "'" | '"' | undefined
  let isQuoted = false
  let at = start
  for (; at < line.length; at++) {
    const character = line[at] as string
    if (quote === undefined && isBlank(character)) break
    if (character === quote) quote = undefined
    else if (quote === undefined && (character === "'" || character === '"')) {
      quote = character
      isQuoted = true
    } else if (character === '\\' && quote !== "'") {
      const next = line[at + 1]
      if (next === undefined) return { word: { text, start, isQuoted: true }, end: at, open: '\\' }
      const isEscape = quote === undefined || next === '"' || next === '\\'
      text += isEscape ? next : `\\${next}`
      isQuoted = true
      at++
    } else text += character
  }
  return { word: { text, start, isQuoted }, end: at, ...(quote === undefined ? {} : { open: quote }) }
}

/** A word as it can be typed: as it stands where nothing in it means something. */
export function quoteWord(text: string): string {
  return /^[\p{L}\p{N}_@%+=:,./~-][\p{L}\p{N}_@%+=:,./~#-]*$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\t' || character === '\r'
}
