import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodePosition } from '../kv/change-feed.ts'
import { WriteSet } from '../kv/write-set.ts'
import { entryKey, positionKey, rootInode } from '../namespace/keys.ts'
import { Chronicle, type Commit } from './chronicle.ts'
import { guessOrder } from './guess-order.ts'
import type { Call } from './history.ts'
import { linearize } from './linearize.ts'
import type { Outcome, Step } from './steps.ts'

const unknown: Outcome = { kind: 'unknown', code: 'timeout' }
const ok = (version: number): Outcome => ({ kind: 'ok', answer: { version } })
const write = (length: number): Step => ({ kind: 'write', path: '/a', content: { seed: length, length } })
const append = (length: number): Step => ({ kind: 'append', path: '/a', content: { seed: length, length } })

function call(operation: number, step: Step, outcome: Outcome, [from, to]: readonly [number, number]): Call {
  const settledAt = outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : to
  const [invoked, settled] = [
    { invokedMs: from, invokedAt: from },
    { settledMs: settledAt, settledAt },
  ]
  return { operation, client: 0, step, outcome, ...invoked, ...settled }
}

function commit(at: number, version: number, { length, position }: { length: number; position?: number }): Commit {
  const set = new Map([['a', { isFile: true, version, length }]])
  return { at, set, removed: new Set(), trashed: [], untrashed: false, position }
}

const operationsOf = (calls: readonly Call[]) => calls.map(({ operation }) => operation)

test('guessOrder() takes commits for the calls whose version they have, and unknown ones for those whose length', () => {
  const calls = [
    call(0, write(10), ok(2), [0, 9]),
    call(1, write(10), ok(1), [1, 9]),
    call(2, append(7), unknown, [2, 0]),
    call(3, write(5), unknown, [3, 0]),
    call(4, append(5), unknown, [4, 0]),
  ]
  const commits = [commit(5, 1, { length: 10 }), commit(6, 2, { length: 10 }), commit(7, 3, { length: 15 })]
  const { order } = guessOrder(calls, [...commits, commit(8, 4, { length: 5 })])
  // What no commit fits had no effect.
  assert.deepEqual(operationsOf(order), [1, 0, 4, 3])
})

test('guessOrder() takes a commit that fits several calls for the one that ends first', () => {
  const remove: Step = { kind: 'remove', path: '/a', recursive: false }
  const gone = (at: number): Commit => ({
    ...commit(at, 0, { length: 0 }),
    set: new Map(),
    removed: new Set(['a']),
    trashed: ['/a'],
  })
  const calls = [
    call(0, remove, { kind: 'ok', answer: {} }, [0, 9]),
    call(1, remove, { kind: 'ok', answer: {} }, [1, 4]),
    call(2, write(10), ok(1), [5, 6]),
  ]
  const { order } = guessOrder(calls, [gone(3), commit(5.5, 1, { length: 10 }), gone(8)])
  assert.deepEqual(operationsOf(order), [1, 2, 0])
})

test('guessOrder() takes what brought a file back for the call that was told its version', () => {
  const undelete: Step = { kind: 'undelete', path: '/a' }
  const calls = [call(0, undelete, ok(7), [0, 9]), call(1, undelete, ok(5), [1, 9])]
  const back = (at: number, version: number) => ({ ...commit(at, version, { length: 1 }), untrashed: true })
  const { order } = guessOrder(calls, [back(3, 5), back(4, 7)])
  assert.deepEqual(operationsOf(order), [1, 0])
})

test('guessOrder() says what a loss of metadata left, by the position that the restored ones have', () => {
  const loss = call(9, { kind: 'rollback', sinceMs: 0 }, { kind: 'ok', answer: {} }, [6, 8])
  const calls = [call(0, write(1), ok(1), [0, 2]), call(1, write(2), ok(2), [2, 4]), loss]
  const commits = [commit(1, 1, { length: 1, position: 41 }), commit(3, 2, { length: 2, position: 42 })]
  const { order, kept } = guessOrder(calls, [...commits, { ...commit(7, 0, { length: 0 }), restoredTo: 41 }])
  assert.deepEqual(operationsOf(order), [0, 1, 9])
  assert.equal(kept.get(loss)?.operation, 0)
})

