/**
 * What this chunk server knows of the cluster: the map, the leader's epoch and cluster time, as the master last told.
 *
 * Invariants: the map's version and the leader's epoch only rise; the leader's epoch is durable before an order under it
 * is obeyed, so that a deposed master's late orders are refused even after a restart of this server. Cluster time is never
 * before what a master has said; where the own clock ran ahead it comes back with the next answer.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Clock } from '../env/clock.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import type { ClusterMap, Group } from '../wire/types/cluster-map.ts'

const leaderEpochFact = 'leader-epoch'

export class MapView {
  readonly #serverId: ServerId
  readonly #clock: Clock
  readonly #store: ChunkStore
  #mapVersion: Rising | undefined
  #groups: ReadonlyMap<GroupId, Group> = new Map()
  #leaderEpoch: Rising
  #durableEpoch: Rising
  #keeping: Promise<void> = Promise.resolve()
  #latestHeard = 0
  /** At `#heardAtMs`. */
  #clusterTime = 0
  #heardAtMs: number

  private constructor(options: { serverId: ServerId; clock: Clock; store: ChunkStore; leaderEpoch: Rising }) {
    this.#serverId = options.serverId
    this.#clock = options.clock
    this.#store = options.store
    this.#leaderEpoch = options.leaderEpoch
    this.#durableEpoch = options.leaderEpoch
    this.#heardAtMs = options.clock.monotonicMs()
  }

  static async open(options: { serverId: ServerId; clock: Clock; store: ChunkStore }): Promise<MapView> {
    const kept = await options.store.getFact(leaderEpochFact)
    const leaderEpoch = (kept === undefined ? 0 : Number(kept.toString('ascii'))) as Rising
    return new MapView({ ...options, leaderEpoch })
  }

  get mapVersion(): Rising | undefined {
    return this.#mapVersion
  }

  get leaderEpoch(): Rising {
    return this.#leaderEpoch
  }

  /** Cluster time now: what the master said, and what has passed here since. */
  clusterTimeMs(): Rising {
    return (this.#clusterTime + Math.floor(this.#clock.monotonicMs() - this.#heardAtMs)) as Rising
  }

  /**
   * The master answered that it is `clusterTime`, to a question of `askedAtMs` (of the own monotonic clock): now it is no
   * earlier than that, and later by no more than the answer took. In between the own reckoning stands, since an answer can be late.
   */
  learnTime(clusterTime: Rising, askedAtMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    const latest = clusterTime + Math.ceil(nowMs - askedAtMs)
    this.#latestHeard = Math.max(this.#latestHeard, clusterTime)
    this.#clusterTime = Math.max(this.#latestHeard, Math.min(this.clusterTimeMs(), latest))
    this.#heardAtMs = nowMs
  }

  /** Takes a map that is newer than the one held; an older one is ignored. */
  learnMap(map: ClusterMap): void {
    if (this.#mapVersion !== undefined && map.version < this.#mapVersion) return
    this.#mapVersion = map.version
    this.#groups = new Map(map.groups.map((group) => [group.id, group]))
  }

  /**
   * Admits an order of the leader, or a leader that presents itself.
   * @throws {AshlarError} `stale-leader` — a newer leader was seen
   */
  async admitLeader(epoch: Rising): Promise<void> {
    if (epoch < this.#leaderEpoch) {
      throw new AshlarError(
        'stale-leader',
        `Cannot obey epoch ${epoch}: a leader of epoch ${this.#leaderEpoch} was seen`,
      )
    }
    this.#leaderEpoch = epoch
    if (epoch > this.#durableEpoch) await this.#keep()
  }

  /** Makes the highest epoch seen durable, one write at a time. A write that failed is tried again by the next order. */
  async #keep(): Promise<void> {
    const keeping = this.#keeping.then(async () => {
      const epoch = this.#leaderEpoch
      if (epoch <= this.#durableEpoch) return
      await this.#store.setFact(leaderEpochFact, Buffer.from(String(epoch)))
      this.#durableEpoch = epoch
    })
    // Whoever waits for it is told; the next one must not be.
    this.#keeping = keeping.catch(() => undefined)
    await keeping
  }

  group(id: GroupId): Group | undefined {
    return this.#groups.get(id)
  }

  /** This server's slot among the members that take writes; undefined: it is not one of them. */
  writableSlot(group: Group): number | undefined {
    return group.members.find((member) => member.server === this.#serverId && member.state !== 'leaving')?.slot
  }
}
