/**
 * What a client did, in words: what it asked for, with the numbers it went by (what it saw before it wrote), and what came of it.
 * @module
 */
import type { Call } from '../history.ts'
import type { Action } from '../operations.ts'
import type { Answer, Outcome } from '../steps.ts'
import { bytesText, count, listText, numberText, tookText } from './words.ts'

/** What follows its client's name: `writes 441 bytes to /t/a`. */
export function phraseOf(
  action: Action,
  calls: readonly Call[],
  { isOfDirectory }: { readonly isOfDirectory: boolean },
): string {
  switch (action.kind) {
    case 'write':
      return writePhrase(action, calls)
    case 'append':
      return appendPhrase(action, calls)
    case 'read':
      return `reads ${action.path}`
    case 'stat':
      return `asks for the size and version of ${action.path}`
    case 'list':
      return `lists ${action.path}`
    case 'make-directory':
      return `makes the directory ${action.path}`
    case 'rename':
      return `renames ${action.from} to ${action.to}${action.replace ? '' : ' if nothing is there'}`
    case 'remove':
      return `removes ${action.path}${action.recursive && isOfDirectory ? ' and all below it' : ''}`
    case 'copy':
      return `copies ${action.from} to ${action.to}`
    case 'truncate':
      return `truncates ${action.path} to ${bytesText(action.length)}`
    case 'concat':
      return `moves what is in ${listText(action.sources)} to the end of ${action.path}`
    case 'undelete':
      return `brings the newest removed ${action.path} back from the trash`
    case 'empty-trash':
      return `empties the trash of ${action.path === '/' ? 'all files' : action.path}`
    case 'list-trash':
      return `lists the trash of ${action.path === '/' ? 'all files' : action.path}`
  }
}

/** What came of it; empty where nothing is to be added. */
export function resultOf(action: Action, calls: readonly Call[]): string {
  const { outcome, invokedMs, settledMs, step } = calls.at(-1) as Call
  switch (outcome.kind) {
    case 'ok':
      if (step.kind === 'list-page') return namesText(calls.flatMap(namesIn))
      return answerText(action, outcome.answer)
    case 'refused':
      return refusalText(action, outcome)
    case 'void':
      return `fails${settledMs - invokedMs < 1000 ? '' : ` after ${tookText(settledMs - invokedMs)}`}, without effect (${outcome.code})`
    case 'unknown':
      if (outcome.code === 'pending') return 'no answer ever comes, as its client died: it may have happened, or not'
      return `no certain answer after ${tookText(settledMs - invokedMs)} (${outcome.code}): it may have happened, once, or not`
  }
}

function writePhrase({ path, content, condition }: Extract<Action, { kind: 'write' }>, calls: readonly Call[]): string {
  const bytes = bytesText(content.length)
  if (condition === undefined) return `writes ${bytes} to ${path}`
  if (condition === 'absent') return `writes ${bytes} to ${path} if nothing is there`
  const version = answerOf(calls[0])?.version
  if (version === undefined) return `wants to write ${bytes} over ${path} as it is`
  return condition === 'current'
    ? `sees v${version} of ${path} and writes ${bytes} over it if it still is v${version}`
    : `sees v${version} of ${path} and asks, to be refused, to write ${bytes} over it if it is v${version - 1}`
}

function appendPhrase(
  { path, content, condition }: Extract<Action, { kind: 'append' }>,
  calls: readonly Call[],
): string {
  const bytes = bytesText(content.length)
  if (condition === undefined) {
    const isFirst = answerOf(calls.at(-1))?.size === content.length
    return `appends ${bytes} to ${path}${isFirst ? ', the first there' : ''}`
  }
  const size = answerOf(calls[0])?.size
  if (size === undefined) return `wants to append ${bytes} to ${path} as long as it is`
  const seen = `sees ${bytesText(size)} in ${path} and`
  return condition === 'current'
    ? `${seen} appends ${numberText(content.length)} if it still has ${numberText(size)}`
    : `${seen} asks, to be refused, to append ${bytes} if it has ${numberText(size + 1)}`
}

function answerOf(call: Call | undefined): Answer | undefined {
  return call?.outcome.kind === 'ok' ? call.outcome.answer : undefined
}

function answerText(action: Action, { kind, size, version, made, entries, trash }: Answer): string {
  if (trash !== undefined) return trashText(trash)
  if (entries !== undefined) return count(entries, 'old content')
  if (made === false) return 'it is there already'
  if (kind === 'directory') return action.kind === 'rename' ? '' : 'a directory'
  if (version === undefined) return ''
  const isSizeKnown = action.kind === 'write' || action.kind === 'truncate'
  return isSizeKnown || size === undefined ? `v${version}` : `${bytesText(size)}, v${version}`
}

function namesIn({ outcome }: Call): readonly string[] {
  return outcome.kind === 'ok' ? (outcome.answer.names ?? []) : []
}

function namesText(names: readonly string[]): string {
  return names.length === 0 ? 'empty' : names.join(', ')
}

/** @param entries `path size` */
function trashText(entries: readonly string[]): string {
  if (entries.length === 0) return 'empty'
  const at = (entry: string) => entry.lastIndexOf(' ')
  const byPath = Map.groupBy(entries, (entry) => entry.slice(0, at(entry)))
  const texts = [...byPath].map(([path, own]) => {
    const sizes = own.map((entry) => Number(entry.slice(at(entry) + 1))).sort((a, b) => a - b)
    return `${path} of ${listText(sizes.map(numberText))}`
  })
  return `${texts.join('; ')} bytes`
}

/** Why, in the store's own words where these say more than the usual. */
function refusalText(action: Action, { code, words }: Extract<Outcome, { kind: 'refused' }>): string {
  if (words === undefined) return code
  const path = /"([^"]*)"/.exec(words)?.[1]
  const isPlain = code === 'not-found' && words.includes('no file or directory has this path')
  if (isPlain) return 'path' in action && action.path === path ? 'nothing is there' : `nothing is at ${path}`
  const state = /^Cannot [\w ]+ "[^"]*": ([^:;]+)/.exec(words)?.[1]
  return state ?? words.replace('Cannot', 'cannot').replaceAll('"', '')
}
