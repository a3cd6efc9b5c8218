import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterEvent, ClusterStatus, NodeStatus } from '../../client/index.ts'
import { type Look, problemsOf, statusScreen } from './status-screen.ts'

const status = {
  servers: 3,
  serversUp: 3,
  underReplicatedChunks: 0,
  safeMode: false,
  files: 10,
  lengthBytes: 1000,
  usedBytes: 3000,
  capacityBytes: 6000,
  freeBytes: 3000,
  trashEntries: 0,
  trashBytes: 0,
  pendingDeletes: 0,
  work: [],
} as unknown as ClusterStatus

const node = (state: NodeStatus['state'], silentMs = 0, refusal?: string) =>
  ({ id: 'ab'.repeat(16), domain: 'host-1', state, silentMs, refusal }) as unknown as NodeStatus

const look = (changes: Partial<ClusterStatus>, more: Partial<Look> = {}): Look => ({
  atMs: 100_000,
  status: { ...status, ...changes },
  nodes: [node('up')],
  events: [],
  ...more,
})

test('statusScreen() begins with the health in one sentence, and says that nothing is wrong when nothing is', () => {
  const screen = statusScreen(look({}), undefined, [])
  assert.equal(screen[0], 'every chunk has all its replicas.')
  assert.ok(screen.includes('oldest     no problem'))
  assert.ok(screen.includes('now        nothing to repair, move or delete'))
  assert.ok(screen.some((line) => line.startsWith('space      [##########..........]')))
})

test('statusScreen() tells rates by the difference of two looks', () => {
  const before = look({ files: 10, lengthBytes: 1000 }, { atMs: 98_000 })
  const screen = statusScreen(look({ files: 30, lengthBytes: 5096 }), before, []).join('\n')
  assert.match(screen, /\+10 files\/s, \+2.0 KiB\/s written/)
  assert.match(statusScreen(look({}), undefined, []).join('\n'), /rates {6}measuring/)
})

test('statusScreen() shows the work with its time left, and the oldest problem', () => {
  const work = [
    {
      duty: 'repair',
      state: 'working',
      groupsUnderWay: 2,
      groupsWaiting: 1,
      chunksLeft: 7,
      bytesLeft: 4096,
      bytesPerSecond: 1024,
      timeLeftMs: 4000,
    },
  ] as const
  const bad = look({ underReplicatedChunks: 7, serversUp: 2, work }, { nodes: [node('up'), node('dead', 40_000)] })
  const problems = problemsOf(bad, new Map([['chunks lack a replica', 90_000]]))
  assert.deepEqual(
    problems.map(({ sinceMs }) => sinceMs),
    [60_000, 90_000],
  )
  const screen = statusScreen(bad, undefined, problems).join('\n')
  assert.match(screen, /^7 chunks lack a replica; repair is under way/)
  assert.match(screen, /oldest {5}host-1 \(abababab\) is dead, for 40s/)
  assert.match(screen, /now {8}repair {5}working: .*1.0 KiB\/s, about 4s yet/)
})

test('problemsOf() dates by events where there are some, and by the first look where not', () => {
  const event = { kind: 'server-full', server: 'ab'.repeat(16), atMs: 5_000 } as unknown as ClusterEvent
  const full = look({}, { nodes: [node('up', 0, 'disk-full')], events: [event] })
  assert.deepEqual(
    problemsOf(full, new Map()).map(({ sinceMs }) => sinceMs),
    [5_000],
  )
  const [unknown] = problemsOf(look({ readOnly: true }), new Map())
  assert.equal(unknown?.sinceMs, 100_000)
  assert.deepEqual(problemsOf(look({}), new Map()), [])
})
