import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { someBytes } from '../../../test/contract/chunk-store.ts'
import { OpenApi } from '../../../test/http/open-api.ts'
import type { AshlarClient } from '../../client/index.ts'
import { createNodeEnv } from '../../env/node-env.ts'
import { startCluster, type TestCluster } from '../../testing/index.ts'
import { startHttpGateway } from './http-gateway.ts'

const page = new OpenApi(join(import.meta.dirname, '../../../docs/openapi.yaml'))

interface Door extends AsyncDisposable {
  readonly cluster: TestCluster
  /** The door's own. */
  readonly client: AshlarClient
  /** Asks, and holds the answer to `docs/openapi.yaml`. */
  ask(method: string, path: string, options?: AskOptions): Promise<Answer>
}

interface Page {
  readonly entries: readonly { readonly name: string }[]
  readonly next?: string
}

interface AskOptions {
  readonly headers?: Record<string, string>
  readonly body?: Buffer | string
  readonly key?: string
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
  readonly json: () => Record<string, never>
}

/** The door gives up on servers that are away sooner than a patient client would. */
async function openDoor(options: Parameters<typeof startCluster>[0] = {}): Promise<Door> {
  const cluster = await startCluster(options)
  const client = await cluster.connect({ timeoutMs: 300 })
  const { secret } = cluster.clusterFile
  const clientKey = Buffer.from(secret, 'base64')
  const env = createNodeEnv({ log: 'silent' })
  const door = await startHttpGateway({ env, client, clientKey, listenAddress: '127.0.0.1:0' })
  return {
    cluster,
    client,
    async ask(method, path, { headers = {}, body, key = secret } = {}) {
      const authorization: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` }
      const response = await fetch(`http://${door.address}${path}`, {
        method,
        headers: { ...authorization, ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }),
      })
      const [name = '', query = ''] = path.split('?')
      const template = name.startsWith('/files') ? '/files/{path}' : name
      const bytes = Buffer.from(await response.arrayBuffer())
      const json = () => JSON.parse(bytes.toString())
      page.check(`${method} ${template}`, { headers: Object.keys(headers), query }, response)
      assert.equal(response.headers.get('x-content-type-options') ?? 'nosniff', 'nosniff')
      assert.match(response.headers.get('x-request-id') ?? '', /^[0-9A-F]{16}$/)
      if (bytes.length > 0 && response.headers.get('content-type') === 'application/json') {
        page.checkBody(`${method} ${template}`, response.status, json())
      }
      return { status: response.status, headers: response.headers, body: bytes, json }
    },
    async [Symbol.asyncDispose]() {
      await door.close()
      await cluster.close()
    },
  }
}

test('PUT, GET, HEAD, DELETE of a file', async () => {
  await using door = await openDoor()
  const bytes = someBytes(300_000)
  const put = await door.ask('PUT', '/files/a/b.bin', { body: bytes })
  assert.equal(put.status, 201)
  const { version, size, path } = put.json()
  assert.deepEqual([path, size, put.headers.get('etag')], ['/a/b.bin', bytes.length, `"${version}"`])
  const got = await door.ask('GET', '/files/a/b.bin')
  assert.ok(got.body.equals(bytes))
  const head = await door.ask('HEAD', '/files/a/b.bin')
  assert.equal(head.body.length, 0)
  for (const name of ['etag', 'content-length', 'last-modified', 'accept-ranges', 'x-ashlar-crc32', 'content-type']) {
    assert.ok(got.headers.has(name), name)
    assert.equal(head.headers.get(name), got.headers.get(name), name)
  }
  const replaced = await door.ask('PUT', '/files/a/b.bin', { body: '' })
  assert.equal(replaced.status, 200)
  assert.notEqual(replaced.headers.get('etag'), put.headers.get('etag'))
  const empty = await door.ask('GET', '/files/a/b.bin')
  assert.deepEqual([empty.status, empty.body.length, empty.headers.get('content-length')], [200, 0, '0'])
  const removed = await door.ask('DELETE', '/files/a/b.bin')
  assert.equal(removed.status, 200)
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    assert.equal((await door.ask(method, '/files/a/b.bin')).status, 404)
  }
  const restored = await door.cluster.client.undelete('/a/b.bin', { trashId: Number(removed.json()['trashId']) })
  assert.equal(restored.stats.size, 0)
})

