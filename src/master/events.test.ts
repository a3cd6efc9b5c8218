import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FakeCluster } from '../../test/cluster/fake-cluster.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import { appendEvents, readEvents } from '../namespace/events.ts'
import { changeSetting } from '../wire/methods/cluster-methods.ts'
import { changeDuty } from '../wire/methods/duty-methods.ts'
import { getEvents } from '../wire/methods/insight-methods.ts'
import { type ClusterEvent, eventKinds, type NewEvent } from '../wire/types/cluster-event.ts'
import { EventLog } from './event-log.ts'

async function eventsOf(cluster: FakeCluster, after = 0): Promise<readonly ClusterEvent[]> {
  const events: ClusterEvent[] = []
  for (let more = true; more; ) {
    const request = { after: events.at(-1)?.number ?? after, limit: limits.eventsPerAnswer, waitMs: 0 }
    const answer = await cluster.call(getEvents, request)
    events.push(...answer.events)
    more = answer.events.length === limits.eventsPerAnswer
  }
  return events
}

const kindsOf = (events: readonly ClusterEvent[]) => new Set(events.map(({ kind }) => kind))

function startWith(servers: number): Promise<FakeCluster> {
  return FakeCluster.start({ capacities: Array.from({ length: servers }, () => 1e9), settings: { deadAfterMs: 3000 } })
}

test('events tell the death, the repair and the return of a server, in order and with reasons, over a restart', async () => {
  await using cluster = await startWith(4)
  for (let index = 0; index < 8; index++) await cluster.put(`/file-${index}`, `text ${index}`)
  cluster.server(3).kill()
  const has = async (kind: string) => kindsOf(await eventsOf(cluster)).has(kind as never)
  await cluster.clock.until(() => has('repair-done'), 'a repair')
  await cluster.restartMaster()
  cluster.server(3).start()
  await cluster.clock.until(() => has('server-returned'), 'its return')
  const events = await eventsOf(cluster)
  const of = (kind: string) => events.find((event) => event.kind === kind) as ClusterEvent
  const order = ['server-suspect', 'server-dead', 'repair-begun', 'repair-done', 'server-returned'].map(
    (kind) => of(kind).number,
  )
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  )
  assert.equal(of('server-dead').server, cluster.server(3).id)
  assert.match(of('repair-begun').reason ?? '', /dead|lost|survivor/i)
  assert.deepEqual(
    events.map(({ number }) => number),
    events.map((_, index) => index + 1),
    'no gap',
  )
  assert.equal(events.filter(({ kind }) => kind === 'master-started').length, 2)
  assert.equal(events.filter(({ kind }) => kind === 'server-joined').length, 4)
  assert.deepEqual(await eventsOf(cluster, 5), events.slice(5))
})

test('events tell what operators ask, what is deleted, and what was found wrong', async () => {
  await using cluster = await startWith(4)
  const chunk = (await cluster.put('/a', 'text')) as ChunkId
  await cluster.put('/b', 'text')
  const server = cluster.holders(chunk)[0] ?? cluster.server(0)
  server.chunks.delete(chunk)
  server.quarantined.push(chunk)
  await cluster.call(changeSetting, { name: 'trash-keep', value: '1s' })
  const idle = cluster.server(3).id
  await cluster.call(changeDuty, { server: idle, change: 'begin-maintenance', forMs: 60_000 })
  await cluster.call(changeDuty, { server: idle, change: 'drain', forMs: undefined })
  await cluster.remove('/b')
  const wanted = [
    'setting-changed',
    'maintenance-begun',
    'drain-asked',
    'trash-purged',
    'gc',
    'quarantine',
    'replicas-repaired',
  ]
  await cluster.clock.until(async () => {
    const kinds = kindsOf(await eventsOf(cluster))
    return wanted.every((kind) => kinds.has(kind as never))
  }, wanted.join())
  const events = await eventsOf(cluster)
  assert.equal(events.find(({ kind }) => kind === 'gc')?.count, 1)
  assert.equal(events.find(({ kind }) => kind === 'quarantine')?.server, server.id)
})

