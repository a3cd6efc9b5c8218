/**
 * A small file system in memory, as obviously right as can be: what the namespace is compared with after random
 * operations. It can be cloned, so that a few concurrent operations are tried in every order.
 * @module
 */
import type { Extent } from '../../src/wire/types/extent.ts'

export interface ModelFile {
  readonly kind: 'file'
  /** `chunk+offset+length` of each extent. */
  readonly extents: readonly string[]
}

export interface ModelDirectory {
  readonly kind: 'directory'
  readonly entries: Map<string, ModelNode>
}

export type ModelNode = ModelFile | ModelDirectory

/** Names chunks. */
export interface WriteOperation {
  readonly type: 'put' | 'append'
  readonly path: string
  readonly expectedLength: number
  readonly extents: readonly Extent[]
}

export type TreeOperation =
  | { readonly type: 'makeDirectory'; readonly path: string; readonly recursive: boolean }
  | { readonly type: 'rename'; readonly from: string; readonly to: string; readonly replace: boolean }
  | { readonly type: 'remove'; readonly path: string; readonly recursive: boolean }
  | { readonly type: 'undelete'; readonly path: string }
  | { readonly type: 'truncate'; readonly path: string; readonly length: number }
  | { readonly type: 'concat'; readonly path: string; readonly source: string }
  | { readonly type: 'copy'; readonly from: string; readonly to: string }

export type Operation = WriteOperation | TreeOperation

class Refused extends Error {}

export class ModelTree {
  #root: ModelDirectory = { kind: 'directory', entries: new Map() }
  /** Oldest first. */
  #trash: { readonly path: string; readonly node: ModelNode }[] = []

  clone(): ModelTree {
    const clone = new ModelTree()
    clone.#root = cloneNode(this.#root) as ModelDirectory
    clone.#trash = this.#trash.map(({ path, node }) => ({ path, node: cloneNode(node) }))
    return clone
  }

  /** @returns `ok`, or the code of the refusal */
  apply(operation: Operation): string {
    try {
      this.#apply(operation)
      return 'ok'
    } catch (error) {
      if (error instanceof Refused) return error.message
      throw error
    }
  }

  emptyTrash(): void {
    this.#trash = []
  }

  /** Path → extents of a file, or `directory`. */
  snapshot(): Map<string, string> {
    const seen = new Map<string, string>()
    const walk = (directory: ModelDirectory, path: string) => {
      for (const [name, node] of directory.entries) {
        seen.set(`${path}/${name}`, node.kind === 'file' ? node.extents.join(' ') : 'directory')
        if (node.kind === 'directory') walk(node, `${path}/${name}`)
      }
    }
    walk(this.#root, '')
    return seen
  }

  #apply(operation: Operation): void {
    switch (operation.type) {
      case 'put':
        this.#put(operation.path, file(operation.extents.map(extentText)))
        break
      case 'append': {
        const old = this.#file(operation.path)
        if (lengthOf(old) !== operation.expectedLength) throw new Refused('changed')
        this.#set(operation.path, file([...old.extents, ...operation.extents.map(extentText)]))
        break
      }
      case 'makeDirectory':
        this.#makeDirectory(operation.path, operation.recursive)
        break
      case 'rename':
        this.#rename(operation)
        break
      case 'remove': {
        const node = this.#find(operation.path)
        if (node.kind === 'directory' && node.entries.size > 0 && !operation.recursive) throw new Refused('not-empty')
        this.#toTrash(operation.path)
        break
      }
      case 'undelete':
        this.#undelete(operation.path)
        break
      case 'truncate':
        this.#truncate(operation.path, operation.length)
        break
      case 'concat': {
        if (operation.path === operation.source) throw new Refused('invalid-argument')
        const target = this.#file(operation.path)
        const source = this.#file(operation.source)
        this.#take(operation.source)
        this.#set(operation.path, file([...target.extents, ...source.extents]))
        break
      }
      case 'copy': {
        const source = this.#file(operation.from)
        this.#put(operation.to, file(source.extents))
        break
      }
    }
  }

