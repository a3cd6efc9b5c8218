import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ChunkServerRig,
  chunk,
  chunkAt,
  clusterId,
  epoch,
  firstSequence,
  groupId,
  keys,
  newerEpoch,
  olderEpoch,
  otherGroupId,
  readToken,
  serverId,
  strangerId,
} from '../../test/chunkserver/chunk-server-rig.ts'
import { readWhole, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { crc32 } from '../base/crc.ts'
import { digestOf, digestToLanes } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import { pageOf } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { openMemoryStore } from '../store/memory-store.ts'
import { listenForPeers } from '../wire/listen.ts'
import {
  deleteChunks,
  getPageDigests,
  listPage,
  readChunk,
  replicateChunk,
  verifyReplica,
} from '../wire/methods/chunk-methods.ts'
import type { Peer } from '../wire/peer.ts'
import { verifyReceipt } from '../wire/receipt.ts'
import { createService } from '../wire/service.ts'

const leaderEpoch = rising(0, 5)
const bytes = someBytes(5000)
const facts = { id: chunk, length: bytes.length, crc: crc32(bytes) }

/** Sends orders on a connection of its own, as a master that is not the one the server registered with. */
function masterPeer(rig: ChunkServerRig): Promise<Peer> {
  return rig.connect({ role: 'master', clusterId, serverId: '0'.repeat(32) as typeof serverId, keys })
}

test('deleteChunks() deletes by name, durably, and says what is left', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  await rig.put(bytes, chunkAt(firstSequence + 1))
  const order = { leaderEpoch, group: groupId, epoch, chunks: [chunk, chunkAt(firstSequence + 9)] }
  const { deleted, space, digest } = await rig.master.order(serverId, deleteChunks, order)
  assert.deepEqual([deleted, space.usedBytes, space.chunks], [1, bytes.length, 1])
  const left = digestOf({ ...facts, id: chunkAt(firstSequence + 1) })
  assert.ok(digest.lanes.equals(digestToLanes(left)))
  assert.equal((await rig.master.order(serverId, deleteChunks, order)).deleted, 0)
})

test('deleteChunks() of a chunk of another group deletes nothing at all', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  const chunks = [chunk, chunkAt(firstSequence, otherGroupId)]
  const order = { leaderEpoch, epoch, chunks }
  await refused('protocol', rig.master.order(serverId, deleteChunks, { ...order, group: groupId }))
  await refused('protocol', rig.master.order(serverId, deleteChunks, { ...order, group: otherGroupId }))
  assert.equal(rig.store.space().chunks, 1)
})

test('deleteChunks() under an older epoch is refused; a newer one fetches the map first', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  const order = { leaderEpoch, group: groupId, chunks: [chunk] }
  await refused('stale-epoch', rig.master.order(serverId, deleteChunks, { ...order, epoch: olderEpoch }))
  rig.master.raiseEpochs(2)
  await rig.master.order(serverId, deleteChunks, { ...order, epoch: newerEpoch, chunks: [] }).catch(() => undefined)
  assert.equal(rig.master.mapFetches, 1)
  // By now the group is a step further.
  await refused('stale-epoch', rig.master.order(serverId, deleteChunks, { ...order, epoch: newerEpoch }))
  assert.equal(rig.store.space().chunks, 1)
})

test('orders of a deposed leader are refused, each kind, also after a restart', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  const old = await masterPeer(rig)
  await rig.master.order(serverId, verifyReplica, { leaderEpoch: rising(0, 6), facts })

  const refuseAll = async (peer: Peer) => {
    await refused('stale-leader', peer.call(deleteChunks, { leaderEpoch, group: groupId, epoch, chunks: [chunk] }))
    await refused('stale-leader', peer.call(verifyReplica, { leaderEpoch, facts }))
    const source = { source: strangerId, sourceAddress: 'elsewhere:1', readToken }
    await refused('stale-leader', peer.call(replicateChunk, { leaderEpoch, epoch, facts, ...source }))
  }
  await refuseAll(old)
  assert.equal(rig.store.space().chunks, 1)

  await rig.server.close()
  // The old leader is the only one that the server could register with now.
  rig.master.refusal = new AshlarError('unavailable', 'not now')
  await rig.startServer()
  await refuseAll(await masterPeer(rig))
  assert.ok((await readWhole(rig.store, chunk)).equals(bytes))
})

test('a leader is obeyed only once its epoch is durable; a note that failed is written again', async () => {
  let failure: Error | undefined
  await using rig = await ChunkServerRig.start(async ({ image }) => {
    const store = await openMemoryStore({ image })
    const setFact = store.setFact.bind(store)
    store.setFact = async (...args) => {
      if (failure !== undefined) throw failure
      await setFact(...args)
    }
    return store
  })
  await rig.put(bytes)
  failure = new AshlarError('no-space', 'full')
  const order = { leaderEpoch: rising(0, 6), group: groupId, epoch, chunks: [chunk] }
  await refused('no-space', rig.master.order(serverId, deleteChunks, order))
  await refused('no-space', rig.master.order(serverId, deleteChunks, order))
  assert.equal(rig.store.space().chunks, 1)
  failure = undefined
  assert.equal((await rig.master.order(serverId, deleteChunks, order)).deleted, 1)
  assert.equal(rig.image.facts.get('leader-epoch')?.toString(), String(rising(0, 6)))
})

