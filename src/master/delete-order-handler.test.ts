import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, firstChunk } from '../../test/cluster/fake-cluster.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { chunkId, groupOf } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { deriveKeys } from '../wire/keys.ts'
import { getDeleteOrder } from '../wire/methods/session-methods.ts'
import { checkToken, openToken } from '../wire/token.ts'

test('getDeleteOrder is answered only while the tombstone of the chunk waits for gc', async () => {
  await using cluster = await FakeCluster.start()
  const chunk = await cluster.put('/f', 'text')
  const other = chunkId({ group: groupOf(chunk), generation: 0, sequence: 4096 * 51 })
  const open = firstChunk(await cluster.allocate('/h', 4))
  const unknown = chunkId({ group: groupOf(chunk), generation: 0, sequence: 4096 * 50 })
  const refused = (id: typeof chunk, why: RegExp) =>
    assert.rejects(
      cluster.call(getDeleteOrder, { chunk: id }),
      (error) => isAshlarError(error, 'forbidden') && why.test(error.message),
    )
  await refused(chunk, /a file holds it/)
  await refused(open, /a write may still commit it/)
  await refused(unknown, /does not know it/)
  await cluster.remove('/f')
  await refused(chunk, /or the trash/)

  cluster.server(0).orderFailure = new AshlarError('disk-failed', 'Cannot delete: the disk failed')
  await cluster.emptyTrash()
  await cluster.clock.advance(5000)
  const { token, lifeMs } = await cluster.call(getDeleteOrder, { chunk })
  const claims = openToken(deriveKeys(Buffer.alloc(32, 7)).token, token)
  assert.equal(claims.leaderEpoch, (await cluster.master.status()).leaderEpoch)
  const use = { operation: 'delete', chunk, cluster: claims.cluster, nowMs: rising(0, 0) } as const
  checkToken(claims, use)
  assert.throws(() => checkToken(claims, { ...use, chunk: other }), /does not order this chunk/)
  assert.throws(() => checkToken(claims, { ...use, operation: 'read' }), /does not allow reads/)
  assert.ok(lifeMs <= 60_000)
  assert.throws(
    () => checkToken(claims, { ...use, nowMs: claims.expiresAt }),
    (error) => isAshlarError(error, 'token-expired'),
  )

  cluster.server(0).orderFailure = undefined
  await cluster.clock.until(() => cluster.holders(chunk).length === 0, 'gc')
  await refused(chunk, /./)
})
