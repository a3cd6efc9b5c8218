import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ChunkServerRig,
  chunk,
  chunkAt,
  clusterId,
  epoch,
  firstSequence,
  keys,
  readToken,
  serverId,
  writeToken,
} from '../../test/chunkserver/chunk-server-rig.ts'
import { readWhole, refused, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { crc32 } from '../base/crc.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import {
  abortChunk,
  appendChunk,
  beginChunk,
  commitChunk,
  describeReplica,
  putChunk,
  readChunk,
} from '../wire/methods/chunk-methods.ts'
import type { Peer } from '../wire/peer.ts'
import { verifyReceipt } from '../wire/receipt.ts'

const pieceBytes = 100_000
const pieces = [1, 2, 3, 4, 5].map((seed) => someBytes(pieceBytes, seed))
const whole = Buffer.concat(pieces)

async function begin(peer: Peer, length = whole.length, id = chunk): Promise<number> {
  const { value } = await peer.call(beginChunk, { chunk: id, epoch, token: writeToken, length })
  return value.handle
}

function appendAll(peer: Peer, handle: number): Promise<unknown>[] {
  return pieces.map((payload, index) => peer.call(appendChunk, { handle, offset: index * pieceBytes }, { payload }))
}

/** Nothing written, nothing reserved. */
async function untilEmpty(store: ChunkStore): Promise<void> {
  const untilMs = Date.now() + 5_000
  for (;;) {
    const { usedBytes, reservedBytes, chunks } = store.space()
    if (usedBytes === 0 && reservedBytes === 0 && chunks === 0) return
    assert.ok(Date.now() < untilMs, `still ${usedBytes} used, ${reservedBytes} reserved`)
    await delay(5)
  }
}

test('putChunk() answers with a receipt that names what is stored, and by whom', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const bytes = someBytes(5000)
  const put = () => peer.call(putChunk, { chunk, epoch, token: writeToken, crc: crc32(bytes) }, { payload: bytes })
  const { receipt } = (await put()).value
  const { mac: _, ...fields } = receipt
  assert.deepEqual(fields, { chunk, length: 5000, crc: crc32(bytes), server: serverId, epoch, slot: 1 })
  verifyReceipt(keys.receipt, receipt)
  assert.throws(() => verifyReceipt(keys.receipt, { ...receipt, length: 5001 }), { code: 'receipts-rejected' })
  // The same bytes again: the same receipt. Other bytes: one id, one content.
  assert.deepEqual((await put()).value.receipt, receipt)
  const other = someBytes(5000, 2)
  const conflict = peer.call(putChunk, { chunk, epoch, token: writeToken, crc: crc32(other) }, { payload: other })
  await refused('chunk-conflict', conflict)
  assert.ok((await readWhole(rig.store, chunk)).equals(bytes))
})

test('putChunk() and commitChunk() refuse bytes that are not those that were announced', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const put = peer.call(putChunk, { chunk, epoch, token: writeToken, crc: 1 }, { payload: Buffer.from('x') })
  await refused('corrupt', put)
  await refused('invalid-argument', peer.call(putChunk, { chunk, epoch, token: writeToken, crc: 0 }))
  const handle = await begin(peer)
  await Promise.all(appendAll(peer, handle))
  await refused('corrupt', peer.call(commitChunk, { handle, crc: 1 }))
  await untilEmpty(rig.store)
  const short = await begin(peer)
  await peer.call(appendChunk, { handle: short, offset: 0 }, { payload: Buffer.from('x') })
  await refused('invalid-argument', peer.call(commitChunk, { handle: short, crc: crc32(Buffer.from('x')) }))
  await untilEmpty(rig.store)
  await refused('too-large', begin(peer, 2 ** 27 + 1))
  await refused('invalid-argument', begin(peer, 0))
})

test('appendChunk() keeps the order with several calls in flight', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const handle = await begin(peer)
  const appended = appendAll(peer, handle)
  const { value } = await peer.call(commitChunk, { handle, crc: crc32(whole) })
  await Promise.all(appended)
  assert.equal(value.receipt.crc, crc32(whole))
  assert.ok((await readWhole(rig.store, chunk)).equals(whole))
  await refused('protocol', peer.call(appendChunk, { handle, offset: 0 }, { payload: Buffer.from('x') }))
})

test('appendChunk() out of place ends the write and returns its reservation; later calls learn why', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const handle = await begin(peer)
  assert.equal(rig.store.space().reservedBytes, whole.length)
  const first = pieces[0] as Buffer
  await peer.call(appendChunk, { handle, offset: 0 }, { payload: first })
  const twice = peer.call(appendChunk, { handle, offset: 0 }, { payload: first })
  const next = peer.call(appendChunk, { handle, offset: pieceBytes }, { payload: first })
  await refused('protocol', twice)
  await refused('protocol', next)
  await untilEmpty(rig.store)
  await refused('protocol', peer.call(commitChunk, { handle, crc: 0 }))
  const tooMuch = await begin(peer, 10)
  await refused('too-large', peer.call(appendChunk, { handle: tooMuch, offset: 0 }, { payload: Buffer.alloc(11) }))
  await untilEmpty(rig.store)
})

test('abortChunk() drops the bytes, waits for the calls before it, and is idempotent', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const handle = await begin(peer)
  const appended = Promise.allSettled(appendAll(peer, handle))
  await peer.call(abortChunk, { handle })
  await peer.call(abortChunk, { handle })
  await appended
  await untilEmpty(rig.store)
})