test('only a master may give orders', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  const server = await rig.connect({ role: 'chunkserver', clusterId, serverId: strangerId, keys })
  for (const peer of [await rig.connect(), server]) {
    await refused('forbidden', peer.call(deleteChunks, { leaderEpoch, group: groupId, epoch, chunks: [chunk] }))
    await refused('forbidden', peer.call(verifyReplica, { leaderEpoch, facts }))
    await refused('forbidden', peer.call(listPage, { group: groupId, page: 0 }))
    await refused('forbidden', peer.call(getPageDigests, { group: groupId, fromPage: 0 }))
    const source = { source: strangerId, sourceAddress: 'elsewhere:1', readToken }
    await refused('forbidden', peer.call(replicateChunk, { leaderEpoch, epoch, facts, ...source }))
  }
  assert.equal(rig.store.space().chunks, 1)
})

test('verifyReplica() quarantines what is damaged, and what is whole but not what the metadata names', async () => {
  await using rig = await ChunkServerRig.start()
  const verify = (named: typeof facts) => rig.master.order(serverId, verifyReplica, { leaderEpoch, facts: named })
  assert.deepEqual(await verify(facts), { ok: false })
  await rig.put(bytes)
  assert.deepEqual(await verify(facts), { ok: true })
  assert.deepEqual(await verify({ ...facts, crc: facts.crc ^ 1 }), { ok: false })
  assert.deepEqual([rig.store.space().chunks, rig.store.space().quarantinedChunks], [0, 1])
  await rig.put(bytes)
  rig.image.replicas.get(chunk)?.bytes.fill(0, 100, 101)
  assert.deepEqual(await verify(facts), { ok: false })
  assert.deepEqual([rig.store.space().chunks, rig.store.space().quarantinedChunks], [0, 2])
})

test('getPageDigests() and listPage() tell exactly what is here', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  const { pages, more } = await rig.master.order(serverId, getPageDigests, { group: groupId, fromPage: 0 })
  assert.equal(more, false)
  assert.deepEqual(pages, [{ page: pageOf(chunk), lanes: digestToLanes(digestOf(facts)) }])
  const next = await rig.master.order(serverId, getPageDigests, { group: groupId, fromPage: pageOf(chunk) + 1 })
  assert.deepEqual(next.pages, [])
  const list = (group: typeof groupId) => rig.master.order(serverId, listPage, { group, page: pageOf(chunk) })
  assert.deepEqual((await list(groupId)).chunks, [facts])
  assert.deepEqual((await list(otherGroupId)).chunks, [])
})

// Seed 120168: a former member joined again while the order to drop its copy was still at its disk, and counted with it.
test('what is told under a newer epoch waits for the deletes that an older one permitted', async () => {
  const permit = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  await using rig = await ChunkServerRig.start(async ({ image }) => {
    const store = await openMemoryStore({ image })
    const drop = store.delete.bind(store)
    store.delete = async (ids) => {
      begun.resolve()
      await permit.promise
      return drop(ids)
    }
    return store
  })
  await rig.put(bytes)
  await using source = await lyingSource(rig, () => ({ offset: 0, payload: bytes }))
  const deleted = rig.master.order(serverId, deleteChunks, { leaderEpoch, group: groupId, epoch, chunks: [chunk] })
  await begun.promise
  rig.master.raiseEpochs()
  const told: string[] = []
  const telling = <T>(what: string, answer: Promise<T>): Promise<T> => answer.finally(() => told.push(what))
  const digests = telling(
    'digests',
    rig.master.order(serverId, getPageDigests, { group: groupId, fromPage: 0, epoch: newerEpoch }),
  )
  const listed = telling('list', rig.master.order(serverId, listPage, { group: groupId, page: pageOf(chunk) }))
  const copied = telling('copy', rig.master.order(serverId, replicateChunk, { ...source.order, epoch: newerEpoch }))
  // Of another group nothing waits; an answer that did not wait would have come before this one.
  await rig.master.order(serverId, listPage, { group: otherGroupId, page: 0 })
  await rig.master.order(serverId, getPageDigests, { group: otherGroupId, fromPage: 0 })
  assert.deepEqual(told, [])
  permit.resolve()
  assert.equal((await deleted).deleted, 1)
  assert.deepEqual([(await digests).pages.length, (await listed).chunks.length], [0, 0])
  // It was fetched again, and not taken for there already.
  await copied
  assert.ok((await readWhole(rig.store, chunk)).equals(bytes))
})

