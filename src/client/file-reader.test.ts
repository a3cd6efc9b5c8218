import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FakeCluster, testBytes } from '../../test/client/fake-cluster.ts'
import { refuse } from '../../test/client/hooked-service.ts'
import { isAshlarError } from '../base/errors.ts'
import type { Extent } from '../wire/types/extent.ts'
import { FileReader } from './file-reader.ts'

const failsWith = (code: string) => (error: unknown) => isAshlarError(error) && error.code === code
const large = testBytes(3_500_000)

async function clusterWith(bytes: Buffer, options: ConstructorParameters<typeof FakeCluster>[0] = {}) {
  const cluster = await FakeCluster.start({ chunkSizeBytes: 2 * 1024 * 1024, ...options })
  const client = await cluster.connect()
  await client.writeFile('/file', bytes)
  return { cluster, client }
}

describe('readFile() verifies end to end', () => {
  for (const [name, bytes, at] of [
    ['a small chunk', testBytes(5_000), 4_999],
    ['a part of a large chunk', large, 1_300_000],
  ] as const) {
    test(`serves ${name} from a sound replica when others are rotten`, async () => {
      const { cluster, client } = await clusterWith(bytes)
      await using _ = cluster
      cluster.servers[0]?.corruptAll(at)
      cluster.servers[2]?.corruptAll(at)
      for (let round = 0; round < 3; round++) assert.ok((await client.readFile('/file')).equals(bytes))
    })

    test(`never returns ${name} when all replicas are rotten`, async () => {
      const { cluster, client } = await clusterWith(bytes)
      await using _ = cluster
      for (const server of cluster.servers) server.corruptAll(at)
      await assert.rejects(client.readFile('/file'), (error) => {
        assert.ok(isAshlarError(error, 'corrupt'))
        assert.equal((error.details.reasons as unknown[]).length, 3)
        return true
      })
    })
  }

  test('catches a replica that agrees only with itself', async () => {
    const { cluster, client } = await clusterWith(testBytes(5_000))
    await using _ = cluster
    const other = testBytes(5_000, 2)
    for (const server of cluster.servers.slice(0, 2)) {
      for (const chunk of server.chunks.keys()) {
        server.chunks.set(chunk, other)
        server.sound.set(chunk, other)
        server.crcs.set(chunk, 1)
      }
    }
    for (let round = 0; round < 3; round++) assert.ok((await client.readFile('/file')).equals(testBytes(5_000)))
  })
})

describe('readFile() goes to another member', () => {
  test('when one lacks the chunk, and then asks that one last', async () => {
    const bytes = testBytes(100)
    const { cluster, client } = await clusterWith(bytes)
    await using _ = cluster
    cluster.servers[0]?.chunks.clear()
    cluster.servers[1]?.chunks.clear()
    for (let round = 0; round < 10; round++) assert.ok((await client.readFile('/file')).equals(bytes))
    assert.ok((cluster.servers[0]?.count('readChunk') ?? 0) + (cluster.servers[1]?.count('readChunk') ?? 0) <= 4)
  })

  test('when one does not answer, without waiting for its deadline', async () => {
    const bytes = testBytes(100)
    const { cluster, client } = await clusterWith(bytes)
    await using _ = cluster
    const silent = Promise.withResolvers<void>()
    let held = 0
    for (const server of cluster.servers) {
      server.hooks.set('readChunk', async (_request, _context, next) => {
        if (held++ === 0) await silent.promise
        return await next()
      })
    }
    assert.ok((await client.readFile('/file', { signal: AbortSignal.timeout(5_000) })).equals(bytes))
    assert.equal(held, 2)
    silent.resolve()
  })

  test('when one is gone', async () => {
    const { cluster, client } = await clusterWith(large)
    await using _ = cluster
    cluster.network.kill('cs0')
    cluster.network.kill('cs1')
    assert.ok((await client.readFile('/file')).equals(large))
  })

  test('and waits for members that are starting again', async () => {
    const { cluster, client } = await clusterWith(testBytes(100))
    await using _ = cluster
    let refusals = 0
    for (const server of cluster.servers) {
      server.hooks.set('readChunk', async (_request, _context, next) =>
        ++refusals <= 5 ? refuse('unavailable') : await next(),
      )
    }
    assert.ok((await client.readFile('/file')).equals(testBytes(100)))
  })

  test('and gets a new token while members take theirs for too old', async () => {
    const { cluster, client } = await clusterWith(testBytes(100))
    await using _ = cluster
    let refusals = 0
    for (const server of cluster.servers) {
      server.hooks.set('readChunk', async (_request, _context, next) =>
        ++refusals <= 7 ? refuse('token-expired') : await next(),
      )
    }
    assert.ok((await client.readFile('/file')).equals(testBytes(100)))
    assert.equal(cluster.master.count('getReadTokens'), 3)
  })
})

