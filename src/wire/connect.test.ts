import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  chunkServerCredentials,
  clientCredentials,
  echo,
  echoService,
  masterCredentials,
  masterId,
  wirePair,
} from '../../test/wire/wire-pair.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { connectPeer } from './connect.ts'
import type { Credentials } from './credentials.ts'
import { deriveKeys } from './keys.ts'
import { type ListenOptions, listenForPeers } from './listen.ts'
import type { Peer } from './peer.ts'

const env = createNodeEnv({ log: 'silent' })
const otherKeys = deriveKeys(Buffer.alloc(32, 99))
const listen = (more: Partial<ListenOptions> = {}) =>
  listenForPeers({ env, address: '127.0.0.1:0', credentials: masterCredentials, service: echoService(), ...more })

/** A server that is none of ours. */
async function stranger(onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function portOf(address: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: Number(address.split(':')[1]) })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

test('connectPeer() is told at once why it is refused', async () => {
  const peers: Peer[] = []
  const listener = await listen({ onPeer: (peer) => peers.push(peer) })
  const attempts: readonly (readonly [Credentials, string])[] = [
    [{ ...clientCredentials, clientKey: otherKeys.client } as Credentials, 'unauthenticated'],
    [{ ...chunkServerCredentials, keys: otherKeys } as Credentials, 'unauthenticated'],
    [{ ...clientCredentials, clusterId: 'ff'.repeat(16) as ClusterId }, 'wrong-cluster'],
  ]
  for (const [credentials, code] of attempts) {
    // Were it not told, this would be a `timeout` of the test.
    const attempt = connectPeer({ env, address: listener.address, credentials, timeoutMs: 600_000 })
    await assert.rejects(attempt, { code, applied: 'no' })
  }
  assert.deepEqual(peers, [])
  await listener.close()
})

test('connectPeer() refuses another server than the expected one', async () => {
  const listener = await listen()
  const options = { env, address: listener.address, credentials: clientCredentials }
  const expectServer = 'cc'.repeat(16) as ServerId
  await assert.rejects(connectPeer({ ...options, expectServer }), { code: 'unavailable', applied: 'no' })
  const peer = await connectPeer({ ...options, expectServer: masterId })
  assert.equal(peer.identity.serverId, masterId)
  await listener.close()
})

test('connectPeer() says so when nobody, nothing of ours, or nothing at all answers', async () => {
  const credentials = clientCredentials
  const gone = await stranger(() => undefined)
  await gone[Symbol.asyncDispose]()
  await assert.rejects(connectPeer({ env, address: gone.address, credentials }), { code: 'unavailable', applied: 'no' })

  await using http = await stranger((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await assert.rejects(connectPeer({ env, address: http.address, credentials }), { code: 'protocol', applied: 'no' })

  await using closing = await stranger((socket) => socket.end())
  await assert.rejects(connectPeer({ env, address: closing.address, credentials }), {
    code: 'unavailable',
    applied: 'no',
  })

  await using silent = await stranger(() => undefined)
  const attempt = connectPeer({ env, address: silent.address, credentials, timeoutMs: 50 })
  await assert.rejects(attempt, { code: 'timeout', applied: 'no' })

  const controller = new AbortController()
  const { signal } = controller
  const cancelled = connectPeer({ env, address: silent.address, credentials, timeoutMs: 60_000, signal })
  setTimeout(() => controller.abort(), 20)
  await assert.rejects(cancelled, { code: 'cancelled', applied: 'no' })
  await assert.rejects(connectPeer({ env, address: silent.address, credentials, signal }), { code: 'cancelled' })
})

test('listenForPeers() refuses one peer too many with busy, and takes the next when one has gone', async () => {
  const gone: Peer[] = []
  const listener = await listen({ maxConnections: 2, onPeerClosed: (peer) => gone.push(peer) })
  const attempt = () => connectPeer({ env, address: listener.address, credentials: clientCredentials })
  const [first, second] = [await attempt(), await attempt()]
  await assert.rejects(attempt(), { code: 'busy', applied: 'no' })
  first.close()
  while (gone.length === 0) await delay(2)
  const third = await attempt()
  assert.deepEqual((await third.call(echo, { word: 'a', number: 1 })).value, { word: 'a', number: 1 })
  assert.ok(!second.isClosed)
  await listener.close()
})

test('listenForPeers() lets peers in while more silent strangers than it may hold come', async () => {
  const listener = await listen({ maxConnections: 4 })
  const strangers: Socket[] = []
  for (let count = 0; count < limits.handshakesPerListener + 40; count++) strangers.push(await portOf(listener.address))
  const peer = await connectPeer({ env, address: listener.address, credentials: clientCredentials })
  await peer.call(echo, { word: 'a', number: 1 })
  await delay(20)
  assert.ok(strangers.filter((socket) => socket.closed).length >= 40, 'the oldest had to go')
  assert.ok(!strangers.at(-1)?.closed)
  for (const socket of strangers) socket.destroy()
  await listener.close()
})

test('listenForPeers() answers nothing to what is not its protocol', async () => {
  const listener = await listen()
  const socket = await portOf(listener.address)
  let answered = 0
  socket.on('data', (bytes) => {
    answered += bytes.length
  })
  socket.write('GET / HTTP/1.1\r\n\r\n')
  await once(socket, 'close')
  assert.equal(answered, 0)
  await listener.close()
})

test('PeerListener.close() ends open peers and strangers, refuses new ones, and is idempotent', async () => {
  const pair = await wirePair()
  const silent = await portOf(pair.listener.address)
  const silentEnded = once(silent, 'close')
  await pair.listener.close()
  await pair.listener.close()
  await silentEnded
  while (!pair.peer.isClosed) await delay(2)
  const attempt = connectPeer({ env, address: pair.listener.address, credentials: clientCredentials })
  await assert.rejects(attempt, { code: 'unavailable' })
})

test('listenForPeers() on a port that is taken is in-use', async () => {
  const listener = await listen()
  await assert.rejects(listen({ address: listener.address }), { code: 'in-use' })
  await listener.close()
})
