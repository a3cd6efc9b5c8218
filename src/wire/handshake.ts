/**
 * The mutual challenge that begins every connection, without any I/O.
 *
 *     connector                                       acceptor
 *     hello (versions, role, cluster, nonce)   →
 *                                              ←      hello (version, role, cluster, server, nonce)
 *     proof = MAC(key, "connector" ‖ both)     →
 *                                              ←      proof = MAC(key, "acceptor" ‖ both), to a client also
 *                                                     signature(servers' key, "server" ‖ both)
 *
 * The key is that of the *connector's* role: a server knows them all, a client only its own. The connector proves itself
 * first, so a stranger gets nothing but a refusal that says why. Each proof covers both hellos to the last byte, and a
 * label for its side: one that is replayed meets another nonce, one that is reflected another label. All clients hold
 * the client key: what tells a client that it met a server is the signature, under the key that its `cluster.json` names.
 *
 * What it does not do: later frames carry no MAC. The network between the processes must keep strangers from
 * changing bytes under way (a private network, WireGuard); TLS is not built in.
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import type { Credentials } from './credentials.ts'
import { type HandshakeMessage, type Hello, helloMessage, proofMessage } from './handshake-messages.ts'
import type { Role } from './method.ts'
import { isSignedByServer, signAsServer } from './server-identity.ts'

/** The protocol versions that this build speaks, inclusive. */
export const protocolVersions = { lowest: 1, highest: 2 } as const

/** What the other side proved. To a client that has no `serverKey` only that it holds the client key. */
export interface ProvenIdentity {
  readonly role: Role
  readonly clusterId: ClusterId
  readonly serverId?: ServerId | undefined
  /** The protocol version on which both settled. */
  readonly version: number
}

export interface Step {
  /** Bytes to send now. */
  readonly send?: Buffer
  /** Set when the handshake is over. `send` goes first. */
  readonly proven?: ProvenIdentity
}

/** One side. Any error that `receive` throws is final: the acceptor tells it to the peer as a refusal. */
export interface Handshake {
  readonly first?: Buffer
  /**
   * @throws {AshlarError} `unauthenticated`, `wrong-cluster`, `version-unsupported`, `protocol`; on the connector's side also
   *   whatever the acceptor refused with
   */
  receive(message: HandshakeMessage): Step
}

export interface HandshakeOptions {
  readonly credentials: Credentials
  /** 32 random bytes, never used before. */
  readonly nonce: Buffer
  readonly versions?: { readonly lowest: number; readonly highest: number }
}

export function connectorHandshake({ credentials, nonce, versions = protocolVersions }: HandshakeOptions): Handshake {
  const first = helloMessage(helloOf(credentials, nonce, versions))
  const key = keyOfRole(credentials, credentials.role)
  let accepted: { readonly hello: Hello; readonly raw: Buffer } | undefined
  return {
    first,
    receive(message) {
      if (message.kind === 'refusal') throw message.error
      if (accepted === undefined) {
        if (message.kind !== 'hello') throw outOfOrder()
        checkCluster(message.hello, credentials)
        const { lowestVersion, highestVersion, role } = message.hello
        if (lowestVersion !== highestVersion || lowestVersion < versions.lowest || lowestVersion > versions.highest) {
          throw versionUnsupported(versions, message.hello)
        }
        if (role === 'client') throw unauthenticated('it says to be a client, and clients take no connections')
        accepted = message
        return { send: proofMessage(proofOf(key, 'connector', first, message.raw)) }
      }
      if (message.kind !== 'proof') throw outOfOrder()
      if (!sameProof(message.mac, proofOf(key, 'acceptor', first, accepted.raw))) {
        throw unauthenticated('it does not hold the key of this cluster')
      }
      if (credentials.role === 'client' && credentials.serverKey !== undefined) {
        const signed = signedBytes(first, accepted.raw)
        if (!isSignedByServer(credentials.serverKey, signed, message.signature ?? noSignature)) {
          throw unauthenticated('it holds the key of clients, and does not prove to be a server of this cluster')
        }
      }
      return { proven: provenBy(accepted.hello, accepted.hello.highestVersion) }
    },
  }
}

