/**
 * Strict serializability: looks for one order of all steps that keeps real time (what ended before another began comes
 * first) and in which the model gives every answer that was given. A step of unknown outcome may stand anywhere after its
 * beginning, or nowhere.
 *
 * The search is that of Wing and Gong with Lowe's memory of configurations seen. Three things keep it short: a step that
 * changes nothing and is explained by the tree as it is can be placed at once; steps of unknown outcome are tried last; and
 * a way is left as soon as something is gone for good that a step still has to see (awaited-versions.ts). A search that gets
 * long begins anew: the parts of the history that nothing connects are searched first, and their orders guide the one over all.
 * A loss of metadata is a step that goes back to some tree of the way so far (losses.ts).
 * It is bounded; past the bound the history is undecided, which is said and is no success.
 * @module
 */
import { AwaitedVersions } from './awaited-versions.ts'
import type { GuessedOrder } from './guess-order.ts'
import type { Call } from './history.ts'
import { mergeOrders, partsOf } from './history-parts.ts'
import { Losses } from './losses.ts'
import { type Foreseen, ModelTree, type StepContext } from './model-tree.ts'
import { type Answer, givesVersion, isReading } from './steps.ts'

export interface LinearizeOptions {
  /** Trash may be gone so long after a removal at the earliest. */
  readonly trashLastsMs: number
  /** In which order calls may well have taken effect: it decides only how long the search takes. */
  readonly guess?: GuessedOrder
  /** Configurations to look at. Default 100,000. */
  readonly mostConfigurations?: number
}

export type Verdict =
  | {
      readonly kind: 'explained'
      readonly tree: ModelTree
      /** Calls in the order that was found, by their place among those that say anything. */
      readonly order: readonly number[]
      readonly configurations: number
    }
  | { readonly kind: 'undecided'; readonly configurations: number }
  | {
      readonly kind: 'impossible'
      /** How many steps the best order explains. */
      readonly placed: number
      readonly calls: number
      /** Those that had to come next and could not, with what the model would have answered. */
      readonly stuck: readonly { readonly call: Call; readonly foreseen: string }[]
    }

/** So many are enough for almost every history, and too few to regret. */
const quickConfigurations = 3_000

export function linearize(history: readonly Call[], options: LinearizeOptions): Verdict {
  const { trashLastsMs, mostConfigurations = 100_000 } = options
  // What had no effect and says nothing, and reads without an answer, constrain nothing.
  const telling = history.filter(
    ({ outcome, step }) => outcome.kind !== 'void' && !(outcome.kind === 'unknown' && isReading(step)),
  )
  const calls = [...telling, ...(options.guess?.undone ?? [])].sort((a, b) => a.invokedAt - b.invokedAt)
  const places = new Map(calls.map((call, index) => [call, index]))
  const guide = (options.guess?.order ?? []).map((call) => places.get(call)).filter((index) => index !== undefined)
  const lastKept = new Map(
    [...(options.guess?.kept ?? [])].map(([loss, call]) => [places.get(loss) as number, call && places.get(call)]),
  )
  const quickly = Math.min(quickConfigurations, mostConfigurations)
  const quick = new Search(calls, { trashLastsMs, mostConfigurations: quickly, guide, lastKept }).run()
  if (quick.kind !== 'undecided' || quickly === mostConfigurations) return quick
  const orders: (readonly number[])[] = []
  for (const part of partsOf(calls)) {
    const verdict = new Search(part.calls, { trashLastsMs, mostConfigurations }).run()
    if (verdict.kind === 'impossible') return verdict
    if (verdict.kind === 'explained') orders.push(verdict.order.map((at) => part.indexes[at] as number))
  }
  return new Search(calls, { trashLastsMs, mostConfigurations, guide: mergeOrders(calls, orders), lastKept }).run()
}

interface SearchOptions extends Required<Omit<LinearizeOptions, 'guess'>> {
  /** In which order steps may well stand, by index: they are tried so. */
  readonly guide?: readonly number[]
  /** Of losses: the last step that each may well have left. */
  readonly lastKept?: ReadonlyMap<number, number | undefined>
}

interface Frame {
  readonly tree: ModelTree
  /** Placed by this frame: undone when it is left. */
  readonly placed: readonly number[]
  readonly choices: Iterator<{ readonly index: number; readonly tree: ModelTree }>
}

