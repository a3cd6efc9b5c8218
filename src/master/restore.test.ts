import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ShelfServer, shelvesOf } from '../../test/backup/shelves.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { counterOf, generationOf, type Rising, rising } from '../base/rising.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { ChangeFeed } from '../kv/change-feed.ts'
import { createMemoryImage, type MemoryImage } from '../kv/memory-image.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import { BlockSeal } from './backup-blocks.ts'
import { BackupSources } from './backup-source.ts'
import { BaseBackup, type FinishedBase } from './base-backup.ts'
import { LogShipper } from './log-shipper.ts'
import { loadMetadata, planRestore, type RestorePlan } from './restore.ts'

const env = createNodeEnv({ log: 'silent' })
const clusterId = 'c'.repeat(32) as ClusterId
const key = Buffer.alloc(32, 9)
const never = new AbortController().signal

/** One life of a master, as far as backups see it. */
class Life {
  readonly feed: ChangeFeed
  readonly kv: TxnKV
  readonly shipper: LogShipper
  readonly leaderEpoch: Rising
  readonly #bases: BaseBackup
  readonly #servers: readonly ShelfServer[]
  readonly #generation: number

  constructor(
    servers: readonly ShelfServer[],
    { image = createMemoryImage(), generation = 0, epoch = 1, seed = 1 } = {},
  ) {
    const random = seededRandom(seed)
    const seal = new BlockSeal(key, random)
    this.#servers = servers
    this.#generation = generation
    this.leaderEpoch = rising(generation, epoch)
    this.feed = new ChangeFeed({
      positionKey: Buffer.from('Zp'),
      generation,
      maxBytes: 1e8,
      wallMs: () => env.clock.wallMs(),
    })
    this.kv = createMemoryKV({ clock: env.clock, random, image, feed: this.feed })
    const shelves = shelvesOf(servers)
    const { feed, leaderEpoch } = this
    this.shipper = new LogShipper({ env, feed, seal, shelves, leaderEpoch, onFatal: (error) => assert.fail(error) })
    this.shipper.start()
    const whenShipped = (position: Rising, signal: AbortSignal) => this.shipper.whenShipped(position, signal)
    this.#bases = new BaseBackup({ env, kv: this.kv, feed, seal, shelves, whenShipped })
  }

  async put(...names: readonly string[]): Promise<void> {
    await this.kv.transact(async (tx) => {
      for (const name of names) tx.put(Buffer.from(name), Buffer.from(`${name} of generation ${this.#generation}`))
    })
  }

  async base(): Promise<FinishedBase> {
    const servers: readonly ServerId[] = this.#servers.filter(({ isAway }) => !isAway).map(({ id }) => id)
    const { start } = await this.shipper.begin(servers, never)
    const about = { clusterId, generation: this.#generation }
    const { leaderEpoch } = this
    return await this.#bases.make({ leaderEpoch, start, servers, needed: 2, about, attachments: [], signal: never })
  }

  async shipped(): Promise<void> {
    await this.shipper.whenShipped(this.feed.position)
  }

  stop(): void {
    this.shipper.stop()
  }
}

const threeServers = () => [1, 2, 3].map((number) => new ShelfServer(number, env.clock))

async function rowsOf(kv: TxnKV): Promise<ReadonlyMap<string, string>> {
  const rows = await kv.transact((tx) =>
    tx.range({ start: Buffer.from([0]), end: Buffer.from([0xff]), limit: 100_000 }),
  )
  return new Map(rows.map((row) => [row.key.toString(), row.value.toString('latin1')]))
}

/** The rows as they are now, for a life that goes on from them. */
async function imageOf({ kv }: Life): Promise<MemoryImage> {
  const image = createMemoryImage()
  const copy = createMemoryKV({ clock: env.clock, random: seededRandom(1), image })
  for (const [name, value] of await rowsOf(kv)) {
    await copy.transact(async (tx) => tx.put(Buffer.from(name), Buffer.from(value, 'latin1')))
  }
  await copy.close()
  return image
}

interface Restored {
  readonly plan: RestorePlan
  readonly rows: ReadonlyMap<string, string>
}

async function restore(servers: readonly ShelfServer[], { seedKey = key, of = clusterId } = {}): Promise<Restored> {
  const seal = new BlockSeal(seedKey, seededRandom(99))
  const sources = await BackupSources.open(
    servers.map((server) => server.source()),
    { seal, log: env.log },
  )
  const plan = await planRestore(sources, of)
  const kv = createMemoryKV({ clock: env.clock, random: seededRandom(1) })
  await loadMetadata(sources, plan, kv)
  const rows = await rowsOf(kv)
  await kv.close()
  return { plan, rows }
}

test('a base that was made under writes, and the log after it, give the rows of the last commit shipped', async () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const servers = threeServers()
    const life = new Life(servers, { seed })
    const random = seededRandom(seed)
    for (let at = 0; at < 2000; at += 50) await life.put(...Array.from({ length: 50 }, (_, each) => `k${at + each}`))
    let isDone = false
    const writing = (async () => {
      for (let count = 0; !isDone || count < 50; count++) {
        await life.kv.transact(async (tx) => {
          for (let each = 0; each < 10; each++) {
            const name = Buffer.from(`k${random.below(2500)}`)
            if (random.fraction() < 0.3) tx.del(name)
            else tx.put(name, Buffer.from(`changed ${count}`))
          }
        })
      }
    })()
    const { manifest } = await life.base()
    isDone = true
    await writing
    await life.shipped()
    const rows = await rowsOf(life.kv)
    life.stop()
    const restored = await restore(servers)
    assert.deepEqual(restored.rows, rows, `seed ${seed}`)
    assert.equal(restored.plan.position, life.feed.position)
    assert.ok(manifest.consistentAt > manifest.start, 'there were writes while it was made')
    assert.equal(restored.plan.generation, 1)
  }
})

