import assert from 'node:assert/strict'
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
  newerEpoch,
  range,
  readToken,
  serverId,
  tokenOf,
  writeToken,
} from '../../test/chunkserver/chunk-server-rig.ts'
import { someBytes } from '../../test/contract/chunk-store.ts'
import { openRaw, rawRequest } from '../../test/http/raw-request.ts'
import { crc32 } from '../base/crc.ts'
import { AshlarError } from '../base/errors.ts'
import { rising } from '../base/rising.ts'
import { currentLabel, formatLabel } from '../env/request-label.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import { openMemoryStore } from '../store/memory-store.ts'
import { verifyReceipt } from '../wire/receipt.ts'
import type { Receipt } from '../wire/types/extent.ts'

const bytes = someBytes(200_000)
const crcHex = crc32(bytes).toString(16).padStart(8, '0')
const deleteToken = tokenOf({ remove: chunk, leaderEpoch: rising(0, 5) })

function bearer(token: Buffer): { readonly authorization: string } {
  return { authorization: `Bearer ${token.toString('base64url')}` }
}

function chunkUrl(rig: ChunkServerRig, id: string = chunk): string {
  return `${rig.url}/chunks/${id}`
}

function put(rig: ChunkServerRig, headers: Record<string, string> = {}, body: Buffer = bytes): Promise<Response> {
  const all = { ...bearer(writeToken), 'x-ashlar-epoch': String(epoch), ...headers }
  return fetch(chunkUrl(rig), { method: 'PUT', headers: all, body: new Uint8Array(body) })
}

function get(rig: ChunkServerRig, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(chunkUrl(rig), { method, headers: { ...bearer(readToken), ...headers } })
}

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code
}

async function untilEmpty(store: ChunkStore): Promise<void> {
  const untilMs = Date.now() + 5_000
  for (;;) {
    const { usedBytes, reservedBytes } = store.space()
    if (usedBytes === 0 && reservedBytes === 0) return
    assert.ok(Date.now() < untilMs, `still ${usedBytes} used, ${reservedBytes} reserved`)
    await delay(5)
  }
}

test('PUT /chunks/:id stores and answers with a receipt; GET and HEAD serve it', async () => {
  await using rig = await ChunkServerRig.start()
  const stored = await put(rig, { 'x-ashlar-crc32': crcHex })
  assert.equal(stored.status, 201)
  const { mac, ...receipt } = (await stored.json()) as Receipt & { readonly mac: never }
  assert.deepEqual(receipt, { chunk, length: bytes.length, crc: crc32(bytes), server: serverId, epoch, slot: 1 })
  verifyReceipt(keys.receipt, { ...receipt, mac: Buffer.from(mac, 'base64url') })
  assert.equal((await put(rig)).status, 201, 'the same bytes again')
  assert.equal(await codeOf(await put(rig, {}, someBytes(200_000, 2))), 'chunk-conflict')

  for (const method of ['GET', 'HEAD']) {
    const answer = await get(rig, {}, method)
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('content-length'), String(bytes.length))
    assert.equal(answer.headers.get('etag'), `"${chunk}"`)
    assert.equal(answer.headers.get('x-ashlar-crc32'), crcHex)
    assert.equal(answer.headers.get('accept-ranges'), 'bytes')
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    const body = Buffer.from(await answer.arrayBuffer())
    assert.ok(body.equals(method === 'GET' ? bytes : Buffer.alloc(0)))
  }
})

