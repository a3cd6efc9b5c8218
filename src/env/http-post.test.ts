import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { isAshlarError } from '../base/errors.ts'
import { createHttpPost, type PostRequest } from './http-post.ts'

let server: Server
let port: number
const received: { readonly request: IncomingMessage; readonly body: string }[] = []

before(async () => {
  server = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    received.push({ request, body })
    if (request.url === '/silent') return
    if (request.url === '/moved') response.writeHead(302, { location: '/elsewhere' }).end()
    else response.writeHead(request.url === '/broken' ? 500 : 204).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
after(() => {
  server.closeAllConnections()
  server.close()
})

function request(url: string, change: Partial<PostRequest> = {}): PostRequest {
  return { url, headers: { 'x-a': 'b' }, body: Buffer.from('hello'), timeoutMs: 5000, mayBePrivate: false, ...change }
}

const refuses = (work: Promise<unknown>, code: 'forbidden' | 'unavailable' | 'timeout' | 'invalid-argument') =>
  assert.rejects(work, (error) => isAshlarError(error, code))

describe('createHttpPost()', () => {
  const post = createHttpPost()

  test('posts, and tells the status; a redirect is not followed', async () => {
    const allowed = { mayBePrivate: true }
    received.length = 0
    assert.equal(await post(request(`http://127.0.0.1:${port}/a`, allowed)), 204)
    assert.equal(await post(request(`http://127.0.0.1:${port}/broken`, allowed)), 500)
    assert.equal(await post(request(`http://127.0.0.1:${port}/moved`, allowed)), 302)
    assert.deepEqual(
      received.map(({ request: { method, url, headers }, body }) => [method, url, headers['x-a'], body]),
      [
        ['POST', '/a', 'b', 'hello'],
        ['POST', '/broken', 'b', 'hello'],
        ['POST', '/moved', 'b', 'hello'],
      ],
    )
  })

  test('reaches no address of this machine, a private network, the link or cloud metadata, in any spelling', async () => {
    received.length = 0
    for (const host of [
      ...['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0.0.0.0', '10.0.0.1', '172.16.0.1', '192.168.1.1'],
      ...[
        '169.254.169.254',
        '100.100.100.200',
        '192.0.0.192',
        '[::1]',
        '[::]',
        '[::ffff:127.0.0.1]',
        '[::ffff:7f00:1]',
      ],
      ...[
        '[fe80::1]',
        '[fd00:ec2::254]',
        '[fc00::1]',
        '[64:ff9b::7f00:1]',
        '[2002:7f00:1::]',
        'localhost',
        '255.255.255.255',
      ],
    ]) {
      await refuses(post(request(`http://${host}:${port}/`)), 'forbidden')
    }
    assert.equal(received.length, 0)
  })

  test('with private addresses allowed, the link and cloud metadata are not', async () => {
    for (const host of [
      '169.254.169.254',
      '[fe80::1]',
      '[fd00:ec2::254]',
      '0.0.0.0',
      '[::ffff:169.254.169.254]',
      '224.0.0.1',
    ]) {
      await refuses(post(request(`http://${host}/`, { mayBePrivate: true })), 'forbidden')
    }
  })

  test('judges what a name resolves to, each of its addresses, at the time of connecting', async () => {
    let answers = 0
    const changing = createHttpPost(async () => {
      // The first look-up would pass, the second would not: only one is made, and its address is the one that is used.
      answers++
      return [{ address: answers === 1 ? '127.0.0.1' : '8.8.8.8', family: 4 }]
    })
    await refuses(changing(request(`http://rebinding.example.com:${port}/`)), 'forbidden')
    assert.equal(answers, 1)
    const mixed = createHttpPost(async () => [
      { address: '8.8.8.8', family: 4 },
      { address: '169.254.169.254', family: 4 },
    ])
    await refuses(mixed(request(`http://mixed.example.com:${port}/`, { mayBePrivate: true })), 'forbidden')
    const named = createHttpPost(async () => [{ address: '127.0.0.1', family: 4 }])
    assert.equal(await named(request(`http://hooks.example.com:${port}/a`, { mayBePrivate: true })), 204)
  })

  test('gives up in time, and refuses what is no URL of HTTP', async () => {
    const allowed = { mayBePrivate: true, timeoutMs: 100 }
    await refuses(post(request(`http://127.0.0.1:${port}/silent`, allowed)), 'timeout')
    for (const url of ['ftp://example.com', 'file:///etc/passwd', 'http://user:secret@example.com/', 'nonsense', '']) {
      await refuses(post(request(url)), 'invalid-argument')
    }
    server.closeAllConnections()
    await refuses(post(request('http://127.0.0.1:1/', { mayBePrivate: true })), 'unavailable')
  })
})
