import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { counterOf, generationOf, type Rising, rising } from '../base/rising.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { ChangeFeed } from './change-feed.ts'
import { type Change, decodeChanges, encodeChanges } from './changes.ts'
import { createMemoryImage } from './memory-image.ts'
import { createMemoryKV } from './memory-kv.ts'
import { openSqliteKV } from './sqlite-kv.ts'
import type { TxnKV } from './txn-kv.ts'

const positionKey = Buffer.from('Zposition')
const env = createNodeEnv({ log: 'silent' })

function newFeed({ generation = 0, maxBytes = 1e6 } = {}): ChangeFeed {
  return new ChangeFeed({ positionKey, generation, maxBytes, wallMs: () => 7 })
}

const key = (name: string) => Buffer.from(name)
const lanes = (value: bigint) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}

async function allRows(kv: TxnKV): Promise<Map<string, string>> {
  const rows = await kv.transact((tx) => tx.range({ start: Buffer.from([0]), end: Buffer.from([0xff]), limit: 10_000 }))
  return new Map(rows.map((row) => [row.key.toString('hex'), row.value.toString('hex')]))
}

function replay(feed: ChangeFeed, from: Rising): Map<string, string> {
  const rows = new Map<string, string>()
  for (const { changes } of feed.since(from) ?? assert.fail('the feed lacks some')) {
    for (const [changed, value] of decodeChanges(changes)) {
      if (value === undefined) rows.delete(changed.toString('hex'))
      else rows.set(changed.toString('hex'), value.toString('hex'))
    }
  }
  return rows
}

async function change(kv: TxnKV, random: () => number): Promise<void> {
  await kv.transact(async (tx) => {
    for (let count = 0; count < 5; count++) {
      const name = key(`k${Math.floor(random() * 20)}`)
      if (random() < 0.5) tx.put(name, Buffer.from(`v${random()}`))
      else tx.del(name)
    }
    tx.add(key('sum'), lanes(BigInt(Math.floor(random() * 100))))
  })
}

const engines: readonly [string, (folder: string, feed: ChangeFeed) => Promise<TxnKV>][] = [
  [
    'sqlite',
    (folder, feed) =>
      openSqliteKV({
        path: join(folder, 'm.db'),
        clock: env.clock,
        disk: env.disk,
        reserveBytes: 0,
        log: env.log,
        onFatal: (e) => assert.fail(e),
        feed,
      }),
  ],
  ['memory', async (_, feed) => createMemoryKV({ clock: env.clock, random: seededRandom(3), feed })],
  [
    'memory, in groups',
    async (_, feed) => createMemoryKV({ clock: env.clock, random: seededRandom(3), feed, syncDelayMs: 2 }),
  ],
]

for (const [name, open] of engines) {
  test(`ChangeFeed of ${name}: its changes in order give the engine's own rows, whatever ran together`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ashlar-feed-'))
    const feed = newFeed()
    const kv = await open(folder, feed)
    const random = seededRandom(5)
    try {
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 8 }, () => change(kv, () => random.fraction())))
      }
      const rows = await allRows(kv)
      assert.deepEqual(replay(feed, feed.opened), rows)
      const positions = (feed.since(feed.opened) ?? []).map(({ position }) => counterOf(position))
      assert.deepEqual(
        positions,
        positions.map((_, at) => at + 1),
        'each follows the one before',
      )
      assert.equal(Number.parseInt(rows.get(positionKey.toString('hex')) ?? '', 16), feed.position)
      await kv.transact(async (tx) => tx.get(key('k1')))
      assert.equal(counterOf(feed.position), positions.length, 'a read is no commit')
    } finally {
      await kv.close()
      await rm(folder, { recursive: true })
    }
  })
}

test('ChangeFeed goes on where the rows stand, in the generation of now', async () => {
  const image = createMemoryImage()
  const open = (feed: ChangeFeed) => createMemoryKV({ clock: env.clock, random: seededRandom(1), image, feed })
  const first = newFeed()
  const kv = open(first)
  await kv.transact(async (tx) => tx.put(key('a'), key('1')))
  await kv.close()
  const second = newFeed({ generation: 2 })
  const again = open(second)
  assert.equal(second.opened, rising(0, 1))
  await again.transact(async (tx) => tx.put(key('b'), key('2')))
  assert.deepEqual([generationOf(second.position), counterOf(second.position)], [2, 2])
  assert.deepEqual(second.since(rising(0, 1))?.length, 1)
  assert.equal(second.since(rising(0, 0)), undefined, 'what came before it was opened is not here')
  await again.close()
})

test('a crash of the memory engine loses no commit that its feed has', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const image = createMemoryImage()
    const feed = newFeed()
    const random = seededRandom(seed)
    const kv = createMemoryKV({ clock: env.clock, random, image, feed, syncDelayMs: 3 })
    const changes: Promise<unknown>[] = []
    const crashAt = random.below(40)
    for (let count = 0; count < crashAt; count++) {
      changes.push(change(kv, () => random.fraction()).catch(() => undefined))
      // So that some are applied while others are being synced.
      if (count % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    kv.crash()
    await Promise.all(changes)
    const after = newFeed()
    const again = createMemoryKV({ clock: env.clock, random, image, feed: after })
    assert.ok(
      after.opened >= feed.position,
      `seed ${seed}: the rows stand at ${after.opened}, the feed at ${feed.position}`,
    )
    await again.close()
  }
})

test('ChangeFeed.since() says when the oldest were dropped, for want of room or since nobody needs them', () => {
  const feed = newFeed({ maxBytes: 100 })
  const append = () => feed.append(feed.next().position, [[key('key'), Buffer.alloc(40)] satisfies Change])
  append()
  append()
  assert.equal(feed.since(feed.opened)?.length, 2)
  append()
  assert.equal(feed.since(feed.opened), undefined)
  assert.deepEqual(
    feed.since(rising(0, 1))?.map(({ position }) => counterOf(position)),
    [2, 3],
  )
  feed.dropThrough(rising(0, 2))
  assert.equal(feed.since(rising(0, 1)), undefined)
  assert.equal(feed.since(rising(0, 2))?.length, 1)
  feed.dropThrough(feed.position)
  assert.deepEqual([feed.since(feed.position), feed.queuedBytes], [[], 0])
})

test('encodeChanges() and decodeChanges() keep empty values and deletes apart; lengths past a limit are refused', () => {
  const changes: Change[] = [
    [key('a'), Buffer.alloc(0)],
    [key('b'), undefined],
    [Buffer.alloc(4096, 1), Buffer.alloc(200_000, 2)],
  ]
  const decoded = [...decodeChanges(encodeChanges(changes))]
  assert.deepEqual(
    decoded.map(([, value]) => value?.length),
    [0, undefined, 200_000],
  )
  assert.deepEqual(decoded[2]?.[0], changes[2]?.[0])
  assert.throws(() => [...decodeChanges(Buffer.from([0xff, 0xff, 0xff, 0x7f]))], /a length of/)
  assert.throws(() => [...decodeChanges(encodeChanges(changes).subarray(0, -1))], { code: 'protocol' })
})
