/**
 * HTTP over a network whose connections are no sockets: Node's own server, fed with streams.
 * @module
 */
import type { Clock } from './clock.ts'
import { ConnectionStream } from './connection-stream.ts'
import type { Log } from './log.ts'
import type { HttpListener, HttpOptions, Network } from './network.ts'
import { createHttpServer, type HttpHandler } from './node-http.ts'

export interface HttpPlace {
  readonly listen: Network['listen']
  readonly clock: Clock
  readonly log: Log
}

/** As {@link Network.serveHttp}. */
export async function serveHttpOver(
  { listen, clock, log }: HttpPlace,
  options: HttpOptions,
  handle: HttpHandler,
): Promise<HttpListener> {
  const server = createHttpServer(options, { handle, log })
  const streams = new Set<ConnectionStream>()
  const listener = await listen({ ...options, maxConnections: server.maxConnections }, (connection) => {
    const stream = new ConnectionStream(connection, clock)
    streams.add(stream)
    stream.once('close', () => streams.delete(stream))
    server.emit('connection', stream)
  })
  return {
    address: listener.address,
    close: async () => {
      await listener.close()
      for (const stream of streams) stream.destroy()
    },
  }
}
