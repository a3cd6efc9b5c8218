import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  chunkServerCredentials,
  clientCredentials,
  clusterId,
  keys,
  masterCredentials,
  masterId,
} from '../../test/wire/wire-pair.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Credentials } from './credentials.ts'
import { acceptorHandshake, connectorHandshake, type Handshake, type ProvenIdentity } from './handshake.ts'
import {
  type HandshakeMessage,
  HandshakeReader,
  helloMessage,
  proofMessage,
  refusalMessage,
} from './handshake-messages.ts'
import { deriveKeys } from './keys.ts'
import { serverKeyOf } from './server-identity.ts'

let nonces = 0
const nextNonce = () => Buffer.alloc(32, ++nonces)
const connector = (credentials: Credentials) => connectorHandshake({ credentials, nonce: nextNonce() })
const acceptor = (credentials: Credentials) => acceptorHandshake({ credentials, nonce: nextNonce() })

const otherKeys = deriveKeys(Buffer.alloc(32, 99))
const otherCluster = 'ff'.repeat(16) as ClusterId

function messageOf(bytes: Buffer): HandshakeMessage {
  const { message, next } = new HandshakeReader().push(bytes, 0)
  assert.ok(message !== undefined && next === bytes.length)
  return message
}

interface Ended {
  readonly proven?: ProvenIdentity
  readonly error?: string
}

/** Runs both sides against each other as `establish` does: the acceptor's errors are told to the connector. */
function run(connecting: Handshake, accepting: Handshake): { readonly connector: Ended; readonly acceptor: Ended } {
  let connectorEnd: Ended = {}
  let acceptorEnd: Ended = {}
  let toAcceptor = connecting.first
  while (toAcceptor !== undefined) {
    let toConnector: Buffer | undefined
    try {
      const { send, proven } = accepting.receive(messageOf(toAcceptor))
      toConnector = send
      if (proven !== undefined) acceptorEnd = { proven }
    } catch (error) {
      assert.ok(error instanceof AshlarError)
      acceptorEnd = { error: error.code }
      toConnector = refusalMessage(error)
    }
    toAcceptor = undefined
    if (toConnector === undefined) break
    try {
      const { send, proven } = connecting.receive(messageOf(toConnector))
      toAcceptor = send
      if (proven !== undefined) connectorEnd = { proven }
    } catch (error) {
      assert.ok(error instanceof AshlarError)
      connectorEnd = { error: error.code }
    }
  }
  return { connector: connectorEnd, acceptor: acceptorEnd }
}

test('handshake proves each role to the other', () => {
  assert.deepEqual(run(connector(clientCredentials), acceptor(masterCredentials)), {
    connector: { proven: { role: 'master', clusterId, serverId: masterId, version: 2 } },
    acceptor: { proven: { role: 'client', clusterId, version: 2 } },
  })
  const between = run(connector(chunkServerCredentials), acceptor(masterCredentials))
  assert.deepEqual(between.acceptor.proven?.role, 'chunkserver')
  assert.equal(between.acceptor.proven?.serverId, 'bb'.repeat(16))
  assert.equal(between.connector.proven?.role, 'master')
})

const refused: readonly (readonly [string, Credentials, Credentials, string])[] = [
  [
    'a wrong client key',
    { ...clientCredentials, clientKey: otherKeys.client } as Credentials,
    masterCredentials,
    'unauthenticated',
  ],
  [
    'a wrong server key',
    { ...chunkServerCredentials, keys: otherKeys } as Credentials,
    masterCredentials,
    'unauthenticated',
  ],
  [
    'another cluster',
    { ...clientCredentials, clusterId: otherCluster } as Credentials,
    masterCredentials,
    'wrong-cluster',
  ],
  // What a client could try with the only key it has.
  [
    'a client key used as a server key',
    { ...chunkServerCredentials, keys: { ...otherKeys, server: keys.client } } as Credentials,
    masterCredentials,
    'unauthenticated',
  ],
  [
    'a server key used as a client key',
    { ...clientCredentials, clientKey: keys.server } as Credentials,
    masterCredentials,
    'unauthenticated',
  ],
]
for (const [name, connecting, accepting, code] of refused) {
  test(`handshake refuses ${name}, and says so to both`, () => {
    const ended = run(connector(connecting), acceptor(accepting))
    assert.deepEqual(ended, { connector: { error: code }, acceptor: { error: code } })
  })
}

