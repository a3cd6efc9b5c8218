import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { createHttpServer } from './node-http.ts'
import { silentLog } from './node-log.ts'

const mostConnections = 3

describe('HttpConnections', () => {
  let server: Server
  const sockets: Socket[] = []
  /** Requests that the test answers. */
  const held: ServerResponse[] = []

  beforeEach(async () => {
    held.length = 0
    server = createHttpServer(
      { maxConnections: mostConnections, idleTimeoutMs: 60_000 },
      {
        log: silentLog,
        handle: (request, response) => {
          if (request.url === '/held') held.push(response)
          else response.end('answer')
        },
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.closeAllConnections()
    server.close()
  })

  /** Connected, seen by the server, and with all that came back so far. */
  async function open(): Promise<{ readonly socket: Socket; text: string; readonly closed: Promise<unknown> }> {
    const seen = once(server, 'connection')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    sockets.push(socket)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const client = { socket, text: '', closed }
    socket.setEncoding('utf8').on('data', (piece: string) => {
      client.text += piece
    })
    await Promise.all([seen, once(socket, 'connect')])
    return client
  }

  const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`

  async function ask(client: Awaited<ReturnType<typeof open>>, path = '/'): Promise<void> {
    const length = client.text.length
    client.socket.write(request(path))
    while (!client.text.slice(length).includes('answer')) await once(client.socket, 'data')
  }

  async function holdAll(): Promise<Awaited<ReturnType<typeof open>>[]> {
    const clients = []
    for (let count = 0; count < mostConnections; count++) {
      const client = await open()
      const asked = once(server, 'request')
      client.socket.write(request('/held'))
      await asked
      clients.push(client)
    }
    return clients
  }

  // Idle clients once held every place for two minutes, and nobody else was answered.
  test('the connection that is idle for longest makes room for a new one', async () => {
    const [first, second, third] = [await open(), await open(), await open()]
    await ask(first)
    const fourth = await open()
    await second.closed
    await ask(fourth)
    await ask(third)
    const fifth = await open()
    await first.closed
    await Promise.all([ask(fifth), ask(third), ask(fourth)])
  })

  test('where each connection is at work the new one is answered 503, and the others go on', async () => {
    const clients = await holdAll()
    const refused = await open()
    refused.socket.write(request('/'))
    await refused.closed
    assert.match(refused.text, /^HTTP\/1\.1 503 .*retry-after: 1.*connection: close/is)
    for (const response of held) response.end('answer')
    for (const client of clients) while (!client.text.includes('answer')) await once(client.socket, 'data')
    await ask(await open())
  })

  test('a request that is under way beside an answered one keeps its connection', async () => {
    const [busy] = [await open(), await open(), await open()]
    busy.socket.write(request('/held') + request('/held'))
    while (held.length < 2) await once(server, 'request')
    held[0]?.end('answer')
    while (!busy.text.includes('answer')) await once(busy.socket, 'data')
    for (let count = 0; count < mostConnections; count++) await ask(await open())
    held[1]?.end('answer')
    while (busy.text.split('answer').length < 3) await once(busy.socket, 'data')
  })

  test('what is refused and does not ask is closed', async () => {
    await holdAll()
    const silent = await open()
    await silent.closed
    assert.equal(silent.text, '')
  })
})