test('GET /chunks/:id serves ranges, across blocks and at both ends', async () => {
  await using rig = await ChunkServerRig.start()
  await put(rig)
  const size = bytes.length
  const cases: [string, number, number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=65535-65536', 65_535, 65_537],
    ['bytes=100000-', 100_000, size],
    ['bytes=-5', size - 5, size],
    ['bytes=199999-999999', size - 1, size],
    ['bytes=-999999', 0, size],
  ]
  for (const [header, start, end] of cases) {
    const answer = await get(rig, { range: header })
    assert.equal(answer.status, 206, header)
    assert.equal(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/${size}`)
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(bytes.subarray(start, end)), header)
  }
  for (const header of [`bytes=${size}-`, 'bytes=-0']) {
    const answer = await get(rig, { range: header })
    assert.equal(answer.status, 416, header)
    assert.equal(answer.headers.get('content-range'), `bytes */${size}`)
    assert.equal(await codeOf(answer), 'range-not-satisfiable')
  }
  // What a server may ignore.
  for (const header of ['bytes=5-2', 'bytes=0-1,4-5', 'lines=1-2', 'bytes=-']) {
    assert.equal((await get(rig, { range: header })).status, 200, header)
  }
})

test('DELETE /chunks/:id needs an order of the leader for exactly this chunk', async () => {
  await using rig = await ChunkServerRig.start()
  await put(rig)
  const remove = (token: Buffer) => fetch(chunkUrl(rig), { method: 'DELETE', headers: bearer(token) })
  const refusedTokens: [string, Buffer, string][] = [
    ['to write', writeToken, 'forbidden'],
    ['to read', readToken, 'forbidden'],
    ['for another chunk', tokenOf({ remove: chunkAt(firstSequence + 1), leaderEpoch: rising(0, 5) }), 'forbidden'],
    ['of no leader', tokenOf({ remove: chunk }), 'forbidden'],
    ['of a deposed leader', tokenOf({ remove: chunk, leaderEpoch: rising(0, 4) }), 'stale-leader'],
    ['by a client', tokenOf({ remove: chunk, leaderEpoch: rising(0, 5) }, keys.client), 'forbidden'],
  ]
  for (const [what, token, code] of refusedTokens) {
    const answer = await remove(token)
    assert.equal(await codeOf(answer), code, what)
    assert.equal(rig.store.space().chunks, 1, what)
  }
  const expired = await remove(tokenOf({ remove: chunk, leaderEpoch: rising(0, 5), expiresAt: rising(0, 1) }))
  assert.equal(await codeOf(expired), 'token-expired')
  assert.equal((await remove(deleteToken)).status, 204)
  assert.equal(rig.store.space().chunks, 0)
  assert.equal((await remove(deleteToken)).status, 204, 'absent ones are no error')
  const answer = await get(rig)
  assert.equal(answer.status, 404)
  assert.equal(await codeOf(answer), 'not-found')
})

test('DELETE /chunks/:id is refused until the master was heard: a token may have expired', async () => {
  await using rig = new ChunkServerRig()
  await rig.startServer()
  await rig.store.put(chunk, bytes, {})
  const answer = await fetch(chunkUrl(rig), { method: 'DELETE', headers: bearer(deleteToken) })
  assert.equal(answer.status, 503)
  assert.equal(await codeOf(answer), 'unavailable')
  assert.equal(rig.store.space().chunks, 1)
})

test('GET /status tells the room, to who holds the client key', async () => {
  await using rig = await ChunkServerRig.start()
  await put(rig)
  const ask = (key: Buffer, method = 'GET') => fetch(`${rig.url}/status`, { method, headers: bearer(key) })
  const answer = await ask(keys.client)
  assert.equal(answer.status, 200)
  const { id, capacityBytes, usedBytes, freeBytes, chunks, clusterId: cluster } = (await answer.json()) as never
  assert.deepEqual([id, cluster, capacityBytes, usedBytes], [serverId, clusterId, 10_000_000, bytes.length])
  assert.deepEqual([freeBytes, chunks], [10_000_000 - bytes.length, 1])
  assert.equal((await ask(keys.client, 'HEAD')).status, 200)
  for (const key of [keys.token, Buffer.alloc(0), readToken]) assert.equal((await ask(key)).status, 401)
  const none = await fetch(`${rig.url}/status`)
  assert.equal(none.status, 401)
  assert.equal(none.headers.get('www-authenticate'), 'Bearer')
  const post = await ask(keys.client, 'POST')
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
})

test('what is no chunk and no method is refused, and never a path', async () => {
  await using rig = await ChunkServerRig.start()
  const authorization = `Authorization: Bearer ${readToken.toString('base64url')}`
  const asked: [string, number][] = [
    ['/', 404],
    ['//', 404],
    ['/chunks/', 404],
    ['/chunks/..', 400],
    ['/chunks/../status', 404],
    ['/chunks/%2e%2e%2fetc%2fpasswd', 400],
    [`/chunks/${chunk.toUpperCase()}x`, 400],
    [`/chunks/${'0'.repeat(65)}`, 404],
    [`/chunks/${'f'.repeat(32)}`, 400],
    ['http://elsewhere/chunks/1', 404],
    ['*', 404],
  ]
  for (const [path, status] of asked) {
    const answer = await rawRequest(rig.url, [`GET ${path} HTTP/1.1`, authorization])
    assert.equal(answer.status, status, path)
    assert.match(answer.headers['content-type'] ?? '', /json/, path)
  }
  const patched = await rawRequest(rig.url, [`PATCH /chunks/${chunk} HTTP/1.1`, authorization])
  assert.deepEqual([patched.status, patched.headers['allow']], [405, 'GET, HEAD, PUT, DELETE'])
})

test('PUT /chunks/:id refuses what it cannot hold to, before it reads the body', async () => {
  await using rig = await ChunkServerRig.start()
  const auth = `Authorization: Bearer ${writeToken.toString('base64url')}`
  const request = (...lines: string[]) => rawRequest(rig.url, [`PUT /chunks/${chunk} HTTP/1.1`, ...lines], 'abc')
  const at = `X-Ashlar-Epoch: ${epoch}`
  const cases: [string, readonly string[], number, string][] = [
    ['no length', [auth, at, 'Transfer-Encoding: chunked'], 400, 'invalid-argument'],
    ['no epoch', [auth, 'Content-Length: 3'], 400, 'invalid-argument'],
    ['an epoch that is none', [auth, 'Content-Length: 3', 'X-Ashlar-Epoch: 3; rm'], 400, 'invalid-argument'],
    ['a crc that is none', [auth, at, 'Content-Length: 3', 'X-Ashlar-Crc32: 12345678f'], 400, 'invalid-argument'],
    ['too large', [auth, at, 'Content-Length: 134217729'], 413, 'too-large'],
    ['larger than the room', [auth, at, 'Content-Length: 10000001'], 507, 'no-space'],
    ['an epoch not of its token', [auth, `X-Ashlar-Epoch: ${newerEpoch}`, 'Content-Length: 3'], 403, 'forbidden'],
    ['no token', [at, 'Content-Length: 3'], 401, 'unauthenticated'],
    ['another scheme', ['Authorization: Basic YTpi', at, 'Content-Length: 3'], 401, 'unauthenticated'],
  ]
  for (const [what, lines, status, code] of cases) {
    const answer = await request(...lines)
    assert.equal(answer.status, status, what)
    assert.equal(JSON.parse(answer.body).code, code, what)
    assert.ok(!answer.body.includes(writeToken.toString('base64url')), what)
  }
  await untilEmpty(rig.store)
  const wrong = await put(rig, { 'x-ashlar-crc32': '00000001' })
  assert.deepEqual([wrong.status, await codeOf(wrong)], [500, 'corrupt'])
  const older = tokenOf({ write: { ...range, epoch: rising(0, 2) } })
  const stale = await put(rig, { ...bearer(older), 'x-ashlar-epoch': String(rising(0, 2)) })
  assert.deepEqual([stale.status, await codeOf(stale)], [503, 'stale-epoch'])
  await untilEmpty(rig.store)
})

test('an upload that is slow arrives; one that is aborted or shorter than declared leaves nothing', async () => {
  await using rig = await ChunkServerRig.start()
  const head = [
    `PUT /chunks/${chunk} HTTP/1.1`,
    `Authorization: Bearer ${writeToken.toString('base64url')}`,
    `X-Ashlar-Epoch: ${epoch}`,
  ]
  for (const end of ['end', 'resetAndDestroy'] as const) {
    const { socket, answer } = openRaw(rig.url, [...head, 'Content-Length: 200000'], bytes.subarray(0, 150_000))
    while (rig.store.space().reservedBytes === 0) await delay(2)
    assert.equal(rig.store.space().reservedBytes, 200_000)
    socket[end]()
    const { status } = await answer
    assert.ok(status === 0 || status >= 400, `${end}: ${status}`)
    await untilEmpty(rig.store)
  }
  // More than declared: the rest is no part of the chunk, and no request either.
  const longer = await rawRequest(rig.url, [...head, 'Content-Length: 5'], 'hello, world')
  assert.ok(longer.status === 201 || longer.status === 400, String(longer.status))
  const declared = await rig.store.info(chunk)
  assert.ok(declared === undefined || declared.crc === crc32(Buffer.from('hello')))
  await rig.store.delete([chunk])

  const slow = openRaw(rig.url, [...head, 'Content-Length: 10', 'Connection: close'])
  for (const letter of 'slow bytes') {
    slow.socket.write(letter)
    await delay(3)
  }
  assert.equal((await slow.answer).status, 201)
  assert.equal((await rig.store.info(chunk))?.crc, crc32(Buffer.from('slow bytes')))
})

test('a replica that rots is never served: an error before the first byte, a cut connection behind it', async () => {
  await using rig = await ChunkServerRig.start()
  const large = someBytes(3_000_000)
  await put(rig, {}, large)
  const replica = rig.image.replicas.get(chunk)
  replica?.bytes.fill(0, 2_900_000, 2_900_001)
  await assert.rejects(get(rig).then((answer) => answer.arrayBuffer()))
  assert.equal(rig.store.space().quarantinedChunks, 1)
  await put(rig, {}, large)
  rig.image.replicas.get(chunk)?.bytes.fill(0, 5, 6)
  const answer = await get(rig)
  assert.deepEqual([answer.status, await codeOf(answer)], [500, 'corrupt'])
  assert.equal(answer.headers.get('etag'), null)
})

test('a store that fails gives no receipt over HTTP either', async () => {
  await using rig = await ChunkServerRig.start(async ({ image }) => {
    const store = await openMemoryStore({ image })
    const begin = store.begin.bind(store)
    store.begin = async (...args) => {
      const writer = await begin(...args)
      writer.commit = async () => {
        throw new AshlarError('disk-failed', 'Cannot sync: the test says so')
      }
      return writer
    }
    return store
  })
  const answer = await put(rig)
  assert.equal(answer.status, 503)
  const body = await answer.text()
  assert.equal(JSON.parse(body).code, 'disk-failed')
  assert.ok(!body.includes('mac'))
  await untilEmpty(rig.store)
})

test('each answer names its request, which is what the store is asked for', async () => {
  const asked: (string | undefined)[] = []
  await using rig = await ChunkServerRig.start(async ({ image }) => {
    const store = await openMemoryStore({ image })
    const open = store.open.bind(store)
    store.open = (...given) => {
      const label = currentLabel()
      asked.push(label === undefined ? undefined : formatLabel(label))
      return open(...given)
    }
    return store
  })
  await put(rig)
  const answers = [await get(rig), await get(rig), await fetch(chunkUrl(rig)), await fetch(`${rig.url}/elsewhere`)]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 401, 404],
  )
  const ids = answers.map(({ headers }) => headers.get('x-request-id') ?? 'none')
  for (const id of ids) assert.match(id, /^[0-9A-F]{16}$/)
  assert.equal(new Set(ids).size, 4)
  assert.deepEqual(asked, ids.slice(0, 2))
  await Promise.all(answers.map((answer) => answer.arrayBuffer()))
})
