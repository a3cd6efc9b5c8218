/**
 * The connection to the master: registers, sends a heartbeat every second (or as often as the master asks), and comes back when it is lost.
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
import type { Scrub } from './scrub.ts'
import { spaceReportOf } from './space-report.ts'

const firstPauseMs = 50
const longestPauseMs = 2_000
const shortestHeartbeatMs = 20
/** Told per heartbeat; the rest waits for the next. */
const quarantinedPerHeartbeat = 1024
const quarantinedUntold = 64 * quarantinedPerHeartbeat

export interface MasterLinkOptions {
  readonly env: Env
  readonly store: ChunkStore
  readonly view: MapView
  readonly credentials: Credentials
  readonly service: Service
  readonly scrub: Scrub
  readonly diskBytesPerSecond: (() => number | undefined) | undefined
  readonly serverId: ServerId
  readonly masterAddress: string
  readonly domain: string
  readonly version: string
}

/** What a server can be reached at: known once it listens. */
export interface Addresses {
  readonly address: string
  readonly httpAddress: string
}

export class MasterLink {
  readonly #options: MasterLinkOptions
  readonly #told: ToldDigests
  readonly #incarnation: string
  readonly #stop = new AbortController()
  readonly #registered = Promise.withResolvers<void>()
  readonly #quarantined: ChunkId[] = []
  #heartbeatMs: number = limits.heartbeatIntervalMs
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

  start(addresses: Addresses): void {
    this.#options.store.onQuarantine((id) => {
      // What is not told in time shows in the digests, which lack the chunk.
      if (this.#quarantined.length < quarantinedUntold) this.#quarantined.push(id)
    })
    this.#running = this.#run(addresses)
  }

  /** Resolves once the master has taken the first registration; rejects when it never will (another cluster, a second incarnation). */
  get firstRegistration(): Promise<void> {
    return this.#registered.promise
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

  async #run(addresses: Addresses): Promise<void> {
    const { env } = this.#options
    let pauseMs = firstPauseMs
    while (!this.#stop.signal.aborted) {
      try {
        await this.#connect()
        await this.#register(addresses)
        pauseMs = firstPauseMs
        await this.#beat()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#report(toAshlarError(error, 'stay registered with the master'))
      } finally {
        // Also one that only fell silent: while it is open the master takes this server for connected.
        this.#peer?.close()
        this.#peer = undefined
      }
      const jittered = pauseMs * (0.5 + env.random.fraction())
      pauseMs = Math.min(pauseMs * 2, longestPauseMs)
      // Rejects only when this link is being closed, and then the loop ends.
      await sleep(env.clock, jittered, this.#stop.signal).catch(() => undefined)
    }
  }

  async #connect(): Promise<void> {
    const { env, credentials, service, masterAddress } = this.#options
    const { signal } = this.#stop
    const timeoutMs = limits.handshakeTimeoutMs
    // From now on the master may send orders, also before the registration was answered: they may need the map.
    this.#peer = await connectPeer({ env, address: masterAddress, credentials, service, timeoutMs, signal })
  }

  async #register(addresses: Addresses): Promise<void> {
    const { env, store, view, serverId, masterAddress, domain, version } = this.#options
    this.#told.reset()
    const { digests, acknowledged } = await this.#told.changed()
    const askedAtMs = env.clock.monotonicMs()
    const { value } = await this.#connected('register').call(register, {
      server: serverId,
      incarnation: this.#incarnation,
      ...addresses,
      domain,
      version,
      space: spaceReportOf(store.space()),
      leaderEpochSeen: view.leaderEpoch,
      digests,
    })
    await view.admitLeader(value.leaderEpoch)
    view.learnTime(value.clusterTime, askedAtMs)
    view.learnMap(value.map)
    this.#obeyInterval(value.heartbeatMs)
    acknowledged()
    this.#registered.resolve()
    env.log.info('registered with the master', { master: masterAddress })
  }

  async #beat(): Promise<void> {
    const { env, store, view, serverId, scrub } = this.#options
    for (let sequence = 1; !this.#stop.signal.aborted; sequence++) {
      const { digests, acknowledged } = await this.#told.changed()
      const quarantined = this.#quarantined.slice(0, quarantinedPerHeartbeat)
      const peer = this.#connected('send heartbeats')
      const askedAtMs = env.clock.monotonicMs()
      const { value } = await peer.call(
        heartbeat,
        {
          server: serverId,
          incarnation: this.#incarnation,
          sequence,
          space: spaceReportOf(store.space()),
          digests,
          quarantined,
          scrub: scrub.report(),
          diskBytesPerSecond: this.#options.diskBytesPerSecond?.(),
        },
        { timeoutMs: limits.handshakeTimeoutMs },
      )
      await view.admitLeader(value.leaderEpoch)
      acknowledged()
      this.#quarantined.splice(0, quarantined.length)
      view.learnTime(value.clusterTime, askedAtMs)
      this.#obeyInterval(value.heartbeatMs)
      if (value.scrub !== undefined) scrub.obey(value.scrub)
      if (view.mapVersion === undefined || view.mapVersion < value.mapVersion) await this.fetchMap()
      const pauseMs = env.buggify('heartbeat: late') ? 5 * this.#heartbeatMs : this.#heartbeatMs
      await sleep(env.clock, pauseMs, this.#stop.signal, peer.closedSignal)
    }
  }

  /** Never less often than agreed, and never so often that heartbeats are all there is. */
  #obeyInterval(heartbeatMs: number = limits.heartbeatIntervalMs): void {
    this.#heartbeatMs = Math.min(limits.heartbeatIntervalMs, Math.max(shortestHeartbeatMs, heartbeatMs))
  }

  #connected(doing: string): Peer {
    const peer = this.#peer
    if (peer !== undefined && !peer.isClosed && !this.#stop.signal.aborted) return peer
    throw new AshlarError('unavailable', `Cannot ${doing}: the master is not connected`)
  }

  async #fetchMap(): Promise<void> {
    const { env, view } = this.#options
    const peer = this.#connected('fetch the cluster map')
    const askedAtMs = env.clock.monotonicMs()
    const { value } = await peer.call(getMap, { knownVersion: view.mapVersion })
    view.learnTime(value.clusterTime, askedAtMs)
    if (value.map !== undefined) view.learnMap(value.map)
  }

  #report(error: AshlarError): void {
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
