import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clusterId, FakeCluster, masterId } from '../../test/client/fake-cluster.ts'
import { refuse } from '../../test/client/hooked-service.ts'
import { isAshlarError } from '../base/errors.ts'
import { formatClusterFile } from './cluster-file.ts'

describe('calls to the master', () => {
  test('a mutation is repeated with the same request id until it is answered, and applied once', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.mkdir('/from')
    cluster.master.hooks.set('rename', async (_request, { peer }, next) => {
      const answer = await next()
      if (cluster.master.count('rename') < 3) peer.close()
      return answer
    })
    await client.rename('/from', '/to')
    const renames = cluster.master.calls.filter(({ name }) => name === 'rename')
    assert.equal(renames.length, 3)
    assert.deepEqual(renames[0], renames[2])
    assert.deepEqual(cluster.master.applied, ['makeDirectory', 'rename'])
  })

  test('each mutation has an id of its own, and acknowledges only what was answered', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    const gate = Promise.withResolvers<void>()
    cluster.master.hooks.set('makeDirectory', async (request, _context, next) => {
      if ((request as { readonly path: string }).path === '/slow') await gate.promise
      return await next()
    })
    await client.mkdir('/first')
    const slow = client.mkdir('/slow')
    await client.mkdir('/third')
    await client.mkdir('/fourth')
    gate.resolve()
    await slow
    await client.mkdir('/fifth')
    const ids = cluster.master.calls
      .filter(({ name }) => name === 'makeDirectory')
      .map(
        ({ request }) =>
          (request as { readonly request: { readonly sequence: number; readonly acknowledged: number } }).request,
      )
    assert.deepEqual(
      ids.map(({ sequence, acknowledged }) => [sequence, acknowledged]),
      [
        [1, 0],
        [2, 1],
        [3, 1],
        [4, 1],
        [5, 4],
      ],
    )
  })

  test('wait for a master that is away, and end with unavailable when it does not come', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect({ timeoutMs: 400 })
    let refusals = 3
    cluster.master.hooks.set('stat', async (_request, _context, next) =>
      refusals-- > 0 ? refuse('unavailable') : await next(),
    )
    await assert.rejects(client.stat('/nowhere'), (error) => isAshlarError(error, 'not-found'))
    cluster.network.kill('master')
    await assert.rejects(client.mkdir('/d'), (error) => isAshlarError(error, 'unavailable') && error.applied === 'no')
  })

  test('say that a mutation may be applied when its answer never came', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect({ timeoutMs: 400 })
    cluster.master.hooks.set('makeDirectory', async (_request, { peer }, next) => {
      await next()
      peer.close()
      cluster.network.kill('master')
      return refuse('internal')
    })
    await assert.rejects(
      client.mkdir('/d'),
      (error) => isAshlarError(error, 'unavailable') && error.applied === 'unknown',
    )
    assert.ok(cluster.master.files.has('/d'))
  })

  test('find a master that was started again at another address, by the cluster file', async () => {
    await using cluster = await FakeCluster.start()
    const folder = await mkdtemp(join(tmpdir(), 'ashlar-client-'))
    try {
      const path = join(folder, 'cluster.json')
      await writeFile(path, formatClusterFile(cluster.clusterFile))
      const client = await cluster.connect({ cluster: path })
      await client.mkdir('/before')
      cluster.network.kill('master')
      cluster.address = await cluster.listen('moved', cluster.master, masterId)
      await writeFile(path, formatClusterFile(cluster.clusterFile))
      await client.mkdir('/after')
      assert.deepEqual(cluster.master.applied, ['makeDirectory', 'makeDirectory'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('are aborted while they wait', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.network.kill('master')
    await assert.rejects(client.stat('/a', { signal: AbortSignal.timeout(30) }), (error) =>
      isAshlarError(error, 'cancelled'),
    )
  })

  test('reject with closed once the client is closed', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.master.hooks.set('stat', async () => new Promise(() => undefined))
    const waiting = assert.rejects(client.stat('/a'), (error) => isAshlarError(error, 'closed'))
    await delay(10)
    await client.close()
    await waiting
    await assert.rejects(client.mkdir('/a'), (error) => isAshlarError(error, 'closed'))
  })
})

describe('connect()', () => {
  test('fails at once with a wrong key, or of another cluster', async () => {
    await using cluster = await FakeCluster.start()
    const wrongKey = { ...cluster.clusterFile, secret: Buffer.alloc(32, 1).toString('base64') }
    await assert.rejects(cluster.connect({ cluster: wrongKey, timeoutMs: 60_000 }), (error) =>
      isAshlarError(error, 'unauthenticated'),
    )
    const other = { ...cluster.clusterFile, clusterId: clusterId.replace('0', '9') }
    await assert.rejects(cluster.connect({ cluster: other, timeoutMs: 60_000 }), (error) =>
      isAshlarError(error, 'wrong-cluster', 'unauthenticated'),
    )
  })

  test('says unavailable when nobody answers within its time', async () => {
    await using cluster = await FakeCluster.start()
    cluster.network.kill('master')
    await assert.rejects(cluster.connect({ timeoutMs: 200 }), (error) => isAshlarError(error, 'unavailable'))
  })

  test('refuses options that cannot be used', async () => {
    await using cluster = await FakeCluster.start()
    for (const options of [{ timeoutMs: 0 }, { bufferBytes: 1 }, { chunkSizeBytes: 0 }, { chunkSizeBytes: 2 ** 40 }]) {
      await assert.rejects(cluster.connect(options), (error) => isAshlarError(error, 'invalid-argument'))
    }
  })
})
