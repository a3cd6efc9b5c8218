import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createManualClock } from '../../test/wire/manual-clock.ts'
import { clientCredentials, echo, masterCredentials, probe } from '../../test/wire/wire-pair.ts'
import { limits } from '../base/limits.ts'
import { createMemoryNetwork } from '../env/memory-network.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { connectPeer } from './connect.ts'
import { Keepalive } from './keepalive.ts'
import { listenForPeers } from './listen.ts'
import type { Peer } from './peer.ts'
import { createService } from './service.ts'

/** One client and one server on a network that can be cut, in virtual time. */
async function setUp() {
  const clock = createManualClock()
  const nodeEnv = createNodeEnv({ log: 'silent' })
  const network = createMemoryNetwork({ clock, log: nodeEnv.log })
  const envAt = (host: string) => ({ ...nodeEnv, clock, network: network.at(host) })
  const service = createService()
  service.handle(echo, async (request) => ({ value: request }))
  service.handle(probe, () => new Promise(() => undefined))
  const remote = Promise.withResolvers<Peer>()
  const listening = listenForPeers({
    env: envAt('server'),
    address: '127.0.0.1:0',
    credentials: masterCredentials,
    service,
    onPeer: remote.resolve,
  })
  await clock.advance(10)
  const { address } = await listening
  const connecting = connectPeer({ env: envAt('client'), address, credentials: clientCredentials })
  await clock.advance(100)
  return { clock, network, peer: await connecting, remote: await remote.promise }
}

test('a peer that vanishes without a word is noticed by both sides within 30 s', async () => {
  const { clock, network, peer, remote } = await setUp()
  await clock.advance(7_000)
  network.partition('client', 'server')
  const call = assert.rejects(peer.call(probe, { bytes: Buffer.alloc(0) }, { timeoutMs: 100_000 }), {
    code: 'connection-lost',
  })
  await clock.advance(30_000)
  assert.ok(peer.isClosed && remote.isClosed)
  await call
})

test('a peer is kept while it is alive: idle below the limit, or with a call under way for longer', async () => {
  const { clock, peer, remote } = await setUp()
  await clock.advance(limits.idleConnectionTimeoutMs - 20_000)
  assert.ok(!peer.isClosed && !remote.isClosed)
  const call = peer.call(probe, { bytes: Buffer.alloc(0) }, { timeoutMs: 10 * limits.idleConnectionTimeoutMs })
  await clock.advance(3 * limits.idleConnectionTimeoutMs)
  assert.ok(!peer.isClosed && !remote.isClosed)
  const lost = assert.rejects(call, { code: 'connection-lost' })
  peer.close()
  await lost
})

test('a connection that nobody uses is closed after limits.idleConnectionTimeoutMs', async () => {
  const { clock, peer, remote } = await setUp()
  await clock.advance(limits.idleConnectionTimeoutMs + 2 * limits.keepaliveTickMs)
  assert.ok(peer.isClosed && remote.isClosed)
})

test('Keepalive takes a slow peer that still empties a backlog for alive, and one that does not for dead', async () => {
  const clock = createManualClock()
  const events: string[] = []
  const state = { callsUnderWay: 1, unsentBytes: 1000, takenBytes: 0 }
  new Keepalive({
    clock,
    idleTimeoutMs: 1e9,
    observe: () => ({ ...state }),
    ping: () => events.push('ping'),
    dead: () => events.push('dead'),
    idle: () => events.push('idle'),
    tick: () => undefined,
  })
  for (let count = 0; count < 20; count++) {
    state.takenBytes++
    await clock.advance(limits.keepaliveTickMs)
  }
  assert.ok(!events.includes('dead'))
  await clock.advance(30_000)
  assert.equal(events.at(-1), 'dead')
})

test('Keepalive is not misled by pings that the own system takes', async () => {
  const clock = createManualClock()
  const events: string[] = []
  let takenBytes = 0
  new Keepalive({
    clock,
    idleTimeoutMs: 1e9,
    observe: () => ({ callsUnderWay: 1, unsentBytes: 0, takenBytes }),
    ping: () => {
      takenBytes += 24
    },
    dead: () => events.push('dead'),
    idle: () => events.push('idle'),
    tick: () => undefined,
  })
  await clock.advance(30_000)
  assert.deepEqual(events, ['dead'])
})
