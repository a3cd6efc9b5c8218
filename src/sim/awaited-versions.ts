/**
 * What the rest of a history still has to see: a version that a call was told, and that is gone for good before the call has
 * its place, makes every further step of a search vain. A version is made once, so it is gone when its maker has its place and
 * no path holds it, nor a trash from which somebody still takes something back.
 *
 * Sound, not complete: only versions whose maker is known are looked at.
 * @module
 */
import type { Call } from './history.ts'
import type { ModelNode, ModelTree } from './model-tree.ts'
import { givesVersion } from './steps.ts'

interface Awaited {
  /** Of the call that was told it, and of the one that made it. */
  readonly call: number
  readonly maker: number
  readonly path: string
  readonly version: number
}

export class AwaitedVersions {
  readonly #awaited: readonly Awaited[]
  /** Calls that bring what exists to another path; that bring something back from trash. */
  readonly #moves: readonly number[]
  readonly #returns: readonly number[]
  /** Losses: they may bring anything back. */
  readonly #losses: readonly number[]

  /** @param calls in the order in which `isPlaced` of {@link isLost} has them */
  constructor(calls: readonly Call[]) {
    // What a loss undid has its place before it, if it has one.
    const lasting = calls.map((call) =>
      call.outcome.kind === 'refused' || call.undoneBy !== undefined ? undefined : call,
    )
    const indexesOf = (kind: string) => lasting.flatMap((call, index) => (call?.step.kind === kind ? [index] : []))
    this.#moves = indexesOf('rename')
    this.#returns = indexesOf('undelete')
    this.#losses = indexesOf('rollback')
    const makers = new Map<number, number>()
    for (const [index, call] of calls.entries()) {
      const version = versionOf(call)
      if (version !== undefined && givesVersion(call.step)) makers.set(version, index)
    }
    this.#awaited = calls.flatMap((call, index): Awaited[] => {
      const version = versionOf(call)
      if (version === undefined || givesVersion(call.step)) return []
      const maker = makers.get(version)
      const { step } = call
      const path = step.kind === 'rename' ? step.from : 'path' in step ? step.path : undefined
      return maker === undefined || path === undefined ? [] : [{ call: index, maker, path, version }]
    })
  }

  /** Whether some call that has no place yet can never get one behind this tree. */
  isLost(tree: ModelTree, isPlaced: Uint8Array): boolean {
    const open = this.#awaited.filter(({ call, maker }) => isPlaced[call] !== 1 && isPlaced[maker] === 1)
    const isLeft = (index: number) => isPlaced[index] !== 1
    if (open.length === 0 || this.#losses.some(isLeft)) return false
    const returns = this.#returns.some(isLeft)
    const moves = returns || this.#moves.some(isLeft)
    const present = versionsIn(tree.nodes)
    const trashed = new Set(returns ? tree.trash.flatMap(({ nodes }) => [...versionsIn(nodes)]) : [])
    return open.some(({ path, version }) => {
      const node = tree.nodes.get(path)
      if (node?.kind === 'file' && node.version === version) return false
      return !((moves && present.has(version)) || trashed.has(version))
    })
  }
}

function versionOf({ outcome }: Call): number | undefined {
  return outcome.kind === 'ok' ? outcome.answer.version : undefined
}

function versionsIn(nodes: ReadonlyMap<string, ModelNode>): ReadonlySet<number> {
  const versions = new Set<number>()
  for (const node of nodes.values()) if (node.kind === 'file' && node.version !== undefined) versions.add(node.version)
  return versions
}
