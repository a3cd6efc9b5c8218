/**
 * What lies below a local folder, for `put -r`: regular files, dotfiles included, and links to files inside the tree.
 * Links elsewhere, links to folders, sockets and devices are counted and left out. Names must be UTF-8.
 * @module
 */
import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { AshlarError } from '../../base/errors.ts'

export interface LocalFile {
  readonly localPath: string
  /** From the root of the tree, with `/` between names; empty: the root itself. */
  readonly relative: string
  readonly sizeBytes: number
  readonly mode: number
  readonly modifiedMs: number
}

export interface LocalTree {
  readonly files: readonly LocalFile[]
  /** Folders, the root (empty) included, parents first. */
  readonly directories: readonly string[]
  readonly skipped: readonly string[]
  readonly bytes: number
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** @throws {AshlarError} `invalid-name` — a name that is not UTF-8; what the file system says otherwise */
export async function walkLocalTree(root: string): Promise<LocalTree> {
  const realRoot = await realpath(root)
  const files: LocalFile[] = []
  const directories: string[] = []
  const skipped: string[] = []
  const pending = ['']
  for (let relative = pending.pop(); relative !== undefined; relative = pending.pop()) {
    directories.push(relative)
    const folder = join(root, relative)
    const inside: string[] = []
    for (const entry of await readdir(folder, { withFileTypes: true, encoding: 'buffer' })) {
      const name = decodeName(entry.name, folder)
      const path = relative === '' ? name : `${relative}/${name}`
      if (entry.isDirectory()) inside.push(path)
      else if (await isWanted(entry, join(folder, name), realRoot)) files.push(await describe(join(folder, name), path))
      else skipped.push(join(folder, name))
    }
    pending.push(...inside.sort().reverse())
  }
  return { files, directories, skipped, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) }
}

export async function describe(localPath: string, relative: string): Promise<LocalFile> {
  const { size, mode, mtimeMs } = await stat(localPath)
  return { localPath, relative, sizeBytes: size, mode: mode & 0o7777, modifiedMs: Math.max(0, Math.floor(mtimeMs)) }
}

async function isWanted(entry: Dirent<Buffer>, path: string, realRoot: string): Promise<boolean> {
  if (entry.isFile()) return true
  if (!entry.isSymbolicLink()) return false
  try {
    const target = await realpath(path)
    return target.startsWith(realRoot + sep) && (await stat(target)).isFile()
  } catch (error) {
    // A link that leads nowhere is left out and counted, like one that leads outside.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ELOOP')
      return false
    throw error
  }
}

function decodeName(name: Buffer, folder: string): string {
  try {
    return strictUtf8.decode(name)
  } catch (cause) {
    throw new AshlarError(
      'invalid-name',
      `Cannot store ${join(folder, name.toString('latin1'))}: its name is not UTF-8. Rename it`,
      {
        cause,
      },
    )
  }
}
