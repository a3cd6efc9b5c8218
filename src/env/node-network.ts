/**
 * TCP and HTTP of the operating system.
 * @module
 */
import * as net from 'node:net'
import { limits } from '../base/limits.ts'
import { type AddressParts, formatAddress, parseAddress } from './address.ts'
import { connectError, listenError, noAnswer } from './errno.ts'
import type { Log } from './log.ts'
import type { Connection, Listener, Network } from './network.ts'
import { NodeConnection } from './node-connection.ts'
import { createHttpServer } from './node-http.ts'
import { Receiver, receiving } from './node-receiver.ts'
import { cancelled } from './waiting.ts'

/** Connections that wait to be accepted. */
const backlog = 1024

const socketOptions = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: limits.keepAliveAfterMs,
  highWaterMark: limits.unsentBytesPerConnection,
  allowHalfOpen: false,
} as const

export function createNodeNetwork({ log }: { readonly log: Log }): Network {
  return {
    async listen({ address, maxConnections }, onConnection) {
      const open = new Set<Connection>()
      const server = net.createServer({ ...socketOptions, pauseOnConnect: true }, (accepted) => {
        const { remoteAddress: host = 'unknown', remotePort: port = 0 } = accepted
        const received = receiving(accepted)
        const connection = new NodeConnection(received, formatAddress({ host, port }))
        // Node's own count ends with the accepted socket, which may have handed over.
        if (open.size >= maxConnections) {
          log.warn('Refused a connection: the listener has as many as it may', { address, maxConnections })
          connection.destroy()
          return
        }
        open.add(connection)
        received.socket.once('close', () => open.delete(connection))
        onConnection(connection)
      })
      return await listening(server, address, log)
    },

    connect: connectTo,

    async serveHttp(options, handle) {
      const server = createHttpServer(options, { handle, log })
      const listener = await listening(server, options.address, log)
      return {
        address: listener.address,
        close: async () => {
          const closed = listener.close()
          server.closeAllConnections()
          await closed
        },
      }
    },
  }
}

function connectTo(
  address: string,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const { host, port } = parseAddress(address)
    if (signal?.aborted) throw cancelled(`connect to ${address}`, signal)
    const receiver = new Receiver()
    const socket = net.connect({ ...socketOptions, host, port, onread: receiver.onread })
    const settled = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      socket.off('connect', onConnect)
      socket.off('error', fail)
    }
    const fail = (error: Error) => {
      settled()
      // It may still report the failure of its other addresses; the caller knows already.
      socket.on('error', () => undefined)
      socket.destroy()
      reject(connectError(error, address))
    }
    const onConnect = () => {
      settled()
      socket.pause()
      resolve(new NodeConnection({ socket, receiver }, address))
    }
    const onAbort = () => fail(cancelled(`connect to ${address}`, signal as AbortSignal))
    const timer = setTimeout(() => fail(noAnswer(address, timeoutMs)), timeoutMs)
    socket.once('connect', onConnect)
    socket.once('error', fail)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

async function listening(server: net.Server, address: string, log: Log): Promise<Listener> {
  const { host, port } = parseAddress(address)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  try {
    listen(server, { host, port }, resolve)
    await promise
  } catch (error) {
    throw listenError(error, address)
  }
  server.off('error', reject)
  const taken = formatAddress({ host, port: (server.address() as net.AddressInfo).port })
  server.on('error', (error) => log.error('A listener failed', { address: taken, error }))
  server.on('drop', () => log.warn('Refused a connection: the listener has as many as it may', { address: taken }))
  return { address: taken, close: () => stopListening(server) }
}

/**
 * Bound by ourselves where Node can (from 26.4 on) and the host is a number: else it looks up what needs no looking up, and compiles a
 * regular expression of addresses for it, 8 ms of CPU in each process that listens.
 */
function listen(server: net.Server, { host, port }: AddressParts, onListening: () => void): void {
  const canBind = typeof net.BoundSocket === 'function' && net.isIPv4(host)
  if (canBind) server.listen(new net.BoundSocket({ host, port }), backlog, onListening)
  else server.listen({ host, port, backlog }, onListening)
}

/** The port is free when this resolves; the server itself closes with its last connection. */
function stopListening(server: net.Server): Promise<void> {
  return new Promise((resolve) => {
    if (server.listening) server.close()
    // The descriptor is closed in the turn after.
    setImmediate(resolve)
  })
}
