import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeCluster } from '../../test/client/fake-cluster.ts'
import { refuse } from '../../test/client/hooked-service.ts'
import { isAshlarError } from '../base/errors.ts'

test('withLock() keeps others out, gives rising tokens, and releases', async () => {
  await using cluster = await FakeCluster.start()
  const [one, two] = [await cluster.connect(), await cluster.connect()]
  let first = 0
  await one.withLock('job', async (lock) => {
    first = lock.fencingToken
    await assert.rejects(two.lock('job', { waitMs: 0 }), (error) => isAshlarError(error, 'locked'))
    assert.equal(lock.signal.aborted, false)
  })
  await using held = await two.lock('job', { waitMs: 0 })
  assert.ok(held.fencingToken > first)
})

test('withLock() releases when the work fails, and passes its error on', async () => {
  await using cluster = await FakeCluster.start()
  const client = await cluster.connect()
  await assert.rejects(
    client.withLock('job', async () => {
      throw new RangeError('the work broke')
    }),
    RangeError,
  )
  assert.equal(cluster.master.locks.size, 0)
})

test('withLock() aborts the work when the session ended, and does not pretend that it held', async () => {
  await using cluster = await FakeCluster.start()
  cluster.master.sessionLifeMs = 60
  const client = await cluster.connect()
  const work = client.withLock('job', async ({ signal }) => {
    cluster.master.sessions.clear()
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  })
  await assert.rejects(work, (error) => isAshlarError(error, 'session-ended') && error.applied === 'unknown')
})

test('a lock is lost when the session cannot be kept alive in time', async () => {
  await using cluster = await FakeCluster.start()
  cluster.master.sessionLifeMs = 60
  const client = await cluster.connect({ timeoutMs: 200 })
  const lock = await client.lock('job')
  cluster.network.kill('master')
  await new Promise((resolve) => lock.signal.addEventListener('abort', resolve, { once: true }))
  assert.equal(await lock.release(), false)
})

describe('a lock whose answer was lost', () => {
  test('is given back once its caller gave up, so that the same client can take it again', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    const stop = new AbortController()
    cluster.master.hooks.set('lock', async (_request, _context, next) => {
      await next()
      cluster.master.hooks.delete('lock')
      stop.abort()
      return await new Promise(() => undefined)
    })
    await assert.rejects(client.lock('job', { signal: stop.signal }), (error) => isAshlarError(error, 'cancelled'))
    await using held = await client.lock('job', { waitMs: 5_000 })
    assert.ok(held.fencingToken > 0)
  })

  test('is not taken by a request that arrives after its caller gave up', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    const stop = new AbortController()
    let arrive = async (): Promise<unknown> => undefined
    cluster.master.hooks.set('lock', async (_request, _context, next) => {
      cluster.master.hooks.delete('lock')
      arrive = next
      stop.abort()
      return await new Promise(() => undefined)
    })
    const fenced = Promise.withResolvers<void>()
    cluster.master.hooks.set('fenceRequest', async (_request, _context, next) => {
      const answer = await next()
      fenced.resolve()
      return answer
    })
    await assert.rejects(client.lock('job', { signal: stop.signal }), (error) => isAshlarError(error, 'cancelled'))
    await fenced.promise
    await assert.rejects(arrive(), (error) => isAshlarError(error, 'invalid-argument'))
    assert.equal(cluster.master.locks.size, 0)
  })

  test('is given back as soon as the master answers again', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect({ timeoutMs: 200 })
    cluster.master.hooks.set('lock', async (_request, _context, next) => {
      cluster.master.hooks.delete('lock')
      await next()
      return await new Promise(() => undefined)
    })
    let refusals = 2
    cluster.master.hooks.set('fenceRequest', async (_request, _context, next) =>
      refusals-- > 0 ? refuse('internal') : await next(),
    )
    await assert.rejects(client.lock('job', { waitMs: 0, signal: AbortSignal.timeout(50) }))
    await using _held = await client.lock('job', { waitMs: 10_000 })
  })
})

test('release() whose answer was lost goes on until the lock is free', async () => {
  await using cluster = await FakeCluster.start()
  const [one, two] = [await cluster.connect({ timeoutMs: 200 }), await cluster.connect()]
  const lock = await one.lock('job')
  cluster.master.hooks.set('unlock', async () => refuse('unavailable'))
  await assert.rejects(lock.release(), (error) => isAshlarError(error, 'unavailable'))
  cluster.master.hooks.delete('unlock')
  await using _held = await two.lock('job', { waitMs: 10_000 })
})
