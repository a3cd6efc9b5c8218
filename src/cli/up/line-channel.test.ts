import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, test } from 'node:test'
import { openLineChannel } from './line-channel.ts'

let here: Socket
let there: Socket

beforeEach(async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  here = connect((server.address() as { port: number }).port, '127.0.0.1')
  ;[there] = (await once(server, 'connection')) as [Socket]
  server.close()
})

afterEach(() => {
  here.destroy()
  there.destroy()
})

/** What `there` says, and whether it is gone. */
function listen() {
  const said: unknown[] = []
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const channel = openLineChannel(here, { onMessage: (message) => said.push(message), onClosed: resolve })
  return { said, closed, channel }
}

test('openLineChannel() gives whole messages in order, wherever they are cut, and tells of the end after the last', async () => {
  const { said, closed } = listen()
  const bytes = Buffer.from('{"a":"ö"}\n{"b":2}\n{"c":"\\n"}\n{"never":')
  for (const byte of bytes) there.write(Buffer.of(byte))
  there.end()
  await closed
  assert.deepEqual(said, [{ a: 'ö' }, { b: 2 }, { c: '\n' }])
})

test('openLineChannel() sends each message as a line, and nothing to who is gone', async () => {
  const { channel, closed } = listen()
  const other: unknown[] = []
  const received = Promise.withResolvers<void>()
  openLineChannel(there, {
    onMessage: (message) => {
      other.push(message)
      if (other.length === 2) received.resolve()
    },
  })
  await channel.send({ text: 'two\nlines' })
  await channel.send({ number: 2 })
  await received.promise
  assert.deepEqual(other, [{ text: 'two\nlines' }, { number: 2 }])
  there.resetAndDestroy()
  await closed
  await channel.send({ number: 3 })
})

test('openLineChannel() ends with who sends a line without end', async () => {
  const { said, closed } = listen()
  there.on('error', () => undefined)
  there.write(Buffer.alloc(1024 * 1024, 'x'))
  await closed
  assert.deepEqual(said, [])
})
