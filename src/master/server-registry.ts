/**
 * The chunk servers: who is registered, on which connection, in what health.
 *
 * A server is one *incarnation* at a time: while one is up, another process with the same id (a cloned folder) is refused.
 * A connection that closes makes its server suspect in the same turn. What a server believes of leaders counts too: one
 * that has seen a higher leader epoch than ours proves that this master is not the leader any more, and it ends.
 * Health shows in placement at once and in the map a moment later ({@link ServerRegistry.settle}).
 * @module
 */

import type { Infer } from '../base/codec.ts'
import { digestFromLanes } from '../base/digest.ts'
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf, type Rising } from '../base/rising.ts'
import type { ServerView } from '../cluster/cluster-view.ts'
import { disconnected, elapsed, expected, heard, registered, WatchTime } from '../cluster/failure-detector.ts'
import { faded, flapped } from '../cluster/flap-damping.ts'
import type { Env } from '../env/env.ts'
import type { GroupDigest, heartbeat, register, SpaceReport } from '../wire/methods/cluster-methods.ts'
import type { Peer } from '../wire/peer.ts'
import type { Group, Member, NodeStatus, ServerState } from '../wire/types/cluster-map.ts'
import type { CurrentMap } from './current-map.ts'
import { OwedCopies } from './owed-copies.ts'
import { ServerRecord } from './server-record.ts'

export type RegisterRequest = Infer<typeof register.request>
export type HeartbeatRequest = Infer<typeof heartbeat.request>

export interface ServerRegistryOptions {
  readonly env: Env
  readonly map: CurrentMap
  readonly leaderEpoch: Rising
  readonly heartbeatIntervalMs: () => number
  readonly deadAfterMs: () => number
  readonly clusterTime: () => Rising
  /** A server registered, or its health changed. */
  readonly onChange: () => void
  readonly onFatal: (error: AshlarError) => void
}

/** A server's state as people are told it. */
export type ServerStanding = Pick<NodeStatus, 'state' | 'silence'>

export class ServerRegistry {
  readonly #options: ServerRegistryOptions
  readonly #records = new Map<ServerId, ServerRecord>()
  /** Placement counts debts as used. */
  readonly owed = new OwedCopies()
  readonly #startedMs: number
  readonly #watchTime: WatchTime

