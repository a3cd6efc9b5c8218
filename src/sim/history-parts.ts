/**
 * A history taken apart: calls that share no path can be judged without each other, since an order of all exists exactly where
 * each part has one (Herlihy and Wing, locality). A search over one part does not multiply its ways with those of the others.
 *
 * Directories that are made once and never move, go or return connect nothing. What looks at several parts at once (a list of
 * their directory) is in none, and what empties the trash of several is in each, without its count: so the orders of the parts
 * are a guide for a search over everything, and only a part that has no order is a verdict.
 * @module
 */
import type { Call } from './history.ts'
import { isAtOrBelow } from './model-tree.ts'
import { isReading, type Step } from './steps.ts'

export interface HistoryPart {
  readonly calls: readonly Call[]
  /** Where each of them stands in the whole history. */
  readonly indexes: readonly number[]
}

export function partsOf(history: readonly Call[]): readonly HistoryPart[] {
  const stable = stableDirectories(history)
  const unions = new Unions()
  const unitsOf = history.map(({ step }) => pathsOf(step).map((path) => unitOf(path, stable)))
  for (const units of unitsOf) {
    for (const unit of units)
      if (unit !== undefined) unions.join(unit, units.find((one) => one !== undefined) as string)
  }
  const parts = new Map<string, { readonly calls: Call[]; readonly indexes: number[] }>()
  for (const unit of unitsOf.flat()) {
    if (unit !== undefined) parts.set(unions.rootOf(unit), { calls: [], indexes: [] })
  }
  for (const [index, call] of history.entries()) {
    const own = unitsOf[index]?.find((unit) => unit !== undefined)
    const within = own === undefined ? [...parts.values()] : [parts.get(unions.rootOf(own))]
    const projected = own === undefined ? spanning(call) : call
    if (projected === undefined) continue
    for (const part of within) {
      part?.calls.push(projected)
      part?.indexes.push(index)
    }
  }
  return [...parts.values()]
}

/** Interleaves orders of parts, each of indexes into the history, so that what ended before another call began comes first. */
export function mergeOrders(history: readonly Call[], orders: readonly (readonly number[])[]): readonly number[] {
  const lanes = orders.map((order) => {
    const soonestEnds = [...order, -1].map(() => Number.POSITIVE_INFINITY)
    for (let at = order.length - 1; at >= 0; at--) {
      const { settledAt } = history[order[at] as number] as Call
      soonestEnds[at] = Math.min(settledAt, soonestEnds[at + 1] as number)
    }
    return { order, soonestEnds, at: 0 }
  })
  const merged: number[] = []
  for (;;) {
    const open = lanes.filter(({ order, at }) => at < order.length)
    const mayBeNext = ({ order, at }: (typeof lanes)[number]) => {
      const { invokedAt } = history[order[at] as number] as Call
      return open.every((other) => other.order === order || invokedAt < (other.soonestEnds[other.at] as number))
    }
    // One always may, where each order keeps real time; and it is only a guide.
    const lane = open.find(mayBeNext) ?? open[0]
    if (lane === undefined) return [...new Set(merged)]
    merged.push(lane.order[lane.at++] as number)
  }
}

/** Directories of which nothing is known but that they are made. */
function stableDirectories(history: readonly Call[]): ReadonlySet<string> {
  const effects = history.filter(({ step, outcome }) => !isReading(step) && outcome.kind !== 'refused')
  const isMaking = ({ step }: Call) => step.kind === 'make-directory'
  const moving = effects.filter((call) => !isMaking(call) && call.step.kind !== 'empty-trash')
  const made = effects.filter(isMaking).flatMap(({ step }) => pathsOf(step))
  const isStill = (path: string) => !moving.some(({ step }) => pathsOf(step).some((at) => isAtOrBelow(path, at)))
  const stable = new Set<string>()
  for (const path of [...new Set(made)].sort((a, b) => a.length - b.length)) {
    const parent = path.slice(0, path.lastIndexOf('/'))
    if ((parent === '' || stable.has(parent)) && isStill(path)) stable.add(path)
  }
  return stable
}

/** The entry of a stable directory at or below which a path lies; undefined: it is such a directory itself. */
function unitOf(path: string, stable: ReadonlySet<string>): string | undefined {
  let unit = ''
  for (const name of path.split('/').filter((one) => one !== '')) {
    unit = `${unit}/${name}`
    if (!stable.has(unit)) return unit
  }
  return undefined
}

/** What a call that spans parts means for each of them; undefined: nothing. */
function spanning(call: Call): Call | undefined {
  const { step, outcome } = call
  if (isReading(step) || outcome.kind === 'refused') return undefined
  if (step.kind !== 'empty-trash' || outcome.kind !== 'ok') return call
  const { entries: _, ...answer } = outcome.answer
  return { ...call, outcome: { kind: 'ok', answer } }
}

/** The paths that a step names. */
export function pathsOf(step: Step): readonly string[] {
  const {
    path,
    from,
    to,
    sources = [],
  } = step as {
    readonly path?: string
    readonly from?: string
    readonly to?: string
    readonly sources?: readonly string[]
  }
  return [path, from, to, ...sources].filter((one) => one !== undefined)
}

/** Sets that grow together. */
class Unions {
  readonly #parents = new Map<string, string>()

  rootOf(name: string): string {
    let root = name
    for (let parent = this.#parents.get(root); parent !== undefined; parent = this.#parents.get(root)) root = parent
    return root
  }

  join(one: string, other: string): void {
    const [a, b] = [this.rootOf(one), this.rootOf(other)]
    if (a !== b) this.#parents.set(a, b)
  }
}
