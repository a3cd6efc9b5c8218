/**
 * Local files into the store: many small ones at once, large ones streamed. A file is visible whole or not at all, so an
 * interrupted upload leaves files that are right and none that are half.
 * @module
 */
import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { isAshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import type { LocalFile, LocalTree } from './local-tree.ts'
import type { Progress } from './progress.ts'
import { readPieces } from './read-pieces.ts'
import { runAll } from './run-all.ts'

const filesAtOnce = 48
/** Up to this size a file is read whole, 12 MiB in all; the bytes of larger ones are bounded by the client's budget. */
const wholeFileBytes = 256 * 1024

export interface UploadOptions {
  readonly client: AshlarClient
  readonly progress: Progress
  /** Replace existing files (they go to trash). */
  readonly clobber: boolean
  readonly signal: AbortSignal
}

export interface UploadedFile {
  readonly path: string
  readonly size: number
  readonly version: number
}

export async function uploadFile(file: LocalFile, remotePath: string, options: UploadOptions): Promise<UploadedFile> {
  const { client, progress, clobber, signal } = options
  const attributes = { mode: file.mode & 0o777, modifiedMs: file.modifiedMs, makeParents: true, signal }
  const condition = clobber ? {} : { ifAbsent: true }
  const data =
    file.sizeBytes <= wholeFileBytes
      ? await readFile(file.localPath)
      : readPieces(file.localPath, (count) => progress.addBytes(count))
  const stats = await client.writeFile(remotePath, data, { ...attributes, ...condition })
  if (file.sizeBytes <= wholeFileBytes) progress.addBytes(stats.size)
  progress.addFile()
  return { path: remotePath, size: stats.size, version: stats.version }
}

/** @param onFile told of each file when it is durable */
export async function uploadTree(
  tree: LocalTree,
  remoteRoot: string,
  options: UploadOptions & { readonly onFile: (file: UploadedFile) => void },
): Promise<void> {
  const { client, signal } = options
  // Empty folders would be lost otherwise; parents come first, so few of these calls make more than one.
  await runAll(tree.directories, { atOnce: filesAtOnce, signal }, async (directory, inner) => {
    await client.mkdir(below(remoteRoot, directory), { recursive: true, signal: inner })
  })
  await runAll(tree.files, { atOnce: filesAtOnce, signal }, async (file, inner) => {
    options.onFile(await uploadFile(file, below(remoteRoot, file.relative), { ...options, signal: inner }))
  })
}

/** As `cp` decides: into an existing directory under the source's own name, else the target itself. */
export async function targetOf(
  client: AshlarClient,
  { name, target, signal }: { readonly name: string; readonly target: string; readonly signal: AbortSignal },
): Promise<string> {
  if (target.endsWith('/')) return below(target.slice(0, -1), name)
  try {
    return (await client.stat(target, { signal })).isDirectory() ? below(target, name) : target
  } catch (error) {
    if (isAshlarError(error, 'not-found', 'not-a-directory')) return target
    throw error
  }
}

function below(root: string, relative: string): string {
  if (relative === '') return root
  return root === '/' || root === '' ? `/${relative}` : `${root}/${relative}`
}

export function baseName(path: string): string {
  return posix.basename(path)
}
