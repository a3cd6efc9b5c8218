/**
 * What every {@link Network} does, whatever carries the bytes.
 * @module
 */
import assert from 'node:assert/strict'
import { type IncomingMessage, request } from 'node:http'
import { test } from 'node:test'
import type { ErrorCode } from '../../src/base/error-table.ts'
import { AshlarError, isAshlarError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { ConnectionStream } from '../../src/env/connection-stream.ts'
import type { Connection, HttpListener, Listener, Network } from '../../src/env/network.ts'
import { createNodeClock } from '../../src/env/node-clock.ts'

/** Two hosts that reach each other. */
export interface NetworkUnderTest {
  readonly client: Network
  readonly server: Network
}

const anyPort = '127.0.0.1:0'
const timeoutMs = 5_000

export function testNetwork(name: string, open: () => NetworkUnderTest): void {
  const contract = (behaviour: string, run: (under: NetworkUnderTest) => Promise<void>) => {
    test(`${name}: ${behaviour}`, { timeout: 10_000 }, async () => {
      const { client, server } = open()
      const listeners: Listener[] = []
      try {
        await run({ client, server: noting(server, listeners) })
      } finally {
        // Whatever a failed test left open would keep its process alive.
        for (const connection of recordedConnections) connection.destroy()
        recordedConnections.clear()
        for (const listener of listeners) await listener.close()
      }
    })
  }

  contract('connect() reaches the address that listen() tells; bytes arrive in order, both ways', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    for (let index = 0; index < 300; index++) {
      near.connection.write(Buffer.from(`${index},`))
      far.connection.write(Buffer.from(`-${index},`))
    }
    near.connection.end()
    assert.equal(await near.over, undefined)
    assert.equal(await far.over, undefined)
    const numbers = Array.from({ length: 300 }, (_, index) => index)
    assert.equal(far.text(), numbers.map((number) => `${number},`).join(''))
    assert.equal(near.text(), numbers.map((number) => `-${number},`).join(''))
  })

  contract('write() calls `sent` once for each, and never before the bytes were taken', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    const buffer = Buffer.alloc(300_000, 1)
    for (let round = 1; round <= 5; round++) {
      await new Promise<void>((resolve) => near.connection.write(buffer, resolve))
      buffer.fill(round + 1)
    }
    near.connection.end()
    await far.over
    const bytes = far.bytes()
    for (let round = 0; round < 5; round++) {
      assert.ok(bytes.subarray(round * 300_000, (round + 1) * 300_000).every((byte) => byte === round + 1))
    }
  })

  contract('write() asks to wait at the high-water mark, and `drained` says when to go on', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    far.connection.pause()
    const piece = Buffer.alloc(1024 * 1024)
    let pieces = 1
    while (near.connection.write(piece)) assert.ok(++pieces < 100, 'a paused peer must push back')
    assert.ok(near.connection.unsentBytes >= limits.unsentBytesPerConnection)
    assert.equal(near.drained, 0)
    await turns()
    const before = far.bytes().length
    await turns()
    assert.equal(far.bytes().length, before, 'bytes arrived at a paused connection')
    far.connection.resume()
    await until(() => near.drained === 1)
    assert.ok(near.connection.unsentBytes < limits.unsentBytesPerConnection)
    near.connection.end()
    await far.over
    assert.equal(far.bytes().length, pieces * piece.length)
    assert.equal(near.connection.unsentBytes, 0)
  })

  contract('write() has the same high-water mark for who was connected to', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    near.connection.pause()
    let pieces = 1
    while (far.connection.write(Buffer.alloc(512 * 1024))) assert.ok(++pieces < 200, 'a paused peer must push back')
    assert.ok(far.connection.unsentBytes >= limits.unsentBytesPerConnection)
  })

  contract('cork() holds writes back until the last uncork()', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    near.connection.cork()
    near.connection.cork()
    near.connection.write(Buffer.from('a'))
    near.connection.uncork()
    near.connection.write(Buffer.from('b'))
    await turns()
    assert.equal(far.text(), '')
    assert.equal(near.connection.unsentBytes, 2)
    near.connection.uncork()
    await until(() => far.text() === 'ab')
  })

  contract('end() sends what is queued first, corked or not', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    near.connection.cork()
    near.connection.write(Buffer.alloc(3_000_000, 1))
    near.connection.end()
    assert.equal(await far.over, undefined)
    assert.equal(far.bytes().length, 3_000_000)
    assert.equal(await near.over, undefined)
  })

  contract('an end by the peer ends this side too, after what it has queued', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    far.connection.write(Buffer.alloc(2_000_000, 1))
    near.connection.end()
    assert.equal(await far.over, undefined)
    assert.equal(await near.over, undefined)
    assert.equal(near.bytes().length, 2_000_000)
  })

  contract('destroy() closes both sides once, and calls `sent` of what it drops', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    far.connection.pause()
    let sent = 0
    for (let index = 0; index < 30; index++) near.connection.write(Buffer.alloc(1_000_000), () => sent++)
    const reason = new AshlarError('protocol', 'Cannot read the frame: it is malformed')
    near.connection.destroy(reason)
    near.connection.destroy()
    assert.equal(await near.over, reason)
    far.connection.resume()
    await far.over
    await until(() => sent === 30)
    await turns()
    assert.deepEqual([near.closings, far.closings], [1, 1])
  })

  contract('write() after the end drops the bytes, calls `sent`, and makes no error', async (under) => {
    await using pair = await connected(under)
    const { near, far } = pair
    near.connection.end()
    await new Promise<void>((resolve) => {
      assert.equal(near.connection.write(Buffer.from('late'), resolve), false)
    })
    assert.equal(await near.over, undefined)
    await new Promise<void>((resolve) => near.connection.write(Buffer.from('later'), resolve))
    assert.equal(await far.over, undefined)
    assert.equal(far.text(), '')
  })

  contract('start() after the peer has gone tells it', async ({ client, server }) => {
    const accepted = Promise.withResolvers<Connection>()
    const listener = await server.listen({ address: anyPort, maxConnections: 10 }, accepted.resolve)
    const near = recorded(await client.connect(listener.address, { timeoutMs }))
    near.connection.write(Buffer.from('last words'))
    near.connection.end()
    const connection = await accepted.promise
    await turns()
    const far = recorded(connection)
    assert.equal(await far.over, undefined)
    assert.equal(far.text(), 'last words')
    await listener.close()
  })

  contract('start() after destroy() tells it', async ({ client, server }) => {
    const accepted = Promise.withResolvers<Connection>()
    const listener = await server.listen({ address: anyPort, maxConnections: 10 }, accepted.resolve)
    const reason = new AshlarError('protocol', 'Cannot read the frame: it is malformed')
    for (const connection of [await client.connect(listener.address, { timeoutMs }), await accepted.promise]) {
      connection.destroy(reason)
      await turns()
      assert.ok(isAshlarError(await recorded(connection).over))
    }
  })

  contract('connect() is refused where nobody listens, and after close(); open connections go on', async (under) => {
    await using pair = await connected(under)
    const { near, far, listener } = pair
    await listener.close()
    await listener.close()
    await refuses('unavailable', under.client.connect(listener.address, { timeoutMs }))
    near.connection.write(Buffer.from('still here'))
    await until(() => far.text() === 'still here')
  })

  contract('connect() gives up when its signal says so', async ({ client, server }) => {
    const listener = await server.listen({ address: anyPort, maxConnections: 10 }, (connection) => recorded(connection))
    const signal = AbortSignal.abort()
    await refuses('cancelled', client.connect(listener.address, { timeoutMs, signal }))
    const controller = new AbortController()
    const attempt = client.connect(listener.address, { timeoutMs, signal: controller.signal })
    controller.abort()
    await refuses('cancelled', attempt)
    await listener.close()
  })

  contract('connect() and listen() refuse what is no address', async ({ client, server }) => {
    for (const address of ['', 'host', 'host:', 'host:70000', ':80', '::1:80', 'a b:c']) {
      await refuses('invalid-argument', client.connect(address, { timeoutMs }))
      await refuses(
        'invalid-argument',
        server.listen({ address, maxConnections: 1 }, () => undefined),
      )
    }
  })

  contract('listen() and serveHttp() refuse a port that is taken, and name it', async ({ server }) => {
    const listener = await server.listen({ address: anyPort, maxConnections: 1 }, () => undefined)
    const { address } = listener
    const error = await refuses(
      'in-use',
      server.listen({ address, maxConnections: 1 }, () => undefined),
    )
    assert.ok(error.message.includes(address))
    const options = { address, maxConnections: 1, idleTimeoutMs: 1000 }
    await refuses(
      'in-use',
      server.serveHttp(options, () => undefined),
    )
    await listener.close()
    const next = await server.listen({ address, maxConnections: 1 }, () => undefined)
    await next.close()
  })

  contract('listen() drops connections beyond the most it may have', async ({ client, server }) => {
    const listener = await server.listen({ address: anyPort, maxConnections: 2 }, (connection) => recorded(connection))
    const first = recorded(await client.connect(listener.address, { timeoutMs }))
    const second = recorded(await client.connect(listener.address, { timeoutMs }))
    const third = recorded(await client.connect(listener.address, { timeoutMs }))
    await third.over
    assert.deepEqual([first.closings, second.closings], [0, 0])
    first.connection.end()
    await first.over
    await turns()
    const fourth = recorded(await client.connect(listener.address, { timeoutMs }))
    await turns()
    assert.equal(fourth.closings, 0)
    for (const { connection } of [second, fourth]) connection.destroy()
    await listener.close()
  })

  contract('serveHttp() hands requests over and sends answers back', async (under) => {
    const door = await serve(under, async (incoming, response) => {
      const pieces: Buffer[] = []
      for await (const piece of incoming) pieces.push(piece)
      response.setHeader('x-method', incoming.method ?? '')
      response.end(Buffer.concat([...pieces, ...pieces]))
    })
    const half = Buffer.alloc(2_000_000, '0123456789')
    const { status, headers, body } = await ask(under, door, { method: 'PUT', body: half })
    assert.equal(status, 200)
    assert.equal(headers['x-method'], 'PUT')
    assert.ok(body.equals(Buffer.concat([half, half])))
    await door.close()
    await refuses('unavailable', under.client.connect(door.address, { timeoutMs }))
  })

  contract('serveHttp() leaves every Expect to a handler that asked for it', async ({ client, server }) => {
    const options = { address: anyPort, maxConnections: 10, idleTimeoutMs: 5_000, expectations: 'handled' as const }
    const door = await server.serveHttp(options, async (incoming, response) => {
      if (incoming.url === '/refused') return void response.writeHead(403, { connection: 'close' }).end()
      if (incoming.headers.expect === '100-continue') response.writeContinue()
      for await (const piece of incoming) response.write(piece)
      response.end()
    })
    for (const [path, expect, answer] of [
      ['/refused', '100-continue', /^HTTP\/1\.1 403 /],
      ['/taken', '100-continue', /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /],
      ['/taken', '', /^HTTP\/1\.1 200 /],
      ['/taken', '200', /^HTTP\/1\.1 200 /],
    ] as const) {
      const near = recorded(await client.connect(door.address, { timeoutMs }))
      const head = `PUT ${path} HTTP/1.1\r\nhost: x\r\nexpect: ${expect}\r\ncontent-length: 4\r\nconnection: close\r\n\r\n`
      near.connection.write(Buffer.from(`${head}body`))
      await near.over
      assert.match(near.text(), answer)
      near.connection.destroy()
    }
    await door.close()
  })

  contract('serveHttp() answers 500 when its handler throws, and goes on', async (under) => {
    const door = await serve(under, async (incoming, response) => {
      response.setHeader('x-secret', 'of the handler')
      if (incoming.url === '/bad') throw new Error('the handler broke')
      response.end('good')
    })
    const bad = await ask(under, door, { path: '/bad' })
    assert.equal(bad.status, 500)
    assert.equal(bad.headers['x-secret'], undefined)
    assert.ok(!bad.body.toString().includes('broke'))
    assert.equal((await ask(under, door, {})).body.toString(), 'good')
    await door.close()
  })

  contract('serveHttp() breaks a body that its handler could not finish', async (under) => {
    const door = await serve(under, async (_incoming, response) => {
      response.writeHead(200)
      response.write('part')
      throw new Error('the handler broke')
    })
    await assert.rejects(ask(under, door, {}))
    await door.close()
  })

  contract('serveHttp() answers 400 to what is no HTTP', async (under) => {
    const door = await serve(under, (_incoming, response) => void response.end())
    const near = recorded(await under.client.connect(door.address, { timeoutMs }))
    near.connection.write(Buffer.from('\x16\x03\x01 no request\r\n\r\n'))
    await near.over
    assert.match(near.text(), /^HTTP\/1\.1 400 Bad Request\r\n/)
    await door.close()
  })

  contract('serveHttp() closes idle connections, and close() closes the others', async (under) => {
    const door = await serve(under, (_incoming, response) => void response.end('x'), 50)
    const near = recorded(await under.client.connect(door.address, { timeoutMs }))
    await near.over
    await door.close()

    const held = await serve(under, () => new Promise(() => undefined))
    const other = recorded(await under.client.connect(held.address, { timeoutMs }))
    other.connection.write(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'))
    await turns()
    await held.close()
    await other.over
  })
}

