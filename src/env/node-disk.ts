/**
 * The disk of the operating system.
 * @module
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, rmdir, statfs, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { assert } from '../base/assert.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { allocateAligned } from './aligned-memory.ts'
import type { Disk, DiskSpace, FileInfo } from './disk.ts'
import { diskError, errnoOf } from './errno.ts'
import { openNodeFile } from './node-file.ts'
import { lockNodeFile } from './node-lock.ts'

const { O_RDONLY, O_DIRECTORY } = constants

export function createNodeDisk(): Disk {
  /** The last `writeSmall` of each path, so that two of one path do not share its temporary file. */
  const writing = new Map<string, Promise<void>>()

  const writeSmall = async (path: string, bytes: Uint8Array) => {
    const before = writing.get(path)
    const write = (async () => {
      // The failure of an earlier write is told to its own caller.
      await before?.catch(() => undefined)
      await replaceFile(path, bytes)
    })()
    writing.set(path, write)
    try {
      await write
    } finally {
      if (writing.get(path) === write) writing.delete(path)
    }
  }

  return {
    open: openNodeFile,
    readSmall,
    writeSmall,
    list: (path) => translated('list', path, () => readdir(path)),
    info,
    makeDirectory,
    rename: (from, to) => translated('rename', from, () => rename(from, to)),
    remove: (path) => translated('remove', path, () => unlink(path)),
    removeDirectory: (path) => translated('remove', path, () => rmdir(path)),
    removeTree: (path) => translated('remove', path, () => rm(path, { recursive: true })),
    syncDirectory,
    space,
    lock: lockNodeFile,
    alignedBuffer: allocateAligned,
  }
}

async function readSmall(path: string, maxBytes: number): Promise<Buffer> {
  const file = await openNodeFile(path, { mode: 'read' })
  try {
    const lengthBytes = await file.lengthBytes()
    if (lengthBytes > maxBytes) {
      throw new AshlarError(
        'too-large',
        `Cannot read ${path}: it has ${lengthBytes} bytes, and ${maxBytes} are allowed`,
      )
    }
    const bytes = Buffer.allocUnsafe(lengthBytes)
    return bytes.subarray(0, await file.read(bytes, 0))
  } finally {
    await file.close()
  }
}

/** The temporary name is fixed, `<path>.tmp`, so that what a crash leaves is overwritten by the next call. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`
  try {
    await unlink(temporary)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, { doing: 'remove', path: temporary })
  }
  const file = await openNodeFile(temporary, { mode: 'create' })
  try {
    try {
      await file.write([bytes], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await translated('rename', temporary, () => rename(temporary, path))
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
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
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await isDirectory(path))) return
    if (errnoOf(error) !== 'ENOENT') throw diskError(error, { doing: 'make directory', path })
    const parent = dirname(path)
    assert(parent !== path, 'the root directory is missing')
    await makeDirectory(parent)
    return await makeDirectory(path)
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
