/** `put` and `get`: between the local file system and the store. @module */
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { AshlarError } from '../../base/errors.ts'
import { formatDuration, formatSize } from '../../base/sizes.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { Output } from '../output.ts'
import { downloadFile, downloadTree, isNotThere, walkRemoteTree } from '../transfers/download.ts'
import { localExists, localInfo, stdinOf } from '../transfers/local-input.ts'
import { describe, walkLocalTree } from '../transfers/local-tree.ts'
import { Progress, type ProgressTotals } from '../transfers/progress.ts'
import { baseName, targetOf, uploadFile, uploadTree } from '../transfers/upload.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { expandAll } from './change-verbs.ts'
import { printFile } from './print-file.ts'
import { addVerb, type VerbRun } from './verb.ts'

interface PutOptions {
  readonly recursive?: boolean
  readonly clobber: boolean
  readonly text?: string
  readonly dryRun?: boolean
}

interface GetOptions {
  readonly recursive?: boolean
  readonly clobber: boolean
  readonly dryRun?: boolean
}

export function registerTransferVerbs(registry: VerbRegistry): void {
  addVerb<PutOptions>(registry, {
    usage: 'put <from...>',
    summary: 'store files: local ones, stdin or a text',
    description:
      'Stores local files, stdin (-) or a text; the last path is the target. Missing directories are made; a file that is replaced goes to trash.',
    flags: [
      ['-r, --recursive', 'folders with all that is in them, dotfiles included'],
      ['--text <text>', 'store this text, as it stands'],
      ['--no-clobber', 'refuse to replace an existing file'],
      ['--dry-run', 'only say what would be stored'],
    ],
    examples: [
      'put report.pdf /reports/',
      'put -r ./photos /photos',
      'tar c . | ashlar put - /backup.tar',
      "put --text 'hello' /hello.txt",
    ],
    run: async (run, ...paths) => {
      const target = paths.at(-1)
      const sources = paths.slice(0, -1)
      if (target === undefined || (run.options.text === undefined) === (sources.length === 0)) {
        throw new AshlarError(
          'invalid-argument',
          'Cannot put: name local files (or --text TEXT), and the path to store them under',
        )
      }
      const text = run.options.text ?? (await textInShell(run, sources))
      if (text !== undefined) return await putText(run, text, target)
      await transfer(run, async (progress) => {
        const isOnly = sources.length === 1
        await moveAll(sources, { progress, plan: (source) => planPut(run, { source, target, progress, isOnly }) })
      })
    },
  })

  addVerb<GetOptions>(registry, {
    usage: 'get <paths...>',
    summary: 'fetch files to the local file system, or to stdout',
    description:
      'Fetches files; the last path is the local target, the current folder when only one path is given, stdout when it is "-".',
    flags: [
      ['-r, --recursive', 'directories with all that is in them'],
      ['--no-clobber', 'refuse to replace an existing local file'],
      ['--dry-run', 'only say what would be fetched'],
    ],
    examples: ['get /reports/report.pdf', 'get -r /photos ./photos', 'get /backup.tar - | tar x'],
    run: async (run, ...paths) => {
      const target = paths.length > 1 ? (paths.at(-1) as string) : '.'
      const patterns = paths.length > 1 ? paths.slice(0, -1) : paths
      const sources = await expandAll(run.client, patterns, { force: false, signal: run.signal })
      if (target === '-') {
        for (const source of sources) await printFile(source, run)
        return
      }
      await transfer(run, async (progress) => {
        const isOnly = sources.length === 1
        await moveAll(sources, { progress, plan: (source) => planGet(run, { source, target, progress, isOnly }) })
      })
    },
  })
}

interface Piece {
  readonly source: string
  readonly target: string
  readonly progress: Progress
  readonly isOnly: boolean
}

/** What one source is, before anything of any is moved. */
interface Plan extends ProgressTotals {
  readonly move: () => Promise<unknown>
}

/** Looks at all sources before the first is moved: a missing one is told at once, and the time left is that of all. */
async function moveAll(
  sources: readonly string[],
  { progress, plan }: { readonly progress: Progress; readonly plan: (source: string) => Promise<Plan> },
): Promise<void> {
  const plans: Plan[] = []
  for (const source of sources) plans.push(await plan(source))
  const isKnown = plans.every(({ bytes }) => bytes !== undefined)
  const sum = (of: 'files' | 'bytes') => plans.reduce((total, planned) => total + (planned[of] ?? 0), 0)
  progress.expect({ files: sum('files'), ...(isKnown ? { bytes: sum('bytes') } : {}) })
  for (const { move } of plans) await move()
}

/** Shows progress, and sums up what was done. */
async function transfer<Options>(
  { env, output }: VerbRun<Options>,
  work: (progress: Progress) => Promise<void>,
): Promise<void> {
  const progress = new Progress({ clock: env.clock, isShown: process.stderr.isTTY === true && !output.json })
  try {
    await work(progress)
  } finally {
    progress.end()
  }
  if (output.isTerminal && progress.files > 0) {
    const seconds = Math.max(0.001, progress.elapsedMs / 1000)
    output.line(
      `${progress.files} ${progress.files === 1 ? 'file' : 'files'}, ${formatSize(progress.bytes)} in ${formatDuration(progress.elapsedMs)} (${formatSize(Math.round(progress.bytes / seconds))}/s)`,
    )
  }
}

