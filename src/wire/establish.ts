/**
 * From a fresh connection to a proven peer: runs a handshake on it, within a deadline, then hands the connection over
 * without losing a byte. Nothing but handshake messages is parsed before.
 * @module
 */
import { AshlarError, toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import type { Connection } from '../env/network.ts'
import type { Handshake, ProvenIdentity } from './handshake.ts'
import { HandshakeReader, refusalMessage } from './handshake-messages.ts'
import type { PeerConnection } from './peer-connection.ts'

export interface EstablishOptions {
  readonly env: Env
  /** Not started yet. */
  readonly connection: Connection
  readonly handshake: Handshake
  readonly timeoutMs: number
  /** Whether a failure is told to the other side. */
  readonly tellsRefusals: boolean
  /** Throws to turn down a peer that has proven itself. */
  readonly admit: (proven: ProvenIdentity) => void
  /** Called when both sides are proven, before the peer's first frame is read. */
  readonly createPeer: (proven: ProvenIdentity) => PeerConnection
}

export interface Establishing {
  /** Rejects with an `AshlarError` (applied: no). */
  readonly peer: Promise<PeerConnection>
  /** Gives up. */
  readonly abort: (error: AshlarError) => void
}

export function establish(options: EstablishOptions): Establishing {
  const { env, connection, handshake, timeoutMs, tellsRefusals, admit, createPeer } = options
  const { promise, resolve, reject } = Promise.withResolvers<PeerConnection>()
  const reader = new HandshakeReader()
  let state: 'proving' | 'failed' | PeerConnection = 'proving'

  const timer = env.clock.after(timeoutMs, () => {
    const message = `Cannot connect to ${connection.peerAddress}: it did not prove itself within ${timeoutMs} ms`
    abort(new AshlarError('timeout', message, { applied: 'no', retry: 'later' }))
  })

  function receive(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length && state === 'proving') {
      const { message, next } = reader.push(bytes, at)
      at = next
      if (message === undefined) return
      const { send, proven } = handshake.receive(message)
      if (proven !== undefined) admit(proven)
      if (send !== undefined) connection.write(send)
      if (proven !== undefined) {
        timer.cancel()
        state = createPeer(proven)
        resolve(state)
        if (at < bytes.length) state.receive(bytes.subarray(at))
      }
    }
  }

  function fail(error: AshlarError): boolean {
    if (state !== 'proving') return false
    state = 'failed'
    timer.cancel()
    reject(error)
    return true
  }

  function abort(error: AshlarError): void {
    if (fail(error)) connection.destroy(error)
  }

  /** What does not even speak the protocol gets no answer. */
  function refuse(error: AshlarError): void {
    if (!tellsRefusals || error.code === 'protocol' || error.code === 'internal') {
      abort(error)
    } else if (fail(error)) {
      connection.write(refusalMessage(error))
      connection.end()
      env.clock.after(limits.closeGraceMs, () => connection.destroy(), { background: true })
    }
  }

  connection.start({
    data: (bytes) => {
      if (typeof state === 'object') return state.receive(bytes)
      try {
        receive(bytes)
      } catch (error) {
        refuse(toAshlarError(error, `connect to ${connection.peerAddress}`))
      }
    },
    target: () => (typeof state === 'object' ? state.target() : undefined),
    drained: () => {
      if (typeof state === 'object') state.drained()
    },
    closed: (cause) => {
      if (typeof state === 'object') return state.connectionClosed(cause)
      const message = `Cannot connect to ${connection.peerAddress}: it ended the connection`
      fail(new AshlarError('unavailable', message, { cause }))
    },
  })
  if (handshake.first !== undefined) connection.write(handshake.first)
  return { peer: promise, abort }
}