  #put(path: string, node: ModelFile): void {
    const parent = this.#parent(path)
    const old = parent.entries.get(nameOf(path))
    if (old?.kind === 'directory') throw new Refused('is-a-directory')
    if (old !== undefined) this.#toTrash(path)
    parent.entries.set(nameOf(path), node)
  }

  #makeDirectory(path: string, recursive: boolean): void {
    const names = path.slice(1).split('/')
    let directory = this.#root
    names.forEach((name, index) => {
      const isLast = index === names.length - 1
      const old = directory.entries.get(name)
      if (old?.kind === 'file') throw new Refused(isLast && !recursive ? 'already-exists' : 'not-a-directory')
      if (isLast && old !== undefined && !recursive) throw new Refused('already-exists')
      if (!isLast && old === undefined && !recursive) throw new Refused('not-found')
      if (old === undefined) directory.entries.set(name, { kind: 'directory', entries: new Map() })
      directory = directory.entries.get(name) as ModelDirectory
    })
  }

  #rename({ from, to, replace }: { readonly from: string; readonly to: string; readonly replace: boolean }): void {
    const node = this.#find(from)
    if (from === to) return
    if (node.kind === 'directory' && to.startsWith(`${from}/`)) throw new Refused('invalid-argument')
    const parent = this.#parent(to)
    const target = parent.entries.get(nameOf(to))
    if (target !== undefined) {
      if (!replace) throw new Refused('already-exists')
      if (target.kind === 'directory') {
        if (node.kind === 'file') throw new Refused('is-a-directory')
        if (target.entries.size > 0) throw new Refused('not-empty')
      } else if (node.kind === 'directory') throw new Refused('not-a-directory')
      this.#toTrash(to)
    }
    this.#take(from)
    parent.entries.set(nameOf(to), node)
  }

  #undelete(path: string): void {
    const index = this.#trash.findLastIndex((trashed) => trashed.path === path)
    const trashed = this.#trash[index]
    if (trashed === undefined) throw new Refused('not-found')
    const names = path.slice(1).split('/')
    let directory = this.#root
    for (const name of names.slice(0, -1)) {
      const old = directory.entries.get(name)
      if (old?.kind === 'file') throw new Refused('not-a-directory')
      directory = (old ?? { kind: 'directory', entries: new Map() }) as ModelDirectory
    }
    if (directory.entries.has(nameOf(path))) throw new Refused('already-exists')
    if (names.length > 1) this.#makeDirectory(path.slice(0, path.lastIndexOf('/')), true)
    this.#parent(path).entries.set(nameOf(path), trashed.node)
    this.#trash.splice(index, 1)
  }

  #truncate(path: string, length: number): void {
    const old = this.#file(path)
    if (length > lengthOf(old)) throw new Refused('invalid-argument')
    const extents: string[] = []
    let left = length
    for (const text of old.extents) {
      if (left === 0) break
      const [chunk, offset, extentLength] = text.split('+') as [string, string, string]
      const taken = Math.min(left, Number(extentLength))
      extents.push(`${chunk}+${offset}+${taken}`)
      left -= taken
    }
    this.#toTrash(path)
    this.#set(path, file(extents))
  }

  #toTrash(path: string): void {
    this.#trash.push({ path, node: this.#take(path) })
  }

  #take(path: string): ModelNode {
    const node = this.#find(path)
    this.#parent(path).entries.delete(nameOf(path))
    return node
  }

  #set(path: string, node: ModelNode): void {
    this.#parent(path).entries.set(nameOf(path), node)
  }

  #file(path: string): ModelFile {
    const node = this.#find(path)
    if (node.kind !== 'file') throw new Refused('is-a-directory')
    return node
  }

  #find(path: string): ModelNode {
    const node = this.#parent(path).entries.get(nameOf(path))
    if (node === undefined) throw new Refused('not-found')
    return node
  }

  #parent(path: string): ModelDirectory {
    let directory = this.#root
    for (const name of path.slice(1).split('/').slice(0, -1)) {
      const node = directory.entries.get(name)
      if (node === undefined) throw new Refused('not-found')
      if (node.kind === 'file') throw new Refused('not-a-directory')
      directory = node
    }
    return directory
  }
}

export function extentText({ chunk, offset, length }: Extent): string {
  return `${chunk}+${offset}+${length}`
}

function file(extents: readonly string[]): ModelFile {
  return { kind: 'file', extents }
}

function lengthOf({ extents }: ModelFile): number {
  return extents.reduce((sum, text) => sum + Number(text.split('+')[2]), 0)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function cloneNode(node: ModelNode): ModelNode {
  if (node.kind === 'file') return node
  return { kind: 'directory', entries: new Map([...node.entries].map(([name, child]) => [name, cloneNode(child)])) }
}
