/**
 * Versions of objects on the simulated cluster: clients put, remove and remove single versions of few keys at once, while the
 * master and chunk servers die. At the end each key has exactly the versions that were acknowledged, whole, the newest first.
 * @module
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAshlarError } from '../../src/base/errors.ts'
import { objectPath } from '../../src/base/object-path.ts'
import type { AshlarClient } from '../../src/client/index.ts'
import type { Random } from '../../src/env/random.ts'
import { createWorld } from '../../src/sim/create-world.ts'
import { Rest } from '../../src/sim/oracles/rest.ts'
import type { Script } from '../../src/sim/script.ts'
import type { World } from '../../src/sim/world.ts'

const boundMs = 240_000
const bucket = 'versions'
const keys = ['a', 'b', 'c/d']
const clientCount = 3
const operationsEach = 30

/** What clients were told. */
class Told {
  /** Acknowledged, by version: the bytes, or a delete marker. */
  readonly made = new Map<number, { readonly key: string; readonly bytes: string | undefined }>()
  readonly removed = new Set<number>()
  /** Without a clear answer. */
  readonly maybeRemoved = new Set<number>()
  readonly maybeWritten = new Set<string>()
  readonly maybeMarked = new Set<string>()
}

async function work(client: AshlarClient, told: Told, { random, name }: { random: Random; name: string }) {
  for (let at = 0; at < operationsEach; at++) {
    const key = keys[random.below(keys.length)] as string
    const path = objectPath(bucket, key)
    const draw = random.below(10)
    if (draw < 6) {
      const bytes = `${name} ${at} of ${key}`.padEnd(1 + random.below(9000), '.')
      await attempt(
        async () => {
          const stats = await client.writeFile(path, bytes)
          told.made.set(stats.objectVersion as number, { key, bytes })
        },
        () => told.maybeWritten.add(bytes),
      )
    } else if (draw < 8) {
      await attempt(
        async () => {
          const { objectVersion } = await client.versions.remove(path)
          told.made.set(objectVersion as number, { key, bytes: undefined })
        },
        () => told.maybeMarked.add(key),
      )
    } else {
      const mine = [...told.made].filter(([, made]) => made.key === key).map(([version]) => version)
      const objectVersion = mine[random.below(Math.max(1, mine.length))]
      if (objectVersion === undefined) continue
      await attempt(
        async () => {
          await client.versions.remove(path, { objectVersion })
          told.removed.add(objectVersion)
        },
        () => told.maybeRemoved.add(objectVersion),
      )
    }
  }
}

/** @param unclear called when nobody knows whether it was done */
async function attempt(call: () => Promise<void>, unclear: () => void): Promise<void> {
  try {
    await call()
  } catch (error) {
    if (!isAshlarError(error)) throw error
    if (error.applied === 'unknown') unclear()
    // Another one has removed the version already.
    else
      assert.ok(
        isAshlarError(error, 'not-found', 'unavailable', 'timeout', 'connection-lost', 'changed'),
        String(error),
      )
  }
}

async function judge(client: AshlarClient, told: Told): Promise<void> {
  const found = new Map<number, string>()
  let before: { readonly key: string; readonly version: number } | undefined
  for await (const listed of client.versions.list(bucket)) {
    assert.ok('key' in listed)
    const { key, stats, isLatest } = listed
    const version = stats.objectVersion as number
    assert.equal(isLatest, before?.key !== key, `which version of ${key} is the latest`)
    assert.ok(before?.key !== key || before.version > version, 'the newest first')
    before = { key, version }
    found.set(version, key)
    const made = told.made.get(version)
    assert.ok(!told.removed.has(version), `version ${version} of ${key} was removed`)
    if (stats.isDeleteMarker) {
      assert.ok(made === undefined ? told.maybeMarked.has(key) : made.bytes === undefined, 'a marker that nobody put')
      continue
    }
    await using handle = await client.open(objectPath(bucket, key), { objectVersion: version })
    const bytes = (await handle.readFile()).toString()
    if (made === undefined) assert.ok(told.maybeWritten.has(bytes), `version ${version} of ${key}, which nobody wrote`)
    else assert.equal(bytes, made.bytes)
  }
  for (const [version, { key }] of told.made) {
    if (told.removed.has(version) || told.maybeRemoved.has(version)) continue
    assert.equal(found.get(version), key, `version ${version} of ${key} is gone`)
  }
}

async function freshClient(world: World): Promise<AshlarClient> {
  await world.runWhile((world.client(0) as AshlarClient).close(), boundMs)
  world.apply({ kind: 'kill', id: 9, atMs: 0, host: 'client-1', durationMs: 10 })
  await world.runFor(10)
  await world.healAll()
  return world.client(0) as AshlarClient
}

for (const seed of [1, 2, 3]) {
  test(`versions that were acknowledged are there, and those that were removed are not (seed ${seed})`, async () => {
    const cluster = {
      servers: [{}, {}, {}],
      clients: clientCount,
      policy: 'replicated-3',
      chunkSizeBytes: 4096,
      trashKeepMs: 0,
      deadAfterMs: 3_000,
      buggify: true,
      networkDelayMs: 2,
      syncDelayMs: 5,
    } as const
    const script: Script = { seed, cluster, durationMs: 0, operations: [], faults: [] }
    const world = await createWorld({ cluster, seed })
    try {
      const clients = Array.from({ length: clientCount }, (_, index) => world.client(index) as AshlarClient)
      const [first] = clients as [AshlarClient]
      await world.runWhile(first.mkdir(`/${bucket}`), boundMs)
      await world.runWhile(first.versions.configure(`/${bucket}`, { versioning: 'enabled' }), boundMs)
      for (const [id, host] of ['master', 'chunkserver-2', 'master', 'chunkserver-1'].entries()) {
        const atMs = world.random.below(2_000)
        world.clock.after(atMs, () => world.apply({ kind: 'kill', id, atMs, host, durationMs: 400 }))
      }
      const told = new Told()
      const all = clients.map((client, index) => work(client, told, { random: world.random, name: `client ${index}` }))
      await world.runWhile(Promise.all(all), boundMs)
      await world.healAll()
      await world.runWhile(Promise.all(clients.slice(1).map((client) => client.close())), boundMs)
      const observer = await freshClient(world)
      assert.ok(told.made.size > clientCount * operationsEach * 0.5, `${told.made.size} versions were made`)
      await world.runWhile(judge(observer, told), boundMs)
      const rest = new Rest(world, script)
      assert.deepEqual(await rest.reach(observer), [])
      assert.deepEqual(await rest.compare(observer), [])
    } finally {
      await world.close()
    }
  })
}