test('a full server and one with room again are events', async () => {
  await using cluster = await startWith(3)
  cluster.server(1).refusal = 'disk-full'
  const find = async (kind: string) => (await eventsOf(cluster)).find((event) => event.kind === kind)
  await cluster.clock.until(async () => (await find('server-full')) !== undefined, 'full')
  const full = await find('server-full')
  assert.deepEqual([full?.reason, full?.server], ['disk-full', cluster.server(1).id])
  assert.equal(await find('server-has-room'), undefined)
  cluster.server(1).refusal = undefined
  await cluster.clock.until(async () => (await find('server-has-room')) !== undefined, 'room')
})

test('a question for events waits for the next one', async () => {
  await using cluster = await startWith(3)
  await cluster.clock.advance(2000)
  const { last } = await cluster.call(getEvents, { after: 0, limit: 1, waitMs: 0 })
  const asked = cluster.call(getEvents, { after: last, limit: 10, waitMs: 8000 })
  await cluster.call(changeSetting, { name: 'trash-keep', value: '2h' })
  assert.equal((await asked).events[0]?.kind, 'setting-changed')
})

test('appendEvents() keeps the newest, and numbers go on', async () => {
  const clock = {
    monotonicMs: () => 0,
    wallMs: () => 0,
    after: () => ({ cancel: () => undefined }),
    soon: setImmediate,
  }
  const kv = createMemoryKV({ clock: clock as never, random: seededRandom(1) })
  const event = { kind: 'gc', what: 'x', atMs: 0 } as const
  const batch = Array.from({ length: limits.eventsPerAnswer }, () => event)
  const batches = Math.ceil(limits.eventsKept / batch.length) + 3
  for (let count = 0; count < batches; count++) await kv.transact((tx) => appendEvents(tx, batch))
  const all = await kv.transact((tx) => readEvents(tx, { after: 0, limit: 100_000 }))
  assert.equal(all.last, batches * batch.length)
  assert.equal(all.events.length, limits.eventsKept)
  assert.equal(all.events[0]?.number, all.last - limits.eventsKept + 1)
})

test('EventLog: what cannot be queued is counted, what failed is written later, what comes often is told together', async () => {
  const written: Omit<ClusterEvent, 'number'>[] = []
  let isFailing = true
  const leader = {
    appendEvents: async (events: readonly Omit<ClusterEvent, 'number'>[]) => {
      if (isFailing) throw new Error('the store is busy')
      written.push(...events)
    },
  }
  let nowMs = 10_000
  const events = new EventLog({ leader, clock: { monotonicMs: () => nowMs, wallMs: () => 7 } as never })
  const event: NewEvent = { kind: 'server-dead', what: 'dead' }
  for (let count = 0; count < limits.eventsQueued + 5; count++) events.tell(event)
  await assert.rejects(events.step())
  isFailing = false
  await events.flush()
  assert.equal(written.length, limits.eventsQueued + 1)
  assert.equal(written.find(({ kind }) => kind === 'events-lost')?.count, 5)

  written.length = 0
  const tell = (count: number): NewEvent => ({ kind: 'gc', what: `${count}`, count })
  events.gather('gc', 3, tell)
  await events.step()
  events.gather('gc', 4, tell)
  await events.step()
  assert.deepEqual(
    written.map(({ count }) => count),
    [3],
  )
  nowMs += 5_000
  await events.step()
  assert.deepEqual(
    written.map(({ count }) => count),
    [3, 4],
  )
})

test('docs/events.md has every kind of event, in the words of the code', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/events.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (.*) \|$/gm)].map(([, kind, meaning]) => [kind, meaning])
  assert.deepEqual(Object.fromEntries(rows), eventKinds)
})
