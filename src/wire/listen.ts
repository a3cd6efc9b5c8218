/**
 * Takes connections and lets in who proves itself.
 *
 * Strangers are bounded apart from peers: of the connections that have not proven themselves the oldest makes room for
 * the newest, so that a flood of silent ones keeps nobody out for longer than a round trip.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import type { Connection, Listener } from '../env/network.ts'
import type { Credentials } from './credentials.ts'
import { type Establishing, establish } from './establish.ts'
import { acceptorHandshake } from './handshake.ts'
import { nonceBytes } from './handshake-messages.ts'
import type { Peer } from './peer.ts'
import { PeerConnection } from './peer-connection.ts'
import type { Service } from './service.ts'

/** The connector ends an idle connection; its listener does so only when the connector failed to. */
const idleTimeoutMs = limits.idleConnectionTimeoutMs + 6 * limits.keepaliveTickMs
const warningIntervalMs = 1_000

export interface ListenOptions {
  readonly env: Env
  /** `host:port`; port 0 takes any free one. */
  readonly address: string
  /** A server's. */
  readonly credentials: Credentials
  readonly service: Service
  /** What comes in large is written to a disk: its payloads lie in whole pages. */
  readonly takesChunks?: boolean
  /** Called before the peer's first request is read. */
  readonly onPeer?: (peer: Peer) => void
  readonly onPeerClosed?: (peer: Peer) => void
  /** Proven peers at once; one more is refused with `busy`. Default `limits.connectionsPerListener`. */
  readonly maxConnections?: number
}

export interface PeerListener {
  /** With the port that was really taken. */
  readonly address: string
  /** Takes no more connections and closes the open peers. Idempotent. */
  close(): Promise<void>
}

/** @throws {AshlarError} `in-use` — the port is taken; the message names it */
export async function listenForPeers(options: ListenOptions): Promise<PeerListener> {
  assert(options.credentials.role !== 'client', 'clients take no connections')
  const door = new Door(options)
  const listener = await options.env.network.listen(
    { address: options.address, maxConnections: door.maxConnections + limits.handshakesPerListener },
    (connection) => door.take(connection),
  )
  return { address: listener.address, close: () => door.close(listener) }
}

class Door {
  readonly maxConnections: number
  readonly #options: ListenOptions
  readonly #peers = new Set<PeerConnection>()
  /** In order of arrival. */
  readonly #strangers = new Set<Establishing>()
  #isClosed = false
  #warnedAtMs = Number.NEGATIVE_INFINITY
  #warningsHeldBack = 0

  constructor(options: ListenOptions) {
    this.#options = options
    this.maxConnections = options.maxConnections ?? limits.connectionsPerListener
  }

  take(connection: Connection): void {
    if (this.#isClosed) {
      connection.destroy()
      return
    }
    const { env, credentials } = this.#options
    this.#makeRoom()
    const stranger = establish({
      env,
      connection,
      handshake: acceptorHandshake({ credentials, nonce: env.random.bytes(nonceBytes) }),
      timeoutMs: limits.handshakeTimeoutMs,
      tellsRefusals: true,
      admit: () => this.#checkRoom(),
      createPeer: (proven) => {
        const { service, takesChunks = false } = this.#options
        const identity = { ...proven, address: connection.peerAddress }
        const onClosed = (closed: PeerConnection) => this.#peerClosed(closed)
        const peer = new PeerConnection({ env, connection, identity, service, takesChunks, idleTimeoutMs, onClosed })
        this.#peers.add(peer)
        this.#options.onPeer?.(peer)
        return peer
      },
    })
    this.#strangers.add(stranger)
    stranger.peer
      .catch((error: AshlarError) => this.#warn(connection.peerAddress, error))
      .finally(() => this.#strangers.delete(stranger))
  }

  async close(listener: Listener): Promise<void> {
    this.#isClosed = true
    const stopped = listener.close()
    for (const stranger of this.#strangers) stranger.abort(new AshlarError('closed', 'The listener was closed'))
    const peers = [...this.#peers]
    for (const peer of peers) peer.close()
    await Promise.all([stopped, ...peers.map((peer) => peer.gone)])
  }

  #checkRoom(): void {
    if (this.#isClosed) throw new AshlarError('unavailable', 'Cannot connect: the server is closing')
    if (this.#peers.size < this.maxConnections) return
    throw new AshlarError('busy', `Cannot connect: ${this.#peers.size} peers are connected already`)
  }

  #makeRoom(): void {
    if (this.#strangers.size < limits.handshakesPerListener) return
    const [oldest] = this.#strangers
    if (oldest === undefined) return
    this.#strangers.delete(oldest)
    oldest.abort(new AshlarError('busy', 'Cannot wait any longer for a proof: newer connections need the room'))
  }

  #peerClosed(peer: PeerConnection): void {
    this.#peers.delete(peer)
    this.#options.onPeerClosed?.(peer)
  }

  /** A flood of strangers must not fill the log. */
  #warn(peer: string, error: AshlarError): void {
    const nowMs = this.#options.env.clock.monotonicMs()
    if (nowMs - this.#warnedAtMs < warningIntervalMs) {
      this.#warningsHeldBack++
      return
    }
    const heldBack = this.#warningsHeldBack
    this.#warnedAtMs = nowMs
    this.#warningsHeldBack = 0
    this.#options.env.log.warn('Turned a connection away', { peer, code: error.code, reason: error.message, heldBack })
  }
}
