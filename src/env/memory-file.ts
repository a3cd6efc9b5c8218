/**
 * An open file of a disk in memory. It behaves as {@link openNodeFile}'s: direct I/O wants aligned buffers, a failed
 * sync is final, `close` waits for what is under way.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { isAligned } from './aligned-memory.ts'
import { type File, pageBytes } from './disk.ts'
import type { FileNode } from './memory-tree.ts'

export type FileOperation = 'read' | 'write' | 'sync' | 'truncate' | 'length'

/** What a file asks of its disk. */
export interface FileHost {
  /** Runs `work` in a later turn, unless a fault or a crash comes before it. */
  operate<T>(operation: FileOperation, sizeBytes: number, work: () => T): Promise<T>
  sync(file: FileNode): void
  /** Where a write at `position` really goes. */
  placeOf(position: number): number
  /** Changes the room that the file takes, @throws no-space as an errno error */
  resize(file: FileNode, lengthBytes: number): void
  wallMs(): number
  closed(file: FileNode): void
}

export interface MemoryFileOptions {
  readonly node: FileNode
  readonly direct: boolean
  readonly writable: boolean
}

export class MemoryFile implements File {
  readonly path: string
  readonly direct: boolean
  readonly #node: FileNode
  readonly #writable: boolean
  readonly #host: FileHost
  readonly #underWay = new Set<Promise<unknown>>()
  #syncFailure: unknown
  #closing: Promise<void> | undefined

  constructor(host: FileHost, path: string, { node, direct, writable }: MemoryFileOptions) {
    this.#host = host
    this.path = path
    this.#node = node
    this.direct = direct
    this.#writable = writable
  }

  async read(buffer: Uint8Array, position: number): Promise<number> {
    this.#check(buffer, position)
    return await this.#run('read', buffer.byteLength, () => this.#node.image.read(buffer, position))
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    for (const buffer of buffers) this.#check(buffer, position)
    const sizeBytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0)
    await this.#run('write', sizeBytes, () => {
      let at = this.#host.placeOf(position)
      if (sizeBytes > 0) this.#host.resize(this.#node, Math.max(this.#node.image.lengthBytes, at + sizeBytes))
      for (const buffer of buffers) {
        this.#node.image.write(buffer, at)
        at += buffer.byteLength
      }
      this.#node.modifiedMs = this.#host.wallMs()
    })
  }

  async sync(): Promise<void> {
    try {
      await this.#run('sync', 0, () => this.#host.sync(this.#node))
    } catch (error) {
      this.#node.image.failSync()
      this.#syncFailure ??= error
      throw error
    }
  }

  async truncate(lengthBytes: number): Promise<void> {
    await this.#run('truncate', 0, () => {
      this.#host.resize(this.#node, lengthBytes)
      this.#node.image.truncate(lengthBytes)
      this.#node.modifiedMs = this.#host.wallMs()
    })
  }

  async lengthBytes(): Promise<number> {
    return await this.#run('length', 0, () => this.#node.image.lengthBytes)
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#underWay).then(() => this.#host.closed(this.#node))
    return this.#closing
  }

  async #run<T>(operation: FileOperation, sizeBytes: number, work: () => T): Promise<T> {
    if (this.#closing !== undefined) {
      throw new AshlarError('closed', `Cannot ${operation} ${this.path}: the file was closed`)
    }
    if (this.#syncFailure !== undefined && operation !== 'read') throw this.#syncFailure
    assert(this.#writable || operation === 'read' || operation === 'length', `${this.path} is open for reading only`)
    const running = this.#host.operate(operation, sizeBytes, work)
    this.#underWay.add(running)
    try {
      return await running
    } finally {
      this.#underWay.delete(running)
    }
  }

  #check(buffer: Uint8Array, position: number): void {
    assert(Number.isSafeInteger(position) && position >= 0, `position ${position} of ${this.path}`)
    if (!this.direct) return
    assert(isAligned(buffer), 'direct I/O needs a buffer of Disk.alignedBuffer, in whole pages')
    assert(position % pageBytes === 0, `direct I/O at ${position}, which is not on a page boundary`)
  }
}
