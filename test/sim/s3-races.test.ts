/**
 * Races of S3 clients, on the simulated cluster: several gateways' clients at once, late messages, a master that is killed in the
 * middle. The steps are those of the door (`src/gateway/s3/store`), on the public client; what they leave is compared to the byte.
 * @module
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { isAshlarError } from '../../src/base/errors.ts'
import type { AshlarClient } from '../../src/client/index.ts'
import { S3Error } from '../../src/gateway/s3/rules/s3-error.ts'
import { completeUpload } from '../../src/gateway/s3/store/complete-upload.ts'
import { objectPath } from '../../src/gateway/s3/store/object-path.ts'
import { formatRecord, type ObjectRecord, recordAttribute } from '../../src/gateway/s3/store/object-record.ts'
import { findObject } from '../../src/gateway/s3/store/objects.ts'
import { partPath, type StoredPart, type Upload, Uploads } from '../../src/gateway/s3/store/uploads.ts'
import { createWorld } from '../../src/sim/create-world.ts'
import { Rest } from '../../src/sim/oracles/rest.ts'
import type { Fault, Script } from '../../src/sim/script.ts'
import type { World } from '../../src/sim/world.ts'

const boundMs = 120_000
const seeds = [1, 2, 3]
const bucket = 'race'
const key = 'one'
const gateways = 4

function scriptOf(seed: number): Script {
  const cluster = {
    servers: [{}, {}, {}],
    clients: gateways,
    policy: 'replicated-3',
    chunkSizeBytes: 4096,
    trashKeepMs: 0,
    deadAfterMs: 10_000,
    buggify: true,
    networkDelayMs: [0.2, 2, 20][seed % 3] as number,
    syncDelayMs: 1,
  } as const
  return { seed, cluster, durationMs: 0, operations: [], faults: [] }
}

const deadMaster: Fault = { kind: 'kill', id: 0, atMs: 0, durationMs: 700, host: 'master' }

/** Runs a race, lets the cluster come to rest, and compares the books: no byte may be left over. */
async function race(seed: number, work: (world: World, clients: readonly AshlarClient[]) => Promise<void>) {
  const script = scriptOf(seed)
  const world = await createWorld({ cluster: script.cluster, seed })
  try {
    const clients = Array.from({ length: gateways }, (_, index) => world.client(index) as AshlarClient)
    const first = clients[0] as AshlarClient
    await world.runWhile(first.mkdir(`/${bucket}`), boundMs)
    // In every second seed the master dies under it.
    if (seed % 2 === 0) world.clock.after(40 * world.random.fraction(), () => world.apply(deadMaster))
    await world.runWhile(work(world, clients), boundMs)
    await world.healAll()
    // Allocations that are held open would wait for minutes.
    await world.runWhile(Promise.all(clients.slice(1).map((client) => client.close())), boundMs)
    const rest = new Rest(world, script)
    const observer = await restarted(world)
    assert.deepEqual(await rest.reach(observer), [])
    assert.deepEqual(await rest.compare(observer), [])
  } finally {
    await world.close()
  }
}

/** Another client in the place of the first. */
async function restarted(world: World): Promise<AshlarClient> {
  await world.runWhile((world.client(0) as AshlarClient).close(), boundMs)
  world.apply({ kind: 'kill', id: 1, atMs: 0, host: 'client-1', durationMs: 10 })
  await world.runFor(10)
  await world.healAll()
  return world.client(0) as AshlarClient
}

const signal = () => new AbortController().signal
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
const bytesOf = (seed: number, length: number) => Buffer.alloc(length, `${seed} of a race. `)

async function begun(client: AshlarClient, uploadId: string): Promise<Upload> {
  const uploads = new Uploads(client)
  const record = { key, headers: {}, metadata: {}, tags: {}, owner: undefined }
  await uploads.create(bucket, { uploadId, record, signal: signal() })
  return (await uploads.find(bucket, { uploadId, signal: signal() })) as Upload
}

async function putPart(client: AshlarClient, upload: Upload, { number, bytes }: { number: number; bytes: Buffer }) {
  const record: ObjectRecord = { eTag: md5(bytes), headers: {}, metadata: {} }
  const xattrs = (written: { readonly length: number; readonly crc32: number }) => ({
    [recordAttribute]: formatRecord(record, written),
  })
  const { crc32 } = await import('../../src/base/crc.ts')
  await client.writeFile(partPath(upload, number), bytes, {
    xattrs: xattrs({ length: bytes.length, crc32: crc32(bytes) }),
  })
}

let attempts = 0

/** As the door does it. @param listed the tags that the client names, by number. @returns whether it is there now */
async function complete(client: AshlarClient, upload: Upload, listed: readonly string[]): Promise<boolean> {
  const attempt = String(attempts++)
  const isDone = async () => {
    const found = await findObject(client, { bucket, key, signal: signal() })
    return found?.record.uploadId === upload.uploadId
  }
  const uploads = new Uploads(client)
  try {
    await completeUpload(client, upload, {
      choose: (parts) =>
        listed.map((eTag, index) => {
          const part = parts.get(index + 1)
          if (part?.info.record.eTag !== eTag) throw new S3Error('InvalidPart', 'another part is there')
          return part as StoredPart
        }),
      recordOf: () => ({ eTag: listed.join('-'), headers: {}, metadata: {}, uploadId: upload.uploadId }),
      attempt,
      target: objectPath(bucket, key),
      precondition: {},
      signal: signal(),
    })
  } catch (error) {
    const isRefusal = error instanceof S3Error || isAshlarError(error, 'not-found', 'changed')
    if (!isRefusal) throw error
    return await isDone()
  }
  await uploads.remove(upload, { signal: signal() })
  return true
}

