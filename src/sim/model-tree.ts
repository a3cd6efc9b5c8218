/**
 * The file system that Ashlar promises, in two maps: as obviously right as can be. Immutable: a step gives a new tree, so
 * that a checker may try many orders.
 *
 * Paths are keys as they stand; a directory's entries are the keys below it. What the model cannot foresee is left open:
 * versions that nobody was told, and trash whose time may be over, which may be there or not.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { ModelContent } from './contents.ts'
import { type Answer, isReading, type RefusalCode, type Step } from './steps.ts'

export interface ModelFile {
  readonly kind: 'file'
  readonly content: ModelContent
  /** Undefined: nobody was told. */
  readonly version: number | undefined
}

interface ModelDirectory {
  readonly kind: 'directory'
}

export type ModelNode = ModelFile | ModelDirectory
type Nodes = ReadonlyMap<string, ModelNode>

interface Trashed {
  readonly path: string
  /** By path below it; the entry itself under ''. */
  readonly nodes: Nodes
  /** Its time may be over from then on. */
  readonly mayEndMs: number
}

/** What is known of the moment of a step, besides the tree. */
export interface StepContext {
  readonly invokedMs: number
  readonly settledMs: number
  /** What the step answered, if it did: the tree then knows it. */
  readonly version: number | undefined
  /** Trash may be gone so long after a removal at the earliest. */
  readonly trashLastsMs: number
}

export type Foreseen =
  | { readonly kind: 'ok'; readonly tree: ModelTree; readonly answer: Answer }
  | { readonly kind: 'refused'; readonly tree: ModelTree; readonly code: RefusalCode }

class Refused extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode) {
    super(code)
    this.code = code
  }
}

const directory: ModelDirectory = { kind: 'directory' }

export class ModelTree {
  static readonly empty = new ModelTree(new Map([['/', directory]]), [])
  readonly nodes: Nodes
  /** Oldest first. */
  readonly trash: readonly Trashed[]
  #key: string | undefined

  private constructor(nodes: Nodes, trash: readonly Trashed[]) {
    this.nodes = nodes
    this.trash = trash
  }

  /** Equal trees have equal keys. */
  get key(): string {
    // Of two trashed paths it does not matter which went first: only the newest of each can be brought back.
    const trash = this.trash.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
    this.#key ??= [textOf(this.nodes), ...trash.map(({ path, nodes }) => `${path}<${textOf(nodes)}`)].join('\n')
    return this.#key
  }

  /** Everything that the step may do now: one outcome, or two where time decides. */
  after(step: Step, context: StepContext): readonly Foreseen[] {
    const foreseen = new Attempt(this, context).foresee(step)
    if (step.kind === 'undelete' && this.#mayHaveEnded(step.path, context)) {
      return [foreseen, { kind: 'refused', tree: this, code: 'not-found' }]
    }
    if (foreseen.kind === 'refused') {
      // Both are true of a conditional write onto a directory; which is said depends on what the client had in hand.
      const isBoth = step.kind === 'write' && this.nodes.get(step.path)?.kind === 'directory'
      return isBoth ? [foreseen, { ...foreseen, code: 'is-a-directory' }] : [foreseen]
    }
    if (step.kind === 'write' && step.ifVersion !== undefined && this.#isVersionOpen(step.path)) {
      return [foreseen, { kind: 'refused', tree: this, code: 'changed' }]
    }
    return [foreseen]
  }

  /** Whether the newest trash of this path may be gone by itself. */
  #mayHaveEnded(path: string, { settledMs }: StepContext): boolean {
    const newest = this.trash.findLast((trashed) => trashed.path === path)
    return newest !== undefined && newest.mayEndMs <= settledMs
  }

  #isVersionOpen(path: string): boolean {
    const node = this.nodes.get(path)
    return node?.kind === 'file' && node.version === undefined
  }

  with(nodes: Nodes, trash: readonly Trashed[]): ModelTree {
    return new ModelTree(nodes, trash)
  }
}

/** One step on its way to a new tree. */
class Attempt {
  readonly #tree: ModelTree
  readonly #context: StepContext
  readonly #nodes: Map<string, ModelNode>
  #trash: readonly Trashed[]

  constructor(tree: ModelTree, context: StepContext) {
    this.#tree = tree
    this.#context = context
    this.#nodes = new Map(tree.nodes)
    this.#trash = tree.trash
  }

