/** What a client does when an earlier sending of its request may still be under way. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FakeCluster, testBytes } from '../../test/client/fake-cluster.ts'
import { type Hook, refuse } from '../../test/client/hooked-service.ts'
import { isAshlarError } from '../base/errors.ts'

/** The first call hangs in a connection that breaks; {@link arrive} lets it come, late. The second is refused. */
class LateCall {
  arrive: () => Promise<unknown> = () => assert.fail('the call was not made')
  calls = 0
  readonly hook: Hook

  constructor(second: (next: () => Promise<unknown>) => Promise<unknown>) {
    this.hook = async (_request, { peer }, next) => {
      this.calls++
      if (this.calls > 2) return await next()
      if (this.calls === 2) return await second(next)
      this.arrive = next
      peer.close()
      return await new Promise(() => undefined)
    }
  }
}

describe('a commit that hangs in a dropped connection, and whose repetition is refused', () => {
  const notEnough = () => refuse('receipts-rejected')

  test('is not applied when it arrives after the bytes were written under new ids', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    const late = new LateCall(notEnough)
    cluster.master.hooks.set('commitFile', late.hook)
    await client.writeFile('/a', 'first')
    await client.rm('/a')
    await assert.rejects(late.arrive(), (error) => isAshlarError(error, 'invalid-argument'))
    assert.equal(await client.exists('/a'), false)
  })

  test('is not applied to a large file either, nor to the end of one', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 10_000 })
    const client = await cluster.connect()
    const large = testBytes(100_000)
    const small = testBytes(20_000)
    const writes = [
      { method: 'addExtents', write: () => client.writeFile('/a', large) },
      { method: 'addExtents', write: () => client.appendFile('/a', large) },
      { method: 'appendFile', write: () => client.appendFile('/a', small) },
    ]
    for (const { method, write } of writes) {
      const late = new LateCall(notEnough)
      cluster.master.hooks.set(method, late.hook)
      await write()
      cluster.master.hooks.delete(method)
      await assert.rejects(late.arrive())
    }
    assert.equal(cluster.master.count('fenceRequest'), 3)
    assert.ok((await client.readFile('/a')).equals(Buffer.concat([large, large, small])))
  })

  test('counts when it arrived before the fence: nothing is written again', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    const late = new LateCall(notEnough)
    cluster.master.hooks.set('commitFile', late.hook)
    cluster.master.hooks.set('fenceRequest', async (_request, _context, next) => {
      await late.arrive()
      return await next()
    })
    const { version } = await client.writeFile('/a', 'once')
    assert.equal((await client.stat('/a')).version, version)
    assert.deepEqual(
      cluster.servers.map(({ chunks }) => chunks.size),
      [1, 1, 1],
    )
  })

  // An older master knows no fences.
  for (const code of ['unavailable', 'not-supported'] as const) {
    test(`ends the write, as unknown, where the fence is ${code}`, async () => {
      await using cluster = await FakeCluster.start()
      const client = await cluster.connect({ timeoutMs: 300 })
      cluster.master.hooks.set('commitFile', new LateCall(notEnough).hook)
      cluster.master.hooks.set('fenceRequest', async () => refuse(code))
      await assert.rejects(
        client.writeFile('/a', 'once'),
        (error) => isAshlarError(error, 'receipts-rejected') && error.applied === 'unknown',
      )
      assert.deepEqual(
        cluster.servers.map(({ chunks }) => chunks.size),
        [1, 1, 1],
      )
    })
  }

  test('costs nothing where there was no doubt', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    cluster.master.hooks.set('commitFile', async (_request, _context, next) =>
      cluster.master.count('commitFile') === 1 ? refuse('receipts-rejected') : await next(),
    )
    await client.writeFile('/a', 'twice')
    assert.equal(cluster.master.count('fenceRequest'), 0)
  })
})

test('a mutation that was refused is not applied by its first sending later, and says so', async () => {
  await using cluster = await FakeCluster.start()
  const client = await cluster.connect()
  const late = new LateCall((next) => next())
  cluster.master.hooks.set('rename', late.hook)
  await assert.rejects(
    client.rename('/a', '/b'),
    (error) => isAshlarError(error, 'not-found') && error.applied === 'no',
  )
  await client.writeFile('/a', 'it came later')
  await assert.rejects(late.arrive(), (error) => isAshlarError(error, 'invalid-argument'))
  assert.equal(await client.exists('/b'), false)
})

test('a mutation that was applied by its first sending, after the second was refused, is a success', async () => {
  await using cluster = await FakeCluster.start()
  const client = await cluster.connect()
  await client.writeFile('/a', 'moves')
  const late = new LateCall(() => refuse('not-found'))
  cluster.master.hooks.set('rename', late.hook)
  cluster.master.hooks.set('fenceRequest', async (_request, _context, next) => {
    await late.arrive()
    return await next()
  })
  await client.rename('/a', '/b')
  assert.deepEqual(cluster.master.applied.filter((name) => name === 'rename').length, 1)
})

describe('a large file that was given up', () => {
  const unfinished = async function* () {
    yield testBytes(100_000)
    await new Promise(() => undefined)
  }

  test('leaves nothing behind when the answer to its beginning was lost', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 10_000 })
    const client = await cluster.connect()
    const stop = new AbortController()
    cluster.master.hooks.set('beginFile', async (_request, _context, next) => {
      cluster.master.hooks.delete('beginFile')
      await next()
      stop.abort()
      return await new Promise(() => undefined)
    })
    await assert.rejects(client.writeFile('/a', unfinished(), { signal: stop.signal }))
    while (cluster.master.hidden.size > 0) await delay(5)
  })

  test('is dropped at the master though its first order to drop it fails', async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 10_000 })
    const client = await cluster.connect({ timeoutMs: 200 })
    const stop = new AbortController()
    cluster.master.hooks.set('addExtents', async (_request, _context, next) => {
      stop.abort()
      return await next()
    })
    let refusals = 2
    cluster.master.hooks.set('abandonFile', async (_request, _context, next) =>
      refusals-- > 0 ? refuse('internal') : await next(),
    )
    await assert.rejects(client.writeFile('/a', unfinished(), { signal: stop.signal }))
    while (cluster.master.hidden.size > 0) await delay(5)
    assert.equal(cluster.master.count('abandonFile'), 3)
  })
})
