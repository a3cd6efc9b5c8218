/**
 * An open file of the operating system, by descriptor: pread, pwritev, fdatasync on Node's thread pool.
 *
 * - Direct I/O falls back to the page cache, for good, where the file system refuses it at open or at the first
 *   transfer (EINVAL); `direct` then turns false.
 * - A short transfer is continued; under direct I/O from the last whole page.
 * - A failed sync is final: every later write and sync of this handle fails with the same error.
 * - `close` waits for the transfers under way, so that no buffer is written to after it, and no reused descriptor.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { isAligned } from './aligned-memory.ts'
import { type File, type OpenOptions, pageBytes } from './disk.ts'
import { diskError, errnoOf } from './errno.ts'

const { close, constants, fdatasync, fstat, ftruncate, open, read, writev } = nodeFs()
const { promisify } = nodeUtil()

const openFd = promisify(open)
const closeFd = promisify(close)
const statFd = promisify(fstat)
const truncateFd = promisify(ftruncate)
const syncFd = promisify(fdatasync)

/** Not imported: an import reads every export, and one of them loads the streams of files: 4 of the 80 ms of CPU of `ashlar ls`. */
function nodeFs(): typeof import('node:fs') {
  return process.getBuiltinModule('node:fs')
}

/** Not imported, for the same reason: 2 ms more. */
function nodeUtil(): typeof import('node:util') {
  return process.getBuiltinModule('node:util')
}

/** A transfer that needs more steps than this is a fault of the disk: each step should be as large as asked. */
const transferSteps = 64

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
/** Only Linux has it. */
const O_DIRECT: number | undefined = constants.O_DIRECT

const flagsOf: Readonly<Record<OpenOptions['mode'], number>> = {
  read: O_RDONLY,
  'read-write': O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL,
  'append-or-create': O_RDWR | O_CREAT,
}

export async function openNodeFile(path: string, { mode, direct = false }: OpenOptions): Promise<File> {
  const flags = flagsOf[mode] | O_NOFOLLOW
  const doing = mode === 'create' ? 'create' : 'open'
  try {
    if (!direct || O_DIRECT === undefined)
      return new NodeFile(path, await openFd(path, flags, 0o600), { flags, direct: false })
    try {
      return new NodeFile(path, await openFd(path, flags | O_DIRECT, 0o600), { flags, direct: true })
    } catch (error) {
      if (errnoOf(error) !== 'EINVAL') throw error
      return new NodeFile(path, await openBuffered(path, flags), { flags, direct: false })
    }
  } catch (error) {
    throw diskError(error, { doing, path })
  }
}

/** Linux creates the file before it finds that its file system has no direct I/O, so `O_EXCL` would refuse our own. */
async function openBuffered(path: string, flags: number): Promise<number> {
  try {
    return await openFd(path, flags & ~(O_CREAT | O_EXCL))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    return await openFd(path, flags, 0o600)
  }
}

class NodeFile implements File {
  readonly path: string
  readonly #flags: number
  #fd: number
  #direct: boolean
  #underWay = 0
  #syncFailure: AshlarError | undefined
  #fallingBack: Promise<void> | undefined
  /** Without direct I/O, after a fallback; transfers that began before may still use it, so it stays open. */
  #refusedFd: number | undefined
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(path: string, fd: number, { flags, direct }: { readonly flags: number; readonly direct: boolean }) {
    this.path = path
    this.#fd = fd
    this.#flags = flags
    this.#direct = direct
  }

