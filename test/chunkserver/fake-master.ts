/**
 * A master without metadata: chunk servers register with it, hear its map, epoch and time, and take its orders. Tests say
 * what it answers.
 * @module
 */
import type { Infer } from '../../src/base/codec.ts'
import type { AshlarError } from '../../src/base/errors.ts'
import type { ClusterId, ServerId } from '../../src/base/ids.ts'
import { type Rising, rising } from '../../src/base/rising.ts'
import type { Env } from '../../src/env/env.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import { listenForPeers, type PeerListener } from '../../src/wire/listen.ts'
import type { Method } from '../../src/wire/method.ts'
import { heartbeat, register } from '../../src/wire/methods/cluster-methods.ts'
import { getMap } from '../../src/wire/methods/session-methods.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { createService } from '../../src/wire/service.ts'
import type { ClusterMap } from '../../src/wire/types/cluster-map.ts'

type Registration = Infer<typeof register.request>

export class FakeMaster {
  readonly address: string
  readonly registrations: Registration[] = []
  map: ClusterMap
  leaderEpoch = rising(0, 5)
  clusterTime = rising(0, 1_000_000)
  mapFetches = 0
  /** Registrations meet this while it is set. */
  refusal: AshlarError | undefined
  readonly #env: Env
  readonly #clusterId: ClusterId
  readonly #secret: Buffer
  readonly #peers = new Map<ServerId, Peer>()
  #listener: PeerListener | undefined
  #arrived = Promise.withResolvers<void>()

  constructor(options: {
    readonly env: Env
    readonly address: string
    readonly clusterId: ClusterId
    readonly secret: Buffer
    readonly map: ClusterMap
  }) {
    this.address = options.address
    this.map = options.map
    this.#env = options.env
    this.#clusterId = options.clusterId
    this.#secret = options.secret
  }

  async start(): Promise<void> {
    const service = createService()
    service.handle(register, async (request, { peer }) => {
      this.registrations.push(request)
      this.#arrived.resolve()
      this.#arrived = Promise.withResolvers()
      if (this.refusal !== undefined) throw this.refusal
      this.#peers.set(request.server, peer)
      const { leaderEpoch, clusterTime, map } = this
      return { value: { leaderEpoch, clusterTime, heartbeatMs: 1000, map } }
    })
    service.handle(heartbeat, async () => {
      const { leaderEpoch, clusterTime, map } = this
      return { value: { leaderEpoch, clusterTime, mapVersion: map.version } }
    })
    service.handle(getMap, async () => {
      this.mapFetches++
      return { value: { clusterTime: this.clusterTime, map: this.map } }
    })
    this.#listener = await listenForPeers({
      env: this.#env,
      address: this.address,
      credentials: {
        role: 'master',
        clusterId: this.#clusterId,
        serverId: '0'.repeat(32) as ServerId,
        keys: deriveKeys(this.#secret),
      },
      service,
    })
  }

  /** Raises the epoch of all groups, and with it the map's version. */
  raiseEpochs(by = 1): void {
    const { map } = this
    const groups = map.groups.map((group) => ({ ...group, epoch: (group.epoch + by) as Rising }))
    this.map = { ...map, version: (map.version + 1) as Rising, groups }
  }

  async nextRegistration(): Promise<Registration> {
    await this.#arrived.promise
    return this.registrations.at(-1) as Registration
  }

  /** Sends an order on the connection that a server registered on. */
  async order<Request, Response>(
    server: ServerId,
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response> {
    const peer = this.#peers.get(server)
    if (peer === undefined) throw new Error(`server ${server} has not registered`)
    return (await peer.call(method, request)).value
  }

  disconnect(server: ServerId): void {
    this.#peers.get(server)?.close()
  }

  async close(): Promise<void> {
    await this.#listener?.close()
  }
}