test('a handle belongs to its connection', async () => {
  await using rig = await ChunkServerRig.start()
  const handle = await begin(await rig.connect())
  const other = await rig.connect()
  await refused('protocol', other.call(appendChunk, { handle, offset: 0 }, { payload: Buffer.from('x') }))
  await refused('protocol', other.call(commitChunk, { handle, crc: 0 }))
  await other.call(abortChunk, { handle })
  assert.equal(rig.store.space().reservedBytes, whole.length)
})

test('a connection that closes in mid-write leaves nothing, and its reservation is returned', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const handles = [await begin(peer), await begin(peer, whole.length, chunkAt(firstSequence + 1))]
  assert.equal(rig.store.space().reservedBytes, 2 * whole.length)
  const appended = Promise.allSettled(handles.flatMap((handle) => appendAll(peer, handle)))
  peer.close()
  await appended
  await untilEmpty(rig.store)
  await refused('chunk-missing', rig.store.open(chunk))
})

test('beginChunk() bounds the writes of a connection, also of those asked for at once', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const asked = Array.from({ length: 40 }, (_, index) => begin(peer, 10, chunkAt(firstSequence + (index % 10))))
  const results = await Promise.allSettled(asked)
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 16)
  for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.code, 'busy')
  assert.equal(rig.store.space().reservedBytes, 160)
})

test('no receipt before the sync of the store, and none when it fails', async () => {
  const stores = new StoreRig()
  await using rig = await ChunkServerRig.start(async () => {
    await stores.open()
    return stores.store
  })
  // The store has the rig's identity, so that its receipts are those of this server.
  assert.equal(stores.store.identity.server, serverId)
  assert.equal(stores.store.identity.cluster, clusterId)
  const peer = await rig.connect()
  const bytes = someBytes(300)
  const put = (sequence: number) => {
    const request = { chunk: chunkAt(sequence), epoch, token: writeToken, crc: crc32(bytes) }
    return peer.call(putChunk, request, { payload: bytes })
  }
  await put(firstSequence)
  stores.failWhen((operation) =>
    operation === 'sync' ? new AshlarError('disk-failed', 'Cannot sync: the test says so') : undefined,
  )
  await refused('disk-failed', put(firstSequence + 1))
  stores.heal()
  // Fenced: a sync that failed is never tried again.
  await refused('disk-failed', put(firstSequence + 2))
  const large = someBytes(2_000_000)
  await refused('disk-failed', begin(peer, large.length, chunkAt(firstSequence + 3)))
})

test('a receipt waits for the store, however long its sync takes', async () => {
  const gate = Promise.withResolvers<void>()
  await using rig = await ChunkServerRig.start(async ({ image }) => {
    const { openMemoryStore } = await import('../store/memory-store.ts')
    const store = await openMemoryStore({ image })
    const put = store.put.bind(store)
    store.put = async (...args) => {
      const info = await put(...args)
      await gate.promise
      return info
    }
    return store
  })
  const peer = await rig.connect()
  const bytes = someBytes(10)
  let isAnswered = false
  const answered = peer
    .call(putChunk, { chunk, epoch, token: writeToken, crc: crc32(bytes) }, { payload: bytes })
    .then(() => (isAnswered = true))
  // Other calls on the connection are answered meanwhile.
  for (let count = 0; count < 20; count++) {
    await peer.call(abortChunk, { handle: 999 })
  }
  assert.equal(isAnswered, false)
  gate.resolve()
  await answered
})

test('readChunk() serves whole blocks with their checksums; describeReplica() the facts', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(whole)
  const peer = await rig.connect()
  const read = (offset: number, length: number) =>
    peer.call(readChunk, { chunk, token: readToken, offset, length, wantBlockCrcs: true })
  const { value, payload } = await read(70_000, 1)
  assert.equal(value.offset, 65_536)
  assert.ok(payload.equals(whole.subarray(65_536, 131_072)))
  assert.equal(value.blockCrcs?.length, Math.ceil(whole.length / 65_536) * 4)
  assert.equal(value.blockCrcs?.readUInt32BE(4), crc32(payload))
  assert.deepEqual([value.chunkLength, value.crc], [whole.length, crc32(whole)])
  await refused('range-not-satisfiable', read(whole.length, 1))
  await refused('range-not-satisfiable', read(0, whole.length + 1))
  await refused('range-not-satisfiable', read(0, 0))
  const described = await peer.call(describeReplica, { chunk, token: readToken, wantMd5: true })
  assert.equal(described.value.md5?.toString('hex'), createHash('md5').update(whole).digest('hex'))
  const absent = { chunk: chunkAt(firstSequence + 5), token: readToken }
  await refused('chunk-missing', peer.call(readChunk, { ...absent, offset: 0, length: 1, wantBlockCrcs: false }))
  await refused('chunk-missing', peer.call(describeReplica, { ...absent, wantMd5: false }))
})

test('a full server refuses before a byte is written, with its room in the details, and goes on reading', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(whole)
  await rig.store.setCapacity(whole.length + 10)
  const peer = await rig.connect()
  const large = begin(peer, 11, chunkAt(firstSequence + 1))
  await assert.rejects(large, (error: AshlarError) => {
    assert.equal(error.code, 'no-space')
    assert.equal(error.details['freeBytes'], 10)
    return true
  })
  await begin(peer, 10, chunkAt(firstSequence + 1))
  await peer.call(readChunk, { chunk, token: readToken, offset: 0, length: 1, wantBlockCrcs: false })
})
