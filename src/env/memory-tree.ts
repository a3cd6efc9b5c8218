/**
 * The names of a disk in memory, twice: as everyone sees them, and as a crash would leave them.
 *
 * Each change of names is a step; a rename is one step, though it may touch two directories. To sync a directory
 * makes its steps durable, and with them the earlier steps of the directories that those touch, so that no order of
 * syncs brings back a name that was renamed away.
 * Errors are errno errors, as an operating system gives them: {@link diskError} translates both.
 * @module
 */
import { FileImage, type UnsyncedPart } from './memory-file-image.ts'

export interface FileNode {
  readonly kind: 'file'
  readonly inode: number
  readonly image: FileImage
  /** Room that it takes on its disk, in whole pages. */
  allocatedBytes: number
  modifiedMs: number
  /** Names, and open handles, that keep it. */
  links: number
  handles: number
}

export interface DirectoryNode {
  readonly kind: 'directory'
  readonly inode: number
  names: Map<string, Node>
  readonly durableNames: Map<string, Node>
  modifiedMs: number
}

export type Node = FileNode | DirectoryNode

/** `name` of `directory` now means `node`, or nothing. */
export interface NameChange {
  readonly directory: DirectoryNode
  readonly name: string
  readonly node: Node | undefined
}

/** Something that was done and not synced. */
export type UnsyncedChange =
  | { readonly kind: 'names'; readonly changes: readonly NameChange[] }
  | (UnsyncedPart & { readonly inode: number })

export class MemoryTree {
  readonly #root: DirectoryNode
  #nextInode = 1
  /** Steps that no sync has made durable, in order. */
  #unsynced: (readonly NameChange[])[] = []
  /** Files with open handles. */
  readonly #opened = new Set<FileNode>()
  readonly #released: (file: FileNode) => void

  /** @param released called when a file has lost its last name and handle */
  constructor(released: (file: FileNode) => void) {
    this.#released = released
    this.#root = this.newDirectory(0)
  }

  newFile(modifiedMs: number): FileNode {
    return {
      kind: 'file',
      inode: this.#nextInode++,
      image: new FileImage(),
      allocatedBytes: 0,
      modifiedMs,
      links: 0,
      handles: 0,
    }
  }

  newDirectory(modifiedMs: number): DirectoryNode {
    return {
      kind: 'directory',
      inode: this.#nextInode++,
      names: new Map(),
      durableNames: new Map(),
      modifiedMs,
    }
  }

  /** @param path absolute, without `.` and `..` */
  find(path: string): Node {
    let node: Node = this.#root
    for (const name of namesOf(path)) {
      if (node.kind !== 'directory') throw errno('ENOTDIR')
      const next = node.names.get(name)
      if (next === undefined) throw errno('ENOENT')
      node = next
    }
    return node
  }

  findDirectory(path: string): DirectoryNode {
    const node = this.find(path)
    if (node.kind !== 'directory') throw errno('ENOTDIR')
    return node
  }

  /** The directory that holds `path`, which need not exist itself. */
  placeOf(path: string): { readonly directory: DirectoryNode; readonly name: string; readonly node: Node | undefined } {
    const names = namesOf(path)
    const name = names.pop()
    if (name === undefined) throw errno('EISDIR')
    const directory = this.findDirectory(`/${names.join('/')}`)
    return { directory, name, node: directory.names.get(name) }
  }

  change(changes: readonly NameChange[]): void {
    const replaced: (Node | undefined)[] = []
    for (const { directory, name, node } of changes) {
      const before = directory.names.get(name)
      replaced.push(before)
      setName(directory.names, name, node)
      if (node?.kind === 'file') node.links++
      if (before?.kind === 'file') before.links--
    }
    for (const node of replaced) if (node?.kind === 'file') this.releaseIfUnused(node)
    this.#unsynced.push(changes)
  }

  opened(file: FileNode): void {
    file.handles++
    this.#opened.add(file)
  }

  closed(file: FileNode): void {
    file.handles--
    if (file.handles === 0) this.#opened.delete(file)
    this.releaseIfUnused(file)
  }

  releaseIfUnused(file: FileNode): void {
    if (file.links === 0 && file.handles === 0) this.#released(file)
  }

  /** As the end of all processes does. */
  closeHandles(): void {
    for (const file of this.#opened) {
      file.handles = 0
      this.releaseIfUnused(file)
    }
    this.#opened.clear()
  }

  sync(directory: DirectoryNode): void {
    this.#settle(new Set([directory]), () => false)
  }

  /** Every file, in the order of its path. */
  files(): { readonly path: string; readonly lengthBytes: number }[] {
    const found: { path: string; lengthBytes: number }[] = []
    const visit = (directory: DirectoryNode, prefix: string) => {
      for (const name of [...directory.names.keys()].sort()) {
        const node = directory.names.get(name) as Node
        if (node.kind === 'directory') visit(node, `${prefix}${name}/`)
        else found.push({ path: `${prefix}${name}`, lengthBytes: node.image.lengthBytes })
      }
    }
    visit(this.#root, '/')
    return found
  }

  /**
   * Makes durable the steps that touch one of `directories`, and those that `keeps` chooses; with each, the earlier
   * steps of the directories that it touches.
   */
  #settle(directories: Set<DirectoryNode>, keeps: (changes: readonly NameChange[]) => boolean): void {
    const rest: (readonly NameChange[])[] = []
    const durable: (readonly NameChange[])[] = []
    for (const step of this.#unsynced.toReversed()) {
      if (!step.some((change) => directories.has(change.directory)) && !keeps(step)) {
        rest.push(step)
        continue
      }
      durable.push(step)
      for (const change of step) directories.add(change.directory)
    }
    for (const step of durable.toReversed()) makeDurable(step)
    this.#unsynced = rest.toReversed()
  }

  /**
   * Keeps what was synced, and of the rest what `keeps` chooses; with a step of names the earlier ones of the same
   * directories, as journals do.
   * @returns the files that are left
   */
  crash(keeps: (change: UnsyncedChange) => boolean): FileNode[] {
    this.#settle(new Set(), (changes) => keeps({ kind: 'names', changes }))
    this.#unsynced = []
    this.#opened.clear()
    const files = new Set<FileNode>()
    const directories: DirectoryNode[] = [this.#root]
    for (const directory of directories) {
      directory.names = new Map(directory.durableNames)
      for (const node of directory.names.values()) {
        if (node.kind === 'directory') {
          directories.push(node)
          continue
        }
        if (!files.has(node)) {
          files.add(node)
          node.links = 0
          node.handles = 0
          node.image.crash((part) => keeps({ ...part, inode: node.inode }))
        }
        node.links++
      }
    }
    return [...files]
  }
}

/** An error as Node's file system throws it. */
export function errno(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function makeDurable(changes: readonly NameChange[]): void {
  for (const { directory, name, node } of changes) setName(directory.durableNames, name, node)
}

function setName(names: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node === undefined) names.delete(name)
  else names.set(name, node)
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '')
}