test('handshake settles on the highest version of both, and refuses when there is none', () => {
  const versionOf = (ours: { lowest: number; highest: number }, theirs: { lowest: number; highest: number }) => {
    const ended = run(
      connectorHandshake({ credentials: clientCredentials, nonce: nextNonce(), versions: ours }),
      acceptorHandshake({ credentials: masterCredentials, nonce: nextNonce(), versions: theirs }),
    )
    return [ended.connector.error ?? 'ok', ended.acceptor.error ?? 'ok']
  }
  assert.deepEqual(versionOf({ lowest: 1, highest: 3 }, { lowest: 2, highest: 5 }), ['ok', 'ok'])
  assert.deepEqual(versionOf({ lowest: 2, highest: 3 }, { lowest: 1, highest: 1 }), [
    'version-unsupported',
    'version-unsupported',
  ])
  assert.deepEqual(versionOf({ lowest: 1, highest: 1 }, { lowest: 2, highest: 3 }), [
    'version-unsupported',
    'version-unsupported',
  ])
})

test('acceptor refuses a proof that was recorded on another connection', () => {
  const victim = connector(clientCredentials)
  const first = acceptor(masterCredentials)
  const { send: reply } = first.receive(messageOf(victim.first as Buffer))
  const { send: proof } = victim.receive(messageOf(reply as Buffer))
  assert.ok(first.receive(messageOf(proof as Buffer)).proven)

  const second = acceptor(masterCredentials)
  second.receive(messageOf(victim.first as Buffer))
  assert.throws(() => second.receive(messageOf(proof as Buffer)), { code: 'unauthenticated' })
})

test('connector refuses its own proof, and its own hello, sent back to it', () => {
  // Only one who speaks a single version takes its own hello for an answer.
  const versions = { lowest: 2, highest: 2 }
  const victim = connectorHandshake({ credentials: chunkServerCredentials, nonce: nextNonce(), versions })
  const { send: proof } = victim.receive(messageOf(victim.first as Buffer))
  assert.throws(() => victim.receive(messageOf(proof as Buffer)), { code: 'unauthenticated' })
})

test('connector refuses a server that does not know the key', () => {
  const victim = connector(clientCredentials)
  const impostor = acceptor({ ...masterCredentials, keys: otherKeys } as Credentials)
  const { send: reply } = impostor.receive(messageOf(victim.first as Buffer))
  victim.receive(messageOf(reply as Buffer))
  for (const mac of [Buffer.alloc(32), Buffer.alloc(0)]) {
    assert.throws(() => victim.receive(messageOf(proofMessage(mac))), { code: 'unauthenticated' })
  }
})

test('both sides refuse messages out of order', () => {
  const proof = messageOf(proofMessage(Buffer.alloc(32)))
  assert.throws(() => acceptor(masterCredentials).receive(proof), { code: 'protocol' })
  assert.throws(() => connector(clientCredentials).receive(proof), { code: 'protocol' })
  const accepting = acceptor(masterCredentials)
  const greeting = messageOf(connector(clientCredentials).first as Buffer)
  accepting.receive(greeting)
  assert.throws(() => accepting.receive(greeting), { code: 'protocol' })
  const refusal = messageOf(refusalMessage(new AshlarError('busy', 'Cannot')))
  assert.throws(() => acceptor(masterCredentials).receive(refusal), { code: 'protocol' })
})

test('a server that does not say its id is refused', () => {
  const { serverId: _, ...nameless } = chunkServerCredentials as Extract<
    Credentials,
    { role: 'chunkserver' | 'master' }
  >
  const ended = run(connector(nameless as Credentials), acceptor(masterCredentials))
  assert.equal(ended.acceptor.error, 'protocol')
})

test('each byte of both hellos is under the proofs', () => {
  const connecting = connector(clientCredentials)
  const hello = connecting.first as Buffer
  // Without the envelope, of which a change is refused before.
  for (let at = 9; at < hello.length; at++) {
    const changed = Buffer.from(hello)
    changed[at] = (changed[at] as number) ^ 1
    const accepting = acceptor(masterCredentials)
    assert.throws(() => {
      const { send } = accepting.receive(messageOf(changed))
      const { send: proof } = connector(clientCredentials).receive(messageOf(send as Buffer))
      accepting.receive(messageOf(proof as Buffer))
    }, AshlarError)
  }
})

