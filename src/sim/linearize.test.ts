import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesOf, digestOfBytes, ModelContent } from './contents.ts'
import type { Call } from './history.ts'
import { linearize } from './linearize.ts'
import type { Answer, Outcome, Step } from './steps.ts'

const options = { trashLastsMs: 1e9 }
const content = (seed: number, length = 10) => ({ seed, length })
const write = (path: string, seed: number): Step => ({ kind: 'write', path, content: content(seed) })
const read = (path: string): Step => ({ kind: 'read', path })
const rename = (from: string, to: string): Step => ({ kind: 'rename', from, to, replace: true })
const ok = (answer: Answer = {}): Outcome & { readonly kind: 'ok' } => ({ kind: 'ok', answer })
const reads = (seed: number) => ok({ digest: ModelContent.of(content(seed)).digest })
const refused = (code: 'not-found' | 'changed'): Outcome => ({ kind: 'refused', code })
const unknown: Outcome = { kind: 'unknown', code: 'timeout' }

type Timed = readonly [step: Step, outcome: Outcome, from: number, to: number]

/** Each call with its beginning and end. */
function history(...calls: readonly Timed[]): Call[] {
  return calls
    .map(([step, outcome, from, to], operation) => ({
      operation,
      client: 0,
      step,
      outcome,
      invokedMs: from,
      invokedAt: from,
      settledMs: outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : to,
      settledAt: outcome.kind === 'unknown' ? Number.POSITIVE_INFINITY : to,
    }))
    .sort((a, b) => a.invokedAt - b.invokedAt)
}

const judged = (...calls: readonly Timed[]) => linearize(history(...calls), options).kind

test('linearize() explains what happened one after the other', () => {
  assert.equal(judged([write('/a', 1), ok(), 0, 1], [read('/a'), reads(1), 2, 3]), 'explained')
})

test('linearize() refuses a read that misses an acknowledged write', () => {
  assert.equal(judged([write('/a', 1), ok(), 0, 1], [read('/a'), refused('not-found'), 2, 3]), 'impossible')
  const stale = [write('/a', 1), ok(), 0, 1] as const
  assert.equal(judged(stale, [write('/a', 2), ok(), 2, 3], [read('/a'), reads(1), 4, 5]), 'impossible')
})

test('linearize() lets calls that overlap stand in either order, but in one for all', () => {
  const both = [[write('/a', 1), ok(), 0, 9] as const, [write('/a', 2), ok(), 0, 9] as const] as const
  assert.equal(judged(...both, [read('/a'), reads(1), 10, 11]), 'explained')
  assert.equal(judged(...both, [read('/a'), reads(2), 10, 11]), 'explained')
  assert.equal(judged(...both, [read('/a'), reads(1), 10, 11], [read('/a'), reads(2), 12, 13]), 'impossible')
})

test('linearize() lets a step of unknown outcome happen late, once, or never', () => {
  const before = [[write('/a', 1), ok(), 0, 1] as const, [write('/a', 2), unknown, 2, 3] as const] as const
  assert.equal(judged(...before, [read('/a'), reads(1), 4, 5]), 'explained')
  assert.equal(judged(...before, [read('/a'), reads(2), 4, 5]), 'explained')
  assert.equal(judged(...before, [read('/a'), reads(1), 4, 5], [read('/a'), reads(2), 6, 7]), 'explained')
  assert.equal(judged(...before, [read('/a'), reads(2), 4, 5], [read('/a'), reads(1), 6, 7]), 'impossible')
})

test('linearize() never lets a rename be seen half', () => {
  const made = [write('/a', 1), ok(), 0, 1] as const
  const moved = [rename('/a', '/b'), ok(), 2, 9] as const
  assert.equal(judged(made, moved, [read('/a'), refused('not-found'), 4, 5], [read('/b'), reads(1), 6, 7]), 'explained')
  assert.equal(
    judged(made, moved, [read('/a'), refused('not-found'), 4, 5], [read('/b'), refused('not-found'), 6, 7]),
    'impossible',
  )
  assert.equal(judged(made, moved, [read('/b'), reads(1), 3, 4], [read('/a'), reads(1), 5, 6]), 'impossible')
})

test('linearize() takes nothing from a step that certainly had no effect', () => {
  const failed = { kind: 'void', code: 'unavailable' } as const
  assert.equal(judged([write('/a', 1), failed, 0, 1], [read('/a'), refused('not-found'), 2, 3]), 'explained')
  assert.equal(judged([write('/a', 1), failed, 0, 1], [read('/a'), reads(1), 2, 3]), 'impossible')
})

test('linearize() says which step no order explains, and what was to be expected', () => {
  const verdict = linearize(
    history([write('/a', 1), ok(), 0, 1], [read('/a'), reads(7), 2, 3], [read('/a'), reads(1), 4, 5]),
    options,
  )
  assert.equal(verdict.kind, 'impossible')
  assert.equal(verdict.placed, 1)
  assert.deepEqual(
    verdict.stuck.map(({ call }) => call.operation),
    [1],
  )
  assert.match(verdict.stuck[0]?.foreseen ?? '', new RegExp(ModelContent.of(content(1)).digest))
})