test('what no server has is lost from the end, whole commits at a time', async () => {
  const servers = threeServers()
  const life = new Life(servers)
  await life.put('first')
  await life.base()
  await life.put('a1', 'a2')
  await life.shipped()
  const [log = ''] = (await servers[0]?.names())?.filter((name) => name.startsWith('log')) ?? []
  const before = (await servers[0]?.shelf.list())?.find(({ name }) => name === log)?.lengthBytes ?? 0
  await life.put('b1', 'b2')
  await life.shipped()
  life.stop()
  for (const server of servers) await server.cut(log, before + 90)
  const { rows, plan } = await restore(servers)
  assert.deepEqual(
    [...rows.keys()].filter((name) => !name.startsWith('Z')),
    ['a1', 'a2', 'first'],
  )
  assert.equal(counterOf(plan.position), 2)
})

test('each block is taken from a server that has it whole: of three spoiled copies all is restored', async () => {
  const servers = threeServers()
  const life = new Life(servers)
  for (let at = 0; at < 300; at++) await life.put(`k${at}`, `${'x'.repeat(3000)}${at}`)
  await life.base()
  for (let at = 0; at < 20; at++) {
    await life.put(`late-${at}`)
    await life.shipped()
  }
  const rows = await rowsOf(life.kv)
  life.stop()
  const pieces = (await servers[0]?.shelf.list()) ?? []
  const base = pieces.find(({ name }) => name.startsWith('base'))
  const log = pieces.find(({ name }) => name.startsWith('log'))
  assert.ok(base && log && base.lengthBytes > 1_000_000)
  await servers[0]?.spoil(base.name, 100)
  await servers[1]?.spoil(base.name, base.lengthBytes - 100)
  await servers[2]?.cut(base.name, 700_000)
  await servers[0]?.cut(log.name, 300)
  await servers[1]?.spoil(log.name, log.lengthBytes - 10)
  assert.deepEqual((await restore(servers)).rows, rows)
  await servers[2]?.spoil(base.name, 100)
  await servers[1]?.spoil(base.name, 100)
  await assert.rejects(restore(servers), { code: 'corrupt' })
})

// Every block of it is sealed and whole: it only is not what its name says.
test('a piece that holds the bytes of another one is not taken for what its name says', async () => {
  const servers = threeServers()
  const life = new Life(servers)
  await life.put('same')
  const before = await life.base()
  await life.kv.transact(async (tx) => tx.put(Buffer.from('same'), Buffer.from('changed since')))
  await life.shipped()
  const after = await life.base()
  const rows = await rowsOf(life.kv)
  life.stop()
  const [first] = servers as [ShelfServer]
  const older = await first.shelf.read(before.name, { offset: 0, length: 1e6, manifest: false })
  await first.cut(after.name, 0)
  await first.shelf.remove([before.name])
  const file = await first.disk.open(`/backup/${after.name}`, { mode: 'read-write' })
  await file.write([older], 0)
  await file.close()
  const restored = await restore(servers)
  assert.equal(restored.plan.base.start, after.manifest.start)
  assert.deepEqual(restored.rows, rows)
})