  foresee(step: Step): Foreseen {
    try {
      const answer = this.#take(step)
      return {
        kind: 'ok',
        tree: this.#changesNothing(step, answer) ? this.#tree : this.#tree.with(this.#nodes, this.#trash),
        answer,
      }
    } catch (error) {
      if (error instanceof Refused) return { kind: 'refused', tree: this.#tree, code: error.code }
      throw error
    }
  }

  /** So that a checker need not try when it happened. */
  #changesNothing(step: Step, { made }: Answer): boolean {
    if (isReading(step) || made === false) return true
    if (step.kind === 'rename') return step.from === step.to
    return step.kind === 'empty-trash' && this.#trash.length === this.#tree.trash.length
  }

  #take(step: Step): Answer {
    switch (step.kind) {
      case 'write':
        return this.#write(step)
      case 'append':
        return this.#append(step)
      case 'read': {
        const { content, version } = this.#file(step.path)
        return { size: content.length, version, digest: content.digest }
      }
      case 'stat': {
        const node = this.#find(step.path)
        return node.kind === 'file' ? sizeOf(node) : { kind: 'directory' }
      }
      case 'rollback':
        throw new AshlarError('internal', 'Cannot foresee a rollback from one tree: it needs those before')
      case 'list-page':
        return { names: this.#page(step) }
      case 'make-directory':
        return { made: this.#makeDirectory(step.path, step.recursive) }
      case 'rename':
        return this.#rename(step)
      case 'remove':
        if (this.#find(step.path).kind === 'directory' && !step.recursive) throw new Refused('is-a-directory')
        this.#toTrash(step.path)
        return {}
      case 'copy': {
        const { content } = this.#file(step.from)
        return this.#put(step.to, content)
      }
      case 'truncate': {
        const { content } = this.#file(step.path)
        if (step.length > content.length) throw new Refused('invalid-argument')
        return this.#put(step.path, content.cutTo(step.length))
      }
      case 'concat':
        return this.#concat(step)
      case 'undelete':
        return this.#undelete(step.path)
      case 'empty-trash': {
        const doomed = this.#trash.filter(({ path }) => isAtOrBelow(path, step.path))
        this.#trash = this.#trash.filter((trashed) => !doomed.includes(trashed))
        return this.#mayEnd(doomed) ? {} : { entries: doomed.length }
      }
      case 'list-trash': {
        const found = this.#trash.filter(({ path }) => isAtOrBelow(path, step.path))
        return this.#mayEnd(found) ? {} : { trash: found.map(trashText).sort() }
      }
    }
  }

  #write({ path, content, ifAbsent, ifVersion }: Extract<Step, { kind: 'write' }>): Answer {
    const old = this.#lookup(path)
    if (ifAbsent === true && old !== undefined) throw new Refused('already-exists')
    if (ifVersion !== undefined) {
      if (old?.kind !== 'file') throw new Refused('changed')
      if (old.version !== undefined && old.version !== ifVersion) throw new Refused('changed')
    }
    return this.#put(path, ModelContent.of(content))
  }

  #append({ path, content, expectedLength }: Extract<Step, { kind: 'append' }>): Answer {
    const old = this.#lookup(path)
    if (old?.kind === 'directory') throw new Refused('is-a-directory')
    const more = ModelContent.of(content)
    if (old === undefined) {
      if (expectedLength !== undefined) throw new Refused('not-found')
      return this.#put(path, more)
    }
    if (expectedLength !== undefined && expectedLength !== old.content.length) throw new Refused('changed')
    return this.#set(path, { ...old, content: old.content.followedBy(more), version: this.#context.version })
  }

  #rename({ from, to, replace }: Extract<Step, { kind: 'rename' }>): Answer {
    const node = this.#find(from)
    const answer = node.kind === 'file' ? sizeOf(node) : ({ kind: 'directory' } as const)
    if (from === to) return answer
    if (node.kind === 'directory' && to.startsWith(`${from}/`)) throw new Refused('invalid-argument')
    const target = this.#lookup(to)
    if (target !== undefined) {
      if (!replace) throw new Refused('already-exists')
      if (target.kind === 'directory') {
        if (node.kind === 'file') throw new Refused('is-a-directory')
        if (this.#hasEntries(to)) throw new Refused('not-empty')
      } else if (node.kind === 'directory') throw new Refused('not-a-directory')
      this.#toTrash(to)
    }
    this.#place(to, this.#cut(from))
    return answer
  }

  #concat({ path, sources }: Extract<Step, { kind: 'concat' }>): Answer {
    if (new Set([path, ...sources]).size <= sources.length) throw new Refused('invalid-argument')
    const target = this.#file(path)
    let { content } = target
    for (const source of sources) {
      content = content.followedBy(this.#file(source).content)
      this.#nodes.delete(source)
    }
    return this.#set(path, { ...target, content, version: this.#context.version })
  }

