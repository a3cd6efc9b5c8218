/** A sending that comes after its fence changes nothing; one that came before keeps its answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { refused } from '../../test/namespace/refused.ts'
import { servers, TestMaster } from '../../test/namespace/test-master.ts'
import { limits } from '../base/limits.ts'

test('a commit that comes after its fence is not applied, though its receipts would do by then', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const [missing] = servers
  assert.ok(missing)
  const late = client.commitRequest('/a', withoutServer(await client.write(5), missing))
  await refused(client.namespace.commitFile(late), 'receipts-rejected')
  await client.namespace.fenceRequest({ request: late.request, allocations: late.allocations })
  // From now on the master holds the member down: these receipts prove enough.
  master.down.add(missing)
  await refused(client.namespace.commitFile(late), 'allocation-closed')
  assert.deepEqual(await client.names('/'), [])
  await checkRows(master.context.kv)
})

test('a commit that came before its fence answers as applied', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const commit = client.commitRequest('/a', await client.write(5))
  const first = await client.namespace.commitFile(commit)
  await client.namespace.fenceRequest({ request: commit.request, allocations: commit.allocations })
  assert.deepEqual(await client.namespace.commitFile(commit), first)
  await checkRows(master.context.kv)
})

test('a rename is fenced by its number, and keeps the answer that it had', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  const rename = (from: string, to: string) => ({
    request: client.request(),
    from,
    to,
    replace: true,
    makeParents: false,
    precondition: {},
  })
  const late = rename('/a', '/b')
  await refused(client.namespace.rename(late), 'not-found')
  await client.namespace.fenceRequest({ request: late.request, allocations: [] })
  await client.namespace.fenceRequest({ request: late.request, allocations: [] })
  await client.put('/a', 5)
  await refused(client.namespace.rename(late), 'invalid-argument')
  assert.deepEqual(await client.names('/'), ['a'])
  const applied = rename('/a', '/c')
  const first = await client.namespace.rename(applied)
  await client.namespace.fenceRequest({ request: applied.request, allocations: [] })
  assert.equal(JSON.stringify(await client.namespace.rename(applied)), JSON.stringify(first))
})

test('fenceRequest() drops what a copy in steps had taken', async () => {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.putLarge('/large', 3 * limits.extentsPerPage)
  const copy = {
    request: client.request(),
    from: '/large',
    to: '/copy',
    precondition: {},
    attributes: {},
    makeParents: false,
  }
  assert.equal((await client.namespace.copyFile(copy)).done, false)
  await client.namespace.fenceRequest({ request: copy.request, allocations: [] })
  await refused(client.namespace.copyFile(copy), 'invalid-argument')
  await master.purgeAll()
  assert.deepEqual(await client.names('/'), ['large'])
  await client.namespace.endSession({ session: client.session })
  await checkRows(master.context.kv)
})

test('fenceRequest() closes no allocation of another session, and asks for a session that lives', async () => {
  const master = await TestMaster.start()
  const [owner, stranger] = [await master.client(), await master.client()]
  const commit = owner.commitRequest('/a', await owner.write(5))
  await stranger.namespace.fenceRequest({ request: stranger.request(), allocations: commit.allocations })
  await owner.namespace.commitFile(commit)
  await stranger.namespace.endSession({ session: stranger.session })
  await refused(stranger.namespace.fenceRequest({ request: stranger.request(), allocations: [] }), 'session-ended')
})

function withoutServer<W extends { readonly receipts: readonly { readonly server: string }[] }>(
  written: W,
  server: string,
): W {
  return { ...written, receipts: written.receipts.filter((receipt) => receipt.server !== server) }
}
