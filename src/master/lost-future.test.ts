/** Metadata that was put back from an older copy: whole in itself, and behind the chunks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, type FakeClusterOptions, firstChunk } from '../../test/cluster/fake-cluster.ts'
import { refused } from '../../test/namespace/refused.ts'
import { isAshlarError } from '../base/errors.ts'
import { type ChunkId, chunkId, chunkIdParts, groupOf } from '../base/ids.ts'
import { silentLog } from '../env/node-log.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { Method, Role } from '../wire/method.ts'
import * as files from '../wire/methods/file-methods.ts'
import { keepSession } from '../wire/methods/session-methods.ts'
import * as versions from '../wire/methods/version-methods.ts'
import * as writes from '../wire/methods/write-methods.ts'
import { createService } from '../wire/service.ts'
import { LostFuture } from './lost-future.ts'

const { makeDirectory, openFile, remove } = files

/** A cluster with a file, whose servers hold a chunk that its metadata knows nothing of. */
async function restored(
  options: FakeClusterOptions = {},
): Promise<{ cluster: FakeCluster; kept: ChunkId; later: ChunkId }> {
  const cluster = await FakeCluster.start(options)
  const kept = await cluster.put('/kept', 'text')
  await cluster.put('/removed', 'text')
  await cluster.remove('/removed')
  const later = chunkId({ group: groupOf(kept), generation: 0, sequence: 4096 * 50 })
  for (const server of cluster.servers) server.kill()
  for (const { chunks } of cluster.servers) chunks.set(later, Buffer.from('later'))
  for (const server of cluster.servers) server.start()
  await cluster.allRegistered()
  await cluster.clock.until(async () => (await cluster.master.status()).restoreNeeded !== undefined, 'the finding')
  return { cluster, kept, later }
}

async function checkThatItStandsStill(cluster: FakeCluster): Promise<void> {
  const failure = await refused(cluster.put('/new', 'text'), 'restore-needed')
  assert.match(failure.message, /--accept-older-metadata/)
  await refused(
    cluster.call(makeDirectory, { request: cluster.request(), path: '/d', recursive: false }),
    'restore-needed',
  )
  const removal = { request: cluster.request(), path: '/kept', recursive: false, precondition: {} }
  await refused(cluster.call(remove, removal), 'restore-needed')
  await refused(cluster.emptyTrash(), 'restore-needed')
  assert.equal((await cluster.call(openFile, { path: '/kept' })).attributes.length, 4)
  await cluster.call(keepSession, { session: cluster.session, acknowledged: 0 })
}

test('metadata that is older than its chunks can be read and not changed, also after another start', async () => {
  const { cluster, later } = await restored()
  await using _cluster = cluster
  await checkThatItStandsStill(cluster)
  // The proof goes, and what it proved stays true.
  for (const { chunks } of cluster.servers) chunks.delete(later)
  await cluster.restartMaster()
  await checkThatItStandsStill(cluster)
  assert.match((await cluster.master.status()).restoreNeeded ?? '', new RegExp(later))
})

test('every method that changes files is refused: what goes on is listed here', async () => {
  const record = Buffer.from(`${'0'.repeat(32)} ${'a'.repeat(32)} 0`)
  const lost = await LostFuture.load({
    ...{ leader: {} as Leader, generation: 0, log: silentLog },
    namespace: { getRecord: async () => record } as unknown as Namespace,
  })
  const goesOn: string[] = []
  for (const each of Object.values({ ...files, ...versions, ...writes })) {
    if (!('number' in each)) continue
    const method = each as Method<unknown, unknown>
    const service = createService()
    lost.guard(service).handle(method, async () => ({ value: {} }))
    const { handler } = service.find(method.number, method.callers[0] as Role)
    const refusal = await Promise.resolve(handler({}, {} as never)).catch((error: unknown) => error)
    if (!isAshlarError(refusal, 'restore-needed')) goesOn.push(method.name)
  }
  const reads =
    'describeChunks getExtents listDirectory listObjects listTrash listVersions openFile planLifecycle stat summarize'
  const givesBack = 'abandonFile releaseAllocations'
  assert.deepEqual(goesOn.sort(), `${reads} ${givesBack}`.split(' ').sort())
})

// What an older copy holds for trash may have been brought back since.
test('metadata that is older than its chunks empties no trash by time, and deletes nothing', async () => {
  const { cluster, later } = await restored({ settings: { trashKeepMs: 20_000 } })
  await using _cluster = cluster
  assert.equal((await cluster.master.status()).trashEntries, 1)
  await cluster.clock.advance(40_000)
  assert.equal((await cluster.master.status()).trashEntries, 1)
  assert.equal(cluster.holders(later).length, 3)
  assert.equal(cluster.server(0).orders.filter(({ name }) => name === 'delete').length, 0)
})

test('a raised generation accepts the loss: writes go on under ids that were never used, and nothing unknown goes', async () => {
  const { cluster, kept, later } = await restored()
  await using _cluster = cluster
  await cluster.restartMaster({ generation: 1 })
  assert.equal((await cluster.master.status()).restoreNeeded, undefined)
  const written = await cluster.put('/new', 'text')
  assert.equal(chunkIdParts(written).generation, 1)
  await cluster.clock.advance(40_000)
  assert.equal((await cluster.master.status()).restoreNeeded, undefined)
  assert.equal(cluster.holders(later).length, 3)
  assert.equal(cluster.holders(kept).length, 3)
  // A second loss is found again.
  const beyond = chunkId({ group: groupOf(kept), generation: 1, sequence: 4096 * 80 })
  for (const server of cluster.servers) server.kill()
  for (const { chunks } of cluster.servers) chunks.set(beyond, Buffer.from('later'))
  for (const server of cluster.servers) server.start()
  await cluster.clock.until(async () => (await cluster.master.status()).restoreNeeded !== undefined, 'the finding')
})

test('an allocation that was open when the loss was found commits nothing', async () => {
  const cluster = await FakeCluster.start()
  await using _cluster = cluster
  const allocation = await cluster.allocate('/open', 4)
  const receipts = await cluster.write(allocation, 'text')
  const later = chunkId({ group: allocation.group, generation: 0, sequence: 4096 * 50 })
  for (const server of cluster.servers) server.kill()
  for (const { chunks } of cluster.servers) chunks.set(later, Buffer.from('later'))
  for (const server of cluster.servers) server.start()
  await cluster.clock.until(async () => (await cluster.master.status()).restoreNeeded !== undefined, 'the finding')
  await refused(cluster.commit('/open', allocation, { text: 'text', receipts }), 'restore-needed')
  assert.equal(cluster.holders(firstChunk(allocation)).length, 3)
})