/** Only in the shell: a single word that holds no `/` and names no local file is what to store. */
async function textInShell(
  { host, options }: VerbRun<PutOptions>,
  [word, ...others]: readonly string[],
): Promise<string | undefined> {
  const isWord = word !== undefined && others.length === 0 && word !== '-' && !word.includes('/')
  if (host.client === undefined || options.recursive === true || !isWord) return undefined
  return (await localExists(word)) ? undefined : word
}

async function putText(
  { client, output, options, signal }: VerbRun<PutOptions>,
  text: string,
  target: string,
): Promise<void> {
  if (options.dryRun) return output.line(`would store ${Buffer.byteLength(text)} bytes as ${target}`)
  const stats = await client.writeFile(target, text, {
    makeParents: true,
    ...(options.clobber ? {} : { ifAbsent: true }),
    signal,
  })
  output.object({ path: target, size: stats.size, version: stats.version })
}

async function planPut(run: VerbRun<PutOptions>, { source, target, progress, isOnly }: Piece): Promise<Plan> {
  const { client, output, options, signal } = run
  if (!isOnly) await mustBeDirectory(client, target, signal)
  const upload = { client, progress, clobber: options.clobber, signal }
  if (source === '-') return { files: 1, move: () => putStdin(run, target, progress) }
  const info = await localInfo(source)
  const remote = await targetOf(client, { name: baseName(resolve(source)), target, signal })
  if (info.isFile()) {
    const file = await describe(source, '')
    const move = async () => {
      if (options.dryRun) say(output, source, remote)
      else output.object(await uploadFile(file, remote, upload))
    }
    return { files: 1, bytes: file.sizeBytes, move }
  }
  if (!info.isDirectory())
    throw new AshlarError('not-supported', `Cannot put ${source}: it is neither a file nor a folder`)
  if (!options.recursive)
    throw new AshlarError('is-a-directory', `Cannot put ${source}: it is a folder. Add -r to store all that is in it`)
  const tree = await walkLocalTree(source)
  const move = async () => {
    if (options.dryRun) {
      for (const file of tree.files) say(output, file.localPath, join(remote, file.relative))
      return
    }
    await uploadTree(tree, remote, { ...upload, onFile: (file) => output.object(file) })
    if (tree.skipped.length === 0) return
    output.warning(
      `Left out ${tree.skipped.length}: links that lead outside or to folders, sockets and devices, as ${tree.skipped[0]}`,
      { skipped: tree.skipped.length, first: tree.skipped[0] },
    )
  }
  return { files: tree.files.length, bytes: tree.bytes, move }
}

async function putStdin(
  { client, host, output, options, signal }: VerbRun<PutOptions>,
  target: string,
  progress: Progress,
): Promise<void> {
  if (options.dryRun) return say(output, 'stdin', target)
  const stats = await client.writeFile(target, counted(stdinOf(host), progress), {
    makeParents: true,
    ...(options.clobber ? {} : { ifAbsent: true }),
    signal,
  })
  progress.addFile()
  output.object({ path: target, size: stats.size, version: stats.version })
}

/** Can be left as the stream itself can: while it is silent. */
function counted(source: Readable, progress: Progress): AsyncIterable<Uint8Array> & Pick<Readable, 'destroy'> {
  return {
    destroy: (error) => source.destroy(error),
    async *[Symbol.asyncIterator]() {
      for await (const piece of source as AsyncIterable<Uint8Array>) {
        progress.addBytes(piece.length)
        yield piece
      }
    },
  }
}

async function planGet(run: VerbRun<GetOptions>, { source, target, progress, isOnly }: Piece): Promise<Plan> {
  const { client, output, options, signal } = run
  const stats = await client.stat(source, { signal })
  const intoFolder = await isFolder(target)
  if (!isOnly && !intoFolder) {
    throw new AshlarError('not-a-directory', `Cannot get several paths into ${target}: it is not a folder`)
  }
  const local = intoFolder ? join(target, basename(source)) : target
  const download = { client, progress, clobber: options.clobber, signal }
  if (stats.isFile()) {
    const move = async () => {
      if (options.dryRun) return say(output, source, local)
      await downloadFile(source, local, download)
      output.object({ path: source, local, size: stats.size })
    }
    return { files: 1, bytes: stats.size, move }
  }
  if (!options.recursive) {
    throw new AshlarError(
      'is-a-directory',
      `Cannot get ${source}: it is a directory. Add -r to fetch all that is in it`,
    )
  }
  if (!intoFolder && (await localExists(local))) {
    throw new AshlarError('not-a-directory', `Cannot get ${source} to ${local}: that is a file, and no folder`)
  }
  const tree = await walkRemoteTree(client, source, signal)
  const move = async () => {
    if (options.dryRun) {
      for (const file of tree.files) say(output, file.path, join(local, file.relative))
      return
    }
    await downloadTree(tree, local, { ...download, onFile: (path, to) => output.object({ path, local: to }) })
  }
  return { files: tree.files.length, bytes: tree.bytes, move }
}

function say(output: Output, from: string, to: string): void {
  output.object({ from, to, dryRun: true })
  output.line(`would copy ${from} to ${to}`)
}

async function mustBeDirectory(client: AshlarClient, target: string, signal: AbortSignal): Promise<void> {
  if (
    target.endsWith('/') ||
    ((await client.exists(target, { signal })) && (await client.stat(target, { signal })).isDirectory())
  )
    return
  throw new AshlarError('not-a-directory', `Cannot put several files to ${target}: it is not a directory`)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (isNotThere(error)) return false
    throw error
  }
}
