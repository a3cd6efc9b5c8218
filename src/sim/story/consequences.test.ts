import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Call } from '../history.ts'
import type { Fault, Script } from '../script.ts'
import type { Sight } from '../witness.ts'
import type { StoryLine } from '../world.ts'
import { consequenceText } from './consequences.ts'
import type { Deed } from './deeds.ts'
import { strikesOf } from './strikes.ts'

const deed = (beganMs: number, endedMs: number, client = 0) =>
  ({ beganMs, endedMs, operation: { client } }) as unknown as Deed
const host = 'chunkserver-3'
const loss: Fault = { kind: 'power-loss', id: 1, atMs: 10_000, durationMs: 20_000, host }
const lossStory: readonly StoryLine[] = [
  { atMs: 10_000, host, what: 'power-loss begins', fault: loss },
  { atMs: 30_000, host, what: 'power-loss ends' },
  { atMs: 30_100, host, what: 'runs' },
]
const state = (atMs: number, from: 'up' | 'suspect' | 'dead', to: 'up' | 'suspect' | 'dead') =>
  ({ kind: 'state', atMs, host, from, to }) as const
const chunkSight = (kind: 'stored' | 'owed' | 'repaid' | 'joins', atMs: number, chunk: string, at = host) =>
  ({ kind, atMs, chunk, host: at, hosts: [at], group: 1 }) as unknown as Sight

function text(
  story: readonly StoryLine[],
  {
    deeds = [],
    sights = [],
    calls = [],
    racks = [1, 2, 3, 1],
  }: {
    readonly deeds?: readonly Deed[]
    readonly sights?: readonly Sight[]
    readonly calls?: readonly Call[]
    readonly racks?: readonly number[]
  } = {},
): string {
  const servers = racks.map((rack) => ({ rack: `rack-${rack}` }))
  const script = { cluster: { servers, policy: 'replicated-3', deadAfterMs: 8_000 } } as unknown as Script
  const strikes = strikesOf(story)
  const around = { script, strikes, deeds, sights, history: { calls } as never }
  return strikes[0] === undefined ? '' : consequenceText(strikes[0], around)
}

