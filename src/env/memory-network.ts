/**
 * A network within one process: hosts with names, listeners on their ports, connections that are delivered in new
 * turns of an injected clock. Its controls cut links, delay them and kill hosts.
 *
 * Each host sees the network through {@link MemoryNetwork.at}. It listens as itself whatever host its address names
 * (`127.0.0.1:0`, say), so that a server's settings need not know that it runs here; `Listener.address` holds the
 * host's name, and is what others connect to.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { formatAddress, parseAddress } from './address.ts'
import type { Clock } from './clock.ts'
import { noAnswer } from './errno.ts'
import type { Log } from './log.ts'
import { type Link, MemoryConnection } from './memory-connection.ts'
import type { Connection, HttpListener, HttpOptions, Listener, Network } from './network.ts'
import type { HttpHandler } from './node-http.ts'
import { serveHttpOver } from './serve-http-over.ts'
import { cancelled } from './waiting.ts'

export interface MemoryNetwork {
  /** The network as the host named `host` sees it. A host needs no other declaration. */
  at(host: string): Network
  /** Holds everything between two hosts back, without an error on either side; `oneWay`: only from `a` to `b`. */
  partition(a: string, b: string, options?: { readonly oneWay?: boolean }): void
  /** Undoes every {@link partition} of two hosts; of all, when none are given. What was held back goes on. */
  heal(a?: string, b?: string): void
  /** Delays what leaves and what reaches a host, each way. */
  setDelay(host: string, delayMs: number): void
  /** What the death of a process looks like to others: its listeners are gone, its connections break. */
  kill(host: string): void
}

interface Door {
  readonly host: string
  readonly maxConnections: number
  readonly onConnection: (connection: Connection) => void
  connections: number
}

export function createMemoryNetwork({ clock, log }: { readonly clock: Clock; readonly log: Log }): MemoryNetwork {
  const hub = new Hub(clock, log)
  return {
    at: (host) => ({
      listen: (options, onConnection) => hub.listen(host, options, onConnection),
      connect: (address, options) => hub.connect(host, address, options),
      serveHttp: (options, handle) => hub.serveHttp(host, options, handle),
    }),
    partition: (a, b, options) => hub.partition(a, b, options),
    heal: (a, b) => hub.heal(a, b),
    setDelay: (host, delayMs) => hub.setDelay(host, delayMs),
    kill: (host) => hub.kill(host),
  }
}

class Hub implements Link {
  readonly clock: Clock
  readonly #log: Log
  /** By address. */
  readonly #doors = new Map<string, Door>()
  readonly #connections = new Set<MemoryConnection>()
  /** Cut links, one way each. */
  readonly #cuts = new Set<string>()
  readonly #delaysMs = new Map<string, number>()
  /** Connection attempts that a cut link holds back. */
  readonly #waiting = new Set<() => void>()
  #nextPort = 20_000

  constructor(clock: Clock, log: Log) {
    this.clock = clock
    this.#log = log
  }

  delayMs(from: string, to: string): number | undefined {
    if (this.#cuts.has(way(from, to))) return undefined
    return (this.#delaysMs.get(from) ?? 0) + (this.#delaysMs.get(to) ?? 0)
  }

  partition(a: string, b: string, { oneWay = false }: { readonly oneWay?: boolean } = {}): void {
    this.#cuts.add(way(a, b))
    if (!oneWay) this.#cuts.add(way(b, a))
  }

  heal(a?: string, b?: string): void {
    if (a === undefined || b === undefined) {
      this.#cuts.clear()
    } else {
      this.#cuts.delete(way(a, b))
      this.#cuts.delete(way(b, a))
    }
    for (const connection of this.#connections) connection.healed()
    for (const attempt of [...this.#waiting]) attempt()
  }

  setDelay(host: string, delayMs: number): void {
    this.#delaysMs.set(host, delayMs)
  }

  kill(host: string): void {
    for (const [address, door] of this.#doors) if (door.host === host) this.#doors.delete(address)
    for (const connection of this.#connections) {
      if (connection.host !== host) continue
      connection.destroy(new AshlarError('connection-lost', `Cannot talk to ${connection.peerAddress}: ${host} died`))
    }
  }

  async listen(
    host: string,
    { address, maxConnections }: { readonly address: string; readonly maxConnections: number },
    onConnection: (connection: Connection) => void,
  ): Promise<Listener> {
    const asked = parseAddress(address)
    const port = asked.port === 0 ? this.#nextPort++ : asked.port
    const taken = formatAddress({ host, port })
    if (this.#doors.has(taken)) {
      throw new AshlarError('in-use', `Cannot listen on ${taken}: another process listens there`, {
        details: { address: taken },
      })
    }
    const door: Door = { host, maxConnections, onConnection, connections: 0 }
    this.#doors.set(taken, door)
    return {
      address: taken,
      close: async () => {
        if (this.#doors.get(taken) === door) this.#doors.delete(taken)
      },
    }
  }

  serveHttp(host: string, options: HttpOptions, handle: HttpHandler): Promise<HttpListener> {
    const listen: Network['listen'] = (listenOptions, onConnection) => this.listen(host, listenOptions, onConnection)
    return serveHttpOver({ listen, clock: this.clock, log: this.#log }, options, handle)
  }

  connect(
    from: string,
    address: string,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { host: to } = parseAddress(address)
      if (signal?.aborted) throw cancelled(`connect to ${address}`, signal)
      const settled = () => {
        timer.cancel()
        this.#waiting.delete(attempt)
        signal?.removeEventListener('abort', onAbort)
      }
      const fail = (error: AshlarError) => {
        settled()
        reject(error)
      }
      const arrive = () => {
        if (!this.#waiting.has(attempt)) return
        const door = this.#doors.get(address)
        if (door === undefined) {
          fail(new AshlarError('unavailable', `Cannot connect to ${address}: nothing listens there`))
          return
        }
        settled()
        resolve(this.#open(from, { to, address, door }))
      }
      const attempt = () => {
        const thereMs = this.delayMs(from, to)
        const backMs = this.delayMs(to, from)
        if (thereMs === undefined || backMs === undefined) return
        this.clock.after(thereMs + backMs, arrive)
      }
      const onAbort = () => fail(cancelled(`connect to ${address}`, signal as AbortSignal))
      const timer = this.clock.after(timeoutMs, () => fail(noAnswer(address, timeoutMs)))
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(attempt)
      attempt()
    })
  }

  #open(from: string, { to, address, door }: { readonly to: string; readonly address: string; readonly door: Door }) {
    const forget = (connection: MemoryConnection) => this.#connections.delete(connection)
    const near = new MemoryConnection(this, { host: from, peerHost: to, peerAddress: address }, () => forget(near))
    const peerAddress = formatAddress({ host: from, port: this.#nextPort++ })
    const far = new MemoryConnection(this, { host: to, peerHost: from, peerAddress }, () => {
      forget(far)
      door.connections--
    })
    MemoryConnection.join(near, far)
    this.#connections.add(near).add(far)
    door.connections++
    if (door.connections > door.maxConnections) {
      this.#log.warn('Refused a connection: the listener has as many as it may', { address })
      far.destroy()
    } else {
      door.onConnection(far)
    }
    return near
  }
}

function way(from: string, to: string): string {
  return `${from} ${to}`
}
