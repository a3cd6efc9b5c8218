import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ChunkServerRig,
  chunk,
  epoch,
  groupId,
  mapOf,
  serverId,
  writeToken,
} from '../../test/chunkserver/chunk-server-rig.ts'
import { refused, someBytes } from '../../test/contract/chunk-store.ts'
import { crc32 } from '../base/crc.ts'
import { digestOf, digestToLanes } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import { rising } from '../base/rising.ts'
import { createMemoryStoreImage, openMemoryStore } from '../store/memory-store.ts'
import { putChunk } from '../wire/methods/chunk-methods.ts'

const bytes = someBytes(1000)
const facts = { id: chunk, length: bytes.length, crc: crc32(bytes) }

test('a server registers with what it is, holds and has seen', async () => {
  await using rig = await ChunkServerRig.start()
  const [first] = rig.master.registrations
  assert.equal(first?.server, serverId)
  assert.equal(first?.address, rig.server.address)
  assert.equal(first?.httpAddress, rig.server.httpAddress)
  assert.equal(first?.leaderEpochSeen, 0)
  assert.deepEqual(first?.digests, [])
  assert.equal(first?.space.capacityBytes, 10_000_000)
})

test('digests are told again after a reconnect, by the same incarnation, with the leader seen', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  for (let round = 0; round < 2; round++) {
    const next = rig.master.nextRegistration()
    rig.master.disconnect(serverId)
    const again = await next
    assert.deepEqual(again.digests, [{ group: groupId, lanes: digestToLanes(digestOf(facts)) }])
    assert.equal(again.incarnation, rig.master.registrations[0]?.incarnation)
    assert.equal(again.leaderEpochSeen, rising(0, 5))
    assert.equal(again.space.usedBytes, bytes.length)
  }
})

test('after a restart a server is another incarnation, and tells what it kept', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  await rig.restartServer()
  await rig.server.registered
  const [first, second] = rig.master.registrations
  assert.notEqual(first?.incarnation, second?.incarnation)
  assert.equal(second?.leaderEpochSeen, rising(0, 5))
  assert.deepEqual(second?.digests, [{ group: groupId, lanes: digestToLanes(digestOf(facts)) }])
})

test('a second incarnation is told that it is not wanted, and goes on trying', async () => {
  await using rig = await ChunkServerRig.start()
  rig.master.refusal = new AshlarError('in-use', 'another process with this identity is up')
  const image = createMemoryStoreImage({ server: serverId, cluster: rig.image.cluster, capacityBytes: 1000 })
  const clone = await rig.startServer({ store: await openMemoryStore({ image }), host: 'clone' })
  await refused('in-use', clone.registered)
  rig.master.refusal = undefined
  // It may be the other one that ends.
  const { incarnation } = await rig.master.nextRegistration()
  assert.notEqual(incarnation, rig.master.registrations[0]?.incarnation)
})

test('a master that leads under an older epoch than one seen is not followed', async () => {
  await using rig = await ChunkServerRig.start()
  rig.master.leaderEpoch = rising(0, 4)
  rig.master.map = { ...mapOf('leaving'), version: rising(0, 11) }
  const next = rig.master.nextRegistration()
  rig.master.disconnect(serverId)
  assert.equal((await next).leaderEpochSeen, rising(0, 5))
  await rig.master.nextRegistration()
  // Its map, in which this server takes no writes, was not taken.
  const peer = await rig.connect()
  await peer.call(putChunk, { chunk, epoch, token: writeToken, crc: facts.crc }, { payload: bytes })
})

test('an older map than the one held is ignored', async () => {
  await using rig = await ChunkServerRig.start()
  rig.master.map = { ...mapOf('leaving'), version: rising(0, 9) }
  const next = rig.master.nextRegistration()
  rig.master.disconnect(serverId)
  await next
  const peer = await rig.connect()
  await peer.call(putChunk, { chunk, epoch, token: writeToken, crc: facts.crc }, { payload: bytes })
})

test('close() ends a server whose master is away, also while it waits for it', async () => {
  const rig = new ChunkServerRig()
  await rig.startServer()
  await rig.server.close()
  await rig.server.close()
  await refused('closed', rig.server.store.info(chunk))
  await using _ = rig
})