  #undelete(path: string): Answer {
    const trashed = this.#trash.findLast((one) => one.path === path)
    if (trashed === undefined) throw new Refused('not-found')
    const parent = parentOf(path)
    if (parent !== '/') this.#makeDirectory(parent, true)
    if (this.#nodes.has(path)) throw new Refused('already-exists')
    this.#place(path, trashed.nodes)
    this.#trash = this.#trash.filter((one) => one !== trashed)
    const node = trashed.nodes.get('') as ModelNode
    return node.kind === 'file' ? sizeOf(node) : { kind: 'directory' }
  }

  #makeDirectory(path: string, recursive: boolean): boolean {
    const names = path.slice(1).split('/')
    for (let depth = 1; depth <= names.length; depth++) {
      const at = `/${names.slice(0, depth).join('/')}`
      const isLast = depth === names.length
      const node = this.#nodes.get(at)
      if (isLast && node !== undefined && !recursive) throw new Refused('already-exists')
      if (node?.kind === 'file') throw new Refused('not-a-directory')
      if (node === undefined && !isLast && !recursive) throw new Refused('not-found')
      if (node === undefined) this.#nodes.set(at, directory)
      if (isLast) return node === undefined
    }
    return false
  }

  /** In the order of their bytes, a directory's with `/` at its end. */
  #page({ path, after, limit }: Extract<Step, { kind: 'list-page' }>): readonly string[] {
    if (this.#find(path).kind === 'file') throw new Refused('not-a-directory')
    const names = [...this.#nodes]
      .filter(([at]) => at !== '/' && parentOf(at) === path)
      .map(([at, node]) => `${nameOf(at)}${node.kind === 'directory' ? '/' : ''}`)
    return names
      .filter((name) => byBytes(name, after) > 0)
      .sort(byBytes)
      .slice(0, limit)
  }

  /** New content under a path; what is there goes to trash. */
  #put(path: string, content: ModelContent): Answer {
    const old = this.#lookup(path)
    if (old?.kind === 'directory') throw new Refused('is-a-directory')
    if (old !== undefined) this.#toTrash(path)
    return this.#set(path, { kind: 'file', content, version: this.#context.version })
  }

  #set(path: string, file: ModelFile): Answer {
    this.#nodes.set(path, file)
    return { size: file.content.length }
  }

  #toTrash(path: string): void {
    const mayEndMs = this.#context.invokedMs + this.#context.trashLastsMs
    this.#trash = [...this.#trash, { path, nodes: this.#cut(path), mayEndMs }]
  }

  /** Takes an entry and all below it out. */
  #cut(path: string): Nodes {
    const taken = new Map<string, ModelNode>()
    for (const [at, node] of this.#nodes) {
      if (!isAtOrBelow(at, path)) continue
      taken.set(at.slice(path.length), node)
      this.#nodes.delete(at)
    }
    return taken
  }

  #place(path: string, nodes: Nodes): void {
    for (const [below, node] of nodes) this.#nodes.set(`${path}${below}`, node)
  }

  #hasEntries(path: string): boolean {
    return [...this.#nodes.keys()].some((at) => at.startsWith(`${path}/`))
  }

  #file(path: string): ModelFile {
    const node = this.#find(path)
    if (node.kind === 'directory') throw new Refused('is-a-directory')
    return node
  }

  #find(path: string): ModelNode {
    const node = this.#lookup(path)
    if (node === undefined) throw new Refused('not-found')
    return node
  }

  /** Undefined: nothing is there, and its parent is a directory. */
  #lookup(path: string): ModelNode | undefined {
    if (path === '/') return directory
    const names = path.slice(1).split('/')
    for (let depth = 1; depth < names.length; depth++) {
      const node = this.#nodes.get(`/${names.slice(0, depth).join('/')}`)
      if (node === undefined) throw new Refused('not-found')
      if (node.kind === 'file') throw new Refused('not-a-directory')
    }
    return this.#nodes.get(path)
  }

  #mayEnd(some: readonly Trashed[]): boolean {
    return some.some(({ mayEndMs }) => mayEndMs <= this.#context.settledMs)
  }
}

export function isAtOrBelow(path: string, top: string): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`)
}

function sizeOf({ content, version }: ModelFile): Answer {
  return { kind: 'file', size: content.length, version }
}

/** As {@link Answer.trash} has it. A directory has no size of its own. */
function trashText({ path, nodes }: Trashed): string {
  const node = nodes.get('') as ModelNode
  return `${path} ${node.kind === 'file' ? node.content.length : 0}`
}

function textOf(nodes: Nodes): string {
  return [...nodes]
    .map(([path, node]) => `${path}=${node.kind === 'file' ? `${node.content.key}@${node.version ?? ''}` : '/'}`)
    .sort()
    .join('|')
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