test('a base that was not completed, or whose log ends too early, is passed over for an older one', async () => {
  const servers = threeServers()
  const life = new Life(servers)
  await life.put('first')
  await life.base()
  await life.put('second')
  const { name } = await life.base()
  await life.put('third')
  await life.shipped()
  life.stop()
  const rows = await rowsOf(life.kv)
  for (const server of servers) await server.disk.remove(`/backup/${name}.manifest`)
  const { rows: restored, plan } = await restore(servers)
  assert.deepEqual(restored, rows, 'the logs of both follow each other')
  assert.deepEqual(plan.passedOver, [{ name, why: 'it was not completed' }])

  const others = threeServers()
  const other = new Life(others)
  await other.put('first')
  await other.base()
  await other.put('second')
  const writing = Array.from({ length: 20 }, (_, at) => other.put(`k${at}`))
  const late = await other.base()
  await Promise.all(writing)
  other.stop()
  for (const server of others) {
    for (const each of await server.names()) if (each.startsWith('log')) await server.cut(each, 0)
  }
  if (counterOf(late.manifest.consistentAt) > counterOf(late.manifest.start)) {
    assert.equal((await restore(others)).plan.passedOver[0]?.name, late.name)
  }
})

test('a gap in the log ends it there, and a base of after the gap begins anew', async () => {
  const servers = threeServers()
  const image = createMemoryImage()
  const life = new Life(servers, { image })
  await life.put('first')
  await life.base()
  await life.put('logged')
  await life.shipped()
  life.stop()
  await life.put('never logged')
  await life.kv.close()
  const next = new Life(servers, { image, epoch: 2 })
  await next.shipper.begin(
    servers.map(({ id }) => id),
    never,
  )
  await next.put('after the gap')
  await next.shipped()
  const before = await restore(servers)
  assert.deepEqual(
    [...before.rows.keys()].filter((name) => !name.startsWith('Z')),
    ['first', 'logged'],
  )
  await next.base()
  const rows = await rowsOf(next.kv)
  next.stop()
  assert.deepEqual((await restore(servers)).rows, rows)
})

// A server that was away at the first restore holds more of the old log than that restore knew of.
test('what an earlier restore has lost is never mixed with what came after it', async () => {
  const servers = threeServers()
  const image = createMemoryImage()
  const life = new Life(servers, { image })
  await life.put('first')
  await life.base()
  await life.put('logged')
  await life.shipped()
  const restored = await imageOf(life)
  await life.put('lost')
  await life.put('lost too')
  await life.shipped()
  life.stop()

  const next = new Life(servers, { image: restored, generation: 1 })
  next.shipper.continueFrom(next.feed.opened)
  await next.shipper.begin(
    servers.map(({ id }) => id),
    never,
  )
  await next.put('new')
  await next.put('newer')
  await next.put('newest')
  await next.shipped()
  const rows = await rowsOf(next.kv)
  next.stop()
  const { rows: found, plan } = await restore(servers)
  assert.deepEqual(found, rows)
  assert.deepEqual([generationOf(plan.position), plan.generation], [1, 2])
})

// As above, and the old generation had made a base of what was lost.
test('a base of what an earlier restore has lost is passed over', async () => {
  const servers = threeServers()
  const life = new Life(servers)
  await life.put('first')
  await life.base()
  await life.put('logged')
  await life.shipped()
  const restored = await imageOf(life)
  await life.put('lost')
  const lost = await life.base()
  life.stop()

  const next = new Life(servers, { image: restored, generation: 1 })
  next.shipper.continueFrom(next.feed.opened)
  await next.shipper.begin(
    servers.map(({ id }) => id),
    never,
  )
  await next.put('new')
  await next.shipped()
  const rows = await rowsOf(next.kv)
  next.stop()
  const { rows: found, plan } = await restore(servers)
  assert.deepEqual(found, rows)
  assert.equal(plan.passedOver[0]?.name, lost.name)
})

// Its log begins further on, where the counts of both meet: they are of different histories all the same.
test('a log of a later generation that does not say where it forked is not put on top of the earlier one', async () => {
  const servers = threeServers()
  const life = new Life(servers)
  await life.put('first')
  await life.base()
  const restored = await imageOf(life)
  await life.put('lost')
  await life.shipped()
  const lost = await rowsOf(life.kv)
  life.stop()
  const next = new Life(servers, { image: restored, generation: 1 })
  await next.put('new')
  await next.shipper.begin(
    servers.map(({ id }) => id),
    never,
  )
  await next.put('newer')
  await next.shipped()
  next.stop()
  assert.deepEqual((await restore(servers)).rows, lost, 'one history or the other, never both')
})

test('planRestore() refuses the backup of another cluster, one of another secret, and servers without any', async () => {
  const servers = threeServers()
  await assert.rejects(restore(servers), { code: 'not-found' })
  const life = new Life(servers)
  await life.put('first')
  await life.base()
  life.stop()
  await assert.rejects(restore(servers, { of: 'd'.repeat(32) as ClusterId }), { code: 'wrong-cluster' })
  await assert.rejects(restore(servers, { seedKey: Buffer.alloc(32, 8) }), { code: 'forbidden' })
})
