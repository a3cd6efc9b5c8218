/**
 * A guess at the order in which calls took effect, by what the metadata's engine did (chronicle.ts): each commit is laid at the door
 * of the call that it fits best. Calls whose outcome is unknown and that no commit fits are left out: they seem to have had no effect.
 * Only a guess, which a search tries first; whatever order it finds is one that the model allows.
 *
 * A commit that a loss of metadata undid may be of a call that was still under way then. Its client asked the next master
 * again, and it took effect once more: what was undone is a call of its own, with an effect that lasts until the loss.
 * @module
 */
import type { Commit } from './chronicle.ts'
import type { Call } from './history.ts'
import { givesVersion, isReading, type Step } from './steps.ts'

export interface GuessedOrder {
  readonly order: readonly Call[]
  /** Of a loss of metadata: the last call that it left. */
  readonly kept: ReadonlyMap<Call, Call | undefined>
  /** What calls that were under way in a loss may have done before it, and it undid: not among the calls of the history. */
  readonly undone: readonly Call[]
}

export function guessOrder(calls: readonly Call[], commits: readonly Commit[]): GuessedOrder {
  const open = new Set(
    calls.filter(({ step, outcome }) => !isReading(step) && (outcome.kind === 'ok' || outcome.kind === 'unknown')),
  )
  const losses = calls.filter(({ step }) => step.kind === 'rollback')
  const undoers = undoersOf(commits, losses)
  const undone = undoneCalls(calls, undoers)
  for (const one of undone) open.add(one)
  const order: Call[] = []
  const kept = new Map<Call, Call | undefined>()
  /** The latest call whose effect there is, and the lengths of the entries that each name had last; and both at each position of the log. */
  let latest: Call | undefined
  let lengths = new Map<string, number>()
  const states = new Map<number, { readonly latest: Call | undefined; readonly lengths: ReadonlyMap<string, number> }>()
  for (const commit of commits) {
    if (commit.restoredTo !== undefined) {
      const state = states.get(commit.restoredTo)
      latest = state?.latest
      lengths = new Map(state?.lengths)
      const [loss, ...further] = losses.splice(0, losses.filter(({ invokedAt }) => invokedAt < commit.at).length)
      if (loss === undefined) continue
      kept.set(loss, latest)
      order.push(loss, ...further)
      continue
    }
    let best: Call | undefined
    let bestFit = 0
    for (const call of open) {
      if (call.undoneBy !== undefined && call.undoneBy !== undoers.get(commit)) continue
      const fit = fitOf(call, { ...commit, lengths })
      // In the order of their beginnings. Of equals it is the first to end: another one may still be a later commit.
      const isSooner = fit > 0 && fit === bestFit && call.settledAt < (best?.settledAt ?? 0)
      if (fit <= bestFit && !isSooner) continue
      best = call
      bestFit = fit
    }
    for (const name of commit.removed) lengths.delete(name)
    for (const [name, { length = 0 }] of commit.set) lengths.set(name, length)
    if (best !== undefined) {
      latest = best
      open.delete(best)
      order.push(best)
    }
    if (commit.position !== undefined) states.set(commit.position, { latest, lengths: new Map(lengths) })
  }
  return { order: [...order, ...losses], kept, undone }
}

/** Of commits that a loss of metadata undid: that loss. */
function undoersOf(commits: readonly Commit[], losses: readonly Call[]): ReadonlyMap<Commit, Call> {
  const undoers = new Map<Commit, Call>()
  for (const [at, { at: moment, restoredTo }] of commits.entries()) {
    const loss = losses.findLast(({ invokedAt }) => invokedAt < moment)
    if (restoredTo === undefined || loss === undefined) continue
    for (const commit of commits.slice(0, at)) {
      if ((commit.position ?? 0) > restoredTo && !undoers.has(commit)) undoers.set(commit, loss)
    }
  }
  return undoers
}

/** For each change that a loss undid, each call that may have made it and was under way still, also one that failed in the end. */
function undoneCalls(calls: readonly Call[], undoers: ReadonlyMap<Commit, Call>): readonly Call[] {
  const changes = calls.filter(({ step }) => !isReading(step))
  const undone = new Map<string, Call>()
  for (const [commit, loss] of undoers) {
    for (const call of changes) {
      const { step, invokedAt, settledAt } = call
      const isUnderWay = invokedAt < commit.at && settledAt > loss.invokedAt
      if (!isUnderWay || !isOf(step, commit)) continue
      undone.set(`${invokedAt} ${loss.invokedAt}`, {
        ...call,
        ...{ settledMs: loss.settledMs, settledAt: loss.settledAt, outcome: { kind: 'unknown', code: 'undone' } },
        undoneBy: loss,
      })
    }
  }
  return [...undone.values()]
}

/** A commit, and the lengths that entries had before it. */
interface Change extends Commit {
  readonly lengths: ReadonlyMap<string, number>
}

/** 0: it was not this call. */
function fitOf(call: Call, commit: Change): number {
  const { step, outcome, invokedAt, settledAt, undoneBy } = call
  if (invokedAt >= commit.at || !isOf(step, commit)) return 0
  // What was undone fits as well as what its call did later: whether that one had ended by then decides.
  if (outcome.kind !== 'ok') return hasLength(step, commit) ? (undoneBy === undefined ? 1 : 2) : 0
  if (settledAt < commit.at) return 0
  const isTold = [...commit.set.values()].some(({ version }) => version === outcome.answer.version)
  if (isTold) return 3
  return givesVersion(step) && outcome.answer.version !== undefined ? 0 : 2
}

/** Whether a call changes these names in this way. */
function isOf(step: Step, { set, removed, trashed, untrashed }: Commit): boolean {
  const at = (path: string) => set.get(nameOf(path))
  const isGone = (path: string) => removed.has(nameOf(path))
  const isFile = (path: string) => at(path)?.isFile === true && !untrashed
  switch (step.kind) {
    case 'write':
    case 'truncate':
      return isFile(step.path)
    case 'append':
      return isFile(step.path) && trashed.length === 0
    case 'copy':
      return isFile(step.to) && removed.size === 0
    case 'concat':
      return isFile(step.path) && step.sources.every(isGone)
    case 'remove':
      return isGone(step.path) && trashed.includes(step.path)
    case 'rename':
      return isGone(step.from) && at(step.to) !== undefined
    case 'make-directory':
      return at(step.path)?.isFile === false
    case 'undelete':
      return untrashed && at(step.path) !== undefined
    case 'empty-trash':
      return untrashed && set.size === 0
    default:
      return false
  }
}

/** Whether the file has the length then that the call gives it: of calls that nobody was told of, what tells them apart. */
function hasLength(step: Step, { set, lengths }: Change): boolean {
  const before = (path: string) => lengths.get(nameOf(path)) ?? 0
  const becomes = (path: string, length: number) => (set.get(nameOf(path))?.length ?? 0) === length
  switch (step.kind) {
    case 'write':
      return becomes(step.path, step.content.length)
    case 'append':
      return becomes(step.path, before(step.path) + step.content.length)
    case 'truncate':
      return becomes(step.path, step.length)
    case 'copy':
    case 'rename':
      return becomes(step.to, before(step.from))
    default:
      return true
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
