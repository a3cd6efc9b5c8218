import assert from 'node:assert/strict'
import { pipeline } from 'node:stream/promises'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FakeCluster, testBytes } from '../../test/client/fake-cluster.ts'
import { refuse } from '../../test/client/hooked-service.ts'
import { isAshlarError } from '../base/errors.ts'
import { BufferBudget } from './buffer-budget.ts'
import { ChunkPipeline } from './chunk-pipeline.ts'
import type { ChunkWriter } from './chunk-writer.ts'
import type { ExtentSink } from './extent-sink.ts'
import { FileWriter } from './file-writer.ts'

const MiB = 1024 * 1024
const failsWith = (code: string) => (error: unknown) => isAshlarError(error) && error.code === code

async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

describe('writeFile() when all is well', () => {
  test('stores bytes, text, iterables and streams of any length', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 100_000 })
    const client = await cluster.connect()
    for (const length of [0, 1, 99_999, 100_000, 100_001, 1_234_567]) {
      const bytes = testBytes(length, length)
      await client.writeFile('/whole', bytes)
      assert.ok((await client.readFile('/whole')).equals(bytes), `whole ${length}`)
      const stats = await client.writeFile('/pieces', inPieces(bytes, 7_001))
      assert.equal(stats.size, length)
      assert.ok((await client.readFile('/pieces')).equals(bytes), `pieces ${length}`)
      await pipeline(inPieces(bytes, 30_000), client.createWriteStream('/node'))
      assert.ok((await client.readFile('/node')).equals(bytes), `node stream ${length}`)
      await ReadableStream.from(inPieces(bytes, 50_000)).pipeTo(client.writeStream('/web') as WritableStream<unknown>)
      assert.ok((await client.readFile('/web')).equals(bytes), `web stream ${length}`)
    }
    await client.writeFile('/text', 'grüße')
    assert.equal(await client.readFile('/text', 'utf8'), 'grüße')
  })

  test('stores a small file by one round of chunk writes and one commit', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.writeFile('/first', 'takes a session and chunk ids')
    const before = cluster.master.calls.length
    await client.writeFile('/second', 'needs neither')
    assert.deepEqual(
      cluster.master.calls.slice(before).map(({ name }) => name),
      ['commitFile'],
    )
    assert.deepEqual(
      cluster.servers.map((server) => server.count('putChunk')),
      [2, 2, 2],
    )
  })

  test('knows the checksum of the whole file without reading it again', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 70_000 })
    const client = await cluster.connect()
    await client.writeFile('/digits', '123456789')
    assert.equal(await client.checksum('/digits', 'crc32'), 'cbf43926')
    const bytes = testBytes(900_000)
    const { crc32: whole } = await client.writeFile('/whole', bytes)
    const { crc32: staged } = await client.writeFile('/staged', inPieces(bytes, 10_000))
    assert.equal(staged, whole)
  })

  test('asks for the state it was told to: ifAbsent, ifVersion', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 10_000 })
    const client = await cluster.connect()
    const { version } = await client.writeFile('/a', 'one', { ifAbsent: true })
    await assert.rejects(client.writeFile('/a', 'two', { ifAbsent: true }), failsWith('already-exists'))
    await client.writeFile('/a', 'two', { ifVersion: version })
    await assert.rejects(client.writeFile('/a', testBytes(100_000), { ifVersion: version }), failsWith('changed'))
    await assert.rejects(
      client.writeFile('/a', 'x', { ifAbsent: true, ifVersion: version }),
      failsWith('invalid-argument'),
    )
    assert.equal(await client.readFile('/a', 'utf8'), 'two')
  })
})