test('linearize() gives up at its bound, and says so', () => {
  // Twelve writes side by side, and a read of what none of them wrote: every order has to be tried.
  const writes = Array.from({ length: 12 }, (_, seed) => [write('/a', seed), ok(), 0, 99] as const)
  const verdict = linearize(history(...writes, [read('/a'), reads(77), 100, 101]), {
    ...options,
    mostConfigurations: 50,
  })
  assert.equal(verdict.kind, 'undecided')
})

test('ModelContent knows its bytes after joining and cutting', () => {
  const joined = ModelContent.of(content(1, 100))
    .followedBy(ModelContent.of(content(2, 50)))
    .cutTo(120)
  const bytes = Buffer.concat([bytesOf(content(1, 100)), bytesOf(content(2, 50)).subarray(0, 20)])
  assert.equal(joined.length, 120)
  assert.ok(joined.bytes().equals(bytes))
  assert.equal(joined.digest, digestOfBytes(bytes))
  assert.equal(joined.cutTo(0).key, ModelContent.empty.key)
})

test('bytesOf() tells the seed and the place of every word', () => {
  const seen = new Set<number>()
  for (let seed = 0; seed < 200; seed++) {
    const bytes = bytesOf({ seed, length: 4000 })
    for (let at = 0; at < bytes.length; at += 4) seen.add(bytes.readUInt32LE(at))
  }
  // A few meetings among 2^32 are chance; no run of them can be.
  assert.ok(seen.size > 200 * 1000 - 100, `${seen.size} of 200,000 words are unique`)
})

/** Overlapping writes of which the one that ended first must have been the last: every wrong order is found out late. */
function burst(path: string, { writes, from = 0, seen }: { writes: number; from?: number; seen: Outcome }): Timed[] {
  const all = Array.from({ length: writes }, (_, index) => from + index)
  return [
    ...all.map((seed): Timed => [write(path, seed), ok({ size: 10 }), 2, 100 + seed]),
    [read(path), seen, 200 + from, 201 + from],
  ]
}

// Seeds 34080 and 34093 ended without a verdict.
test('linearize() leaves a way on which a version is gone that somebody still has to see', () => {
  const versions = (call: Timed, index: number): Timed =>
    call[0].kind === 'write' ? [call[0], ok({ size: 10, version: 500 - index }), call[2], call[3]] : call
  const calls = burst('/a', { writes: 10, seen: ok({ ...reads(0).answer, version: 500 }) }).map(versions)
  const verdict = linearize(history(...calls), options)
  assert.equal(verdict.kind, 'explained')
  assert.ok(verdict.configurations < 3_000, `${verdict.configurations} configurations`)
})

test('linearize() searches files that nothing connects apart, and then everything in their order', () => {
  const made: Timed = [{ kind: 'make-directory', path: '/k', recursive: true }, ok({ made: true }), 0, 1]
  const list: Timed = [{ kind: 'list-page', path: '/k', after: '', limit: 9 }, ok({ names: ['a', 'b', 'c'] }), 300, 301]
  const files = (seen: Outcome) => [
    ...burst('/k/a', { writes: 6, seen: reads(0) }),
    ...burst('/k/b', { writes: 6, from: 10, seen }),
    ...burst('/k/c', { writes: 6, from: 20, seen: reads(20) }),
  ]
  assert.equal(judged(made, ...files(reads(10)), list), 'explained')
  // Nobody wrote that; and what spans the parts is judged, too.
  assert.equal(judged(made, ...files(reads(99)), list), 'impossible')
  const short: Timed = [list[0], ok({ names: ['a', 'c'] }), 300, 301]
  const verdict = linearize(history(made, ...files(reads(10)), short), { ...options, mostConfigurations: 10_000 })
  assert.notEqual(verdict.kind, 'explained')
})

// The docs promise what a lost disk of the master costs: the last second of what was acknowledged, and nothing of what came before.
test('linearize() lets a loss undo the last changes, as they came, and none that must be left', () => {
  const loss = (sinceMs: number): Timed => [{ kind: 'rollback', sinceMs }, ok(), 10, 12]
  const [one, two] = [[write('/a', 1), ok(), 0, 1] as const, [write('/b', 2), ok(), 4, 5] as const]
  const seen = (path: string, outcome: Outcome, from: number): Timed => [read(path), outcome, from, from + 1]
  assert.equal(judged(one, two, loss(3), seen('/b', refused('not-found'), 20)), 'explained')
  assert.equal(judged(one, two, loss(3), seen('/b', reads(2), 20)), 'explained')
  assert.equal(judged(one, two, loss(3), seen('/a', refused('not-found'), 20)), 'impossible')
  assert.equal(judged(one, two, loss(6), seen('/b', refused('not-found'), 20)), 'impossible')
  // Seen again means never gone; and of two changes in a row the first cannot be lost without the second.
  const [gone, back] = [seen('/b', refused('not-found'), 20), seen('/b', reads(2), 22)]
  assert.equal(judged(one, two, loss(3), gone, back), 'impossible')
  assert.equal(judged(one, two, loss(0.5), seen('/a', refused('not-found'), 20), back), 'impossible')
  assert.equal(judged(one, two, loss(0.5), seen('/a', refused('not-found'), 20), gone), 'explained')
})
