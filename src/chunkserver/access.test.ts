import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  ChunkServerRig,
  chunk,
  chunkAt,
  epoch,
  firstSequence,
  idCount,
  keys,
  newerEpoch,
  olderEpoch,
  otherGroupId,
  range,
  readToken,
  tokenOf,
  writeToken,
} from '../../test/chunkserver/chunk-server-rig.ts'
import { refused } from '../../test/contract/chunk-store.ts'
import { crc32 } from '../base/crc.ts'
import type { ClusterId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { deriveKeys } from '../wire/keys.ts'
import { beginChunk, describeReplica, putChunk, readChunk } from '../wire/methods/chunk-methods.ts'

const bytes = Buffer.from('some bytes')
const crc = crc32(bytes)

const tampered = Buffer.from(writeToken)
tampered[8] = (tampered[8] as number) ^ 1

/** Each with what it is refused with, whatever it is asked for. */
const badTokens = {
  none: [Buffer.alloc(0), 'forbidden'],
  tampered: [tampered, 'forbidden'],
  'cut short': [writeToken.subarray(0, -1), 'forbidden'],
  'of another group': [tokenOf({ group: otherGroupId, mayRead: true, write: range }), 'forbidden'],
  'of another cluster': [tokenOf({ cluster: 'd'.repeat(32) as ClusterId, mayRead: true, write: range }), 'forbidden'],
  expired: [tokenOf({ mayRead: true, write: range, expiresAt: rising(0, 999_999) }), 'token-expired'],
  'minted with the client key': [tokenOf({ mayRead: true, write: range }, keys.client), 'forbidden'],
  'minted with another secret': [
    tokenOf({ mayRead: true, write: range }, deriveKeys(Buffer.alloc(32, 1)).token),
    'forbidden',
  ],
  'to delete': [tokenOf({ remove: chunk, leaderEpoch: rising(0, 5) }), 'forbidden'],
} as const

const badWriteTokens = {
  ...badTokens,
  'to read': [readToken, 'forbidden'],
  'for ids before': [tokenOf({ write: { ...range, firstSequence: firstSequence + 1 } }), 'forbidden'],
  'for ids behind': [tokenOf({ write: { ...range, firstSequence: firstSequence - idCount } }), 'forbidden'],
  'for another generation': [tokenOf({ write: { ...range, generation: 1 } }), 'forbidden'],
  'for an older epoch': [tokenOf({ write: { ...range, epoch: olderEpoch } }), 'forbidden'],
} as const

const badReadTokens = { ...badTokens, 'to write': [writeToken, 'forbidden'] } as const

test('every write is refused under a token that does not allow it, and nothing is stored', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  for (const [what, [token, code]] of Object.entries(badWriteTokens)) {
    const put = peer.call(putChunk, { chunk, token, epoch, crc }, { payload: bytes })
    await assert.rejects(put, { code }, `putChunk with a token ${what}`)
    const begin = peer.call(beginChunk, { chunk, token, epoch, length: bytes.length })
    await assert.rejects(begin, { code }, `beginChunk with a token ${what}`)
    const http = await fetch(`${rig.url}/chunks/${chunk}`, {
      method: 'PUT',
      body: bytes,
      headers: { authorization: `Bearer ${token.toString('base64url')}`, 'x-ashlar-epoch': String(epoch) },
    })
    assert.equal(http.status, what === 'none' ? 401 : 403, `PUT with a token ${what}`)
  }
  const { usedBytes, reservedBytes, chunks } = rig.store.space()
  assert.deepEqual([usedBytes, reservedBytes, chunks], [0, 0, 0])
})

test('every read is refused under a token that does not allow it', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  const peer = await rig.connect()
  for (const [what, [token, code]] of Object.entries(badReadTokens)) {
    const read = peer.call(readChunk, { chunk, token, offset: 0, length: 1, wantBlockCrcs: false })
    await assert.rejects(read, { code }, `readChunk with a token ${what}`)
    const describe = peer.call(describeReplica, { chunk, token, wantMd5: true })
    await assert.rejects(describe, { code }, `describeReplica with a token ${what}`)
    for (const method of ['GET', 'HEAD']) {
      const http = await fetch(`${rig.url}/chunks/${chunk}`, {
        method,
        headers: { authorization: `Bearer ${token.toString('base64url')}` },
      })
      assert.equal(http.status, what === 'none' ? 401 : 403, `${method} with a token ${what}`)
      assert.ok(!(await http.text()).includes(bytes.toString()), `${method} with a token ${what}`)
    }
  }
  const { value } = await peer.call(describeReplica, { chunk, token: readToken, wantMd5: false })
  assert.deepEqual(value, { length: bytes.length, crc })
})