describe('readFile() when the chunk is nowhere', () => {
  test('says chunk-missing: never zeros, never not-found, even when the file is gone too', async () => {
    const { cluster, client } = await clusterWith(large)
    await using _ = cluster
    for (const server of cluster.servers) server.chunks.clear()
    await assert.rejects(client.readFile('/file'), failsWith('chunk-missing'))
    assert.equal(cluster.master.count('openFile'), 2)
    const handle = await client.open('/file')
    cluster.master.files.delete('/file')
    await assert.rejects(handle.read(Buffer.alloc(10), 0), failsWith('chunk-missing'))
  })

  test('reads the new content when the file was replaced meanwhile', async () => {
    const { cluster, client } = await clusterWith(testBytes(100))
    await using _ = cluster
    const [old] = cluster.servers[0]?.chunks.keys() ?? []
    let replaced: Promise<unknown> | undefined
    for (const server of cluster.servers) {
      server.hooks.set('readChunk', async (request, _context, next) => {
        if ((request as { readonly chunk: string }).chunk === old) {
          replaced ??= client.writeFile('/file', 'replaced')
          await replaced
          refuse('chunk-missing')
        }
        return await next()
      })
    }
    assert.equal(await client.readFile('/file', 'utf8'), 'replaced')
  })
})

describe('streams and handles', () => {
  test('createReadStream() gives the inclusive range, as node:fs does', async () => {
    const { cluster, client } = await clusterWith(large)
    await using _ = cluster
    for (const [start, end] of [
      [0, 0],
      [65_535, 65_536],
      [1_048_575, 2_097_152],
      [3_499_999, 9_999_999],
      [4_000_000, 5_000_000],
    ] as const) {
      const pieces = await client.createReadStream('/file', { start, end }).toArray()
      assert.ok(Buffer.concat(pieces).equals(large.subarray(start, end + 1)), `${start}-${end}`)
    }
    const web: Uint8Array[] = []
    for await (const piece of client.readStream('/file', { start: 3_000_000 })) web.push(piece)
    assert.ok(Buffer.concat(web).equals(large.subarray(3_000_000)))
  })

  test('open() reads its version anywhere, however many extents the file has', async () => {
    const { cluster, client } = await clusterWith(large, { chunkSizeBytes: 70_001 })
    await using _ = cluster
    await using handle = await client.open('/file')
    const buffer = Buffer.alloc(100_000)
    for (const position of [3_450_000, 0, 70_000, 1_700_000, 69_999, 3_499_999]) {
      const count = await handle.read(buffer, position)
      assert.equal(count, Math.min(buffer.length, large.length - position))
      assert.ok(buffer.subarray(0, count).equals(large.subarray(position, position + count)), `at ${position}`)
    }
    assert.equal(await handle.read(buffer, large.length), 0)
  })

  test('a stream that nobody consumes stops reading ahead, and its memory comes back when it is destroyed', async () => {
    const bytes = testBytes(24 * 1024 * 1024)
    const { cluster, client } = await clusterWith(bytes)
    await using _ = cluster
    const stream = client.createReadStream('/file')
    await new Promise((resolve) => stream.once('readable', resolve))
    await delay(50)
    const reads = () => cluster.servers.reduce((sum, server) => sum + server.count('readChunk'), 0)
    assert.ok(reads() < 16, `${reads()} reads`)
    stream.destroy()
    assert.ok((await client.readFile('/file')).equals(bytes))
  })

  test('a read that is given up gives its memory back', async () => {
    const { cluster } = await clusterWith(testBytes(9_000_000))
    await using _ = cluster
    const core = cluster.core()
    for (let round = 0; round < 3; round++) {
      const reader = await FileReader.open(core, '/file')
      for await (const piece of reader.pieces({ start: 0, end: 9_000_000, isWanted: true })) {
        assert.ok(piece.length > 0 && core.budget.bytesOut > 0)
        break
      }
    }
    while (core.budget.demanded.waiting > 0) await delay(1)
    await delay(100)
    assert.equal(core.budget.bytesOut, 0)
    await core.close()
  })

  test('aborts in the middle', async () => {
    const { cluster, client } = await clusterWith(large)
    await using _ = cluster
    const stop = new AbortController()
    for (const server of cluster.servers) {
      server.hooks.set('readChunk', async (_request, { signal }) => {
        stop.abort()
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        return refuse('cancelled')
      })
    }
    await assert.rejects(client.readFile('/file', { signal: stop.signal }), failsWith('cancelled'))
  })
})