  get direct(): boolean {
    return this.#direct
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    this.#check(buffer, position)
    return await this.#run('read', async () => {
      let done = 0
      for (let step = 0; done < buffer.byteLength; step++) {
        this.#checkSteps('read', step)
        const count = await this.#transfer(() => readFd(this.#fd, buffer, { offset: done, position: position + done }))
        done += count
        // Direct I/O ends on a part of a page only where the file ends.
        if (count === 0 || (this.#direct && count % pageBytes !== 0)) break
      }
      return done
    })
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    for (const buffer of buffers) this.#check(buffer, position)
    await this.#run('write', async () => {
      let rest = withoutFirst(buffers, 0)
      let at = position
      for (let step = 0; rest.length > 0; step++) {
        this.#checkSteps('write', step)
        let count = await this.#transfer(() => writeFd(this.#fd, rest, at))
        if (this.#direct) count -= count % pageBytes
        rest = withoutFirst(rest, count)
        at += count
      }
    })
  }

  async sync(): Promise<void> {
    await this.#run('sync', async () => {
      try {
        await syncFd(this.#fd)
      } catch (error) {
        this.#syncFailure = diskError(error, { doing: 'sync', path: this.path, applied: 'unknown' })
        throw this.#syncFailure
      }
    })
  }

  async truncate(lengthBytes: number): Promise<void> {
    await this.#run('truncate', () => truncateFd(this.#fd, lengthBytes))
  }

  async lengthBytes(): Promise<number> {
    return await this.#run('stat', async () => (await statFd(this.#fd)).size)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    try {
      await closeFd(this.#fd)
      if (this.#refusedFd !== undefined) await closeFd(this.#refusedFd)
    } catch (error) {
      throw diskError(error, { doing: 'close', path: this.path, applied: 'unknown' })
    }
  }

  async #run<T>(doing: string, work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      throw new AshlarError('closed', `Cannot ${doing} ${this.path}: the file was closed`)
    }
    if (this.#syncFailure !== undefined && doing !== 'read') throw this.#syncFailure
    this.#underWay++
    try {
      return await work()
    } catch (error) {
      throw diskError(error, { doing, path: this.path, ...(doing === 'write' && { applied: 'unknown' }) })
    } finally {
      this.#underWay--
      if (this.#underWay === 0) this.#idle?.()
    }
  }

  /** One step; where direct I/O is refused, once more through the page cache. */
  async #transfer(step: () => Promise<number>): Promise<number> {
    const direct = this.#direct
    try {
      return await step()
    } catch (error) {
      if (!direct || errnoOf(error) !== 'EINVAL') throw error
      this.#fallingBack ??= this.#fallBack()
      await this.#fallingBack
      return await step()
    }
  }

  async #fallBack(): Promise<void> {
    // By the descriptor, not the path: the file may have been renamed since.
    const buffered = await openFd(`/proc/self/fd/${this.#fd}`, this.#flags & O_RDWR)
    this.#refusedFd = this.#fd
    this.#fd = buffered
    this.#direct = false
  }

  #check(buffer: Uint8Array, position: number): void {
    assert(Number.isSafeInteger(position) && position >= 0, `position ${position} of ${this.path}`)
    if (!this.#direct) return
    assert(isAligned(buffer), 'direct I/O needs a buffer of Disk.alignedBuffer, in whole pages')
    assert(position % pageBytes === 0, `direct I/O at ${position}, which is not on a page boundary`)
  }

  #checkSteps(doing: string, step: number): void {
    if (step < transferSteps) return
    throw new AshlarError('disk-failed', `Cannot ${doing} ${this.path}: the disk takes too little at a time`, {
      applied: 'unknown',
    })
  }
}

function readFd(
  fd: number,
  buffer: Uint8Array,
  { offset, position }: { readonly offset: number; readonly position: number },
): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, offset, buffer.byteLength - offset, position, (error, count) =>
      error ? reject(error) : resolve(count),
    )
  })
}

function writeFd(fd: number, buffers: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, buffers, position, (error, count) => (error ? reject(error) : resolve(count)))
  })
}

/** What remains of `buffers` after `count` bytes; never begins with an empty one. */
function withoutFirst(buffers: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count
  for (const [index, buffer] of buffers.entries()) {
    if (buffer.byteLength > left) return [buffer.subarray(left), ...buffers.slice(index + 1)]
    left -= buffer.byteLength
  }
  return []
}