const recordedConnections = new Set<Connection>()

/** `network`, with what it listens on put down in `listeners`. */
function noting(network: Network, listeners: Listener[]): Network {
  const noted = async <T extends Listener>(opening: Promise<T>): Promise<T> => {
    const listener = await opening
    listeners.push(listener)
    return listener
  }
  return {
    listen: (options, onConnection) => noted(network.listen(options, onConnection)),
    serveHttp: (options, handle) => noted(network.serveHttp(options, handle)),
    connect: (address, options) => network.connect(address, options),
  }
}

/** A connection, and what has come out of it. */
export function recorded(connection: Connection) {
  recordedConnections.add(connection)
  const pieces: Buffer[] = []
  const over = Promise.withResolvers<AshlarError | undefined>()
  const record = {
    connection,
    over: over.promise,
    drained: 0,
    closings: 0,
    bytes: () => Buffer.concat(pieces),
    text: () => Buffer.concat(pieces).toString(),
  }
  connection.start({
    data: (bytes) => pieces.push(Buffer.from(bytes)),
    drained: () => record.drained++,
    closed: (error) => {
      record.closings++
      over.resolve(error)
    },
  })
  return record
}

/** Lets what is under way happen: enough turns for bytes to cross the loopback interface. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
}

export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (condition()) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  assert.fail(`it never came true: ${condition}`)
}

async function connected({ client, server }: NetworkUnderTest) {
  const accepted = Promise.withResolvers<Connection>()
  const listener = await server.listen({ address: anyPort, maxConnections: 10 }, accepted.resolve)
  const near = recorded(await client.connect(listener.address, { timeoutMs }))
  const far = recorded(await accepted.promise)
  assert.equal(near.connection.peerAddress, listener.address)
  assert.match(far.connection.peerAddress, /^.+:\d+$/)
  return {
    near,
    far,
    listener,
    [Symbol.asyncDispose]: async () => {
      near.connection.destroy()
      far.connection.destroy()
      await listener.close()
    },
  }
}

function serve(
  { server }: NetworkUnderTest,
  handle: Parameters<Network['serveHttp']>[1],
  idleTimeoutMs = 5_000,
): Promise<HttpListener> {
  return server.serveHttp({ address: anyPort, maxConnections: 10, idleTimeoutMs }, handle)
}

async function ask(
  { client }: NetworkUnderTest,
  door: HttpListener,
  { method = 'GET', path = '/', body }: { readonly method?: string; readonly path?: string; readonly body?: Buffer },
) {
  const stream = new ConnectionStream(await client.connect(door.address, { timeoutMs }), createNodeClock())
  const outgoing = request({ createConnection: () => stream, method, path, host: 'x' })
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.end(body)
  })
  const pieces: Buffer[] = []
  for await (const piece of incoming) pieces.push(piece)
  stream.destroy()
  return { status: incoming.statusCode, headers: incoming.headers, body: Buffer.concat(pieces) }
}

async function refuses(code: ErrorCode, work: Promise<unknown>): Promise<AshlarError> {
  try {
    await work
  } catch (error) {
    assert.ok(isAshlarError(error), `not an AshlarError: ${error}`)
    assert.equal(error.code, code, error.message)
    return error
  }
  assert.fail(`expected ${code}, and it succeeded`)
}