test('a token allows its ids from the first to the last, and no other', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const put = (sequence: number) =>
    peer.call(putChunk, { chunk: chunkAt(sequence), token: writeToken, epoch, crc }, { payload: bytes })
  await put(firstSequence)
  await put(firstSequence + idCount - 1)
  await refused('forbidden', put(firstSequence - 1))
  await refused('forbidden', put(firstSequence + idCount))
  assert.equal(rig.store.space().chunks, 2)
})

test('a token that expires while its connection stays is refused from then on', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const token = tokenOf({ write: range, expiresAt: rising(0, 1_500_000) })
  await peer.call(putChunk, { chunk, token, epoch, crc }, { payload: bytes })
  rig.master.clusterTime = rising(0, 1_500_000)
  rig.master.disconnect(rig.server.serverId)
  await rig.master.nextRegistration()
  await rig.server.registered
  await untilRefused('token-expired', () => peer.call(putChunk, { chunk, token, epoch, crc }, { payload: bytes }))
})

test('a write under an older epoch is refused; a newer one fetches the map first', async () => {
  await using rig = await ChunkServerRig.start()
  const peer = await rig.connect()
  const write = (at: typeof epoch) => {
    const token = tokenOf({ write: { ...range, epoch: at } })
    return peer.call(putChunk, { chunk, token, epoch: at, crc }, { payload: bytes })
  }
  await refused('stale-epoch', write(olderEpoch))
  assert.equal(rig.master.mapFetches, 0)
  // The client is ahead of the master that this server can ask.
  await refused('stale-epoch', write(newerEpoch))
  assert.equal(rig.master.mapFetches, 1)
  assert.equal(rig.store.space().chunks, 0)
  rig.master.raiseEpochs()
  const { value } = await write(newerEpoch)
  assert.equal(value.receipt.epoch, newerEpoch)
  assert.equal(rig.master.mapFetches, 2)
  await refused('stale-epoch', write(epoch))
  const read = await peer.call(readChunk, { chunk, token: readToken, offset: 0, length: 3, wantBlockCrcs: false })
  assert.ok(read.payload.equals(bytes), 'reads are served whatever the epoch')
})

test('a member that leaves takes no writes, and serves reads', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  rig.master.raiseEpochs()
  const { map } = rig.master
  const leave = (group: (typeof map.groups)[number]) => ({
    ...group,
    members: group.members.map((member) => ({ ...member, state: 'leaving' as const })),
  })
  rig.master.map = { ...map, groups: map.groups.map(leave) }
  const peer = await rig.connect()
  const token = tokenOf({ write: { ...range, epoch: newerEpoch }, mayRead: true })
  const put = peer.call(
    putChunk,
    { chunk: chunkAt(firstSequence + 1), token, epoch: newerEpoch, crc },
    { payload: bytes },
  )
  await refused('stale-epoch', put)
  const { value } = await peer.call(describeReplica, { chunk, token, wantMd5: false })
  assert.equal(value.crc, crc)
})

test('while the master is away reads go on; a write under an epoch that is not known here is refused', async () => {
  await using rig = await ChunkServerRig.start()
  await rig.put(bytes)
  await rig.master.close()
  const peer = await rig.connect()
  const known = await peer.call(putChunk, { chunk, token: writeToken, epoch, crc }, { payload: bytes })
  assert.equal(known.value.receipt.chunk, chunk)
  const token = tokenOf({ write: { ...range, epoch: newerEpoch } })
  const ahead = peer.call(putChunk, { chunk, token, epoch: newerEpoch, crc }, { payload: bytes })
  await assert.rejects(ahead, (error: { code: string }) => ['unavailable', 'connection-lost'].includes(error.code))
  const read = await peer.call(readChunk, { chunk, token: readToken, offset: 0, length: 1, wantBlockCrcs: true })
  assert.ok(read.payload.equals(bytes))
})

/** The registration is answered a moment before the server has read the answer. */
async function untilRefused(code: string, call: () => Promise<unknown>): Promise<void> {
  const untilMs = Date.now() + 5_000
  for (;;) {
    try {
      await call()
    } catch (error) {
      assert.equal((error as { code: string }).code, code)
      return
    }
    assert.ok(Date.now() < untilMs, `never refused with ${code}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