/** `credentials` are a server's: clients take no connections. */
export function acceptorHandshake({ credentials, nonce, versions = protocolVersions }: HandshakeOptions): Handshake {
  let offered:
    | { readonly hello: Hello; readonly raw: Buffer; readonly reply: Buffer; readonly version: number }
    | undefined
  return {
    receive(message) {
      if (offered === undefined) {
        if (message.kind !== 'hello') throw outOfOrder()
        const highest = Math.min(message.hello.highestVersion, versions.highest)
        if (highest < message.hello.lowestVersion || highest < versions.lowest) {
          throw versionUnsupported(versions, message.hello)
        }
        checkCluster(message.hello, credentials)
        const reply = helloMessage(helloOf(credentials, nonce, { lowest: highest, highest }))
        offered = { hello: message.hello, raw: message.raw, reply, version: highest }
        return { send: reply }
      }
      if (message.kind !== 'proof') throw outOfOrder()
      const key = keyOfRole(credentials, offered.hello.role)
      if (!sameProof(message.mac, proofOf(key, 'connector', offered.raw, offered.reply))) {
        throw unauthenticated(`the ${offered.hello.role} key is wrong`)
      }
      const isClient = offered.hello.role === 'client' && credentials.role !== 'client'
      const signature = isClient ? signAsServer(credentials.keys, signedBytes(offered.raw, offered.reply)) : undefined
      const send = proofMessage(proofOf(key, 'acceptor', offered.raw, offered.reply), signature)
      return { send, proven: provenBy(offered.hello, offered.version) }
    },
  }
}

function helloOf(
  credentials: Credentials,
  nonce: Buffer,
  versions: { readonly lowest: number; readonly highest: number },
): Hello {
  return {
    lowestVersion: versions.lowest,
    highestVersion: versions.highest,
    role: credentials.role,
    clusterId: credentials.clusterId,
    nonce,
    serverId: credentials.role === 'client' ? undefined : credentials.serverId,
  }
}

function keyOfRole(credentials: Credentials, connectorRole: Role): Buffer {
  if (credentials.role === 'client') return credentials.clientKey
  return connectorRole === 'client' ? credentials.keys.client : credentials.keys.server
}

/** Both hellos have their lengths in them, so their concatenation reads one way only. */
function proofOf(key: Buffer, side: 'connector' | 'acceptor', connectorHello: Buffer, acceptorHello: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(`ashlar handshake ${side}\0`)
    .update(connectorHello)
    .update(acceptorHello)
    .digest()
}

const noSignature = Buffer.alloc(0)

function signedBytes(connectorHello: Buffer, acceptorHello: Buffer): Buffer {
  return Buffer.concat([Buffer.from('ashlar handshake server\0'), connectorHello, acceptorHello])
}

function sameProof(given: Buffer, expected: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(given, expected)
}

function provenBy({ role, clusterId, serverId }: Hello, version: number): ProvenIdentity {
  if (role === 'client') return { role, clusterId, version }
  if (serverId === undefined) throw new AshlarError('protocol', `Cannot accept the ${role}: it does not say its id`)
  return { role, clusterId, serverId, version }
}

function checkCluster(peer: Hello, credentials: Credentials): void {
  if (peer.clusterId === credentials.clusterId) return
  throw new AshlarError(
    'wrong-cluster',
    'Cannot connect: the two sides belong to different clusters; use the cluster.json of the cluster you mean',
  )
}

function versionUnsupported(
  own: { readonly lowest: number; readonly highest: number },
  { lowestVersion, highestVersion }: Hello,
): AshlarError {
  return new AshlarError(
    'version-unsupported',
    `Cannot connect: one side speaks protocol versions ${own.lowest} to ${own.highest}, the other ` +
      `${lowestVersion} to ${highestVersion}; upgrade the older one`,
  )
}

function unauthenticated(why: string): AshlarError {
  return new AshlarError('unauthenticated', `Cannot authenticate the peer: ${why}`)
}

function outOfOrder(): AshlarError {
  return new AshlarError('protocol', 'Cannot read handshake: a message came out of order')
}
