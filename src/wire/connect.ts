/** Connects to a server and proves both sides to each other. @module */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { underLabel } from '../env/request-label.ts'
import { cancelled, throwIfCancelled } from '../env/waiting.ts'
import type { Credentials } from './credentials.ts'
import { establish } from './establish.ts'
import { connectorHandshake, type ProvenIdentity } from './handshake.ts'
import { nonceBytes } from './handshake-messages.ts'
import type { Peer } from './peer.ts'
import { PeerConnection } from './peer-connection.ts'
import { createService, type Service } from './service.ts'

export interface ConnectOptions {
  readonly env: Env
  /** `host:port` */
  readonly address: string
  readonly credentials: Credentials
  /** What the other side may call here. Default: nothing. */
  readonly service?: Service
  /** Refuses any other server that answers at this address. */
  readonly expectServer?: ServerId
  /** For connection and handshake together. Default `limits.handshakeTimeoutMs`. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/**
 * The connection is closed by itself when no call was made on it for `limits.idleConnectionTimeoutMs`.
 *
 * @throws {AshlarError} all with applied: no. `unavailable` — nobody there, or another server than expected; `timeout`;
 *   `cancelled`; `unauthenticated`, `wrong-cluster`, `version-unsupported` — refused, at once; `busy`; `protocol` — whoever
 *   listens there is not of Ashlar
 */
export function connectPeer(options: ConnectOptions): Promise<Peer> {
  // A connection outlives the request for which it is made.
  return underLabel(undefined, connectAndProve, options)
}

async function connectAndProve(options: ConnectOptions): Promise<Peer> {
  const { env, address, credentials, timeoutMs = limits.handshakeTimeoutMs, signal } = options
  const { service = createService(), expectServer } = options
  const startMs = env.clock.monotonicMs()
  const connection = await env.network.connect(address, signal === undefined ? { timeoutMs } : { timeoutMs, signal })
  if (signal?.aborted) connection.destroy()
  throwIfCancelled(signal, `connect to ${address}`)
  const { peer, abort } = establish({
    env,
    connection,
    handshake: connectorHandshake({ credentials, nonce: env.random.bytes(nonceBytes) }),
    timeoutMs: Math.max(1, timeoutMs - (env.clock.monotonicMs() - startMs)),
    tellsRefusals: false,
    admit: (proven) => checkServer(proven, expectServer, address),
    createPeer: (proven) =>
      new PeerConnection({
        env,
        connection,
        identity: { ...proven, address },
        service,
        idleTimeoutMs: limits.idleConnectionTimeoutMs,
      }),
  })
  const onAbort = () => abort(cancelled(`connect to ${address}`, signal as AbortSignal))
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await peer
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

function checkServer(proven: ProvenIdentity, expected: ServerId | undefined, address: string): void {
  if (expected === undefined || proven.serverId === expected) return
  throw new AshlarError(
    'unavailable',
    `Cannot connect to server ${expected}: at ${address} now answers server ${proven.serverId}`,
  )
}