class Search {
  readonly #calls: readonly Call[]
  readonly #contexts: readonly StepContext[]
  /** The lower, the sooner a step is tried. */
  readonly #ranks: readonly number[]
  readonly #isPlaced: Uint8Array
  readonly #awaited: AwaitedVersions
  readonly #seen = new Set<string>()
  readonly #most: number
  /** What is placed, so far. */
  readonly #way: { readonly order: number[]; readonly trees: ModelTree[] } = { order: [], trees: [] }
  readonly #losses: Losses
  #best: { readonly placed: number; readonly tree: ModelTree; readonly isPlaced: Uint8Array }

  constructor(
    calls: readonly Call[],
    { trashLastsMs, mostConfigurations, guide = [], lastKept = new Map() }: SearchOptions,
  ) {
    this.#calls = calls
    this.#contexts = this.#calls.map(({ invokedMs, settledMs, outcome }) => ({
      invokedMs,
      settledMs,
      version: outcome.kind === 'ok' ? outcome.answer.version : undefined,
      trashLastsMs,
    }))
    this.#ranks = ranksOf(this.#calls, guide)
    this.#isPlaced = new Uint8Array(this.#calls.length)
    this.#losses = new Losses(calls, lastKept)
    this.#awaited = new AwaitedVersions(this.#calls)
    this.#most = mostConfigurations
    this.#best = { placed: -1, tree: ModelTree.empty, isPlaced: this.#isPlaced }
  }

  run(): Verdict {
    const stack: Frame[] = []
    let entered = this.#enter(ModelTree.empty, [])
    for (;;) {
      if (entered === 'done') {
        const { tree } = this.#best
        return { kind: 'explained', tree, order: [...this.#way.order], configurations: this.#seen.size }
      }
      if (entered !== undefined) stack.push(entered)
      if (this.#seen.size > this.#most) return { kind: 'undecided', configurations: this.#seen.size }
      const frame = stack.at(-1)
      if (frame === undefined) return this.#impossible()
      const next = frame.choices.next()
      if (next.done === true) {
        stack.pop()
        this.#unplace(frame.placed)
        entered = undefined
        continue
      }
      this.#place(next.value.index, next.value.tree)
      entered = this.#enter(next.value.tree, [next.value.index])
    }
  }

  /** @returns the frame to choose from; `done`; or undefined, with all undone: this configuration was seen before */
  #enter(tree: ModelTree, before: readonly number[]): Frame | 'done' | undefined {
    const placed = [...before, ...this.#placeReads(tree)]
    const { length } = this.#way.order
    if (length > this.#best.placed) {
      this.#best = { placed: length, tree, isPlaced: this.#isPlaced.slice() }
    }
    const candidates = this.#candidates()
    if (candidates.every((index) => this.#call(index).outcome.kind === 'unknown') && this.#isOnlyUnknownLeft()) {
      return 'done'
    }
    const key = `${tree.key}\n${this.#losses.key(this.#isPlaced, this.#way)}`
    if (this.#seen.has(key) || this.#awaited.isLost(tree, this.#isPlaced)) {
      this.#unplace(placed)
      return undefined
    }
    this.#seen.add(key)
    return { tree, placed, choices: this.#choices(tree, candidates) }
  }

  *#choices(tree: ModelTree, candidates: readonly number[]): Generator<{ index: number; tree: ModelTree }, void> {
    for (const index of candidates) {
      for (const foreseen of this.#explaining(tree, index)) yield { index, tree: foreseen.tree }
    }
  }

  /** Places every step that is possible now, is explained, and changes nothing. */
  #placeReads(tree: ModelTree): number[] {
    const placed: number[] = []
    for (let isFound = true; isFound; ) {
      isFound = false
      for (const index of this.#candidates()) {
        const { outcome, step } = this.#call(index)
        if (outcome.kind === 'unknown' || step.kind === 'rollback') continue
        if (!this.#explaining(tree, index).some((foreseen) => foreseen.tree === tree)) continue
        this.#place(index, tree)
        placed.push(index)
        isFound = true
      }
    }
    return placed
  }

  /** Steps that may come next: none of the others ended before they began. Known ones first, the soonest to end first. */
  #candidates(): number[] {
    let soonestEnd = Number.POSITIVE_INFINITY
    const open: number[] = []
    for (let index = 0; index < this.#calls.length; index++) {
      if (this.#isPlaced[index] === 1) continue
      const { invokedAt, settledAt, outcome } = this.#call(index)
      if (invokedAt > soonestEnd) break
      if (!this.#losses.mayTake(index, this.#isPlaced)) continue
      open.push(index)
      if (outcome.kind !== 'unknown') soonestEnd = Math.min(soonestEnd, settledAt)
    }
    const rankOf = (index: number) => this.#ranks[index] as number
    return open.filter((index) => this.#call(index).invokedAt < soonestEnd).sort((a, b) => rankOf(a) - rankOf(b))
  }

  /** The outcomes that the model allows, and that agree with what was answered. */
  #explaining(tree: ModelTree, index: number): readonly Foreseen[] {
    const { step, outcome } = this.#call(index)
    if (step.kind === 'rollback') {
      return this.#losses.past(index, this.#way).map((past) => ({ kind: 'ok', tree: past, answer: {} }))
    }
    const all = tree.after(step, this.#contexts[index] as StepContext)
    switch (outcome.kind) {
      case 'ok':
        return all.filter((foreseen) => foreseen.kind === 'ok' && agrees(foreseen.answer, outcome.answer))
      case 'refused':
        return all.filter((foreseen) => foreseen.kind === 'refused' && foreseen.code === outcome.code)
      default:
        // To be refused unseen is the same as not to have happened.
        return all.filter((foreseen) => foreseen.kind === 'ok')
    }
  }

  #foreseen(tree: ModelTree, index: number): readonly Foreseen[] {
    const { step } = this.#call(index)
    return step.kind === 'rollback' ? [] : tree.after(step, this.#contexts[index] as StepContext)
  }

  #isOnlyUnknownLeft(): boolean {
    return this.#calls.every((call, index) => this.#isPlaced[index] === 1 || call.outcome.kind === 'unknown')
  }

  #impossible(): Verdict {
    const { placed, tree, isPlaced } = this.#best
    this.#isPlaced.set(isPlaced)
    const stuck = this.#candidates()
      .filter((index) => this.#call(index).outcome.kind !== 'unknown')
      .map((index) => ({
        call: this.#call(index),
        foreseen: this.#foreseen(tree, index)
          .map((foreseen) => (foreseen.kind === 'ok' ? JSON.stringify(foreseen.answer) : foreseen.code))
          .join(' or '),
      }))
    return { kind: 'impossible', placed, calls: this.#calls.length, stuck }
  }

  #place(index: number, tree: ModelTree): void {
    this.#isPlaced[index] = 1
    this.#way.order.push(index)
    this.#way.trees.push(tree)
  }

  #unplace(indexes: readonly number[]): void {
    for (const index of indexes) this.#isPlaced[index] = 0
    // The last ones: what is placed later is taken back before.
    this.#way.order.length -= indexes.length
    this.#way.trees.length -= indexes.length
  }

  #call(index: number): Call {
    return this.#calls[index] as Call
  }
}

/**
 * A guess at the order, which decides only how long the search takes: as the guide has it; without one by the numbers that
 * the master issued, where there are such, else by the end; unknown outcomes last.
 */
function ranksOf(calls: readonly Call[], guide: readonly number[]): readonly number[] {
  if (guide.length > 0) {
    const ranks = calls.map(({ invokedAt }) => unknownRank + invokedAt)
    for (const [place, index] of guide.entries()) ranks[index] = place
    return ranks
  }
  const ranks = calls.map(({ outcome, settledAt, invokedAt }) =>
    outcome.kind === 'unknown' ? unknownRank + invokedAt : settledAt,
  )
  const issued = calls
    .map(({ step, outcome }, index) => ({ index, number: issuedIn(step, outcome) }))
    .filter(({ number }) => number !== undefined)
    .sort((a, b) => (b.number as number) - (a.number as number))
  // A step stands before every one with a greater number, so it cannot end up later than the first of them to end.
  let soonestEnd = Number.POSITIVE_INFINITY
  for (const [place, { index }] of issued.entries()) {
    soonestEnd = Math.min(soonestEnd, ranks[index] as number)
    ranks[index] = soonestEnd - place / calls.length / 2
  }
  return ranks
}

const unknownRank = 1e12

function issuedIn(step: Call['step'], outcome: Call['outcome']): number | undefined {
  if (outcome.kind !== 'ok') return undefined
  return givesVersion(step) ? outcome.answer.version : outcome.answer.issued
}

/** Whether an answer is what was foreseen, in all that could be foreseen and was said. */
export function agrees(foreseen: Answer, actual: Answer): boolean {
  return (Object.keys(foreseen) as (keyof Answer)[]).every((field) => {
    const [expected, found] = [foreseen[field], actual[field]]
    if (expected === undefined || found === undefined) return true
    if (Array.isArray(expected) && Array.isArray(found)) {
      return expected.length === found.length && expected.every((item, index) => item === found[index])
    }
    return expected === found
  })
}