describe('a file whose chunks are on no member is opened once more', () => {
  /** Chunks are missing everywhere until the file is opened again. */
  async function clusterThatForgets() {
    const { cluster, client } = await clusterWith(large)
    const state = { isMissing: false, opens: 0 }
    cluster.master.hooks.set('openFile', async (_request, _context, next) => {
      state.opens++
      state.isMissing = false
      return await next()
    })
    for (const server of cluster.servers) {
      server.hooks.set('readChunk', async (_request, _context, next) =>
        state.isMissing ? refuse('chunk-missing') : await next(),
      )
    }
    return { cluster, client, state }
  }

  // A handle may be kept for days: what one read met says nothing about the next.
  test('in each read of a handle, and once in each', async () => {
    const { cluster, client, state } = await clusterThatForgets()
    await using _ = cluster
    await using handle = await client.open('/file')
    const buffer = Buffer.alloc(1000)
    for (let reads = 1; reads <= 3; reads++) {
      state.isMissing = true
      await handle.read(buffer, 5)
      assert.ok(buffer.equals(large.subarray(5, 1005)))
      assert.equal(state.opens, 1 + reads)
    }
    for (const server of cluster.servers) server.hooks.set('readChunk', async () => refuse('chunk-missing'))
    await assert.rejects(handle.read(buffer, 5), failsWith('chunk-missing'))
    assert.equal(state.opens, 5)
  })

  test('for all pieces of a read that miss it together', async () => {
    const { cluster, client, state } = await clusterThatForgets()
    await using _ = cluster
    await using handle = await client.open('/file')
    state.isMissing = true
    assert.ok((await handle.readFile()).equals(large))
    assert.equal(state.opens, 2)
  })
})

// Pieces were counted by the chunks that the file had before: bytes between two of them were left out.
test('a file that lies otherwise in chunks when it is opened once more comes whole', async () => {
  const { cluster, client } = await clusterWith(large)
  await using _ = cluster
  let opens = 0
  cluster.master.hooks.set('openFile', async (_request, _context, next) => {
    const answer = (await next()) as { readonly value: { readonly extents: readonly Extent[] } }
    if (opens++ === 0) return answer
    const extents = answer.value.extents.flatMap((extent) => [
      { ...extent, length: 700_001 },
      { ...extent, offset: extent.offset + 700_001, length: extent.length - 700_001 },
    ])
    return { ...answer, value: { ...answer.value, extents, extentCount: extents.length } }
  })
  for (const server of cluster.servers) {
    server.hooks.set('readChunk', async (_request, _context, next) =>
      opens < 2 ? refuse('chunk-missing') : await next(),
    )
  }
  await using handle = await client.open('/file')
  assert.ok((await handle.readFile()).equals(large))
  opens = 1
  assert.ok((await client.readFile('/file')).equals(large))
})

describe('pieces() of a handle', () => {
  test('give every byte of a range, and use their memory again', async () => {
    const { cluster, client } = await clusterWith(large)
    await using _ = cluster
    await using handle = await client.open('/file')
    const memories = new Set<ArrayBufferLike>()
    let count = 0
    for (let round = 0; round < 4; round++) {
      const read: Buffer[] = []
      for await (const piece of handle.pieces({ start: 7, end: large.length - 2 })) {
        read.push(Buffer.from(piece))
        memories.add(piece.buffer)
        count++
      }
      assert.ok(Buffer.concat(read).equals(large.subarray(7, -1)))
    }
    assert.ok(memories.size < count, `${count} pieces came in ${memories.size} memories`)
  })

  // A thousand open streams held a MiB each: 1.3 GiB in a client that was told to use 64 MiB.
  test('are smaller where many files are read at once, so that all together keep to the memory of the client', async () => {
    const { cluster } = await clusterWith(large)
    await using _ = cluster
    const client = await cluster.connect({ bufferBytes: 4 * 1024 * 1024 })
    await using handle = await client.open('/file')
    const readers = Array.from({ length: 40 }, () => handle.pieces()[Symbol.asyncIterator]())
    const firsts: number[] = []
    for (const reader of readers) firsts.push((await reader.next()).value?.length ?? 0)
    assert.equal(firsts[0], 1024 * 1024)
    assert.ok(
      firsts.slice(-8).every((length) => length <= 128 * 1024),
      firsts.join(', '),
    )
    const rest: Buffer[] = []
    const last = readers.at(-1)
    for (let next = await last?.next(); next?.done === false; next = await last?.next())
      rest.push(Buffer.from(next.value))
    assert.ok(Buffer.concat(rest).equals(large.subarray(firsts.at(-1))))
    assert.ok(rest.every((piece) => piece.length <= 128 * 1024))
    for (const reader of readers) await reader.return?.()
    for await (const piece of handle.pieces({ end: 1024 * 1024 + 1 })) {
      assert.equal(piece.length, 1024 * 1024)
      break
    }
  })

  test("of streams are the reader's own", async () => {
    const { cluster, client } = await clusterWith(large)
    await using _ = cluster
    await using handle = await client.open('/file')
    const kept: Uint8Array[] = []
    for await (const piece of handle.createReadStream()) kept.push(piece as Buffer)
    for await (const piece of handle.readStream()) kept.push(piece)
    for await (const _piece of handle.pieces()) await handle.readFile()
    assert.ok(Buffer.concat(kept).equals(Buffer.concat([large, large])))
  })
})
