import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { History } from '../history.ts'
import type { Fault } from '../script.ts'
import type { Sight } from '../witness.ts'
import type { StoryLine } from '../world.ts'
import { cutIntoSpans } from './chapters.ts'
import { faultEvents, serverEvents } from './events.ts'

const nothing = { calls: [] } as unknown as History
const kill: Fault = { kind: 'kill', id: 1, atMs: 3_000, durationMs: 2_000, host: 'chunkserver-2' }
const boot: readonly StoryLine[] = ['master', 'chunkserver-1', 'chunkserver-2'].map((host) => {
  return { atMs: 1, host, what: 'runs' }
})
const texts = (story: readonly StoryLine[]) =>
  faultEvents({ story: [...boot, ...story], history: nothing }).map(({ atMs, text }) => `${atMs} ${text}`)

test('faultEvents() tells of a fault and of the start after it, not of the first start', () => {
  const story: readonly StoryLine[] = [
    { atMs: 3_000, host: 'chunkserver-2', what: 'kill begins', fault: kill },
    { atMs: 5_000, host: 'chunkserver-2', what: 'kill ends' },
    { atMs: 5_010, host: 'chunkserver-2', what: 'runs' },
  ]
  assert.deepEqual(texts(story), [
    '3000 Chunk server 2 is killed: what it had in memory is gone, what it had given to its disk stays.',
    '5010 Chunk server 2 runs again.',
  ])
})

test('faultEvents() tells of machines that start together, and of starts in vain, in one line each', () => {
  const why = 'ends by itself: Cannot register server 0123456789abcdef0123456789abcdef: it is up. Was it copied?'
  const story: readonly StoryLine[] = [
    { atMs: 10, host: 'chunkserver-2', what: 'runs' },
    { atMs: 11, host: 'master', what: 'runs' },
    { atMs: 12, host: 'chunkserver-1', what: 'runs' },
    { atMs: 2_000, host: 'chunkserver-2', what: why },
    { atMs: 3_000, host: 'chunkserver-2', what: 'runs' },
    { atMs: 3_100, host: 'chunkserver-2', what: why },
    { atMs: 4_000, host: 'chunkserver-2', what: 'runs' },
  ]
  assert.deepEqual(texts(story), [
    '10 The master and chunk servers 1 and 2 run again.',
    '2000 Chunk server 2 ends by itself, to be started again: it cannot register: it is up (2 times).',
    '4000 Chunk server 2 runs again.',
  ])
})

test('faultEvents() does not tell that a fault ends while another one of its kind holds on', () => {
  const full = (id: number, atMs: number, durationMs: number): StoryLine => {
    const fault: Fault = { kind: 'disk-full', id, atMs, durationMs, host: 'chunkserver-1' }
    return { atMs, host: 'chunkserver-1', what: 'disk-full begins', fault }
  }
  const end = (atMs: number) => ({ atMs, host: 'chunkserver-1', what: 'disk-full ends' })
  const story = [full(1, 100, 900), full(2, 200, 300), end(500), end(1_000)]
  assert.deepEqual(texts(story), [
    '100 Chunk server 1 has a full disk.',
    '200 Chunk server 1 has a full disk.',
    '1000 Chunk server 1 has room on its disk again.',
  ])
  const [span] = cutIntoSpans([...boot, ...story], { deeds: [], durationMs: 60_000 })
  assert.equal(span?.toMs, 3_500)
})

test('faultEvents() does not tell of a lost disk where none was lost', () => {
  const fault: Fault = { kind: 'master-disk-lost', id: 2, atMs: 100, durationMs: 50 }
  const story = [
    { atMs: 100, host: 'master', what: 'master-disk-lost begins', fault },
    { atMs: 150, host: 'master', what: 'master-disk-lost ends' },
  ]
  assert.deepEqual(texts(story), ['100 The master is spared the loss of its disk: its backups are not up to date.'])
})

const state = (atMs: number, from: 'up' | 'suspect' | 'dead', to: 'up' | 'suspect' | 'dead', host = 'chunkserver-2') =>
  ({ kind: 'state', atMs, host, from, to }) as const
const struck: readonly StoryLine[] = [{ atMs: 3_000, host: 'chunkserver-2', what: 'kill begins', fault: kill }]
const told = (sights: readonly Sight[], story: readonly StoryLine[] = struck) =>
  serverEvents(sights, story).map(({ atMs, text }) => `${atMs} ${text}`)