describe('writeFile() when a chunk server fails', () => {
  test('writes the chunk to another group, under other ids', async () => {
    await using cluster = await FakeCluster.start({
      servers: 6,
      groups: [
        [0, 1, 2],
        [3, 4, 5],
      ],
    })
    const client = await cluster.connect()
    cluster.servers[1]?.hooks.set('putChunk', async () => refuse('disk-failed'))
    await client.writeFile('/a', 'elsewhere')
    assert.equal(cluster.master.count('commitFile'), 1)
    assert.equal(await client.readFile('/a', 'utf8'), 'elsewhere')
    assert.equal(cluster.servers[4]?.chunks.size, 1)
    assert.deepEqual(
      [...(cluster.servers[4]?.chunks.keys() ?? [])].filter((id) => cluster.servers[0]?.chunks.has(id)),
      [],
    )
  })

  test('streams on past a server that dies in the middle of a large file', async () => {
    await using cluster = await FakeCluster.start({
      servers: 6,
      groups: [
        [0, 1, 2],
        [3, 4, 5],
      ],
      chunkSizeBytes: 3 * MiB,
    })
    const client = await cluster.connect()
    let appends = 0
    cluster.servers[2]?.hooks.set('appendChunk', async (_request, { peer }, next) => {
      if (++appends < 4) return await next()
      peer.close()
      return refuse('internal')
    })
    const bytes = testBytes(20 * MiB)
    await client.writeFile('/big', inPieces(bytes, 100_000))
    assert.ok((await client.readFile('/big')).equals(bytes))
  })

  test('commits fewer receipts only when the master holds the missing member down', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.servers[0]?.hooks.set('putChunk', async () => refuse('disk-failed'))
    cluster.master.hooks.set('commitFile', async (request, _context, next) => {
      const { receipts } = request as { readonly receipts: readonly unknown[] }
      // The master notices while the first commits are refused.
      if (cluster.master.count('commitFile') === 2) cluster.setState(0, 'suspect')
      assert.equal(receipts.length, 2)
      return await next()
    })
    await client.writeFile('/a', 'two receipts')
    assert.ok(cluster.master.count('commitFile') >= 2)
    assert.equal(await client.readFile('/a', 'utf8'), 'two receipts')
  })

  test('leaves a member alone that the master holds dead', async () => {
    await using cluster = await FakeCluster.start()
    cluster.setState(2, 'dead')
    const client = await cluster.connect()
    await client.writeFile('/a', 'two of three')
    assert.equal(cluster.servers[2]?.calls.length, 0)
    assert.equal(cluster.master.count('commitFile'), 1)
  })

  test('gives up with the reason of each server, and nothing became visible', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect({ timeoutMs: 300 })
    for (const server of cluster.servers) server.hooks.set('putChunk', async () => refuse('no-space', 'full'))
    await assert.rejects(client.writeFile('/a', 'x'), (error) => {
      assert.ok(isAshlarError(error, 'no-space'))
      assert.equal(error.applied, 'no')
      assert.equal((error.details.reasons as unknown[]).length, 3)
      return true
    })
    assert.equal(await client.exists('/a'), false)
  })

  test('does not take a full member for one that is down', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.servers[1]?.hooks.set('putChunk', async () => refuse('no-space', 'full'))
    await assert.rejects(client.writeFile('/a', 'x'), failsWith('no-space'))
    assert.equal(cluster.master.count('commitFile'), 0)
  })

  test('passes on what the master says of a full cluster', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.master.hooks.set('allocate', async () =>
      refuse('no-space', 'Cannot allocate: "ashlar trash empty" returns 5 bytes'),
    )
    await assert.rejects(client.writeFile('/a', 'x'), /trash empty/)
  })
})

describe('writeFile() when the commit goes wrong', () => {
  test('repeats a commit whose answer was lost, with the same id, and it is applied once', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.master.hooks.set('commitFile', async (_request, { peer }, next) => {
      const answer = await next()
      if (cluster.master.count('commitFile') === 1) peer.close()
      return answer
    })
    const stats = await client.writeFile('/a', 'once')
    const commits = cluster.master.calls.filter(({ name }) => name === 'commitFile')
    assert.equal(commits.length, 2)
    assert.deepEqual(commits[0], commits[1])
    assert.deepEqual(cluster.master.applied, ['commitFile'])
    assert.equal((await client.stat('/a')).version, stats.version)
  })

  test('writes the bytes again under new ids when the allocation was closed, also of a stream', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 50_000 })
    const client = await cluster.connect()
    for (const method of ['commitFile', 'addExtents']) {
      let refused = 0
      cluster.master.hooks.set(method, async (request, _context, next) => {
        if (refused++ === 0) {
          const { allocations } = request as { readonly allocations: readonly never[] }
          for (const allocation of allocations) cluster.master.allocations.delete(allocation)
        }
        return await next()
      })
    }
    await client.writeFile('/small', 'again')
    assert.equal(await client.readFile('/small', 'utf8'), 'again')
    const bytes = testBytes(700_000)
    await client.writeFile('/large', inPieces(bytes, 9_999))
    assert.ok((await client.readFile('/large')).equals(bytes))
  })

  test('fetches the map and goes on when its epoch is stale', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.writeFile('/a', 'old epoch')
    cluster.epoch++
    cluster.mapVersion++
    for (const server of cluster.servers) {
      server.hooks.set('putChunk', async (request, _context, next) => {
        const { epoch } = request as { readonly epoch: number }
        return epoch < cluster.groupEpoch ? refuse('stale-epoch') : await next()
      })
    }
    await client.writeFile('/b', 'new epoch')
    assert.equal(await client.readFile('/b', 'utf8'), 'new epoch')
  })

  test('says that the session ended, and the next write begins a new one', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.mkdir('/d')
    cluster.master.sessions.clear()
    await assert.rejects(client.mkdir('/e'), (error) => isAshlarError(error, 'session-ended') && error.applied === 'no')
    await client.mkdir('/e')
    assert.equal(cluster.master.count('openSession'), 2)
  })
})

