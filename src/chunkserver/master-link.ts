/**
 * The connection to the master: registers, sends a heartbeat every second, and comes back when it is lost.
 *
 *     connecting → registered → (connection closes) → waiting → connecting …
 *
 * The master sends its orders on this connection, and its closing tells the master at once that this server is away.
 * Invariants: heartbeats never overlap; a master of an older leader epoch than one seen is not obeyed; the pause between attempts
 * grows to {@link longestPauseMs}, with jitter, so that a restarted master is not stormed.
 * @module
 */
import { AshlarError, toAshlarError } from '../base/errors.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { sleep } from '../env/waiting.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import { connectPeer } from '../wire/connect.ts'
import type { Credentials } from '../wire/credentials.ts'
import { heartbeat, register } from '../wire/methods/cluster-methods.ts'
import { getMap } from '../wire/methods/session-methods.ts'
import type { Peer } from '../wire/peer.ts'
import type { Service } from '../wire/service.ts'
import { ToldDigests } from './group-digests.ts'
import type { MapView } from './map-view.ts'
import { spaceReportOf } from './space-report.ts'

const firstPauseMs = 50
const longestPauseMs = 2_000
/** Told per heartbeat; the rest waits for the next. */
const quarantinedPerHeartbeat = 1024

export interface MasterLinkOptions {
  readonly env: Env
  readonly store: ChunkStore
  readonly view: MapView
  readonly credentials: Credentials
  readonly service: Service
  readonly serverId: ServerId
  readonly masterAddress: string
  readonly address: string
  readonly httpAddress: string
  readonly domain: string
  readonly version: string
}

export class MasterLink {
  readonly #options: MasterLinkOptions
  readonly #told: ToldDigests
  readonly #incarnation: string
  readonly #stop = new AbortController()
  readonly #registered = Promise.withResolvers<void>()
  readonly #quarantined: ChunkId[] = []
  #peer: Peer | undefined
  #running: Promise<void> = Promise.resolve()
  #fetching: Promise<void> | undefined

  constructor(options: MasterLinkOptions) {
    this.#options = options
    this.#told = new ToldDigests(options.store)
    this.#incarnation = options.env.random.bytes(8).toString('hex')
    // Nobody may be waiting for the first registration; `firstRegistration` hands the outcome to whoever is.
    this.#registered.promise.catch(() => undefined)
  }

  start(): void {
    this.#options.store.onQuarantine((id) => this.#quarantined.push(id))
    this.#running = this.#run()
  }

  /** Resolves once the master has taken the first registration; rejects when it never will (another cluster, a second incarnation). */
  get firstRegistration(): Promise<void> {
    return this.#registered.promise
  }

  get isConnected(): boolean {
    return this.#peer !== undefined && !this.#peer.isClosed
  }

  /** Asks the master for the map, once for all who ask meanwhile. @throws {AshlarError} `unavailable` */
  async fetchMap(): Promise<void> {
    this.#fetching ??= this.#fetchMap().finally(() => {
      this.#fetching = undefined
    })
    await this.#fetching
  }

  async close(): Promise<void> {
    this.#stop.abort()
    this.#peer?.close()
    await this.#running
  }

  async #run(): Promise<void> {
    const { env } = this.#options
    let pauseMs = firstPauseMs
    while (!this.#stop.signal.aborted) {
      try {
        const peer = await this.#connect()
        pauseMs = firstPauseMs
        await this.#beat(peer)
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#report(toAshlarError(error, 'stay registered with the master'))
      }
      const jittered = pauseMs * (0.5 + env.random.fraction())
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      // Rejects only when this link is being closed, and then the loop ends.
      await sleep(env.clock, jittered, this.#stop.signal).catch(() => undefined)
    }
  }

  async #connect(): Promise<Peer> {
    const { env, store, view, credentials, service, serverId, masterAddress, ...self } = this.#options
    const peer = await connectPeer({
      env,
      address: masterAddress,
      credentials,
      service,
      timeoutMs: limits.handshakeTimeoutMs,
      signal: this.#stop.signal,
    })
    // From the registration on the master may send orders, before its answer was read: they may need the map.
    this.#peer = peer
    try {
      this.#told.reset()
      const { digests, acknowledged } = await this.#told.changed()
      const { value } = await peer.call(register, {
        server: serverId,
        incarnation: this.#incarnation,
        address: self.address,
        httpAddress: self.httpAddress,
        domain: self.domain,
        version: self.version,
        space: spaceReportOf(store.space()),
        leaderEpochSeen: view.leaderEpoch,
        digests,
      })
      await view.admitLeader(value.leaderEpoch)
      view.learnTime(value.clusterTime)
      view.learnMap(value.map)
      acknowledged()
    } catch (error) {
      peer.close()
      throw error
    }
    this.#registered.resolve()
    env.log.info('registered with the master', { master: masterAddress })
    return peer
  }

  async #beat(peer: Peer): Promise<void> {
    const { env, store, view, serverId } = this.#options
    for (let sequence = 1; !peer.isClosed && !this.#stop.signal.aborted; sequence++) {
      const { digests, acknowledged } = await this.#told.changed()
      const quarantined = this.#quarantined.slice(0, quarantinedPerHeartbeat)
      const { value } = await peer.call(
        heartbeat,
        {
          server: serverId,
          incarnation: this.#incarnation,
          sequence,
          space: spaceReportOf(store.space()),
          digests,
          quarantined,
        },
        { timeoutMs: limits.handshakeTimeoutMs },
      )
      acknowledged()
      this.#quarantined.splice(0, quarantined.length)
      await view.admitLeader(value.leaderEpoch)
      view.learnTime(value.clusterTime)
      if (view.mapVersion === undefined || view.mapVersion < value.mapVersion) await this.fetchMap()
      await sleep(env.clock, limits.heartbeatIntervalMs, AbortSignal.any([this.#stop.signal, peer.closedSignal]))
    }
    throw new AshlarError('connection-lost', 'Cannot send heartbeats: the master closed the connection', {
      applied: 'no',
    })
  }

  async #fetchMap(): Promise<void> {
    const peer = this.#peer
    if (peer === undefined || peer.isClosed) {
      throw new AshlarError('unavailable', 'Cannot fetch the cluster map: the master is not connected')
    }
    const { value } = await peer.call(getMap, { knownVersion: this.#options.view.mapVersion })
    this.#options.view.learnTime(value.clusterTime)
    if (value.map !== undefined) this.#options.view.learnMap(value.map)
  }

  #report(error: AshlarError): void {
    this.#peer = undefined
    const fields = { master: this.#options.masterAddress, code: error.code, reason: error.message }
    if (error.code === 'in-use' || error.code === 'wrong-cluster' || error.code === 'unauthenticated') {
      // Another try may still help (the other incarnation may end), but a start that waits must be told now.
      this.#registered.reject(error)
      this.#options.env.log.error('the master refuses this server', fields)
    } else {
      this.#options.env.log.warn('not registered with the master; trying again', fields)
    }
  }
}
