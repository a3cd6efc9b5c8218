/**
 * The disk of the operating system.
 * @module
 */
import { constants, lstat, mkdir, open, readdir, rename, rm, rmdir, statfs, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assert } from '../base/assert.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { allocateAligned } from './aligned-memory.ts'
import type { Disk, DiskSpace, FileInfo } from './disk.ts'
import { diskError, errnoOf } from './errno.ts'
import { openNodeFile } from './node-file.ts'
import { lockNodeFile } from './node-lock.ts'
import { readSmallFile, SmallFileWriter } from './small-files.ts'

const { O_RDONLY, O_DIRECTORY } = constants

export function createNodeDisk(): Disk {
  const primitives = {
    open: openNodeFile,
    rename: (from: string, to: string) => translated('rename', from, () => rename(from, to)),
    remove: (path: string) => translated('remove', path, () => unlink(path)),
    syncDirectory,
  }
  const smallFiles = new SmallFileWriter(primitives)
  return {
    ...primitives,
    readSmall: (path, maxBytes) => readSmallFile(primitives, path, maxBytes),
    writeSmall: (path, bytes) => smallFiles.write(path, bytes),
    list: (path) => translated('list', path, () => readdir(path)),
    info,
    makeDirectory,
    removeDirectory: (path) => translated('remove', path, () => rmdir(path)),
    removeTree: (path) => translated('remove', path, () => rm(path, { recursive: true })),
    space,
    lock: lockNodeFile,
    alignedBuffer: allocateAligned,
  }
}

async function info(path: string): Promise<FileInfo> {
  const stats = await translated('stat', path, () => lstat(path))
  return {
    kind: stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : 'other',
    lengthBytes: stats.size,
    allocatedBytes: stats.blocks * 512,
    modifiedMs: stats.mtimeMs,
    device: stats.dev,
    inode: stats.ino,
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOneDirectory(path)
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
    const parent = dirname(path)
    assert(parent !== path, 'the root directory is missing')
    await makeDirectory(parent)
    await makeOneDirectory(path).catch((again: unknown) => {
      // A file system that takes no folders (as of /proc) says so for ever.
      if (!isAshlarError(again, 'not-found')) throw again
      throw new AshlarError('read-only', `Cannot make directory ${path}: its file system takes no new folders`, {
        cause: again,
      })
    })
  }
}

async function makeOneDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await isDirectory(path))) return
    throw diskError(error, { doing: 'make directory', path })
  }
  await syncDirectory(dirname(path))
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await info(path)).kind === 'directory'
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return false
    throw error
  }
}

async function syncDirectory(path: string): Promise<void> {
  await translated('sync', path, async () => {
    const directory = await open(path, O_RDONLY | O_DIRECTORY)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  })
}

async function space(path: string): Promise<DiskSpace> {
  return await translated('measure', path, async () => {
    const [system, { dev }] = await Promise.all([statfs(path), lstat(path)])
    return { totalBytes: system.blocks * system.bsize, freeBytes: system.bavail * system.bsize, device: dev }
  })
}

async function translated<T>(doing: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw diskError(error, { doing, path })
  }
}
