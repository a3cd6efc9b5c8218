import assert from 'node:assert/strict'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { someBytes } from '../../../test/contract/chunk-store.ts'
import { openRaw, rawRequest } from '../../../test/http/raw-request.ts'
import type { ChunkId } from '../../base/ids.ts'
import { startCluster, type TestCluster } from '../../testing/index.ts'

function doorOf(cluster: TestCluster): { readonly url: string; readonly authorization: string } {
  const { http } = cluster
  assert.ok(http !== undefined)
  return { url: http.url, authorization: `Authorization: Bearer ${http.token}` }
}

/** Of all servers. */
function bytesOf(cluster: TestCluster, kind: 'usedBytes' | 'reservedBytes'): number {
  return cluster.chunkServers.reduce((sum, server) => sum + server.space()[kind], 0)
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const untilMs = Date.now() + 8_000
  while (!(await condition())) {
    assert.ok(Date.now() < untilMs, what)
    await delay(5)
  }
}

test('without the key, or with a wrong one, not a byte of a body is stored', async () => {
  await using cluster = await startCluster({ http: true, chunkSizeBytes: 65_536 })
  const { url } = doorOf(cluster)
  const body = someBytes(500_000)
  for (const key of [[], ['Authorization: Bearer AAAA'], ['Authorization: Basic YTpi']]) {
    const answer = await rawRequest(url, ['PUT /files/f HTTP/1.1', ...key, `Content-Length: ${body.length}`], body)
    // The answer may be lost to a client that goes on sending; the connection is cut then.
    assert.ok(answer.status === 401 || answer.status === 0, String(answer.status))
  }
  assert.deepEqual([bytesOf(cluster, 'usedBytes'), bytesOf(cluster, 'reservedBytes')], [0, 0])
  assert.deepEqual(await cluster.client.readdir('/'), [])
})

test('a client that goes away in mid-upload leaves nothing that is visible, reserved or used', async () => {
  await using cluster = await startCluster({ http: true, chunkSizeBytes: 65_536 })
  const { url, authorization } = doorOf(cluster)
  await cluster.client.writeFile('/kept', 'as it was')
  const before = bytesOf(cluster, 'usedBytes')
  for (const path of ['/new', '/kept']) {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      const head = [`PUT /files${path} HTTP/1.1`, authorization, 'Content-Length: 1000000']
      const { socket, answer } = openRaw(url, head, someBytes(400_000))
      await until(() => bytesOf(cluster, 'usedBytes') > before, 'no chunk of the upload was ever written')
      socket[end]()
      const { status } = await answer
      assert.ok(status === 0 || status >= 400, `${path} ${end}: ${status}`)
      assert.deepEqual(await cluster.client.readdir('/'), ['kept'])
      assert.equal(await cluster.client.readFile('/kept', 'utf8'), 'as it was')
      await until(() => bytesOf(cluster, 'reservedBytes') === 0, 'a reservation was not returned')
      // Its client, the door's, lives on: neither its session nor the end of an allocation brings the space back.
      await until(() => bytesOf(cluster, 'usedBytes') === before, 'chunks of the upload stay')
    }
  }
})

test('chunked uploads, slow ones, and lengths that lie', async () => {
  await using cluster = await startCluster({ http: true })
  const { url, authorization } = doorOf(cluster)
  const chunked = await rawRequest(
    url,
    ['PUT /files/chunked HTTP/1.1', authorization, 'Transfer-Encoding: chunked'],
    '5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n',
  )
  assert.equal(chunked.status, 201)
  assert.equal(await cluster.client.readFile('/chunked', 'utf8'), 'hello, world')
  const slow = openRaw(url, ['PUT /files/slow HTTP/1.1', authorization, 'Content-Length: 10', 'Connection: close'])
  for (const letter of 'slow bytes') {
    slow.socket.write(letter)
    await delay(2)
  }
  assert.equal((await slow.answer).status, 201)
  assert.equal(await cluster.client.readFile('/slow', 'utf8'), 'slow bytes')
  const broken = ['PUT /files/broken HTTP/1.1', authorization, 'Transfer-Encoding: chunked']
  const torn = await rawRequest(url, broken, '5\r\nhello\r\nzz\r\n')
  assert.ok(torn.status === 400 || torn.status === 0, String(torn.status))
  await delay(20)
  assert.equal(await cluster.client.exists('/broken'), false)
})

