/**
 * What the word under the cursor may become: a verb, an option of the verb, a remote path, or a local one. The shell and
 * the completion scripts of bash, zsh and fish ask here.
 * @module
 */
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { isAshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/filesystem.ts'

/** More would not be read by anybody. */
const mostCandidates = 200

/** Verbs whose arguments name local files too. */
const localVerbs: ReadonlySet<string> = new Set(['put', 'get', 'append'])
/** Verbs that take no path at all. */
const pathlessVerbs: ReadonlySet<string> = new Set([
  ...['up', 'master', 'chunkserver', 'join', 'nodes', 'groups', 'status', 'df', 'config', 'version', 'shell'],
])
/** First words of verbs that have some. */
const firstWords: Readonly<Record<string, readonly string[]>> = {
  trash: ['list', 'empty'],
  completion: ['bash', 'zsh', 'fish'],
}

export interface CompletionRequest {
  readonly program: Command
  /** Words before the one under the cursor, without `ashlar`. */
  readonly before: readonly string[]
  /** What is typed of the word under the cursor. */
  readonly partial: string
  /** Connects only when a remote path is wanted. */
  readonly client: () => Promise<AshlarClient>
  readonly signal: AbortSignal
}

/** Whole words, sorted; directories end with `/`. A cluster that does not answer, or refuses, has no paths. */
export async function candidates(request: CompletionRequest): Promise<string[]> {
  const { program, before, partial } = request
  const [verbName] = before
  if (verbName === undefined) return matching(verbNames(program), partial)
  if (verbName === 'help') return before.length === 1 ? matching(verbNames(program), partial) : []
  const verb = program.commands.find((command) => command.name() === verbName || command.aliases().includes(verbName))
  if (verb === undefined) return []
  if (partial.startsWith('-')) return matching(optionNames(verb), partial)
  const words = firstWords[verb.name()]
  if (words !== undefined && before.length === 1) return matching(words, partial)
  const isLocal = pathlessVerbs.has(verb.name()) || (localVerbs.has(verb.name()) && !partial.startsWith('/'))
  const found = isLocal ? await localPaths(partial) : await remotePaths(request)
  return found.sort().slice(0, mostCandidates)
}

function verbNames(program: Command): string[] {
  const names = program.commands.flatMap((command) => [command.name(), ...command.aliases()])
  return [...names.filter((name) => !name.startsWith('_')), 'help']
}

function optionNames(verb: Command): string[] {
  return verb
    .createHelp()
    .visibleOptions(verb)
    .flatMap(({ long }) => (long === undefined ? [] : [long]))
}

function matching(words: readonly string[], partial: string): string[] {
  return words.filter((word) => word.startsWith(partial))
}

async function remotePaths({ client, partial, signal }: CompletionRequest): Promise<string[]> {
  const path = partial === '' ? '/' : partial
  if (!path.startsWith('/')) return []
  const folder = path.slice(0, path.lastIndexOf('/'))
  const prefix = path.slice(folder.length + 1)
  const paths: string[] = []
  try {
    const options = { prefix, pageEntries: mostCandidates, signal }
    for await (const { name, stats } of (await client()).list(folder === '' ? '/' : folder, options)) {
      paths.push(`${folder}/${name}${stats.isDirectory() ? '/' : ''}`)
      if (paths.length >= mostCandidates) break
    }
  } catch (error) {
    // A word that cannot be completed is no failure of the command that is being typed.
    if (!isAshlarError(error)) throw error
  }
  return paths
}

async function localPaths(partial: string): Promise<string[]> {
  const folder = partial.endsWith('/') ? partial : dirname(partial)
  const shown = partial.includes('/') ? partial.slice(0, partial.lastIndexOf('/') + 1) : ''
  const prefix = partial.slice(shown.length)
  try {
    const entries = await readdir(join(folder), { withFileTypes: true })
    return entries
      .filter(({ name }) => name.startsWith(prefix) && (prefix !== '' || !name.startsWith('.')))
      .map((entry) => `${shown}${entry.name}${entry.isDirectory() ? '/' : ''}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== undefined) return []
    throw error
  }
}
