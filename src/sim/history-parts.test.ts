import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from './history.ts'
import { mergeOrders, partsOf } from './history-parts.ts'
import type { Outcome, Step } from './steps.ts'

const ok: Outcome = { kind: 'ok', answer: { entries: 3 } }
const content = { seed: 1, length: 1 }
const make = (path: string): Step => ({ kind: 'make-directory', path, recursive: true })
const write = (path: string): Step => ({ kind: 'write', path, content })
const rename = (from: string, to: string): Step => ({ kind: 'rename', from, to, replace: true })

function history(...steps: readonly (Step | readonly [Step, Outcome])[]): Call[] {
  return steps.map((each, operation) => {
    const [step, outcome] = 'kind' in each ? [each, ok] : each
    const [from, to] = [2 * operation, 2 * operation + 1]
    return { operation, client: 0, step, outcome, invokedMs: from, invokedAt: from, settledMs: to, settledAt: to }
  })
}

const indexesOf = (calls: readonly Call[]) =>
  partsOf(calls)
    .map(({ indexes }) => indexes.join(' '))
    .sort()

test('partsOf() takes apart what shares no path, and gives each part the directories that it needs', () => {
  const calls = history(make('/k'), write('/k/0'), write('/k/1'), make('/t'), write('/t/a/b'), rename('/t/a', '/t/c'))
  assert.deepEqual(indexesOf(calls), ['0 1 3', '0 2 3', '0 3 4 5'])
})

test('partsOf() keeps together what a rename connects, and what lies in a directory that moves', () => {
  assert.deepEqual(indexesOf(history(write('/a'), write('/b'), rename('/a', '/b'))), ['0 1 2'])
  const moved = history(make('/t'), write('/t/a'), write('/t/b'), rename('/t', '/u'))
  assert.deepEqual(indexesOf(moved), ['0 1 2 3'])
})

test('partsOf() leaves lists of several parts out, and empties the trash of each', () => {
  const list: Step = { kind: 'list-page', path: '/', after: '', limit: 9 }
  const calls = history(write('/a'), write('/b'), list, { kind: 'empty-trash', path: '/' })
  assert.deepEqual(indexesOf(calls), ['0 3', '1 3'])
  for (const part of partsOf(calls)) assert.deepEqual(part.calls[1]?.outcome, { kind: 'ok', answer: {} })
})

test('mergeOrders() keeps real time between parts', () => {
  const calls = history(write('/a'), write('/b'), write('/a'), write('/b'))
  assert.deepEqual(
    mergeOrders(calls, [
      [1, 3],
      [0, 2],
    ]),
    [0, 1, 2, 3],
  )
})