test('paths that would leave /files are refused as they were sent', async () => {
  await using cluster = await startCluster({ http: true })
  const { url, authorization } = doorOf(cluster)
  for (const [path, status] of [
    ['/files/../nodes', 400],
    ['/files/a/../../b', 400],
    ['/files/.', 400],
    ['/files/%2e%2e/x', 400],
    ['/filesystem', 404],
    ['/', 404],
    ['//', 404],
    ['http://elsewhere/nodes', 404],
  ] as const) {
    const answer = await rawRequest(url, [`GET ${path} HTTP/1.1`, authorization])
    assert.equal(answer.status, status, path)
    assert.equal(typeof JSON.parse(answer.body).code, 'string', path)
    assert.equal((await rawRequest(url, [`GET ${path} HTTP/1.1`])).status, 401, path)
  }
})

test('GET serves one version to its end, while the file is replaced and its reader is slow', async () => {
  await using cluster = await startCluster({ http: true, chunkSizeBytes: 262_144 })
  const { url, authorization } = doorOf(cluster)
  const bytes = someBytes(6_000_000)
  await cluster.client.writeFile('/f', bytes)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: authorization.slice('Authorization: '.length) }
    httpGet(`${url}/files/f`, { headers }, resolve).on('error', reject)
  })
  await cluster.client.writeFile('/f', someBytes(10, 2))
  const parts: Buffer[] = []
  for await (const part of response) {
    parts.push(part as Buffer)
    if (parts.length % 20 === 0) await delay(1)
  }
  assert.ok(Buffer.concat(parts).equals(bytes))
  // One that goes away in the middle harms nobody.
  await cluster.client.writeFile('/f', bytes)
  const { socket } = openRaw(url, ['GET /files/f HTTP/1.1', authorization])
  await new Promise((resolve) => socket.once('data', resolve))
  socket.resetAndDestroy()
  assert.equal((await rawRequest(url, ['GET /nodes HTTP/1.1', authorization])).status, 200)
})

test('a byte that cannot be proven right is never sent: the answer ends before it', async () => {
  await using cluster = await startCluster({ http: true, chunkSizeBytes: 262_144 })
  const { url, authorization } = doorOf(cluster)
  const bytes = someBytes(2_000_000)
  await cluster.client.writeFile('/f', bytes)
  const chunks: ChunkId[] = []
  for await (const { chunkId } of cluster.client.describeChunks('/f')) chunks.push(chunkId)
  const rot = async (chunk: ChunkId) => {
    for (const server of cluster.chunkServers) await server.corrupt(chunk)
  }
  await rot(chunks.at(-1) as ChunkId)
  const { answer } = openRaw(url, ['GET /files/f HTTP/1.1', authorization, 'Connection: close'])
  const { status, headers, body } = await answer
  const sent = Buffer.from(body, 'latin1')
  assert.deepEqual([status, headers['content-length']], [200, String(bytes.length)])
  assert.ok(sent.length < bytes.length && sent.equals(bytes.subarray(0, sent.length)), `${sent.length} bytes`)
  await rot(chunks[0] as ChunkId)
  const failed = await rawRequest(url, ['GET /files/f HTTP/1.1', authorization])
  assert.ok(failed.status >= 500, String(failed.status))
  assert.ok(['corrupt', 'chunk-missing', 'unavailable'].includes(JSON.parse(failed.body).code), failed.body)
})

// What was sent is used again for what is read next: it must not change before the socket has taken it. More than sockets hold at once.
test('readers that are slow, fast, or gone in the middle get right bytes, each its own', async () => {
  await using cluster = await startCluster({ http: true })
  const { url, authorization } = doorOf(cluster)
  const contents = [1, 2, 3].map((seed) => someBytes(8_000_001, seed))
  for (const [index, bytes] of contents.entries()) await cluster.client.writeFile(`/f${index}`, bytes)
  const headers = { authorization: authorization.slice('Authorization: '.length) }
  const read = async (reader: number) => {
    const expected = contents[reader % 3] as Buffer
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet(`${url}/files/f${reader % 3}`, { headers }, resolve).once('error', reject)
    })
    let at = 0
    for await (const piece of answer as AsyncIterable<Buffer>) {
      assert.ok(piece.equals(expected.subarray(at, at + piece.length)), `reader ${reader} at ${at}`)
      at += piece.length
      if (reader % 4 === 1) await delay(1)
      if (reader % 4 === 2 && at > 1_500_000) return
    }
    assert.equal(at, expected.length)
  }
  for (let round = 0; round < 2; round++) await Promise.all(Array.from({ length: 8 }, (_, reader) => read(reader)))
})
