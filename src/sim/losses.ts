/**
 * Losses of metadata within a search for an order of steps (linearize.ts). A loss is a step that goes back to some tree of the way
 * so far: to none before the last step that it must leave, and to none with what it undoes.
 *
 * Must be left: changes that were acknowledged before the time from which on it may undo, and losses that were over by then.
 * Undone is what a call that was under way did before the loss (guess-order.ts), a step of its own which has its place before
 * it or none; the call itself may follow behind.
 * @module
 */
import type { Call } from './history.ts'
import { ModelTree } from './model-tree.ts'
import { isReading } from './steps.ts'

/** Steps that are placed, by index, and the tree behind each. */
export interface Way {
  readonly order: readonly number[]
  readonly trees: readonly ModelTree[]
}

export class Losses {
  /** Of each loss: what it must leave. */
  readonly #kept: ReadonlyMap<number, ReadonlySet<number>>
  /** Of each: the last step that it may well have left. */
  readonly #lastKept: ReadonlyMap<number, number | undefined>
  /** Of each step that is there only until a loss: that loss. */
  readonly #undoers: ReadonlyMap<number, number>

  /** @param lastKept a guess, which decides only what {@link Losses.past} names first */
  constructor(calls: readonly Call[], lastKept: ReadonlyMap<number, number | undefined>) {
    this.#kept = new Map(
      calls.flatMap(({ step }, index) => (step.kind === 'rollback' ? [[index, keptBy(step, calls)]] : [])),
    )
    this.#lastKept = lastKept
    this.#undoers = new Map(
      calls.flatMap(({ undoneBy }, index) => (undoneBy === undefined ? [] : [[index, calls.indexOf(undoneBy)]])),
    )
  }

  /** Of a step that a loss undoes: whether that is still to come, and all has its place that it must leave. Any other step: true. */
  mayTake(index: number, isPlaced: Uint8Array): boolean {
    const loss = this.#undoers.get(index)
    if (loss === undefined) return true
    const kept = this.#kept.get(loss) as ReadonlySet<number>
    return isPlaced[loss] !== 1 && [...kept].every((each) => isPlaced[each] === 1)
  }

  /** Trees that a loss may go back to, the likeliest and then the newest first; none before all is placed that it must leave. */
  past(loss: number, way: Way): readonly ModelTree[] {
    const { order, trees } = way
    const kept = this.#kept.get(loss) as ReadonlySet<number>
    let left = kept.size
    let from = 0
    for (; left > 0 && from < order.length; from++) if (kept.has(order[from] as number)) left--
    if (left > 0) return []
    const lasting = trees.filter((_, place) => place >= from - 1 && !this.#holdsUndone(place, { loss, order }))
    const last = this.#lastKept.get(loss)
    const likeliest = last === undefined ? undefined : trees[order.indexOf(last)]
    const ranked = (from === 0 ? [ModelTree.empty, ...lasting] : lasting).toReversed()
    if (likeliest !== undefined && ranked.includes(likeliest)) ranked.unshift(likeliest)
    return [...new Map(ranked.map((tree) => [tree.key, tree])).values()]
  }

  /** Ways with equal keys and trees have the same to come: what lies behind counts only while it may be gone back to. */
  key(isPlaced: Uint8Array, way: Way): string {
    const placed = Buffer.from(isPlaced)
    // Behind a loss it does not matter what it undid.
    for (const [index, loss] of this.#undoers) if (isPlaced[loss] === 1) placed[index] = 1
    let key = placed.toString('latin1')
    for (const loss of this.#kept.keys()) {
      if (isPlaced[loss] === 1) continue
      for (const tree of this.past(loss, way)) key += `\n${tree.key}`
    }
    return key
  }

  /** Whether the tree at this place of the order has something that this loss undoes, or that one before it undid. */
  #holdsUndone(place: number, { loss, order }: { readonly loss: number; readonly order: readonly number[] }): boolean {
    if (this.#undoers.size === 0) return false
    return order.slice(0, place + 1).some((index) => {
      const undoer = this.#undoers.get(index)
      return undoer !== undefined && (undoer === loss || order.indexOf(undoer) > place)
    })
  }
}

function keptBy({ sinceMs }: { readonly sinceMs: number }, calls: readonly Call[]): ReadonlySet<number> {
  return new Set(
    calls.flatMap(({ step, outcome, settledMs }, index) =>
      !isReading(step) && outcome.kind === 'ok' && settledMs <= sinceMs ? [index] : [],
    ),
  )
}
