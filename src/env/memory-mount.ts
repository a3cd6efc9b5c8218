/**
 * The operations of a disk in memory, for one life of the machine.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { allocateAligned } from './aligned-memory.ts'
import type { AlignedBuffer, Disk, DiskLock, DiskSpace, File, FileInfo, OpenOptions } from './disk.ts'
import { type DiskOperation, type DiskPace, type MemoryDiskCore, wholePages } from './memory-disk-core.ts'
import { MemoryFile } from './memory-file.ts'
import { type DirectoryNode, errno, type FileNode, type Node } from './memory-tree.ts'
import { readSmallFile, SmallFileWriter } from './small-files.ts'

export class MemoryMount implements Disk {
  readonly #core: MemoryDiskCore
  readonly #smallFiles = new SmallFileWriter(this)
  readonly #boundLife: number | undefined

  readonly #pace: DiskPace | undefined

  /** @param binding the life it belongs to, and dies with (undefined: whichever is the present one), and its pace */
  constructor(
    core: MemoryDiskCore,
    { life, pace }: { readonly life?: number; readonly pace?: DiskPace | undefined } = {},
  ) {
    this.#core = core
    this.#boundLife = life
    this.#pace = pace
  }

  async open(path: string, { mode, direct = false }: OpenOptions): Promise<File> {
    return await this.#run('open', path, () => {
      const node = this.#openNode(path, mode)
      this.#core.tree.opened(node)
      const life = this.#life()
      return new MemoryFile(
        {
          operate: (operation, sizeBytes, work) =>
            this.#core.operate(operation, path, { life, pace: this.#pace, sizeBytes, work }),
          sync: (file) => this.#core.syncFile(file),
          placeOf: (position) => this.#core.misplace?.(path, position) ?? position,
          resize: (file, lengthBytes) => this.#core.resize(file, lengthBytes),
          wallMs: () => this.#core.clock.wallMs(),
          closed: (file) => {
            if (life === this.#core.life) this.#core.tree.closed(file)
          },
        },
        path,
        { node, direct, writable: mode !== 'read' },
      )
    })
  }

  readSmall(path: string, maxBytes: number): Promise<Buffer> {
    return readSmallFile(this, path, maxBytes)
  }

  writeSmall(path: string, bytes: Uint8Array): Promise<void> {
    return this.#smallFiles.write(path, bytes)
  }

  list(path: string): Promise<string[]> {
    return this.#run('list', path, () => [...this.#core.tree.findDirectory(path).names.keys()])
  }

  info(path: string): Promise<FileInfo> {
    return this.#run('info', path, () => {
      const node = this.#core.tree.find(path)
      const lengthBytes = node.kind === 'file' ? node.image.lengthBytes : 0
      return {
        kind: node.kind,
        lengthBytes,
        allocatedBytes: wholePages(lengthBytes),
        modifiedMs: node.modifiedMs,
        device: this.#core.device,
        inode: node.inode,
      }
    })
  }

  makeDirectory(path: string): Promise<void> {
    return this.#run('make-directory', path, () => {
      const names = path.split('/').filter((name) => name !== '')
      let at = ''
      for (const name of names) {
        at += `/${name}`
        const { directory, node } = this.#core.tree.placeOf(at)
        if (node?.kind === 'file') throw errno(at.length < path.length ? 'ENOTDIR' : 'EEXIST')
        if (node !== undefined) continue
        this.#core.tree.change([{ directory, name, node: this.#core.tree.newDirectory(this.#core.clock.wallMs()) }])
        this.#core.syncDirectory(directory)
      }
    })
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run('rename', from, () => {
      const source = this.#core.tree.placeOf(from)
      const target = this.#core.tree.placeOf(to)
      if (source.node === undefined) throw errno('ENOENT')
      if (source.node === target.node) return
      if (`${to}/`.startsWith(`${from}/`)) throw errno('EINVAL')
      refuseReplacing(target.node, source.node)
      this.#core.tree.change([
        { directory: target.directory, name: target.name, node: source.node },
        { directory: source.directory, name: source.name, node: undefined },
      ])
    })
  }

  remove(path: string): Promise<void> {
    return this.#run('remove', path, () => {
      const { directory, name, node } = this.#core.tree.placeOf(path)
      if (node === undefined) throw errno('ENOENT')
      if (node.kind === 'directory') throw errno('EISDIR')
      this.#core.tree.change([{ directory, name, node: undefined }])
    })
  }

  removeDirectory(path: string): Promise<void> {
    return this.#run('remove', path, () => {
      const { directory, name, node } = this.#core.tree.placeOf(path)
      if (node === undefined) throw errno('ENOENT')
      if (node.kind !== 'directory') throw errno('ENOTDIR')
      if (node.names.size > 0) throw errno('ENOTEMPTY')
      this.#core.tree.change([{ directory, name, node: undefined }])
    })
  }

  removeTree(path: string): Promise<void> {
    return this.#run('remove', path, () => {
      const { directory, name, node } = this.#core.tree.placeOf(path)
      if (node === undefined) throw errno('ENOENT')
      if (node.kind === 'directory') this.#empty(node)
      this.#core.tree.change([{ directory, name, node: undefined }])
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.#run('sync-directory', path, () => this.#core.syncDirectory(this.#core.tree.findDirectory(path)))
  }

  space(path: string): Promise<DiskSpace> {
    return this.#run('space', path, () => {
      this.#core.tree.find(path)
      const freeBytes = Math.max(0, this.#core.capacityBytes - this.#core.usedBytes)
      return { totalBytes: this.#core.capacityBytes, freeBytes, device: this.#core.device }
    })
  }

  lock(path: string, holder: string): Promise<DiskLock> {
    return this.#run('lock', path, () => {
      const held = this.#core.holders.get(path)
      if (held !== undefined) {
        throw new AshlarError(
          'in-use',
          `Cannot lock ${path}: ${held} holds it. Stop it first, or choose another folder`,
          { details: { path, holder: held } },
        )
      }
      const { directory, name, node } = this.#core.tree.placeOf(path)
      if (node === undefined)
        this.#core.tree.change([{ directory, name, node: this.#core.tree.newFile(this.#core.clock.wallMs()) }])
      this.#core.holders.set(path, holder)
      const life = this.#life()
      let released = false
      return {
        release: async () => {
          if (!released && life === this.#core.life) this.#core.holders.delete(path)
          released = true
        },
      }
    })
  }

  alignedBuffer(lengthBytes: number): AlignedBuffer {
    return allocateAligned(lengthBytes)
  }

  #openNode(path: string, mode: OpenOptions['mode']): FileNode {
    const { directory, name, node } = this.#core.tree.placeOf(path)
    if (node !== undefined) {
      if (mode === 'create') throw errno('EEXIST')
      if (node.kind === 'directory') throw errno('EISDIR')
      return node
    }
    if (mode === 'read' || mode === 'read-write') throw errno('ENOENT')
    const file = this.#core.tree.newFile(this.#core.clock.wallMs())
    this.#core.tree.change([{ directory, name, node: file }])
    return file
  }

  #empty(directory: DirectoryNode): void {
    for (const [name, node] of directory.names) {
      if (node.kind === 'directory') this.#empty(node)
      this.#core.tree.change([{ directory, name, node: undefined }])
    }
  }

  #life(): number {
    return this.#boundLife ?? this.#core.life
  }

  #run<T>(operation: DiskOperation, path: string, work: () => T): Promise<T> {
    return this.#core.operate(operation, path, { life: this.#life(), pace: this.#pace, sizeBytes: 0, work })
  }
}

function refuseReplacing(target: Node | undefined, source: Node): void {
  if (target === undefined) return
  if (source.kind === 'file' && target.kind === 'directory') throw errno('EISDIR')
  if (source.kind === 'directory' && target.kind === 'file') throw errno('ENOTDIR')
  if (target.kind === 'directory' && target.names.size > 0) throw errno('ENOTEMPTY')
}