async function objectIn(client: AshlarClient): Promise<Buffer | undefined> {
  try {
    return await client.readFile(objectPath(bucket, key))
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
}

for (const seed of seeds) {
  test(`one of 50 writers with If-None-Match wins, and its bytes are there (seed ${seed})`, async () => {
    await race(seed, async (_, clients) => {
      const writers = Array.from({ length: 50 }, (_, index) => index)
      const won = await Promise.all(
        writers.map(async (index) => {
          try {
            const client = clients[index % clients.length] as AshlarClient
            await client.writeFile(objectPath(bucket, key), bytesOf(index, 100 + 200 * index), { ifAbsent: true })
            return [index]
          } catch (error) {
            assert.ok(isAshlarError(error, 'already-exists'), String(error))
            return []
          }
        }),
      )
      const winners = won.flat()
      assert.equal(winners.length, 1, `${winners} won`)
      const [winner] = winners as [number]
      assert.deepEqual(await objectIn(clients[0] as AshlarClient), bytesOf(winner, 100 + 200 * winner))
    })
  })

  test(`completes of one upload all succeed, and make one object (seed ${seed})`, async () => {
    await race(seed, async (_, clients) => {
      const [first] = clients as [AshlarClient]
      const upload = await begun(first, 'a'.repeat(32))
      const parts = [1, 2, 3].map((number) => ({ number, bytes: bytesOf(number, 9000 * number) }))
      await Promise.all(parts.map((part) => putPart(first, upload, part)))
      const tags = parts.map(({ bytes }) => md5(bytes))
      assert.deepEqual(
        await Promise.all(clients.map((client) => complete(client, upload, tags))),
        clients.map(() => true),
      )
      assert.deepEqual(await objectIn(first), Buffer.concat(parts.map(({ bytes }) => bytes)))
    })
  })

  test(`a complete against an abort leaves the whole object or none (seed ${seed})`, async () => {
    await race(seed, async (world, clients) => {
      const [first, second] = clients as [AshlarClient, AshlarClient]
      const upload = await begun(first, 'b'.repeat(32))
      const parts = [1, 2].map((number) => ({ number, bytes: bytesOf(number, 9000) }))
      await Promise.all(parts.map((part) => putPart(first, upload, part)))
      const tags = parts.map(({ bytes }) => md5(bytes))
      const later = Promise.withResolvers<void>()
      world.clock.after(30 * world.random.fraction(), () => later.resolve())
      const aborting = later.promise.then(() => new Uploads(second).remove(upload, { signal: signal() }))
      const [isComplete] = await Promise.all([complete(first, upload, tags), aborting])
      const object = await objectIn(second)
      assert.equal(object !== undefined, isComplete)
      if (object !== undefined) assert.deepEqual(object, Buffer.concat(parts.map(({ bytes }) => bytes)))
      assert.equal(await new Uploads(second).find(bucket, { uploadId: upload.uploadId, signal: signal() }), undefined)
    })
  })

  test(`a part sent again during a complete is not mixed in (seed ${seed})`, async () => {
    await race(seed, async (_, clients) => {
      const [first, second] = clients as [AshlarClient, AshlarClient]
      const upload = await begun(first, 'c'.repeat(32))
      const [old, replaced] = [bytesOf(1, 9000), bytesOf(7, 5000)]
      const tail = bytesOf(2, 4000)
      await putPart(first, upload, { number: 1, bytes: old })
      await putPart(first, upload, { number: 2, bytes: tail })
      const again = putPart(second, upload, { number: 1, bytes: replaced }).then(
        () => true,
        (error: unknown) => {
          // The parts are frozen, or gone.
          assert.ok(isAshlarError(error, 'not-found'), String(error))
          return false
        },
      )
      const listed = [md5(old), md5(tail)]
      const [isComplete] = await Promise.all([complete(first, upload, listed), again])
      const object = await objectIn(second)
      if (isComplete) assert.deepEqual(object, Buffer.concat([old, tail]))
      else {
        assert.equal(object, undefined)
        assert.ok(await complete(second, upload, [md5(replaced), md5(tail)]))
        assert.deepEqual(await objectIn(second), Buffer.concat([replaced, tail]))
      }
    })
  })

  test(`a list during a storm of writes and deletes has each key once, in order, and all that stay (seed ${seed})`, async () => {
    await race(seed, async (_, clients) => {
      const [first, second, third] = clients as [AshlarClient, AshlarClient, AshlarClient]
      const stay = Array.from({ length: 20 }, (_, index) => `k${String(5 * index).padStart(3, '0')}`)
      await Promise.all(stay.map((name) => first.writeFile(objectPath(bucket, name), name)))
      const storm = Promise.all(
        Array.from({ length: 60 }, async (_, index) => {
          const name = `k${String(index).padStart(3, '0')}x`
          const client = index % 2 === 0 ? second : third
          await client.writeFile(objectPath(bucket, name), name)
          if (index % 3 > 0) await client.rm(objectPath(bucket, name), { force: true })
        }),
      )
      for (let round = 0; round < 6; round++) {
        const names: string[] = []
        for await (const { name } of first.list(`/${bucket}`, { pageEntries: 7 })) names.push(name)
        assert.deepEqual(names, [...new Set(names)].sort())
        for (const name of stay) assert.ok(names.includes(name), `${name} is missing`)
      }
      await storm
    })
  })
}