  constructor(options: ServerRegistryOptions) {
    this.#options = options
    this.#startedMs = this.#nowMs()
    // The longest interval that servers are told: this master looks twice in it.
    this.#watchTime = new WatchTime(this.#startedMs, { heartbeatIntervalMs: limits.heartbeatIntervalMs })
    for (const { id, state } of options.map.index.map.servers) {
      const watch = expected(this.#listenedMs())
      // One that was dead has had its time: it comes back by registering, as before.
      this.#records.set(id, new ServerRecord(id, state === 'dead' ? { ...watch, health: 'dead' } : watch))
    }
  }

  /**
   * @throws {AshlarError} `forbidden` — the id is not the one that the connection proved; `in-use` — another incarnation is up;
   *   `stale-leader` — the server follows a later leader: this master ends; `invalid-argument` — see `CurrentMap.putServer`
   */
  async register(request: RegisterRequest, peer: Peer): Promise<void> {
    const { server: id, incarnation, address, httpAddress, domain } = request
    if (peer.identity.serverId !== id) {
      throw new AshlarError('forbidden', `Cannot register server ${id}: the connection is of another server`)
    }
    if (request.leaderEpochSeen > this.#options.leaderEpoch) throw this.#deposed(id)
    this.#requireOneIncarnation(request, peer)
    if (!this.#records.has(id) && this.#records.size >= limits.chunkServers) {
      throw new AshlarError('too-large', `Cannot register server ${id}: there are ${limits.chunkServers} already`)
    }

    const record = this.#records.get(id) ?? new ServerRecord(id, registered(this.#listenedMs()))
    const former = record.peer
    record.begin({ peer, incarnation, watch: registered(this.#listenedMs()) })
    record.report(request.space, request.digests)
    peer.closedSignal.addEventListener('abort', () => this.#closed(record, peer), { once: true })
    if (former !== undefined && former !== peer) former.close()
    // Before anything is awaited, so that a second process with this id finds the first.
    this.#records.set(id, record)
    try {
      await this.#options.map.putServer({ id, address, httpAddress, domain, state: this.stateOf(id) })
    } catch (error) {
      this.#closed(record, peer)
      throw error
    }
    if (peer.isClosed) this.#closed(record, peer)
    this.#options.env.log.info('chunk server registered', { server: id, address, domain })
    this.#options.onChange()
  }

  /** @throws {AshlarError} `unavailable` — not registered on this connection (any more): register again */
  heartbeat(request: HeartbeatRequest, peer: Peer): ServerRecord {
    const record = this.#records.get(request.server)
    if (record === undefined || record.peer !== peer || record.incarnation !== request.incarnation) {
      throw new AshlarError('unavailable', `Cannot take the heartbeat of server ${request.server}: register first`)
    }
    record.watch = heard(record.watch, this.#listenedMs())
    if (request.sequence > record.sequence) {
      record.sequence = request.sequence
      record.report(request.space, request.digests)
      record.scrub = request.scrub
      record.diskBytesPerSecond = request.diskBytesPerSecond
    }
    return record
  }

  /** Lets time pass, and writes changed states into the map. */
  async settle(): Promise<void> {
    const { map, heartbeatIntervalMs, deadAfterMs, env, onChange } = this.#options
    const options = { heartbeatIntervalMs: heartbeatIntervalMs(), deadAfterMs: deadAfterMs() }
    for (const record of this.#records.values()) {
      const before = record.watch.health
      record.watch = elapsed(record.watch, this.#listenedMs(), options)
      if (before === 'up' && record.watch.health !== 'up') this.#noteFlap(record)
      if (record.watch.health === 'dead') this.#drop(record)
      const entry = map.index.server(record.id)
      const state = this.stateOf(record.id)
      if (entry === undefined || entry.state === state) continue
      env.log.info('chunk server changed state', { server: record.id, from: entry.state, to: state })
      await map.setState(record.id, state)
      onChange()
    }
  }

  get(id: ServerId): ServerRecord | undefined {
    return this.#records.get(id)
  }

  /** First whether it answers, and then what was asked of it: a draining server that is dead is dead. */
  stateOf(id: ServerId): ServerState {
    const duty = this.#options.map.dutyOf(id)
    if (duty.leftMs !== undefined) return 'left'
    const health = this.#records.get(id)?.watch.health ?? 'dead'
    if (health !== 'up') return health
    if (this.isInMaintenance(id)) return 'maintenance'
    return duty.drainingMs === undefined ? 'up' : 'draining'
  }

  /** Its absence is expected: it is no reason to repair. */
  isInMaintenance(id: ServerId): boolean {
    const untilMs = this.#options.map.dutyOf(id).maintenanceUntilMs
    return untilMs !== undefined && counterOf(this.#options.clusterTime()) < untilMs
  }

  /** The connection for orders; undefined unless the server is up. */
  peerOf(id: ServerId): Peer | undefined {
    const record = this.#records.get(id)
    return record?.watch.health === 'up' && record.peer?.isClosed === false ? record.peer : undefined
  }

  /** In bytes a second; undefined until the server has told. */
  halfOfDisk(id: ServerId): number | undefined {
    const rate = this.#records.get(id)?.diskBytesPerSecond
    return rate === undefined ? undefined : Math.max(1, Math.floor(rate / 2))
  }

  loads(): ReadonlyMap<ServerId, ServerView> {
    const loads = new Map<ServerId, ServerView>()
    for (const { id } of this.#options.map.index.map.servers) {
      const load = this.loadOf(id)
      if (load !== undefined) loads.set(id, load)
    }
    return loads
  }

  /** What placement needs to know of a server; undefined when it is not in the map. */
  loadOf(id: ServerId): ServerView | undefined {
    const record = this.#records.get(id)
    const entry = this.#options.map.index.server(id)
    if (record === undefined || entry === undefined) return undefined
    const { capacityBytes, freeBytes, refusal } = record.space
    return {
      id,
      domain: entry.domain,
      state: this.stateOf(id),
      capacityBytes,
      freeBytes: Math.max(0, freeBytes - record.writtenBytes - this.owed.of(id).bytes),
      refusal,
      isInMaintenance: this.isInMaintenance(id),
      silentMs: this.#silentMs(record),
      isUnsteady: this.#isUnsteady(record),
    }
  }

  /** Its absence is no flap while an operator expects it. */
  #noteFlap(record: ServerRecord): void {
    if (!this.isInMaintenance(record.id)) record.steadiness = flapped(record.steadiness, this.#nowMs())
  }

  #isUnsteady(record: ServerRecord): boolean {
    return faded(record.steadiness, this.#nowMs()).isUnsteady
  }

  /** Shortly after a start, while servers that were members before have not come back yet. */
  isGathering(): boolean {
    if (this.#nowMs() - this.#startedMs > gatheringMs) return false
    return [...this.#records.values()].some(({ incarnation }) => incarnation === '')
  }

  noteWritten(id: ServerId, lengthBytes: number): void {
    const record = this.#records.get(id)
    if (record !== undefined) record.writtenBytes += lengthBytes
  }

  /** What the answer to an order said. */
  noteReport(id: ServerId, space: SpaceReport, digest: GroupDigest): void {
    this.#records.get(id)?.report(space, [digest])
  }

  noteComparison(id: ServerId, group: Pick<Group, 'id' | 'epoch'>, isSynced: boolean): void {
    const comparison = { comparedMs: this.#nowMs(), epoch: group.epoch, isSynced }
    const record = this.#records.get(id)
    record?.comparisons.set(group.id, comparison)
    if (isSynced) record?.cramped.delete(group.id)
  }

  /** The member has no room for a chunk that it lacks: until it is seen to hold everything. */
  noteCramped(id: ServerId, group: GroupId): void {
    this.#records.get(id)?.cramped.add(group)
  }

  isCramped(id: ServerId, group: GroupId): boolean {
    return this.#records.get(id)?.cramped.has(group) === true
  }

  /** A replica of the group turned out wrong there: what was seen before holds no more. */
  noteDoubt(id: ServerId, group: GroupId): void {
    const comparisons = this.#records.get(id)?.comparisons
    const known = comparisons?.get(group)
    if (known !== undefined) comparisons?.set(group, { ...known, isSynced: false })
  }

  /**
   * Whether the member was seen to hold all of its group since it registered. Of a filling one at this epoch: what was seen
   * before it joined (again) says nothing.
   */
  isProven(group: Group, id: ServerId): boolean {
    const comparison = this.#records.get(id)?.comparisons.get(group.id)
    if (comparison?.isSynced !== true) return false
    const member = group.members.find(({ server }) => server === id)
    return member?.state === 'in' || comparison.epoch === group.epoch
  }

  /** Chunks of a group that the server says it holds. */
  heldBy(group: GroupId, id: ServerId): number {
    const lanes = this.#records.get(id)?.digests.get(group)
    return lanes === undefined ? 0 : Number(digestFromLanes(lanes).count)
  }

  /** Servers that say they hold chunks of a group without being its members. */
  holdersOf(group: Group): readonly ServerId[] {
    const members = new Set(group.members.map(({ server }) => server))
    return [...this.#records.keys()].filter((id) => !members.has(id) && this.heldBy(group.id, id) > 0)
  }

  /** Groups of which a server that answers holds chunks without being a member: it was one. */
  formerGroupsOf(id: ServerId): readonly GroupId[] {
    const { index } = this.#options.map
    const groups = [...(this.#records.get(id)?.digests.keys() ?? [])]
    return groups.filter(
      (group) => this.heldBy(group, id) > 0 && index.group(group)?.members.some(({ server }) => server === id) !== true,
    )
  }

  /**
   * Safe mode, per group: whether since this master started each member that is not dead was compared with the metadata.
   * Before that nothing is deleted for absence. One that fills or leaves can prove nothing that those which count do not.
   */
  isCompared(group: Group, except?: ServerId): boolean {
    return group.members.every((member) => member.server === except || !this.isAwaited(group, member))
  }

  /** Whether safe mode lasts in a group for the sake of this member. */
  isAwaited(group: Group, { server, state }: Member): boolean {
    if (state !== 'in' || ['dead', 'left'].includes(this.stateOf(server))) return false
    return this.#records.get(server)?.comparisons.has(group.id) !== true
  }

  nodes(): readonly NodeStatus[] {
    return this.#options.map.index.map.servers.map((entry) => {
      const { id, address, httpAddress, domain } = entry
      const record = this.#records.get(id)
      const silentMs = record === undefined ? 0 : this.#silentMs(record)
      const { quarantinedBytes: _, ...space } = record?.space ?? new ServerRecord(id, expected(0)).space
      return {
        id,
        address,
        httpAddress,
        domain,
        ...this.standingOf(id),
        ...space,
        silentMs,
        synced: this.#isSynced(id),
        ...(record !== undefined && this.#isUnsteady(record) ? { unsteady: true } : {}),
        ...scrubStatusOf(record),
        ...(record?.diskBytesPerSecond === undefined ? {} : { diskBytesPerSecond: record.diskBytesPerSecond }),
      }
    })
  }

  #isSynced(id: ServerId): boolean {
    const record = this.#records.get(id)
    if (record?.watch.health !== 'up') return false
    const isLeaving = (group: Group) => group.members.some(({ server, state }) => server === id && state === 'leaving')
    return this.#options.map.index
      .groupsOfServer(id)
      .every((group) => isLeaving(group) || record.comparisons.get(group.id)?.isSynced === true)
  }

  /** For people: maintenance is what matters, also while the server is down for it, and then both are told. */
  standingOf(id: ServerId): ServerStanding {
    const state = this.stateOf(id)
    if (state === 'left' || !this.isInMaintenance(id)) return { state }
    return { state: 'maintenance', ...(state === 'suspect' || state === 'dead' ? { silence: state } : {}) }
  }

  #silentMs(record: ServerRecord): number {
    return Math.max(0, Math.floor(this.#listenedMs() - record.watch.heardMs))
  }

  #requireOneIncarnation({ server, incarnation }: RegisterRequest, peer: Peer): void {
    const known = this.#records.get(server)
    if (known?.watch.health !== 'up' || known.incarnation === incarnation) return
    if (known.peer === undefined || known.peer.isClosed || known.peer === peer) return
    throw new AshlarError(
      'in-use',
      `Cannot register server ${server}: another process with this identity is up at ${known.peer.identity.address}. ` +
        'Was its data folder copied? Give the copy an identity of its own.',
    )
  }

  #closed(record: ServerRecord, peer: Peer): void {
    if (record.peer !== peer) return
    record.peer = undefined
    if (record.watch.health === 'up') this.#noteFlap(record)
    record.watch = disconnected(record.watch)
    this.#options.onChange()
  }

  /** A dead server comes back by registering: on a new connection, or it would not know. */
  #drop(record: ServerRecord): void {
    const { peer } = record
    record.peer = undefined
    peer?.close()
  }

  #deposed(id: ServerId): AshlarError {
    const error = new AshlarError(
      'stale-leader',
      `Cannot lead: server ${id} has seen a later leader. Another master runs on newer metadata; or this one was put back ` +
        'from an older copy: put back a newer one, or give up what was written since by starting with --accept-older-metadata',
    )
    this.#options.onFatal(error)
    return error
  }

  /** Of watches: without this master's own pauses. */
  #listenedMs(): number {
    return this.#watchTime.look(this.#nowMs())
  }

  #nowMs(): number {
    return this.#options.env.clock.monotonicMs()
  }
}

function scrubStatusOf(record: ServerRecord | undefined): Partial<NodeStatus> {
  if (record?.scrub === undefined) return {}
  const { oldestUnscrubbedMs, bytesPerSecond, scrubbedBytes, badChunks } = record.scrub
  return {
    oldestUnscrubbedSeconds: Math.floor(oldestUnscrubbedMs / 1000),
    scrubBytesPerSecond: bytesPerSecond,
    scrubbedBytes,
    badChunksScrubbed: badChunks,
  }
}

/** How long after a start a write waits for known servers before it makes do without them. */
const gatheringMs = 5 * limits.heartbeatIntervalMs
