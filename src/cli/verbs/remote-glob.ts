/**
 * Remote paths as people type them. Globs: `*`, `?` and `[abc]` within a name, `**` over any depth; as in sh, one that matches
 * nothing may be a name itself. A path without them names itself, whether it exists or not; `/a/` is the directory `/a`.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/filesystem.ts'

/** What one glob may match: more is a mistake in the making. */
const mostMatches = 100_000

export function isGlob(path: string): boolean {
  return /[*?[]/.test(path)
}

/**
 * Remote paths that `pattern` matches, in order.
 * @throws {AshlarError} `not-found` — a glob that matches nothing; `too-large`
 */
export async function expandGlob(client: AshlarClient, pattern: string, signal: AbortSignal): Promise<string[]> {
  if (pattern.length > 1 && pattern.endsWith('/')) {
    const paths = await expandGlob(client, withoutSlash(pattern), signal)
    const kinds = await Promise.all(paths.map((path) => isDirectory(client, path, signal)))
    const directories = paths.filter((_, at) => kinds[at])
    if (directories.length > 0) return directories
    throw new AshlarError('not-a-directory', `Cannot use ${pattern}: it ends with "/" and is no directory`)
  }
  if (!isGlob(pattern)) return [pattern]
  const matches: string[] = []
  await walk(client, { base: '', parts: pattern.split('/').filter((part) => part !== ''), signal }, matches)
  if (matches.length === 0 && (await client.exists(pattern, { signal }))) return [pattern]
  if (matches.length === 0) throw new AshlarError('not-found', `Cannot find ${pattern}: no path matches it`)
  return matches
}

/** `/a/` as `/a`. */
export function withoutSlash(path: string): string {
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

/** One name against one part of a pattern. A leading dot is matched like any other character only when the part begins with one. */
export function matchesName(part: string, name: string): boolean {
  if (name.startsWith('.') && !part.startsWith('.')) return false
  return namePattern(part).test(name)
}

function namePattern(part: string): RegExp {
  let source = ''
  for (let at = 0; at < part.length; at++) {
    const character = part[at] as string
    const close = character === '[' ? part.indexOf(']', at + 2) : -1
    if (character === '*') source += '[^]*'
    else if (character === '?') source += '[^]'
    else if (close > 0) {
      const negated = part[at + 1] === '!'
      const set = part.slice(at + (negated ? 2 : 1), close).replaceAll(/[\\\]^]/g, '\\$&')
      source += `[${negated ? '^' : ''}${set}]`
      at = close
    } else source += character.replaceAll(/[$()*+./?[\\\]^{|}]/g, '\\$&')
  }
  return new RegExp(`^${source}$`, 'u')
}

interface Step {
  readonly base: string
  readonly parts: readonly string[]
  readonly signal: AbortSignal
}

async function walk(client: AshlarClient, { base, parts, signal }: Step, matches: string[]): Promise<void> {
  const [part, ...rest] = parts
  if (part === undefined) {
    if (matches.length >= mostMatches) {
      throw new AshlarError('too-large', `Cannot expand the pattern: it matches more than ${mostMatches} paths`)
    }
    matches.push(base === '' ? '/' : base)
    return
  }
  if (part === '**') {
    await walk(client, { base, parts: rest, signal }, matches)
    for await (const entry of client.list(base === '' ? '/' : base, { signal })) {
      if (entry.isDirectory()) await walk(client, { base: `${base}/${entry.name}`, parts, signal }, matches)
      else if (rest.length === 0) matches.push(`${base}/${entry.name}`)
    }
    return
  }
  if (!isGlob(part)) {
    const path = `${base}/${part}`
    if (rest.length > 0 || (await client.exists(path, { signal })))
      await walk(client, { base: path, parts: rest, signal }, matches)
    return
  }
  if (base !== '' && !(await isDirectory(client, base, signal))) return
  for await (const entry of client.list(base === '' ? '/' : base, { signal })) {
    if (!matchesName(part, entry.name) || (rest.length > 0 && !entry.isDirectory())) continue
    await walk(client, { base: `${base}/${entry.name}`, parts: rest, signal }, matches)
  }
}

async function isDirectory(client: AshlarClient, path: string, signal: AbortSignal): Promise<boolean> {
  return (await client.exists(path, { signal })) && (await client.stat(path, { signal })).isDirectory()
}
