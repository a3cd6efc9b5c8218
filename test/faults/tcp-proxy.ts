/**
 * A TCP proxy on loopback whose two directions can each stand still, as a path does whose packets vanish: nothing is refused,
 * nothing is closed, nothing arrives. For machines where no network namespace can be made.
 * @module
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Seen from whoever connects. */
export type Direction = 'outwards' | 'inwards'

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

export class TcpProxy {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #cut = new Set<Direction>()

  private constructor(server: Server) {
    this.#server = server
  }

  /** @param target `host:port` that connections go on to */
  static async open(target: string): Promise<TcpProxy> {
    const at = target.lastIndexOf(':')
    const [host, port] = [target.slice(0, at), Number(target.slice(at + 1))]
    const server = createServer({ pauseOnConnect: true })
    const proxy = new TcpProxy(server)
    server.on('connection', (near) => proxy.#join({ near, far: connect({ host, port }) }))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  /** `host:port` to connect to instead. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** From now on nothing passes this way, on old connections and new ones. */
  cut(direction: Direction): void {
    this.#cut.add(direction)
    for (const pair of this.#pairs) this.#apply(pair)
  }

  /** What was held back passes, and all that follows. */
  heal(): void {
    this.#cut.clear()
    for (const pair of this.#pairs) this.#apply(pair)
  }

  async close(): Promise<void> {
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(pair: Pair): void {
    const { near, far } = pair
    this.#pairs.add(pair)
    const end = () => {
      this.#pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    // Whatever ended it, the other side is to see an end.
    for (const socket of [near, far]) socket.on('error', end).on('close', end)
    near.on('data', (bytes) => far.write(bytes))
    far.on('data', (bytes) => near.write(bytes))
    this.#apply(pair)
  }

  #apply({ near, far }: Pair): void {
    if (this.#cut.has('outwards')) near.pause()
    else near.resume()
    if (this.#cut.has('inwards')) far.pause()
    else far.resume()
  }
}
