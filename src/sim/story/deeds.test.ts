import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call, History } from '../history.ts'
import type { Action, Operation } from '../operations.ts'
import type { Outcome, Step } from '../steps.ts'
import { deedsOf } from './deeds.ts'

interface Timed {
  readonly action: Action
  /** Of its calls, in order; each as [step, outcome]. Default: the action itself, which succeeds. */
  readonly calls?: readonly (readonly [Step, Outcome])[]
  readonly fromMs: number
  readonly toMs: number
}

const ok: Outcome = { kind: 'ok', answer: {} }
const notFound: Outcome = {
  kind: 'refused',
  code: 'not-found',
  words: 'Cannot find "/a": no file or directory has this path',
}

/** Moments are milliseconds: all are different. */
function deeds(...timed: readonly Timed[]) {
  const operations = timed.map(({ action, fromMs }, id): Operation => ({ ...action, id, client: 0, atMs: fromMs }))
  const calls = timed.flatMap(({ action, calls: own = [[action as Step, ok]], fromMs, toMs }, operation) =>
    own.map(
      ([step, outcome]): Call => ({
        ...{ operation, client: 0, step, outcome },
        ...{ invokedMs: fromMs, invokedAt: fromMs, settledMs: toMs, settledAt: toMs },
      }),
    ),
  )
  return deedsOf(operations, { calls } as unknown as History)
}

const content = { seed: 1, length: 3 }
const write = (path: string): Action => ({ kind: 'write', path, content })
const read = (path: string): Action => ({ kind: 'read', path })
const at = (action: Action, fromMs: number, toMs: number): Timed => ({ action, fromMs, toMs })
const contested = (...timed: readonly Timed[]) => deeds(...timed).map(({ rivals }) => rivals.length > 0)

test('deedsOf() finds what met: at the same time, on the same files, and one of both changed them', () => {
  assert.deepEqual(contested(at(write('/a'), 0, 5), at(read('/a'), 4, 9)), [true, true])
  assert.deepEqual(contested(at(write('/a'), 0, 5), at(read('/a'), 6, 9)), [false, false], 'one after the other')
  assert.deepEqual(contested(at(write('/a'), 0, 5), at(read('/ab'), 4, 9)), [false, false], 'another file')
  assert.deepEqual(contested(at(read('/a'), 0, 5), at(read('/a'), 4, 9)), [false, false], 'both only read')
  assert.deepEqual(contested(at(read('/a/b'), 0, 5), at({ kind: 'remove', path: '/a', recursive: true }, 1, 2)), [
    true,
    true,
  ])
  assert.deepEqual(contested(at({ kind: 'list-trash', path: '/' }, 0, 5), at(write('/a'), 1, 2)), [true, true])
  assert.deepEqual(contested(at(read('/b'), 0, 5), at({ kind: 'copy', from: '/a', to: '/b' }, 1, 2)), [true, true])
})

test('deedsOf() takes a change that was refused for none', () => {
  const refused: Timed = { action: write('/a'), calls: [[write('/a') as Step, notFound]], fromMs: 0, toMs: 5 }
  assert.deepEqual(contested(refused, at(read('/a'), 1, 2)), [false, false])
})

test('deedsOf() tells how each ended, and leaves out what nobody began', () => {
  const lost: Outcome = { kind: 'unknown', code: 'timeout' }
  const failed: Outcome = { kind: 'void', code: 'busy' }
  const found = deeds(
    at(write('/a'), 0, 1),
    { action: read('/a'), calls: [[read('/a') as Step, notFound]], fromMs: 2, toMs: 3 },
    { action: write('/b'), calls: [[write('/b') as Step, lost]], fromMs: 4, toMs: 30_004 },
    { action: read('/b'), calls: [[read('/b') as Step, failed]], fromMs: 5, toMs: 6 },
    { action: read('/c'), calls: [], fromMs: 7, toMs: 7 },
  )
  assert.deepEqual(
    found.map(({ end }) => end),
    ['done', 'refused', 'unknown', 'failed'],
  )
  assert.match(found[2]?.result ?? '', /no certain answer after 30\.0 s \(timeout\)/)
})

test('deedsOf() tells a condition with the numbers that were seen and asked for', () => {
  const seen: Outcome = { kind: 'ok', answer: { kind: 'file', size: 15, version: 131 } }
  const changed: Outcome = {
    kind: 'refused',
    code: 'changed',
    words: 'Cannot change "/a": it changed since version 130 (now 131): read it again and retry',
  }
  const stat: Step = { kind: 'stat', path: '/a' }
  const [stale, blind, longer] = deeds(
    {
      action: { kind: 'write', path: '/a', content, condition: 'stale' },
      calls: [
        [stat, seen],
        [{ kind: 'write', path: '/a', content, ifVersion: 130 }, changed],
      ],
      ...{ fromMs: 0, toMs: 1 },
    },
    {
      action: { kind: 'write', path: '/a', content, condition: 'current' },
      ...{ calls: [[stat, notFound]], fromMs: 2, toMs: 3 },
    },
    {
      action: { kind: 'append', path: '/a', content, condition: 'current' },
      calls: [
        [stat, seen],
        [
          { kind: 'append', path: '/a', content, expectedLength: 15 },
          { kind: 'ok', answer: { size: 18, version: 140 } },
        ],
      ],
      ...{ fromMs: 4, toMs: 5 },
    },
  )
  assert.equal(stale?.phrase, 'sees v131 of /a and asks, to be refused, to write 3 bytes over it if it is v130')
  assert.equal(stale?.result, 'it changed since version 130 (now 131)')
  assert.equal(blind?.phrase, 'wants to write 3 bytes over /a as it is')
  assert.equal(blind?.result, 'nothing is there')
  assert.equal(longer?.phrase, 'sees 15 bytes in /a and appends 3 if it still has 15')
  assert.equal(longer?.result, '18 bytes, v140')
})

test('deedsOf() names the path where nothing is, when it is another one than was asked for', () => {
  const copy: Action = { kind: 'copy', from: '/a', to: '/b' }
  const [deed] = deeds({ action: copy, calls: [[copy as Step, notFound]], fromMs: 0, toMs: 1 })
  assert.equal(deed?.result, 'nothing is at /a')
})

test('deedsOf() lists the trash by path, sizes in order', () => {
  const list: Action = { kind: 'list-trash', path: '/' }
  const trash = ['/a 198', '/ä b 10', '/ä b 9']
  const [deed] = deeds({ action: list, calls: [[list as Step, { kind: 'ok', answer: { trash } }]], fromMs: 0, toMs: 1 })
  assert.equal(deed?.result, '/a of 198; /ä b of 9 and 10 bytes')
})

test('deedsOf() says that all below goes with what is removed only where a directory was', () => {
  const remove = (path: string): Action => ({ kind: 'remove', path, recursive: true })
  const phrases = deeds(
    at(write('/t/a'), 0, 1),
    at(remove('/t/a'), 2, 3),
    at(remove('/t'), 4, 5),
    at({ kind: 'make-directory', path: '/t/a', recursive: false }, 6, 7),
    at(remove('/t/a'), 8, 9),
  ).map(({ phrase }) => phrase)
  assert.equal(phrases[1], 'removes /t/a')
  assert.equal(phrases[2], 'removes /t and all below it')
  assert.equal(phrases[4], 'removes /t/a and all below it')
})
