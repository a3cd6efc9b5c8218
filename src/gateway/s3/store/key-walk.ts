/**
 * The keys of a bucket in the order of their bytes. The tree holds a directory's name with `/` at its end, so walking it in
 * order, depth first, is that order.
 *
 * Each page of a directory is one transaction and the next goes on after a name, so a key that exists throughout is neither
 * skipped nor repeated. A directory without any object below does not show. Memory: one page a level.
 * @module
 */
import { type AshlarClient, type DirectoryEntry, type FileStats, isAshlarError } from '../../../client/index.ts'
import { compareKeys } from '../rules/object-key.ts'

export type WalkedItem =
  | { readonly key: string; readonly stats: FileStats }
  /** All keys that begin so, where the walk was told to group by `/`. */
  | { readonly prefix: string }

export interface WalkOptions {
  readonly prefix?: string
  /** Only keys behind this one; a group that is exactly this is left out. */
  readonly after?: string
  /** One item for all keys that have the same text up to the next `/` behind `prefix`. */
  readonly groupBySlash?: boolean
  readonly pageEntries?: number
  readonly signal: AbortSignal
}

interface Level {
  /** Of all keys in it: empty, or with `/` at its end. */
  readonly path: string
  readonly after: string
}

/** @param root the bucket's path */
export async function* walkKeys(
  client: AshlarClient,
  root: string,
  options: WalkOptions,
): AsyncGenerator<WalkedItem, void, undefined> {
  const { prefix = '', after = '' } = options
  yield* walkLevel(client, { root, options, prefix }, { path: directoryOf(prefix), after })
}

export async function hasKey(client: AshlarClient, root: string, options: WalkOptions): Promise<boolean> {
  for await (const _ of walkKeys(client, root, { pageEntries: 8, ...options })) return true
  return false
}

interface Walk {
  readonly root: string
  readonly options: WalkOptions
  readonly prefix: string
}

async function* walkLevel(
  client: AshlarClient,
  walk: Walk,
  { path, after }: Level,
): AsyncGenerator<WalkedItem, void, undefined> {
  const { prefix } = walk
  const begin = after.startsWith(path) ? after.slice(path.length) : ''
  if (begin === '' && after !== path && compareKeys(after, path) > 0) return
  const slash = begin.indexOf('/')
  if (slash >= 0) yield* enter(client, walk, { path: `${path}${begin.slice(0, slash + 1)}`, after })
  const entries = listLevel(client, walk, {
    path,
    after: slash >= 0 ? begin.slice(0, slash + 1) : begin,
    prefix: prefix.startsWith(path) ? prefix.slice(path.length) : '',
  })
  for await (const entry of entries) {
    const key = `${path}${entry.name}`
    if (entry.isFile()) yield { key, stats: entry.stats }
    else if (entry.stats.entries !== 0) yield* enter(client, walk, { path: `${key}/`, after: '' })
  }
}

/** A directory: its keys, or one item for all of them. */
async function* enter(client: AshlarClient, walk: Walk, level: Level): AsyncGenerator<WalkedItem, void, undefined> {
  const { prefix, options } = walk
  const { path, after } = level
  // On the way to the prefix, directories beside it hold nothing of interest.
  if (!path.startsWith(prefix) && !prefix.startsWith(path)) return
  const isGroup = options.groupBySlash === true && path.startsWith(prefix) && path.length > prefix.length
  if (!isGroup) yield* walkLevel(client, walk, level)
  else if (after !== path) {
    const inside = { root: walk.root, prefix: path, options: { ...options, groupBySlash: false, pageEntries: 8 } }
    for await (const _ of walkLevel(client, inside, level)) {
      yield { prefix: path }
      return
    }
  }
}

async function* listLevel(
  client: AshlarClient,
  { root, options }: Walk,
  { path, after, prefix }: { readonly path: string; readonly after: string; readonly prefix: string },
): AsyncGenerator<DirectoryEntry, void, undefined> {
  const { signal, pageEntries } = options
  const directory = path === '' ? root : `${root}/${path.slice(0, -1)}`
  try {
    yield* client.list(directory, { after, prefix, signal, pageEntries, xattrs: true })
  } catch (error) {
    // Gone, or never there: no key is below it.
    if (!isAshlarError(error, 'not-found', 'not-a-directory', 'invalid-name')) throw error
  }
}

function directoryOf(prefix: string): string {
  return prefix.slice(0, prefix.lastIndexOf('/') + 1)
}
