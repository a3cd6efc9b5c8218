import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { createHttpServer } from './node-http.ts'
import { silentLog } from './node-log.ts'

describe('createHttpServer()', () => {
  let server: Server
  const seen: string[] = []

  before(async () => {
    server = createHttpServer(
      { maxConnections: 10, idleTimeoutMs: 10_000 },
      {
        log: silentLog,
        handle: async (request, response) => {
          let body = ''
          for await (const piece of request) body += piece
          seen.push(`${request.method} ${request.url} ${body}`)
          // What came after the body was parsed by then.
          for (let turns = 0; turns < 10; turns++) await turn()
          response.writeHead(418, { 'content-length': 5 + body.length }).end(`read ${body}`)
        },
      },
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => server.close())

  /** All that comes back until the server ends the connection. */
  async function exchange(...pieces: readonly string[]): Promise<string> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      const next = left.shift()
      if (next !== undefined) socket.write(next)
    })
    const [first = '', ...left] = pieces
    socket.write(first)
    await once(socket, 'end')
    socket.destroy()
    return text
  }

  const put = 'PUT /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n'

  test('answers a request whose body goes on past its length, reads no other into the rest, and closes', async () => {
    seen.length = 0
    const text = await exchange(`${put}bar`)
    assert.match(text, /^HTTP\/1\.1 418 .*connection: close.*\r\n\r\nread ba$/is)
    assert.deepEqual(seen, ['PUT /a ba'])
  })

  test('refuses what follows an answered request and is none', async () => {
    const text = await exchange(`${put}ba`, '\x00\x01\r\n\r\n')
    assert.match(text, /^HTTP\/1\.1 418 .*\r\n\r\nread baHTTP\/1\.1 400 Bad Request\r\nconnection: close/s)
  })

  test('refuses a body that goes wrong, at once', async () => {
    const text = await exchange('PUT /a HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n')
    assert.match(text, /^HTTP\/1\.1 400 /)
    assert.doesNotMatch(text, /418/)
  })
})