test('GET with Range and If-Range', async () => {
  await using door = await openDoor()
  const bytes = someBytes(200_000)
  const etag = (await door.ask('PUT', '/files/f', { body: bytes })).headers.get('etag') ?? ''
  const range = async (header: string, headers = {}) =>
    await door.ask('GET', '/files/f', { headers: { range: header, ...headers } })
  for (const [header, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=65530-65540', 65_530, 65_541],
    ['bytes=199990-', 199_990, 200_000],
    ['bytes=-7', 199_993, 200_000],
    ['bytes=5-9999999', 5, 200_000],
  ] as const) {
    const answer = await range(header)
    assert.equal(answer.status, 206)
    assert.equal(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/200000`)
    assert.ok(answer.body.equals(bytes.subarray(start, end)), header)
  }
  const behind = await range('bytes=200000-')
  assert.deepEqual([behind.status, behind.headers.get('content-range')], [416, 'bytes */200000'])
  assert.equal((await range('bytes=0-1,3-4')).body.length, 200_000)
  assert.equal((await range('bytes=0-1', { 'if-range': etag })).body.length, 2)
  assert.equal((await range('bytes=0-1', { 'if-range': '"1"' })).body.length, 200_000)
  assert.equal((await range('bytes=0-1', { 'if-range': 'Sat, 29 Oct 1994 19:43:31 GMT' })).body.length, 200_000)
  const head = await door.ask('HEAD', '/files/f', { headers: { range: 'bytes=0-1' } })
  assert.deepEqual([head.status, head.headers.get('content-length')], [200, '200000'])
})

test('conditions: 304, 412, and what cannot be held to', async () => {
  await using door = await openDoor()
  const conditional = (method: string, headers: Record<string, string>, path = '/files/f') =>
    door.ask(method, path, { headers, ...(method === 'PUT' ? { body: 'new' } : {}) })
  const first = await conditional('PUT', { 'if-none-match': '*' })
  assert.equal(first.status, 201)
  const etag = first.headers.get('etag') ?? ''
  const lost = await conditional('PUT', { 'if-none-match': '*' })
  assert.deepEqual([lost.status, lost.json()['code']], [412, 'already-exists'])

  for (const method of ['GET', 'HEAD']) {
    for (const tags of [etag, `"1", ${etag}`, '*', `W/${etag}`]) {
      const answer = await conditional(method, { 'if-none-match': tags })
      assert.deepEqual([answer.status, answer.headers.get('etag'), answer.body.length], [304, etag, 0], tags)
    }
    assert.equal((await conditional(method, { 'if-none-match': '"1"' })).status, 200)
    assert.equal((await conditional(method, { 'if-match': etag })).status, 200)
    assert.equal((await conditional(method, { 'if-match': '*' })).status, 200)
    // Weak tags never match strongly.
    for (const tags of ['"1"', `W/${etag}`]) assert.equal((await conditional(method, { 'if-match': tags })).status, 412)
  }

  const second = await conditional('PUT', { 'if-match': etag })
  assert.equal(second.status, 200)
  const stale = await conditional('PUT', { 'if-match': etag })
  assert.deepEqual([stale.status, stale.json()['code']], [412, 'changed'])
  assert.equal((await conditional('PUT', { 'if-match': etag }, '/files/absent')).status, 412)
  assert.equal((await conditional('DELETE', { 'if-match': etag })).status, 412)
  assert.equal((await door.cluster.client.stat('/f')).version, Number(second.json()['version']))
  for (const headers of [
    { 'if-match': '*' },
    { 'if-match': '"1", "2"' },
    { 'if-none-match': etag },
    { 'if-match': etag, 'if-none-match': '*' },
  ]) {
    assert.equal((await conditional('PUT', headers as Record<string, string>)).status, 400, JSON.stringify(headers))
  }
  assert.equal((await conditional('DELETE', { 'if-none-match': '*' })).status, 400)
  assert.equal((await conditional('PUT', { 'if-none-match': '*' }, '/files/d?directory')).status, 400)
  assert.equal((await conditional('PUT', { 'content-range': 'bytes 0-2/10' })).status, 400)
  assert.equal(await door.cluster.client.readFile('/f', 'utf8'), 'new')
  assert.equal((await conditional('DELETE', { 'if-match': second.headers.get('etag') ?? '' })).status, 200)
})

test('directories: pages, making, removing', async () => {
  await using door = await openDoor()
  for (const status of [201, 200]) {
    assert.equal((await door.ask('PUT', '/files/d/e?directory', { body: '' })).status, status)
  }
  for (const name of ['b', 'a', 'c', 'ab']) await door.ask('PUT', `/files/d/${name}`, { body: name })
  const names: string[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const { entries, next } = (
      await door.ask('GET', `/files/d?limit=2&after=${encodeURIComponent(after)}`)
    ).json() as unknown as Page
    names.push(...entries.map(({ name }) => name))
    after = next
  }
  assert.deepEqual(names, ['a', 'ab', 'b', 'c', 'e'])
  const some = ((await door.ask('GET', '/files/d/?prefix=a')).json() as unknown as Page).entries
  assert.deepEqual(
    some.map(({ name }) => name),
    ['a', 'ab'],
  )
  const root = (await door.ask('GET', '/files')).json()
  assert.deepEqual([root['path'], root['entries']?.[0]?.['kind']], ['/', 'directory'])
  assert.equal((await door.ask('HEAD', '/files/d')).status, 200)
  for (const limit of ['0', '1001', 'x', '1.5', '']) {
    assert.equal((await door.ask('GET', `/files/d?limit=${limit}`)).status, 400, limit)
  }
  assert.equal((await door.ask('PUT', '/files/d', { body: 'x' })).json()['code'], 'is-a-directory')
  for (const method of ['GET', 'HEAD', 'PUT'])
    assert.equal((await door.ask(method, '/files/d/a/x', method === 'PUT' ? { body: '' } : {})).status, 409)
  assert.equal((await door.ask('DELETE', '/files/d')).json()['code'], 'is-a-directory')
  assert.equal((await door.ask('DELETE', '/files/d?recursive')).status, 200)
  assert.equal((await door.ask('GET', '/files/d')).status, 404)
})

test('names are kept byte for byte; those that no file can have are refused', async () => {
  await using door = await openDoor()
  const names = [
    'with space',
    'ünïcødé',
    'u\u0308',
    'ü',
    '日本語',
    '🧱',
    'a+b',
    'a&b=c?d#e',
    '100%',
    '..a',
    'a..',
    '%2F',
    'it\'s "q"',
    'a\\b',
    '__proto__',
    'tab\there',
    '\u202e',
  ]
  for (const name of names) {
    const url = `/files/dir/${encodeURIComponent(name)}`
    assert.equal((await door.ask('PUT', url, { body: name })).status, 201, name)
    assert.equal((await door.ask('GET', url)).body.toString(), name)
  }
  const listed = (await door.cluster.client.readdir('/dir')).sort()
  assert.deepEqual(listed, [...names].sort())
  for (const bad of ['a%2Fb', 'a%2fb', '%ff', '%', 'a%00b', 'a//b', `${'x'.repeat(1025)}`, '%ED%A0%80']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE']) {
      const answer = await door.ask(method, `/files/dir/${bad}`, method === 'PUT' ? { body: '' } : {})
      assert.equal(answer.status, 400, `${method} ${bad}`)
    }
  }
  assert.equal((await door.ask('PUT', `/files/dir/${'x'.repeat(1024)}`, { body: '' })).status, 201)
})

test('without the key nothing is told: 401, on every path and method', async () => {
  await using door = await openDoor()
  await door.ask('PUT', '/files/f', { body: 'x' })
  const almost = Buffer.from(door.cluster.clusterFile.secret, 'base64')
  almost[31] = (almost[31] as number) ^ 1
  for (const key of ['', almost.toString('base64'), 'AAAA']) {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'POST']) {
      const answer = await door.ask(method, '/files/f', { key, ...(method === 'PUT' ? { body: 'y' } : {}) })
      assert.deepEqual([answer.status, answer.headers.get('www-authenticate')], [401, 'Bearer'])
      assert.ok(!answer.body.toString().includes(door.cluster.clusterFile.secret))
    }
    for (const path of ['/nodes', '/status']) assert.equal((await door.ask('GET', path, { key })).status, 401)
  }
  assert.equal(await door.cluster.client.readFile('/f', 'utf8'), 'x')
})

test('GET /nodes and /status say what the client says', async () => {
  await using door = await openDoor()
  await door.ask('PUT', '/files/f', { body: 'x' })
  const nodes = (await door.ask('GET', '/nodes')).json() as unknown as { id: string; state: string }[]
  assert.deepEqual(nodes.map(({ id }) => id).sort(), door.cluster.chunkServers.map(({ id }) => id as string).sort())
  const status = (await door.ask('GET', '/status')).json()
  assert.deepEqual([status['files'], status['servers']], [1, 3])
  for (const path of ['/nodes', '/status']) {
    assert.deepEqual([(await door.ask('POST', path)).headers.get('allow')], ['GET, HEAD'])
  }
  const post = await door.ask('POST', '/files/f', { body: 'x' })
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD, PUT, DELETE'])
})

test('a cluster without room, and one without servers, say so', async () => {
  await using door = await openDoor({ capacityBytes: 1000 })
  await door.ask('PUT', '/files/f', { body: someBytes(900) })
  const full = await door.ask('PUT', '/files/g', { body: someBytes(900) })
  assert.deepEqual([full.status, full.json()['code'], full.json()['applied']], [507, 'no-space', 'no'])
  assert.equal((await door.ask('GET', '/files/g')).status, 404)
  for (const server of door.cluster.chunkServers) await server.kill()
  assert.equal((await door.ask('GET', '/files/f')).status, 503)
  assert.equal((await door.ask('PUT', '/files/g', { body: 'x' })).status, 503)
  await door.client.close()
  for (const method of ['HEAD', 'DELETE']) assert.equal((await door.ask(method, '/files/f')).status, 503)
  for (const path of ['/nodes', '/status']) assert.equal((await door.ask('GET', path)).status, 503)
})

test('docs/openapi.yaml describes nothing that the tests above did not see', () => {
  assert.deepEqual(page.unseen(), [])
})
