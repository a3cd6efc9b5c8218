import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShelfServer, shelvesOf } from '../../test/backup/shelves.ts'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import { limits } from '../base/limits.ts'
import { rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import { silentLog } from '../env/node-log.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { ChangeFeed } from '../kv/change-feed.ts'
import { BlockSeal } from './backup-blocks.ts'
import { LogShipper } from './log-shipper.ts'

const never = new AbortController().signal

class Rig {
  readonly clock = new ManualClock()
  readonly feed: ChangeFeed
  readonly servers: readonly ShelfServer[]
  readonly shipper: LogShipper
  readonly fatal: unknown[] = []

  constructor({ maxBytes = 1e9 } = {}) {
    this.feed = new ChangeFeed({
      positionKey: Buffer.from('Zp'),
      generation: 0,
      maxBytes,
      wallMs: () => this.clock.wallMs(),
    })
    this.servers = [1, 2, 3].map((number) => new ShelfServer(number, this.clock))
    this.shipper = new LogShipper({
      env: { clock: this.clock, log: silentLog, random: seededRandom(1) } as unknown as Env,
      feed: this.feed,
      seal: new BlockSeal(Buffer.alloc(32), seededRandom(1)),
      shelves: shelvesOf(this.servers),
      leaderEpoch: rising(0, 1),
      onFatal: (error) => this.fatal.push(error),
    })
    this.shipper.start()
  }

  async begin(): Promise<void> {
    const begun = this.shipper.begin(
      this.servers.map(({ id }) => id),
      never,
    )
    await this.clock.advance(1)
    await begun
  }

  commit(bytes = 100): void {
    this.feed.append(this.feed.next().position, [[Buffer.from('key'), Buffer.alloc(Math.min(bytes, 200_000), 1)]])
  }

  async lengths(): Promise<readonly number[]> {
    const lists = await Promise.all(this.servers.map(({ shelf }) => shelf.list()))
    return lists.map((list) => list.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0))
  }

  server(index: number): ShelfServer {
    return this.servers[index] as ShelfServer
  }
}

test('a commit is on all servers half a second later, and waits for nothing itself', async () => {
  const rig = new Rig()
  await rig.begin()
  rig.commit()
  assert.deepEqual(await rig.lengths(), [0, 0, 0])
  await rig.clock.advance(100)
  rig.commit()
  assert.equal(rig.shipper.lagMs(), 100)
  await rig.clock.advance(400)
  assert.equal(rig.shipper.shipped, rig.feed.position)
  const [first = 0, ...others] = await rig.lengths()
  assert.ok(first > 200)
  assert.deepEqual(others, [first, first])
  assert.deepEqual([rig.shipper.lagMs(), rig.feed.queuedBytes], [0, 0])
})

test('two of three servers are enough; the third goes on where it was when it is back', async () => {
  const rig = new Rig()
  await rig.begin()
  rig.commit()
  await rig.clock.advance(500)
  rig.server(2).isAway = true
  for (let count = 0; count < 5; count++) {
    rig.commit()
    await rig.clock.advance(1_000)
  }
  assert.equal(rig.shipper.shipped, rig.feed.position)
  assert.equal(rig.shipper.failingCount(3_000), 1)
  rig.server(2).isAway = false
  await rig.clock.advance(1_000)
  const [first, , third] = await rig.lengths()
  assert.equal(third, first)
  assert.equal(rig.shipper.failingCount(0), 0)
})

test('with one of three servers nothing counts as shipped, and the lag grows until another takes it', async () => {
  const rig = new Rig()
  await rig.begin()
  rig.server(1).isAway = true
  rig.server(2).isAway = true
  rig.commit()
  const position = rig.feed.position
  await rig.clock.advance(7_000)
  assert.notEqual(rig.shipper.shipped, position)
  assert.ok(rig.shipper.lagMs() >= 7_000)
  const waiting = assert.rejects(rig.shipper.whenShipped(position), { code: 'unavailable' })
  await rig.clock.advance(5_000)
  await waiting
  rig.server(1).isAway = false
  const shipped = rig.shipper.whenShipped(position)
  await rig.clock.advance(500)
  await shipped
  assert.equal(rig.shipper.shipped, position)
})

test('a server that answers late holds nobody up, and memory stays bounded: far behind it is given up', async () => {
  const rig = new Rig()
  await rig.begin()
  const stuck = Promise.withResolvers<void>()
  rig.server(0).delay = stuck.promise
  const perTick = 10
  for (let sent = 0; sent < limits.backupLogQueueBytes + 20e6; sent += perTick * 200_000) {
    for (let count = 0; count < perTick; count++) rig.commit(200_000)
    await rig.clock.advance(250)
  }
  await rig.clock.until(() => rig.shipper.shipped === rig.feed.position, 'the others have it')
  assert.equal(rig.shipper.targets.size, 2)
  assert.equal(rig.shipper.gap, undefined)
  stuck.resolve()
})

test('a server that lost what it had is given up; when too few are left there is a gap, until a new segment begins', async () => {
  const rig = new Rig()
  await rig.begin()
  rig.commit()
  await rig.clock.advance(500)
  for (const index of [0, 1])
    for (const name of await rig.server(index).names()) await rig.server(index).shelf.remove([name])
  rig.commit()
  await rig.clock.advance(1_000)
  assert.deepEqual([...rig.shipper.targets], [rig.server(2).id])
  assert.match(rig.shipper.gap ?? '', /too few/)
  assert.equal(rig.shipper.shipped, undefined)
  rig.commit()
  await rig.clock.advance(1_000)
  assert.equal(rig.feed.since(rising(0, 1)), undefined, 'what no log can take does not stay in memory')
  await rig.begin()
  rig.commit()
  await rig.clock.advance(500)
  assert.equal(rig.shipper.shipped, rig.feed.position)
})

test('more commits than the feed holds are a gap', async () => {
  const rig = new Rig({ maxBytes: 1_000 })
  await rig.begin()
  for (let count = 0; count < 20; count++) rig.commit(200)
  await rig.clock.advance(500)
  assert.match(rig.shipper.gap ?? '', /more was changed/)
})

test('begin() goes on where the last segment ends, if that is on enough servers, and says when it does not', async () => {
  const rig = new Rig()
  await rig.begin()
  rig.commit()
  const next = rig.shipper.begin(
    rig.servers.map(({ id }) => id),
    never,
  )
  await rig.clock.advance(500)
  assert.deepEqual(await next, { start: rig.feed.position, isContinuous: true })
  rig.server(0).isAway = true
  rig.server(1).isAway = true
  rig.commit()
  const cut = rig.shipper.begin([rig.server(2).id], never)
  await rig.clock.advance(6_000)
  assert.deepEqual(await cut, { start: rig.feed.position, isContinuous: false })
})

test('begin() leaves what is committed while it waits to the next segment: no commit is in neither', async () => {
  const rig = new Rig()
  await rig.begin()
  rig.commit()
  const answered = Promise.withResolvers<void>()
  for (const server of rig.servers) server.delay = answered.promise
  const last = rig.feed.position
  const next = rig.shipper.begin(
    rig.servers.map(({ id }) => id),
    never,
  )
  await rig.clock.advance(300)
  rig.commit()
  await rig.clock.advance(1_000)
  answered.resolve()
  await rig.clock.advance(1_000)
  assert.deepEqual(await next, { start: last, isContinuous: true })
  assert.equal(rig.shipper.shipped, rig.feed.position)
  assert.equal((await rig.server(0).names()).length, 2)
})
