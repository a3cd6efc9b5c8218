import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Action } from '../operations.ts'
import { type Brevity, chapterLines } from './chapter-lines.ts'
import type { Deed } from './deeds.ts'
import type { StoryEvent } from './events.ts'

let nextId = 0

function deed(action: Action, atMs: number, changes: Partial<Deed> = {}): Deed {
  const operation = { ...action, id: nextId++, client: 0, atMs }
  const path = 'path' in action ? action.path : action.from
  return {
    ...{ operation, calls: [], beganMs: atMs, endedMs: atMs + 1, end: 'done', code: undefined },
    ...{ phrase: `${action.kind}s ${path}`, result: '', paths: [path], rivals: [] },
    ...changes,
  }
}

const read = (path: string, atMs: number, changes?: Partial<Deed>) => deed({ kind: 'read', path }, atMs, changes)
const remove = (path: string, atMs: number, changes?: Partial<Deed>) =>
  deed({ kind: 'remove', path, recursive: false }, atMs, changes)
const refused: Partial<Deed> = { end: 'refused', code: 'not-found', result: 'nothing is there' }

function lines(
  deeds: readonly Deed[],
  {
    brevity,
    named = [],
    isTrouble = false,
    events = [],
    told = [change],
  }: {
    readonly brevity: Brevity
    readonly named?: readonly number[]
    readonly isTrouble?: boolean
    readonly events?: readonly StoryEvent[]
    readonly told?: readonly Deed[]
  },
) {
  const chapter = { title: 'A title', isTrouble, deeds, events, background: [] }
  const ids = new Set(told.map(({ operation }) => operation.id))
  const options = { brevity, named: new Set(named), kept: new Set(named), told: ids }
  return chapterLines(chapter, options).map((line) => line.trim())
}

const [first, second, third] = [read('/a', 0), read('/a', 500, refused), read('/b', 1_000, refused)]
const change = remove('/a', 3_000)
const contested = read('/c', 2_000, { rivals: [change] })
const slow = remove('/d', 4_000, { endedMs: 9_500 })
const all = [first, second, third, contested, change, slow]

test('chapterLines() tells everything where nothing is to be summed up', () => {
  assert.deepEqual(lines(all, { brevity: 0 }), [
    '--- A title',
    '0.000-0.001     Client 1 reads /a.',
    '0.500-0.501     Client 1 reads /a: refused, nothing is there.',
    '1.000-1.001     Client 1 reads /b: refused, nothing is there.',
    '2.000-2.001   | Client 1 reads /c [meets 3.000].',
    '3.000-3.001     Client 1 removes /a.',
    '4.000-9.500     Client 1 removes /d (after 5.5 s).',
  ])
})

test('chapterLines() sums up more, the briefer it is to be, and counts each that it does not tell', () => {
  assert.deepEqual(lines(all, { brevity: 1 }), [
    '--- A title',
    '2.000-2.001   | Client 1 reads /c [meets 3.000].',
    '3.000-3.001     Client 1 removes /a.',
    '4.000-9.500     Client 1 removes /d (after 5.5 s).',
    'Found as it was: 1 read. Refused: 2 as nothing was there (/a, /b).',
  ])
  assert.deepEqual(lines(all, { brevity: 2 }).slice(1), [
    '3.000-3.001     Client 1 removes /a.',
    '4.000-9.500     Client 1 removes /d (after 5.5 s).',
    'Found as it was: 2 reads. Refused: 2 as nothing was there (/a, /b).',
  ])
  assert.deepEqual(lines(all, { brevity: 3 }).slice(1), [
    '4.000-9.500     Client 1 removes /d (after 5.5 s).',
    'Done as asked: 1 removal. Found as it was: 2 reads. Refused: 2 as nothing was there (/a, /b).',
  ])
})

test('chapterLines() never sums up changes under a fault, nor what never ended, nor where a promise was broken', () => {
  assert.ok(lines(all, { brevity: 3, isTrouble: true }).includes('3.000-3.001     Client 1 removes /a.'))
  const open = read('/a', 0, { end: 'unknown', endedMs: Number.POSITIVE_INFINITY, result: 'no answer' })
  assert.deepEqual(lines([open], { brevity: 3 }).slice(1), ['0.000-never     Client 1 reads /a: no answer.'])
  const id = second.operation.id
  assert.ok(
    lines(all, { brevity: 3, named: [id] }).includes(
      `0.500-0.501   ! Operation ${id}: client 1 reads /a: refused, nothing is there.`,
    ),
  )
})

test('chapterLines() joins what one client did in one breath, and nothing across an event', () => {
  const soon = remove('/b', 3_100)
  const late = remove('/b', 3_400)
  assert.deepEqual(lines([change, soon], { brevity: 0 }).slice(1), [
    '3.000-3.101     Client 1 removes /a, then removes /b.',
  ])
  assert.equal(lines([change, late], { brevity: 0 }).length, 3)
  const event = { atMs: 3_050, text: 'The master is killed.', isFault: true }
  assert.deepEqual(lines([change, soon], { brevity: 0, events: [event] }).slice(1), [
    '3.000-3.001     Client 1 removes /a.',
    '3.050         * The master is killed.',
    '3.100-3.101     Client 1 removes /b.',
  ])
})

test('chapterLines() tells of long waits that it sums up', () => {
  const waited = read('/a', 1_000, { endedMs: 8_000 })
  assert.deepEqual(lines([waited], { brevity: 2 }).slice(1), [
    'Found as it was: 1 read. 1 of these waited for seconds: answered at 8.000 s.',
  ])
})

test('chapterLines() marks that an operation met others only where these have lines of their own, and names their times', () => {
  const rivals = [1_500, 1_600, 1_700, 1_800].map((atMs) => remove('/c', atMs))
  const met = read('/c', 2_000, { rivals, ...refused })
  const lineOf = (told: readonly Deed[]) => lines([met], { brevity: 0, told })[1]
  assert.equal(lineOf([]), '2.000-2.001     Client 1 reads /c: refused, nothing is there.')
  assert.equal(
    lineOf(rivals.slice(1, 3)),
    '2.000-2.001   | Client 1 reads /c: refused, nothing is there [meets 1.600 and 1.700].',
  )
  assert.match(lineOf(rivals) ?? '', /\[meets 1\.500, 1\.600 and 2 more\]/)
  const open = read('/c', 1_000, { rivals: [...rivals], end: 'unknown', endedMs: Number.POSITIVE_INFINITY })
  assert.doesNotMatch(lines([open], { brevity: 0, told: rivals })[1] ?? '', /[|[]/, 'it says so itself')
  met.rivals.push(open)
  assert.match(lineOf([...rivals, open]) ?? '', /\[meets 1\.500, 1\.600, 2 more and 1 without an answer\]/)
})

test('chapterLines() puts what came of a fault below it', () => {
  const event = { atMs: 3_000, text: 'The master is killed.', isFault: true, consequence: 'Up again at 4.000.' }
  assert.deepEqual(lines([], { brevity: 0, events: [event] }).slice(1), [
    '3.000         * The master is killed.',
    '= Up again at 4.000.',
  ])
})