/** A server that answers reads as the test says, whatever it holds. */
async function lyingSource(rig: ChunkServerRig, answer: (offset: number) => { offset: number; payload: Buffer }) {
  const service = createService()
  let reads = 0
  service.handle(readChunk, async ({ offset }) => {
    reads++
    const { payload, offset: at } = answer(offset)
    // It vouches for whatever it sends.
    return { value: { offset: at, chunkLength: facts.length, crc: facts.crc, blockCrcs: undefined }, payload }
  })
  const credentials = { role: 'chunkserver', clusterId, serverId: strangerId, keys } as const
  const listener = await listenForPeers({ env: rig.env('source'), address: 'source:0', credentials, service })
  const order = { leaderEpoch, epoch, facts, source: strangerId, sourceAddress: listener.address, readToken }
  return { order, reads: () => reads, [Symbol.asyncDispose]: () => listener.close() }
}

test('replicateChunk() copies, reads back what it stored, and signs for it', async () => {
  await using rig = await ChunkServerRig.start()
  await using source = await lyingSource(rig, (offset) => ({ offset, payload: bytes.subarray(offset, offset + 2000) }))
  const { receipt } = await rig.master.order(serverId, replicateChunk, source.order)
  verifyReceipt(keys.receipt, receipt)
  assert.deepEqual([receipt.chunk, receipt.length, receipt.crc, receipt.server], [...Object.values(facts), serverId])
  assert.equal(source.reads(), 3)
  assert.ok((await readWhole(rig.store, chunk)).equals(bytes))
  // What is here already is read back, not fetched.
  await rig.master.order(serverId, replicateChunk, source.order)
  assert.equal(source.reads(), 3)
})

test('replicateChunk() catches a source that lies, by the length and crc that the order names', async () => {
  await using rig = await ChunkServerRig.start()
  const wrong = Buffer.from(bytes)
  wrong[4000] = (wrong[4000] as number) ^ 1
  const lies: Record<string, (offset: number) => { offset: number; payload: Buffer }> = {
    'one wrong bit': (offset) => ({ offset, payload: wrong.subarray(offset) }),
    'too much': (offset) => ({ offset, payload: Buffer.concat([bytes, bytes]) }),
    nothing: (offset) => ({ offset, payload: Buffer.alloc(0) }),
    'another place': (offset) => ({ offset: offset + 1, payload: bytes.subarray(offset + 1) }),
  }
  for (const [what, lie] of Object.entries(lies)) {
    await using source = await lyingSource(rig, lie)
    await assert.rejects(rig.master.order(serverId, replicateChunk, source.order), { code: 'corrupt' }, what)
    const { usedBytes, reservedBytes, chunks } = rig.store.space()
    assert.deepEqual([usedBytes, reservedBytes, chunks], [0, 0, 0], what)
  }
})

test('replicateChunk() refuses another server at the address of its source, and an epoch that is not the one in force', async () => {
  await using rig = await ChunkServerRig.start()
  await using source = await lyingSource(rig, (offset) => ({ offset, payload: bytes.subarray(offset) }))
  const { order } = source
  const elsewhere = { ...order, source: 'e'.repeat(32) as typeof strangerId }
  await refused('unavailable', rig.master.order(serverId, replicateChunk, elsewhere))
  await refused('stale-epoch', rig.master.order(serverId, replicateChunk, { ...order, epoch: olderEpoch }))
  await refused('stale-epoch', rig.master.order(serverId, replicateChunk, { ...order, epoch: newerEpoch }))
  assert.equal(source.reads(), 0)
  const copies = Array.from({ length: 6 }, () => rig.master.order(serverId, replicateChunk, order))
  for (const { receipt } of await Promise.all(copies)) assert.equal(receipt.crc, facts.crc)
})

test('replicateChunk() shows no copy that reads back wrong, in lists or digests, and signs nothing', async () => {
  const stores = new StoreRig()
  await using rig = await ChunkServerRig.start(() => stores.open())
  await using source = await lyingSource(rig, (offset) => ({ offset, payload: bytes.subarray(offset) }))
  // Segments are still known to the disk by their temporary names.
  stores.disk.setMisplacing((path, position) => (path.includes('/tmp/') ? position + 4096 : position))
  await refused('corrupt', rig.master.order(serverId, replicateChunk, source.order))
  const { pages } = await rig.master.order(serverId, getPageDigests, { group: groupId, fromPage: 0 })
  assert.deepEqual(pages, [])
  const { chunks } = await rig.master.order(serverId, listPage, { group: groupId, page: pageOf(chunk) })
  assert.deepEqual(chunks, [])
  stores.disk.setMisplacing(undefined)
  await rig.master.order(serverId, replicateChunk, source.order)
})

test('replicateChunk() does not vouch for a copy whose bytes rotted before they were read back', async () => {
  const stores = new StoreRig()
  await using rig = await ChunkServerRig.start(() => stores.open())
  await using source = await lyingSource(rig, (offset) => ({ offset, payload: bytes.subarray(offset) }))
  const store = stores.store
  const info = store.info.bind(store)
  // What the store says without reading must not be enough.
  store.info = async (id) => (await info(id)) ?? { ...facts, blockCrcs: new Uint32Array(1) }
  await refused('chunk-missing', rig.master.order(serverId, replicateChunk, source.order))
  store.info = info
  await rig.master.order(serverId, replicateChunk, source.order)
})
