import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterStatus, WorkReport } from '../../client/index.ts'
import { describeCrowding, healthOf } from './describe-status.ts'

const idle: WorkReport = {
  duty: 'repair',
  state: 'idle',
  groupsUnderWay: 0,
  groupsWaiting: 0,
  chunksLeft: 0,
  bytesLeft: 0,
  bytesPerSecond: 0,
}

function health(changes: Partial<ClusterStatus>, repair: Partial<WorkReport> = {}): string {
  const well = { servers: 3, serversUp: 3, serversMissed: 0, underReplicatedChunks: 0, safeMode: false }
  return healthOf({ ...well, ...changes, work: [{ ...idle, ...repair }] } as unknown as ClusterStatus)
}

// A user who reads that a repair is queued waits for it.
test('healthOf() says what becomes of chunks that lack a replica: under way, queued or paused', () => {
  const short = { underReplicatedChunks: 7 }
  assert.equal(health(short, { state: 'working' }), '7 chunks lack a replica; repair is under way')
  assert.equal(health(short, { state: 'waiting' }), '7 chunks lack a replica; repair is queued')
  assert.equal(health(short, { state: 'paused' }), '7 chunks lack a replica; repair is paused')
})

test('healthOf() says that nothing is repaired for servers in maintenance', () => {
  const away = { serversUp: 2, serversMissed: 1, serversInMaintenance: 1, underReplicatedChunks: 7 }
  const waits = '7 chunks lack a replica; repair waits until maintenance is over; 1 of 3 servers is away'
  assert.equal(health(away), `${waits} (1 in maintenance)`)
  assert.match(health(away, { state: 'waiting' }), /repair is queued/)
  assert.match(health({ ...away, serversUp: 1, serversMissed: 2 }, { state: 'working' }), /repair is under way; 2 of 3/)
})

test('healthOf() says that repair goes on where every chunk has its replicas and members to come are not proven', () => {
  assert.equal(health({}), 'every chunk has all its replicas')
  assert.match(health({}, { state: 'working', groupsUnderWay: 9 }), /^every chunk .*; repair goes on .* in 9 groups$/)
})

test('describeCrowding() says what one lost domain would take, and whether that can change', () => {
  const loss = { copies: 2, of: 3, groups: 44 }
  const few = describeCrowding({ ...loss, domains: 2 })
  assert.equal(few, 'one failure domain lost would take 2 of 3 copies of 44 groups: there are 2 for 3 copies')
  assert.match(describeCrowding({ ...loss, domains: 3 }), /, until these are moved apart$/)
})