test('serverEvents() tells that a struck server is missed, given up and heard again', () => {
  assert.deepEqual(
    told([state(5_000, 'up', 'suspect'), state(9_000, 'suspect', 'dead'), state(12_000, 'dead', 'up')]),
    [
      '5000 The master hears nothing from chunk server 2, and waits.',
      '9000 The master gives chunk server 2 up for dead: a copy of every chunk on it is missing now.',
      '12000 The master hears chunk server 2 again.',
    ],
  )
})

test('serverEvents() leaves out servers that are missed for a moment, or that nothing befell', () => {
  assert.deepEqual(told([state(5_000, 'up', 'suspect'), state(5_100, 'suspect', 'up')]), [])
  const late = [state(5_000, 'up', 'suspect'), state(9_000, 'suspect', 'up')]
  assert.equal(told(late).length, 2)
  assert.deepEqual(told(late, []), [])
  assert.equal(
    told([state(5_000, 'up', 'suspect'), state(9_000, 'suspect', 'dead')], []).length,
    2,
    'dead is never left out',
  )
  // Its kill is over at 5.0 s, and it runs again at 5.1 s.
  const over: readonly StoryLine[] = [
    ...struck,
    { atMs: 5_000, host: 'chunkserver-2', what: 'kill ends' },
    { atMs: 5_100, host: 'chunkserver-2', what: 'runs' },
  ]
  const missed = (atMs: number) => told([state(atMs, 'up', 'suspect'), state(atMs + 2_000, 'suspect', 'up')], over)
  assert.equal(missed(7_000).length, 2)
  assert.deepEqual(missed(9_000), [], 'long after it was up again')
})

test('serverEvents() tells of debts in stretches: owed, then made good', () => {
  const debt = (atMs: number, kind: 'owed' | 'repaid' | 'moot') =>
    ({ atMs, kind, host: 'chunkserver-2', chunk: `${atMs}` }) as unknown as Sight
  const events = serverEvents(
    [debt(1, 'owed'), debt(2, 'owed'), debt(3, 'moot'), debt(8, 'repaid'), debt(20, 'owed')],
    struck,
  )
  assert.deepEqual(
    events.map(({ atMs, toMs, text }) => `${atMs}-${toMs} ${text}`),
    [
      '1-2 2 chunks are stored without chunk server 2: the master notes that it lacks them.',
      '8-8 Chunk server 2 gets 1 chunk that it lacked, from the servers that have it.',
      '20-20 1 chunk is stored without chunk server 2: the master notes that it lacks it.',
    ],
  )
})

test('cutIntoSpans() makes a chapter of each trouble until its host runs again, and of the quiet times with work', () => {
  const deed = (beganMs: number) => ({ beganMs }) as never
  const story: readonly StoryLine[] = [
    ...boot,
    ...struck,
    { atMs: 5_000, host: 'chunkserver-2', what: 'kill ends' },
    { atMs: 6_000, host: 'chunkserver-2', what: 'runs' },
  ]
  const spans = cutIntoSpans(story, { deeds: [deed(100), deed(4_000), deed(30_000)], durationMs: 60_000 })
  assert.deepEqual(
    spans.map(({ fromMs, toMs, title, isTrouble }) => [fromMs, toMs, title, isTrouble]),
    [
      [0, 3_000, 'Quiet work', false],
      [3_000, 8_500, 'Chunk server 2 is killed', true],
      [8_500, 60_000, 'Quiet again', false],
    ],
  )
})

test('cutIntoSpans() merges troubles that overlap, and never has more than a reader can follow', () => {
  const jump = (atMs: number): StoryLine => {
    return {
      atMs,
      host: 'master',
      what: 'clock-jump begins',
      fault: { kind: 'clock-jump', id: atMs, atMs, host: 'master', jumpMs: 1 },
    }
  }
  const many = Array.from({ length: 10 }, (_, index) => jump(1_000 + 5_500 * index))
  const troubles = (story: readonly StoryLine[]) =>
    cutIntoSpans(story, { deeds: [], durationMs: 60_000 }).filter(({ isTrouble }) => isTrouble)
  assert.ok(troubles(many).length <= 5)
  const [both, ...others] = troubles([jump(1_000), jump(2_000)])
  assert.equal(others.length, 0)
  assert.equal(both?.title, "The master's clock jumps (2 times)")
})