test('HandshakeReader.push() reads a message cut anywhere, and no byte more than it', () => {
  const bytes = Buffer.concat([proofMessage(Buffer.alloc(32, 5)), Buffer.from('rest')])
  for (let cut = 1; cut < bytes.length - 4; cut++) {
    const reader = new HandshakeReader()
    assert.deepEqual(reader.push(bytes.subarray(0, cut), 0), { next: cut })
    const { message, next } = reader.push(bytes.subarray(cut), 0)
    assert.deepEqual(message, { kind: 'proof', mac: Buffer.alloc(32, 5) })
    assert.equal(cut + next, bytes.length - 4)
  }
})

test('HandshakeReader.push() gives a stranger up at the first wrong byte, and bounds what it keeps', () => {
  assert.throws(() => new HandshakeReader().push(Buffer.from('G'), 0), { code: 'protocol' })
  assert.throws(() => new HandshakeReader().push(Buffer.from('AshlaR'), 0), { code: 'protocol' })
  const long = Buffer.from('Ashlar\x01\0\0', 'latin1')
  long.writeUInt16BE(limits.handshakeBytes, 7)
  assert.throws(() => new HandshakeReader().push(long, 0), { code: 'protocol' })
  // Many short ones are bounded too.
  const reader = new HandshakeReader()
  const proof = proofMessage(Buffer.alloc(32))
  assert.throws(
    () => {
      for (let count = 0; count < 1000; count++) reader.push(proof, 0)
    },
    { code: 'protocol' },
  )
})

test('helloMessage() writes the bytes of docs/formats/handshake.md', () => {
  const hello = {
    lowestVersion: 1,
    highestVersion: 1,
    role: 'client',
    clusterId,
    nonce: Buffer.alloc(32, 0xab),
  } as const
  assert.equal(
    helloMessage(hello).toString('hex'),
    `4173686c6172 01 003b 01 0201 0401 0600 0910${clusterId} 0b20${'ab'.repeat(32)}`.replaceAll(' ', ''),
  )
})

// All clients hold the client key: the MAC under it tells a server from a stranger, and not from another client.
test("a client that knows the servers' key takes nobody for a server who holds the client key alone", () => {
  const careful: Credentials = { role: 'client', clusterId, clientKey: keys.client, serverKey: serverKeyOf(keys) }
  assert.equal(run(connector(careful), acceptor(masterCredentials)).connector.proven?.serverId, masterId)
  const posing = { ...masterCredentials, keys: { ...otherKeys, client: keys.client } }
  assert.equal(run(connector(careful), acceptor(posing)).connector.error, 'unauthenticated')
  // Without it, as with an older cluster.json, nothing is asked.
  assert.ok(run(connector(clientCredentials), acceptor(posing)).connector.proven)
})

test('a signature that was recorded, cut or left out proves no server', () => {
  const careful: Credentials = { role: 'client', clusterId, clientKey: keys.client, serverKey: serverKeyOf(keys) }
  const proofFor = (victim: Handshake) => {
    const accepting = acceptor(masterCredentials)
    const { send: hello } = accepting.receive(messageOf(victim.first as Buffer))
    const { send: proof } = victim.receive(messageOf(hello as Buffer))
    const message = messageOf(accepting.receive(messageOf(proof as Buffer)).send as Buffer)
    assert.ok(message.kind === 'proof')
    return message
  }
  const recorded = proofFor(connector(careful)).signature
  for (const signature of [undefined, Buffer.alloc(0), recorded, recorded?.subarray(1)]) {
    const victim = connector(careful)
    const { mac } = proofFor(victim)
    assert.throws(() => victim.receive({ kind: 'proof', mac, signature }), { code: 'unauthenticated' })
  }
})

test('servers sign for clients only', () => {
  const connecting = connector(chunkServerCredentials)
  const accepting = acceptor(masterCredentials)
  const { send: hello } = accepting.receive(messageOf(connecting.first as Buffer))
  const { send: proof } = connecting.receive(messageOf(hello as Buffer))
  const message = messageOf(accepting.receive(messageOf(proof as Buffer)).send as Buffer)
  assert.ok(message.kind === 'proof' && message.signature === undefined)
})
