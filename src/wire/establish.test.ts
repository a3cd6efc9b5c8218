import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeConnection } from '../../test/wire/fake-connection.ts'
import { createManualClock, turns } from '../../test/wire/manual-clock.ts'
import { clientCredentials, masterCredentials } from '../../test/wire/wire-pair.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { establish } from './establish.ts'
import { frameHeaderBytes, frameKinds, writeFrameHeader } from './frame.ts'
import { acceptorHandshake, connectorHandshake } from './handshake.ts'
import { type HandshakeMessage, HandshakeReader } from './handshake-messages.ts'
import { PeerConnection } from './peer-connection.ts'
import { createService } from './service.ts'

function setUp() {
  const clock = createManualClock()
  const env = { ...createNodeEnv({ log: 'silent' }), clock }
  const connection = new FakeConnection()
  const { peer } = establish({
    env,
    connection,
    handshake: connectorHandshake({ credentials: clientCredentials, nonce: Buffer.alloc(32, 1) }),
    timeoutMs: 1000,
    tellsRefusals: false,
    admit: () => undefined,
    createPeer: (proven) => {
      const identity = { ...proven, address: 'fake:1' }
      return new PeerConnection({ env, connection, identity, service: createService(), idleTimeoutMs: 1e6 })
    },
  })
  return { clock, connection, peer }
}

function messageOf(bytes: Uint8Array): HandshakeMessage {
  const { message } = new HandshakeReader().push(Buffer.from(bytes), 0)
  assert.ok(message)
  return message
}

test('establish() loses no frame that comes in one piece with the last message of the handshake', async () => {
  const { connection, peer } = setUp()
  const acceptor = acceptorHandshake({ credentials: masterCredentials, nonce: Buffer.alloc(32, 2) })
  const hello = acceptor.receive(messageOf(connection.writes[0] as Uint8Array)).send as Buffer
  connection.handlers?.data(hello)
  const proof = acceptor.receive(messageOf(connection.writes[1] as Uint8Array)).send as Buffer
  const ping = Buffer.alloc(frameHeaderBytes)
  const header = { kind: frameKinds.ping, method: 0, requestId: 0, timeoutMs: 0, headBytes: 0, payloadBytes: 0 }
  writeFrameHeader(ping, 0, header)
  connection.handlers?.data(Buffer.concat([proof, ping]))
  assert.equal((await peer).identity.role, 'master')
  await turns(2)
  assert.equal(connection.writes[2]?.[5], frameKinds.pong)
})

test('establish() gives up a peer that does not prove itself in time', async () => {
  const { clock, connection, peer } = setUp()
  const failed = assert.rejects(peer, { code: 'timeout', applied: 'no' })
  await clock.advance(999)
  assert.deepEqual(connection.events, [])
  await clock.advance(1)
  await failed
  assert.deepEqual(connection.events, ['destroy'])
})

test('establish() leaves no timer behind when the other side ends the connection', async () => {
  const { clock, connection, peer } = setUp()
  connection.handlers?.closed()
  await assert.rejects(peer, { code: 'unavailable', applied: 'no' })
  assert.equal(clock.pendingTimers, 0)
})