test('consequenceText() says until when, and which operation took longest meanwhile', () => {
  const deeds = [deed(0, 9_000), deed(9_900, 10_100), deed(12_000, 17_250), deed(30_000, 31_500), deed(31_000, 39_000)]
  assert.equal(
    text(lossStory, { deeds }),
    'Up again at 30.100, after 20.1 s. Of 3 operations meanwhile 2 waited for longer than a second (the longest: 5.3 s, ' +
      '12.000-17.250). It was back before the master had to do anything.',
  )
  assert.match(
    text(lossStory, { deeds: deeds.slice(0, 2) }),
    /No operation waited: the longest of 1 operation meanwhile/,
  )
  assert.match(text(lossStory), /No operation ran meanwhile\./)
  assert.match(text(lossStory, { deeds: deeds.slice(2, 3) }), /The only operation meanwhile waited \(5\.3 s, 12\.000/)
  assert.match(text(lossStory, { deeds: deeds.slice(2, 4) }), /All 2 operations meanwhile waited/)
  const failed = { ...deed(12_000, 12_005), end: 'failed' } as Deed
  assert.match(text(lossStory, { deeds: [failed] }), /took 5 ms\. 1 operation failed without effect\./)
})

test('consequenceText() does not say that a server was back while something else held it', () => {
  const kill: Fault = { kind: 'kill', id: 5, atMs: 12_000, durationMs: 100, host }
  const [begins, ends, runs] = lossStory as [StoryLine, StoryLine, StoryLine]
  const killed: readonly StoryLine[] = [
    { atMs: 12_000, host, what: 'kill begins', fault: kill },
    { atMs: 12_100, host, what: 'kill ends' },
    { atMs: 12_200, host, what: 'runs' },
  ]
  assert.match(text(killed), /back before/)
  assert.doesNotMatch(text([killed[0] as StoryLine, begins, ...killed.slice(1), ends, runs]), /back before/)
})

test('consequenceText() counts what never ended where it began, and where its client died, not for all times', () => {
  const never = Number.POSITIVE_INFINITY
  const deeds = [deed(5_000, never), deed(12_000, never)]
  assert.match(text(lossStory, { deeds }), /(?<!\d)1 operation never got an answer/)
  const kill: Fault = { kind: 'kill', id: 2, atMs: 6_000, durationMs: 1_000, host: 'client-1' }
  const story = [{ atMs: 6_000, host: 'client-1', what: 'kill begins', fault: kill }]
  assert.match(text(story, { deeds: [...deeds, deed(5_000, never, 1)] }), /2 operations never got/)
})

test('consequenceText() of a server given up for dead says why nothing was copied, and what came back with it', () => {
  const sights = [
    chunkSight('stored', 1_000, 'a'),
    chunkSight('stored', 2_000, 'b'),
    state(11_000, 'up', 'suspect'),
    state(18_000, 'suspect', 'dead'),
    chunkSight('owed', 19_000, 'c'),
    state(30_200, 'dead', 'up'),
    chunkSight('repaid', 31_000, 'c'),
  ]
  const told = text(lossStory, { sights })
  assert.match(
    told,
    /Given up for dead at 18\.000; nothing could be copied elsewhere, as 3 copies .* racks, and only 2 were/,
  )
  assert.match(told, /It came back with 2 chunks that it had before; the 1 chunk that it lacked .* by 31\.000\./)
  assert.match(text(lossStory, { sights, racks: [1, 2, 3, 4] }), /nothing was copied elsewhere before it came back/)
  const joined = [...sights, chunkSight('joins', 20_000, '', 'chunkserver-4')]
  assert.match(text(lossStory, { sights: joined }), /was then to be copied to chunk server 4/)
  const lost = [...sights, chunkSight('owed', 30_300, 'a')]
  assert.match(text(lossStory, { sights: lost }), /came back with 1 chunk that it had before/, 'its power took one')
})

test('consequenceText() does not blame a fault for a server that is missed long after it', () => {
  const sights = (atMs: number) => [state(atMs, 'up', 'suspect'), state(atMs + 1_800, 'suspect', 'up')]
  assert.match(text(lossStory, { sights: sights(11_000) }), /missed it for 1\.8 s and waited, .* only after 8\.0 s\./)
  assert.doesNotMatch(text(lossStory, { sights: sights(40_000) }), /missed it/)
})

test('consequenceText() says why a wall clock that jumps needs nothing', () => {
  const jump = (at: string): StoryLine => {
    const fault: Fault = { kind: 'clock-jump', id: 3, atMs: 1, host: at, jumpMs: 1_000 }
    return { atMs: 1, host: at, what: 'clock-jump begins', fault }
  }
  assert.match(text([jump(host)]), /Nothing was needed: only this machine's wall clock jumped/)
  assert.match(text([jump('master')]), /lets nothing expire by it/)
})

test('consequenceText() explains a jump of versions when a master starts again, and only a jump', () => {
  const kill: Fault = { kind: 'kill', id: 4, atMs: 5_000, durationMs: 100, host: 'master' }
  const story: readonly StoryLine[] = [
    { atMs: 5_000, host: 'master', what: 'kill begins', fault: kill },
    { atMs: 5_100, host: 'master', what: 'kill ends' },
    { atMs: 5_200, host: 'master', what: 'runs' },
  ]
  const call = (settledMs: number, version: number) =>
    ({ step: { kind: 'write' }, settledMs, outcome: { kind: 'ok', answer: { version } } }) as unknown as Call
  const calls = [call(1_000, 90), call(4_000, 152), call(6_000, 131_081)]
  assert.match(text(story, { calls }), /Versions go on from v152 at v131081: a master takes its numbers in blocks/)
  assert.match(text(story, { calls: calls.slice(2) }), /Versions go on at v131081: /)
  assert.doesNotMatch(text(story, { calls: [call(4_000, 152), call(6_000, 160)] }), /Versions/)
})
