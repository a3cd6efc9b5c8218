/**
 * A file system in a few maps, as obviously right as can be: what the client is compared with after random operations.
 * An operation that is refused throws its code as {@link Refused}, and has changed nothing.
 * @module
 */

export interface ModelFile {
  readonly kind: 'file'
  readonly bytes: Buffer
  readonly xattrs: ReadonlyMap<string, string>
}

export interface ModelDirectory {
  readonly kind: 'directory'
  readonly entries: Map<string, ModelNode>
}

export type ModelNode = ModelFile | ModelDirectory

export class Refused extends Error {}

const noXattrs: ReadonlyMap<string, string> = new Map()

export class ModelFiles {
  readonly root: ModelDirectory = { kind: 'directory', entries: new Map() }
  /** Oldest first. */
  readonly #trash: { readonly path: string; readonly node: ModelNode }[] = []

  write(path: string, bytes: Buffer, { ifAbsent = false } = {}): void {
    const old = this.lookup(path)
    if (old?.kind === 'directory') throw new Refused('is-a-directory')
    if (ifAbsent && old !== undefined) throw new Refused('already-exists')
    if (old !== undefined) this.#toTrash(path)
    this.#set(path, { kind: 'file', bytes, xattrs: noXattrs })
  }

  append(path: string, bytes: Buffer, expectedLength?: number): void {
    const old = this.lookup(path)
    if (old?.kind === 'directory') throw new Refused('is-a-directory')
    if (expectedLength !== undefined) {
      if (old === undefined) throw new Refused('not-found')
      if (old.bytes.length !== expectedLength) throw new Refused('changed')
    }
    this.#set(path, {
      kind: 'file',
      bytes: Buffer.concat([old?.bytes ?? Buffer.alloc(0), bytes]),
      xattrs: old?.xattrs ?? noXattrs,
    })
  }

  truncate(path: string, length: number): void {
    const old = this.file(path)
    if (length > old.bytes.length) throw new Refused('invalid-argument')
    this.#toTrash(path)
    this.#set(path, { ...old, bytes: old.bytes.subarray(0, length) })
  }

  concat(path: string, sources: readonly string[]): void {
    if (new Set([path, ...sources]).size <= sources.length) throw new Refused('invalid-argument')
    const target = this.file(path)
    const bytes = Buffer.concat([target.bytes, ...sources.map((source) => this.file(source).bytes)])
    for (const source of sources) this.#take(source)
    this.#set(path, { ...target, bytes })
  }

  copy(from: string, to: string): void {
    const source = this.file(from)
    const old = this.lookup(to)
    if (old?.kind === 'directory') throw new Refused('is-a-directory')
    if (old !== undefined) this.#toTrash(to)
    this.#set(to, source)
  }

  rename(from: string, to: string): void {
    const node = this.find(from)
    if (from === to) return
    if (node.kind === 'directory' && to.startsWith(`${from}/`)) throw new Refused('invalid-argument')
    const target = this.lookup(to)
    if (target?.kind === 'directory') {
      if (node.kind === 'file') throw new Refused('is-a-directory')
      if (target.entries.size > 0) throw new Refused('not-empty')
    } else if (target !== undefined && node.kind === 'directory') throw new Refused('not-a-directory')
    if (target !== undefined) this.#toTrash(to)
    this.#take(from)
    this.#set(to, node)
  }

  remove(path: string, { recursive }: { readonly recursive: boolean }): void {
    const node = this.find(path)
    if (node.kind === 'directory' && !recursive) throw new Refused('is-a-directory')
    this.#toTrash(path)
  }

  undelete(path: string): void {
    const index = this.#trash.findLastIndex((trashed) => trashed.path === path)
    const trashed = this.#trash[index]
    if (trashed === undefined) throw new Refused('not-found')
    this.#checkWay(path)
    if (this.#lookupQuietly(path) !== undefined) throw new Refused('already-exists')
    this.makeDirectory(parentOf(path))
    this.#set(path, trashed.node)
    this.#trash.splice(index, 1)
  }

  /** With missing parents; an existing one is no error. */
  makeDirectory(path: string): void {
    let directory = this.root
    for (const name of namesOf(path)) {
      const node = directory.entries.get(name)
      if (node?.kind === 'file') throw new Refused('not-a-directory')
      const next: ModelDirectory = node ?? { kind: 'directory', entries: new Map() }
      directory.entries.set(name, next)
      directory = next
    }
  }

  setXattr(path: string, name: string, value: string): void {
    const node = this.file(path)
    this.#set(path, { ...node, xattrs: new Map(node.xattrs).set(name, value) })
  }

  /** In the order of a list: a directory counts with `/` at its end. */
  list(path: string): string[] {
    const node = path === '/' ? this.root : this.find(path)
    if (node.kind === 'file') throw new Refused('not-a-directory')
    const keyOf = (name: string) => (node.entries.get(name)?.kind === 'directory' ? `${name}/` : name)
    return [...node.entries.keys()].sort((a, b) => Buffer.compare(Buffer.from(keyOf(a)), Buffer.from(keyOf(b))))
  }

  /** Path → node, of everything. */
  all(): Map<string, ModelNode> {
    const seen = new Map<string, ModelNode>()
    const walk = (directory: ModelDirectory, path: string) => {
      for (const [name, node] of directory.entries) {
        seen.set(`${path}/${name}`, node)
        if (node.kind === 'directory') walk(node, `${path}/${name}`)
      }
    }
    walk(this.root, '')
    return seen
  }

  file(path: string): ModelFile {
    const node = this.find(path)
    if (node.kind === 'directory') throw new Refused('is-a-directory')
    return node
  }

  find(path: string): ModelNode {
    const node = this.lookup(path)
    if (node === undefined) throw new Refused('not-found')
    return node
  }

  /** Undefined: nothing is there, and its parent is. */
  lookup(path: string): ModelNode | undefined {
    return this.#parent(path).entries.get(nameOf(path))
  }

  #lookupQuietly(path: string): ModelNode | undefined {
    try {
      return this.lookup(path)
    } catch {
      // A parent is missing: so is the path.
      return undefined
    }
  }

  #checkWay(path: string): void {
    let directory = this.root
    for (const name of namesOf(parentOf(path))) {
      const node = directory.entries.get(name)
      if (node === undefined) return
      if (node.kind === 'file') throw new Refused('not-a-directory')
      directory = node
    }
  }

  #toTrash(path: string): void {
    this.#trash.push({ path, node: this.#take(path) })
  }

  #take(path: string): ModelNode {
    const node = this.find(path)
    this.#parent(path).entries.delete(nameOf(path))
    return node
  }

  #set(path: string, node: ModelNode): void {
    this.#parent(path).entries.set(nameOf(path), node)
  }

  #parent(path: string): ModelDirectory {
    let directory = this.root
    for (const name of namesOf(parentOf(path))) {
      const node = directory.entries.get(name)
      if (node === undefined) throw new Refused('not-found')
      if (node.kind === 'file') throw new Refused('not-a-directory')
      directory = node
    }
    return directory
  }
}

function namesOf(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/')
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
