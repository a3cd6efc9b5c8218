import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster } from '../../test/client/fake-cluster.ts'
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
