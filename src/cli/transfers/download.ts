/**
 * Files of the store to a local folder. Each is written under a temporary name and renamed when it is whole, so an interrupted
 * download leaves no half file. Remote names become local ones only after they were checked: none can leave the target folder.
 * @module
 */
import { chmod, mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { ErrorCode } from '../../base/error-table.ts'
import { AshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { FileStats } from '../../client/index.ts'
import type { Progress } from './progress.ts'
import { runAll } from './run-all.ts'

const filesAtOnce = 32

export interface RemoteFile {
  readonly path: string
  /** From the root of the tree; empty: the root itself. */
  readonly relative: string
  readonly stats: FileStats
}

export interface RemoteTree {
  readonly files: readonly RemoteFile[]
  readonly directories: readonly string[]
  readonly bytes: number
}

export interface DownloadOptions {
  readonly client: AshlarClient
  readonly progress: Progress
  readonly clobber: boolean
  readonly signal: AbortSignal
}

export async function walkRemoteTree(client: AshlarClient, root: string, signal: AbortSignal): Promise<RemoteTree> {
  const files: RemoteFile[] = []
  const directories: string[] = []
  const pending = [{ path: root, relative: '' }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    directories.push(next.relative)
    for await (const { name, path, stats } of client.list(next.path, { signal })) {
      const relative = next.relative === '' ? name : `${next.relative}/${name}`
      if (stats.isDirectory()) pending.push({ path, relative })
      else files.push({ path, relative, stats })
    }
  }
  return { files, directories, bytes: files.reduce((sum, { stats }) => sum + stats.size, 0) }
}

export async function downloadTree(
  tree: RemoteTree,
  localRoot: string,
  options: DownloadOptions & { readonly onFile: (remotePath: string, localPath: string) => void },
): Promise<void> {
  for (const directory of tree.directories) {
    const localPath = localPathOf(localRoot, directory)
    await mkdir(localPath, { recursive: true }).catch((error: unknown) => {
      throw localFailure(error, { remotePath: `directory ${directory || '/'}`, localPath })
    })
  }
  await runAll(tree.files, { atOnce: filesAtOnce, signal: options.signal }, async (file, signal) => {
    const localPath = localPathOf(localRoot, file.relative)
    await downloadFile(file.path, localPath, { ...options, signal })
    options.onFile(file.path, localPath)
  })
}

export async function downloadFile(remotePath: string, localPath: string, options: DownloadOptions): Promise<void> {
  const { client, progress, clobber, signal } = options
  if (!clobber && (await exists(localPath))) {
    throw new AshlarError('already-exists', `Cannot get ${remotePath}: ${localPath} exists, and --no-clobber was given`)
  }
  await using handle = await client.open(remotePath, { signal })
  const temporary = join(dirname(localPath), `.${basename(localPath).slice(0, 200)}.${process.pid}.part`)
  try {
    await writePieces(handle.pieces({ signal }), temporary, progress)
    await chmod(temporary, handle.stats.mode & 0o777)
    await utimes(temporary, handle.stats.atime, handle.stats.mtime)
    await rename(temporary, localPath)
  } catch (error) {
    // Where it never came to be, its folder may be none.
    if (await exists(temporary)) await rm(temporary)
    throw localFailure(error, { remotePath, localPath })
  }
  progress.addFile()
}

/** Each piece's memory is used again for the next one: what was written would else wait for the collector. */
async function writePieces(pieces: AsyncIterable<Uint8Array>, path: string, progress: Progress): Promise<void> {
  await using local = await open(path, 'w', 0o600)
  for await (const piece of pieces) {
    await local.appendFile(piece)
    progress.addBytes(piece.length)
  }
}

/** What the local file system refused, in the terms of who asked; other errors as they are. */
function localFailure(
  error: unknown,
  { remotePath, localPath }: { readonly remotePath: string; readonly localPath: string },
): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined) return error
  const [ashlarCode, why] = localRefusals[code] ?? (['forbidden', (error as Error).message] as const)
  return new AshlarError(ashlarCode, `Cannot get ${remotePath} to ${localPath}: ${why}`, { cause: error })
}

const localRefusals: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ['not-found', 'its local folder does not exist'],
  ENOTDIR: ['not-a-directory', 'a part of the local path is a file'],
  EISDIR: ['is-a-directory', 'it is a local folder'],
  ENOSPC: ['no-space', 'the local disk is full'],
  EROFS: ['forbidden', 'the local disk is read-only'],
  EACCES: ['forbidden', 'the local folder may not be written'],
  ENAMETOOLONG: ['invalid-name', 'the name is too long for the local file system'],
}

/** A relative remote path below a local folder. @throws {AshlarError} `invalid-name` — a part that means something to the local system */
function localPathOf(root: string, relative: string): string {
  const names = relative === '' ? [] : relative.split('/')
  const odd = names.find((name) => name === '' || name === '.' || name === '..' || name.includes('\0'))
  if (odd !== undefined) {
    throw new AshlarError(
      'invalid-name',
      `Cannot get ${relative}: the name ${JSON.stringify(odd)} cannot be a local one`,
    )
  }
  return join(root, ...names)
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isNotThere(error)) return false
    throw error
  }
}

/** Of a failed `stat`. */
export function isNotThere(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ENOTDIR'
}