describe('writeFile() with a source that does not end', () => {
  test('keeps its memory within the budget, and commits in bounded steps', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 2 * MiB })
    const client = await cluster.connect({ bufferBytes: 8 * MiB })
    let given = 0
    let mostKept = 0
    async function* source() {
      const piece = testBytes(64 * 1024)
      for (; given < 64 * MiB; given += piece.length) {
        const committed = [...cluster.master.hidden.values()].flat().reduce((sum, { length }) => sum + length, 0)
        mostKept = Math.max(mostKept, given - committed)
        yield piece
      }
    }
    const { size } = await client.writeFile('/endless', source())
    assert.equal(size, 64 * MiB)
    assert.ok(mostKept <= 8 * MiB, `${mostKept} bytes were kept`)
  })

  test('cuts no short chunks because other streams are written beside it', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 4 * MiB })
    const client = await cluster.connect({ bufferBytes: 32 * MiB })
    const paths = ['/a', '/b', '/c', '/d']
    await Promise.all(paths.map((path) => client.writeFile(path, inPieces(testBytes(12 * MiB), 100_000))))
    for (const path of paths) {
      const chunks = cluster.master.files.get(path)?.extents.map(({ length }) => length / MiB) ?? []
      assert.ok(chunks.length <= 6, `${path} has chunks of ${chunks.join(', ')} MiB`)
    }
  })

  test('lets many writers share the budget, though each source stalls with bytes in hand', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: MiB })
    const client = await cluster.connect({ bufferBytes: 4 * MiB })
    const gate = Promise.withResolvers<void>()
    async function* stalling(seed: number) {
      yield testBytes(1000, seed)
      await gate.promise
      yield testBytes(1000, seed + 1)
    }
    const stalled = [1, 11, 21, 31, 41].map((seed) => client.writeFile(`/stalled-${seed}`, stalling(seed)))
    await client.writeFile('/free', inPieces(testBytes(5 * MiB), 100_000))
    gate.resolve()
    await Promise.all(stalled)
    assert.ok((await client.readFile('/stalled-41')).equals(Buffer.concat([testBytes(1000, 41), testBytes(1000, 42)])))
  })

  test('stops when it is aborted: nothing becomes visible, what was staged is dropped', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 100_000 })
    const client = await cluster.connect()
    const stop = new AbortController()
    async function* source() {
      for (let count = 0; ; count++) {
        if (count === 30) stop.abort()
        yield testBytes(50_000)
        await delay(1)
      }
    }
    await assert.rejects(client.writeFile('/aborted', source(), { signal: stop.signal }), failsWith('cancelled'))
    assert.ok(cluster.master.count('addExtents') > 0)
    while (cluster.master.hidden.size > 0) await delay(5)
    assert.equal(cluster.master.files.has('/aborted'), false)
  })

  test('ends with the reason of the failure, also while it waits for memory', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: MiB })
    const client = await cluster.connect({ bufferBytes: 4 * MiB })
    cluster.master.hooks.set('addExtents', async () => {
      await delay(20)
      return refuse('read-only')
    })
    await assert.rejects(client.writeFile('/a', inPieces(testBytes(20 * MiB), 100_000)), failsWith('read-only'))
  })

  test('ends with the error of the source itself', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    async function* failing() {
      yield testBytes(10)
      throw new RangeError('the source broke')
    }
    await assert.rejects(client.writeFile('/broken', failing()), RangeError)
    assert.equal(await client.exists('/broken'), false)
  })
})

