/**
 * The network of the simulated machines: who listens where, who is connected to whom, and what the death of a process or
 * the loss of a machine's power looks like to the others.
 *
 * A dial needs both ways open, and waits for them as long as its caller does. A machine that runs refuses what nobody
 * listens for; one without power does not answer at all.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { formatAddress, parseAddress } from '../env/address.ts'
import type { Clock } from '../env/clock.ts'
import { noAnswer } from '../env/errno.ts'
import type { Log } from '../env/log.ts'
import type { Connection, Listener, Network } from '../env/network.ts'
import { serveHttpOver } from '../env/serve-http-over.ts'
import { cancelled } from '../env/waiting.ts'
import { SimConnection } from './sim-connection.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimWire } from './sim-wire.ts'

interface Door {
  readonly owner: SimProcess
  readonly maxConnections: number
  readonly onConnection: (connection: Connection) => void
  connections: number
}

interface ProcessPlace {
  readonly clock: Clock
  readonly log: Log
}

interface ListenOptions {
  readonly address: string
  readonly maxConnections: number
}

interface Dial {
  readonly owner: SimProcess
  readonly address: string
  readonly to: string
  readonly settle: (outcome: SimConnection | AshlarError) => void
  isOver: boolean
}

export class SimNetwork {
  readonly #wire: SimWire
  /** By address. */
  readonly #doors = new Map<string, Door>()
  readonly #open = new Set<SimConnection>()
  /** Of machines that lost power, until they are back. */
  #dark: SimConnection[] = []
  readonly #off = new Set<string>()
  #nextPort = 20_000

  constructor(wire: SimWire) {
    this.#wire = wire
  }

  /** The network as a process sees it. */
  at(owner: SimProcess, { clock, log }: ProcessPlace): Network {
    const listen: Network['listen'] = async (options, onConnection) => this.#listen(owner, options, onConnection)
    return {
      listen,
      connect: (address, options) => this.#connect(owner, address, { ...options, clock }),
      serveHttp: (options, handle) => serveHttpOver({ listen, clock, log }, options, handle),
    }
  }

  /** Its connections break, its doors are gone. */
  processEnded(owner: SimProcess): void {
    this.#closeDoors(owner)
    for (const connection of [...this.#open]) if (connection.owner === owner) connection.processEnded()
  }

  powerLost(owner: SimProcess): void {
    this.#closeDoors(owner)
    this.hostOff(owner.host)
    for (const connection of [...this.#open]) {
      if (connection.owner !== owner) continue
      connection.powerLost()
      this.#dark.push(connection)
    }
  }

  hostOff(host: string): void {
    this.#off.add(host)
  }

  powerBack(host: string): void {
    this.#off.delete(host)
    const dark = this.#dark
    this.#dark = dark.filter((connection) => connection.owner.host !== host)
    for (const connection of dark) if (connection.owner.host === host) connection.powerBack()
  }

  /** Breaks what a host has open, as a router that lost its state does. */
  dropConnections(host: string): void {
    for (const connection of [...this.#open]) {
      if (connection.owner.host !== host) continue
      connection.destroy(
        new AshlarError('connection-lost', `Cannot talk to ${connection.peerAddress}: the connection broke`),
      )
    }
  }

  #closeDoors(owner: SimProcess): void {
    for (const [address, door] of this.#doors) if (door.owner === owner) this.#doors.delete(address)
  }

  #listen(
    owner: SimProcess,
    { address, maxConnections }: ListenOptions,
    onConnection: (connection: Connection) => void,
  ): Listener {
    const asked = parseAddress(address)
    const taken = formatAddress({ host: owner.host, port: asked.port === 0 ? this.#nextPort++ : asked.port })
    if (this.#doors.has(taken)) {
      throw new AshlarError('in-use', `Cannot listen on ${taken}: another process listens there`, {
        details: { address: taken },
      })
    }
    const door: Door = { owner, maxConnections, onConnection, connections: 0 }
    this.#doors.set(taken, door)
    return {
      address: taken,
      close: async () => {
        if (this.#doors.get(taken) === door) this.#doors.delete(taken)
      },
    }
  }

  #connect(
    owner: SimProcess,
    address: string,
    { timeoutMs, signal, clock }: { readonly timeoutMs: number; readonly signal?: AbortSignal; readonly clock: Clock },
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw cancelled(`connect to ${address}`, signal)
      const settle = (outcome: SimConnection | AshlarError) => {
        if (dial.isOver) return
        dial.isOver = true
        timer.cancel()
        signal?.removeEventListener('abort', onAbort)
        if (outcome instanceof SimConnection) resolve(outcome)
        else reject(outcome)
      }
      const dial: Dial = { owner, address, to: parseAddress(address).host, settle, isOver: false }
      const onAbort = () => settle(cancelled(`connect to ${address}`, signal as AbortSignal))
      const timer = clock.after(timeoutMs, () => settle(noAnswer(address, timeoutMs)))
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#travel(owner.host, dial.to, () => this.#answer(dial))
    })
  }

  /** A message of the dial on its way; it waits at a cut. */
  #travel(from: string, to: string, arrive: () => void): void {
    this.#wire.whenOpen(from, to, () => {
      this.#wire.scheduler.schedule(this.#wire.drawDelayMs(from, to, 0), 'dial', undefined, arrive)
    })
  }

  /** At the operating system of the machine that was dialled. */
  #answer(dial: Dial): void {
    const { owner, address, to } = dial
    if (dial.isOver || owner.state === 'dead' || this.#off.has(to)) return
    const door = this.#doors.get(address)
    if (door === undefined) {
      const refused = new AshlarError('unavailable', `Cannot connect to ${address}: nothing listens there`)
      this.#travel(to, owner.host, () => owner.enter(() => dial.settle(refused)))
      return
    }
    const { near, far } = this.#join(dial, door)
    door.owner.enter(() => {
      if (door.connections > door.maxConnections) far.destroy()
      else door.onConnection(far)
    })
    this.#travel(to, owner.host, () => {
      owner.enter(() => {
        if (dial.isOver) near.destroy()
        else dial.settle(near)
      })
    })
  }

  #join({ owner, address, to }: Dial, door: Door): { readonly near: SimConnection; readonly far: SimConnection } {
    const near = new SimConnection(this.#wire, { owner, peerHost: to, peerAddress: address }, () => {
      this.#open.delete(near)
    })
    const peerAddress = formatAddress({ host: owner.host, port: this.#nextPort++ })
    const place = { owner: door.owner, peerHost: owner.host, peerAddress }
    const far = new SimConnection(this.#wire, place, () => {
      this.#open.delete(far)
      door.connections--
    })
    SimConnection.join(near, far)
    this.#open.add(near).add(far)
    door.connections++
    return { near, far }
  }
}