// Seed 720082: its client asked the next master again, and was answered by that one.
test('a change that was under way in a loss may be seen, be gone, and be made again; it lasts once', () => {
  const loss = call(9, { kind: 'rollback', sinceMs: 2 }, { kind: 'ok', answer: {} }, [7, 9])
  const sees = (size: number, from: number) =>
    call(50 + from, { kind: 'stat', path: '/a' }, { kind: 'ok', answer: { size } }, [from, from + 1])
  const past = [commit(1, 1, { length: 1, position: 41 }), commit(4, 2, { length: 8, position: 42 })]
  const restored = { ...commit(8, 0, { length: 0 }), restoredTo: 41 }
  const commits = [...past, restored, commit(15, 3, { length: 8, position: 43 })]
  const judged = (more: Call, ...seen: readonly Call[]) => {
    const calls = [call(0, write(1), ok(1), [0, 2]), more, loss, ...seen].sort((a, b) => a.invokedAt - b.invokedAt)
    const guess = guessOrder(calls, commits)
    const { kind } = linearize(calls, { trashLastsMs: 1e9, guess })
    assert.equal(linearize(calls, { trashLastsMs: 1e9, guess: { ...guess, order: [], kept: new Map() } }).kind, kind)
    return { guess, kind }
  }
  const late = call(1, append(7), ok(3), [3, 20])
  const { guess, kind } = judged(late, sees(8, 5), sees(1, 10), sees(8, 21))
  assert.deepEqual(operationsOf(guess.order), [0, 1, 9, 1])
  assert.deepEqual(guess.undone, [guess.order[1]])
  assert.equal(guess.kept.get(loss)?.operation, 0)
  assert.equal(kind, 'explained')
  // Whatever its client was told in the end.
  for (const outcome of [unknown, { kind: 'void', code: 'no-space' }, { kind: 'refused', code: 'changed' }] as const) {
    assert.equal(judged({ ...late, outcome }, sees(8, 5), sees(1, 10)).guess.undone.length, 1)
  }
  assert.equal(
    judged({ ...late, outcome: { kind: 'void', code: 'no-space' } }, sees(8, 5), sees(1, 10)).kind,
    'explained',
  )
  // Not twice, whatever a further loss goes back to; not behind the loss; and not where it had ended before the loss.
  assert.equal(judged(late, sees(8, 5), sees(15, 21)).kind, 'impossible')
  assert.equal(judged(late, sees(8, 10), sees(15, 21)).kind, 'impossible')
  assert.equal(judged({ ...late, outcome: { kind: 'void', code: 'no-space' } }, sees(8, 10)).kind, 'impossible')
  const further = call(9, { kind: 'rollback', sinceMs: 2 }, { kind: 'ok', answer: {} }, [30, 32])
  const later = call(1, append(7), ok(3), [3, 40])
  assert.equal(judged(later, sees(8, 5), sees(1, 10), further, sees(8, 41)).kind, 'explained')
  assert.equal(judged(later, sees(8, 5), sees(1, 10), further, sees(15, 41)).kind, 'impossible')
  assert.equal(judged(call(1, append(7), ok(2), [3, 6]), sees(8, 10), sees(1, 12), sees(8, 21)).kind, 'impossible')
  assert.equal(judged(call(1, append(7), unknown, [3, 6]), sees(8, 5), sees(1, 10), sees(8, 21)).kind, 'explained')
})

test('a guess makes a search short that would be given up, and cannot make it believe what is wrong', () => {
  // Sixteen unknown writes side by side, and reads that saw some of them, in an order that nothing else tells.
  const writes = Array.from({ length: 16 }, (_, seed) => call(seed, write(10 + seed), unknown, [seed, 0]))
  const seen = [13, 2, 11, 5, 7, 3, 14, 1, 9]
  const reads = seen.map((length, index) =>
    call(50 + index, { kind: 'stat', path: '/a' }, { kind: 'ok', answer: { size: 10 + length } }, [
      100 + 2 * index,
      101 + 2 * index,
    ]),
  )
  const calls = [...writes, ...reads]
  const commits = seen.map((length, index) => commit(100 + 2 * index, index, { length: 10 + length }))
  const options = { trashLastsMs: 1e9, mostConfigurations: 200 }
  const verdict = linearize(calls, { ...options, guess: guessOrder(calls, commits) })
  assert.equal(verdict.kind, 'explained')
  assert.ok(verdict.configurations <= 12, `${verdict.configurations} configurations`)
  const [first] = writes
  const again = call(99, { kind: 'stat', path: '/a' }, { kind: 'ok', answer: { size: 99 } }, [200, 201])
  assert.notEqual(
    linearize([first as Call, again], { ...options, guess: guessOrder(calls, commits) }).kind,
    'explained',
  )
})

test('a chronicle forgets commits that a crash took back, and hears nothing of an image that is being loaded', () => {
  const chronicle = new Chronicle()
  const image = chronicle.newImage()
  const apply = (position: number) => {
    const writes = new WriteSet()
    writes.del(entryKey(rootInode, 'a'))
    writes.put(positionKey, encodePosition(position as Parameters<typeof encodePosition>[0]))
    image.apply(writes, { synced: false })
  }
  apply(1)
  image.isWatched = true
  for (const position of [2, 3, 4]) apply(position)
  image.loseLatest(2)
  assert.deepEqual(
    chronicle.commits.map(({ position, removed }) => [position, [...removed]]),
    [[2, ['a']]],
  )
})