describe('appendFile()', () => {
  test('makes the file, appends to it, and keeps to the expected length', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.appendFile('/log', 'one,')
    await client.appendFile('/log', 'two,', { expectedLength: 4 })
    await assert.rejects(client.appendFile('/log', 'never', { expectedLength: 4 }), failsWith('changed'))
    assert.equal(await client.readFile('/log', 'utf8'), 'one,two,')
  })

  test('tries again at the new end when another one was faster', async () => {
    await using cluster = await FakeCluster.start()
    const [client, other] = [await cluster.connect(), await cluster.connect()]
    await Promise.all(
      Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? client : other).appendFile('/log', `${index};`)),
    )
    const parts = (await client.readFile('/log', 'utf8')).split(';').filter((part) => part !== '')
    assert.deepEqual(parts.toSorted(), ['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  test('of nothing makes the file, or leaves it as it is, under the same condition', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    assert.equal((await client.appendFile('/log', '')).size, 0)
    const { version } = await client.appendFile('/log', 'one')
    assert.equal((await client.appendFile('/log', '')).version, version)
    assert.equal((await client.appendFile('/log', '', { expectedLength: 3 })).version, version)
    await assert.rejects(client.appendFile('/log', '', { expectedLength: 4 }), failsWith('changed'))
    await assert.rejects(client.appendFile('/none', '', { expectedLength: 0 }), failsWith('not-found'))
  })

  test('of many chunks is whole, wherever the end is by then', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 1_000 })
    const [client, other] = [await cluster.connect(), await cluster.connect()]
    const bytes = testBytes(20_000)
    // Each time somebody else is there just before: makes the file, writes to it, removes it.
    const meddle = [() => other.writeFile('/log', ''), () => other.appendFile('/log', 'x'), () => other.rm('/log')]
    let tries = 0
    const hook = async (_request: unknown, _context: unknown, next: () => Promise<unknown>) => {
      await meddle[tries++]?.()
      return await next()
    }
    for (const method of ['linkFile', 'linkAppend']) cluster.master.hooks.set(method, hook as never)
    await client.appendFile('/log', bytes)
    assert.equal(tries, 4)
    cluster.master.hooks.clear()
    await client.appendFile('/log', inPieces(bytes, 700), { expectedLength: 20_000 })
    assert.ok((await client.readFile('/log')).equals(Buffer.concat([bytes, bytes])))
    assert.equal(cluster.master.count('appendFile'), 1)
    assert.equal(cluster.master.hidden.size, 0)
  })

  test('of many chunks at another length than expected is refused before they move, and leaves nothing', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 1_000 })
    const [client, other] = [await cluster.connect(), await cluster.connect()]
    const bytes = testBytes(20_000)
    await assert.rejects(client.appendFile('/log', bytes, { expectedLength: 0 }), failsWith('not-found'))
    await client.writeFile('/log', 'four')
    await assert.rejects(client.appendFile('/log', bytes, { expectedLength: 3 }), failsWith('changed'))
    assert.equal(cluster.master.count('beginFile'), 0)
    // Or at the end, when it changed meanwhile.
    cluster.master.hooks.set('linkAppend', async (_request, _context, next) => {
      await other.appendFile('/log', '!')
      return await next()
    })
    await assert.rejects(client.appendFile('/log', bytes, { expectedLength: 4 }), failsWith('changed'))
    await client.close()
    assert.equal(cluster.master.hidden.size, 0)
    assert.equal(await other.readFile('/log', 'utf8'), 'four!')
  })
})

// Two writers that one signal ends: the first gives memory back, which the second gets and is ended with.
test('FileWriter.write() gives room back that came in the turn in which it was aborted', async () => {
  const env = new FakeCluster().env('client')
  const budget = new BufferBudget(4 * MiB, env.clock)
  await budget.takeRoom(2 * MiB)
  const stop = new AbortController()
  const sink = { stage: async () => undefined, abandon: async () => undefined } as unknown as ExtentSink
  const pipeline = new ChunkPipeline({ env, writer: {} as ChunkWriter, sink, path: '/f' })
  const writer = new FileWriter({ pipeline, budget, chunkSizeBytes: MiB, path: '/f', signal: stop.signal })
  const writing = writer.write(Buffer.alloc(1))
  await delay(1)
  budget.giveRoom(MiB)
  stop.abort()
  await assert.rejects(writing, failsWith('cancelled'))
  budget.giveRoom(MiB)
  assert.equal(budget.bytesOut, 0)
})
