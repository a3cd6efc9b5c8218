/**
 * The master: leads the cluster over its metadata, answers clients and chunk servers, and does the background work.
 *
 * It keeps nothing that is not in the metadata, save caches and what heartbeats tell it: it can end at any moment, and the
 * next one goes on. It takes the leadership at its start; from then on every transaction and order of an earlier master is
 * refused. When it loses the leadership or the store itself, it says so once ({@link MasterOptions.onFatal}) and the
 * process is to end: no answer after that could be trusted.
 * @module
 */
import type { AshlarError } from '../base/errors.ts'
import { toAshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import { counterOf } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { Namespace } from '../namespace/namespace.ts'
import { createNamespace } from '../namespace/namespace.ts'
import type { Credentials } from '../wire/credentials.ts'
import { deriveBackupKey, deriveKeys } from '../wire/keys.ts'
import { listenForPeers } from '../wire/listen.ts'
import { meteredService, type RequestObserver } from '../wire/metered-service.ts'
import type { ClusterStatus } from '../wire/methods/cluster-methods.ts'
import type { FolderMeter } from '../wire/methods/insight-methods.ts'
import { planLifecycle } from '../wire/methods/version-methods.ts'
import { serverKeyOf } from '../wire/server-identity.ts'
import { createService } from '../wire/service.ts'
import type { BackupStatus } from '../wire/types/backup-status.ts'
import type { NodeStatus } from '../wire/types/cluster-map.ts'
import { answerBackups } from './backup-handlers.ts'
import { BackupShelves } from './backup-shelves.ts'
import { type BackupPlan, Backups } from './backups.ts'
import { ChunkOrders } from './chunk-orders.ts'
import { answerCluster } from './cluster-handlers.ts'
import { ClusterTime } from './cluster-time.ts'
import { CurrentMap } from './current-map.ts'
import { answerDeleteOrders } from './delete-order-handler.ts'
import { answerDuties } from './duty-handlers.ts'
import { createDutyWorkers } from './duty-workers.ts'
import { EventLog } from './event-log.ts'
import { eventWorker } from './event-worker.ts'
import { answerExplain } from './explain-handlers.ts'
import { answerFiles } from './file-handlers.ts'
import { GroupChooser } from './group-chooser.ts'
import { GroupSizes } from './group-sizes.ts'
import type { HandlerContext } from './handlers.ts'
import { answerInsight } from './insight-handlers.ts'
import { Lifecycle } from './lifecycle.ts'
import { LostFuture } from './lost-future.ts'
import { MemberChanges } from './member-changes.ts'
import { NumberSource } from './number-source.ts'
import { PausedDuties } from './paused-duties.ts'
import { type KnownState, recordedLeader, tellDeleted } from './recorded-leader.ts'
import { Refusals } from './refusals.ts'
import { tellRestored } from './restored-note.ts'
import { answerScrubs } from './scrub-handlers.ts'
import { ServerRegistry } from './server-registry.ts'
import { answerSessions } from './session-handlers.ts'
import { heartbeatIntervalMs, Settings, type SettingValues } from './settings.ts'
import { clusterNodes, clusterStatus } from './status.ts'
import { takeLead } from './take-lead.ts'
import { TokenMint } from './token-mint.ts'
import { WallGuard } from './wall-guard.ts'
import { acceptAfterMs, wallMarkRecord } from './wall-mark.ts'
import { answerWrites } from './write-handlers.ts'

export interface MasterOptions {
  readonly env: Env
  /** Stays the caller's to close, after {@link Master.close}. */
  readonly kv: TxnKV
  /** The cluster secret: at least 32 bytes. */
  readonly secret: Buffer
  readonly clusterId: ClusterId
  readonly generation: number
  /** `host:port`; port 0 takes any free one. */
  readonly listenAddress: string
  /** What others reach it by, where that differs from the address it listens on. */
  readonly advertiseAddress?: string
  /** Of a new cluster. An existing one keeps its own. */
  readonly settings?: Partial<SettingValues>
  /** The master cannot go on: end the process. Called at most once. */
  readonly onFatal: (error: AshlarError) => void
  /** Of the program, for `status`. */
  readonly version?: string
  /** Measures the folder of the metadata, for the byte ledger. Absent: it is in memory. */
  readonly measureFolder?: FolderMeter
  /** Keeps backups of the metadata, and its change log, on chunk servers. Absent: none are kept. */
  readonly backups?: BackupPlan | undefined
  /** Told of each answer. */
  readonly onRequest?: RequestObserver
}

export interface Master {
  /** What clients and chunk servers connect to. */
  readonly address: string
  /** What a client needs to connect: all that may leave the servers. */
  readonly clientCredentials: Credentials & { readonly role: 'client' }
  status(): Promise<ClusterStatus>
  nodes(): readonly NodeStatus[]
  /** Undefined: none are kept. */
  backupStatus(): BackupStatus | undefined
  /** Ends connections and background work; requests under way end first or fail. Idempotent. */
  close(): Promise<void>
}

/** @throws {AshlarError} `in-use` — the address is taken; `wrong-cluster`, `bad-store` — the metadata is not this cluster's */
export async function startMaster(options: MasterOptions): Promise<Master> {
  const { env, kv, clusterId, generation, secret } = options
  const startedMs = env.clock.monotonicMs()
  const keys = deriveKeys(secret)
  const onFatal = once(options, (error) => env.log.error('the master cannot go on', { code: error.code, error }))

  // The namespace and what it needs know each other: it is asked nothing before all of it is there.
  const namespace: Namespace = createNamespace({
    kv,
    generation,
    issue: () => numbers.issue(),
    clusterTime: () => time.now(),
    wallMs: () => wall.stampMs(),
    provenWallMs: () => wall.provenMs(),
    policy: (name) => settings.policy(name),
    defaultPolicy: () => settings.values.defaultPolicy,
    trashKeepMs: () => settings.values.trashKeepMs,
    judgeReceipts: (receiptCase) => chooser.judge(receiptCase),
  })
  const numbers = new NumberSource({ reserve: (count) => namespace.reserveIssueBlock(count), log: env.log })
  await numbers.start()
  const settings = new Settings(await namespace.getSettings(), options.settings)
  const time = new ClusterTime({
    clock: env.clock,
    generation,
    startMs: await namespace.persistedClusterTimeMs(),
    persist: (timeMs) => leader.persistClusterTime(timeMs),
  })
  const wall = new WallGuard({
    wallMs: () => env.clock.wallMs(),
    clusterMs: () => counterOf(time.now()),
    mark: await namespace.getRecord(wallMarkRecord),
    acceptAfterMs,
  })
  const backupEveryMs = options.backups?.everyMs
  const ownLeader = await takeLead(namespace, { settings, clusterId, generation, backupEveryMs })
  const events = new EventLog({ leader: ownLeader, clock: env.clock })
  let known: KnownState | undefined
  const leader = recordedLeader({ leader: ownLeader, events, known: () => known })
  await time.keepAhead()
  const clusterTime = () => time.now()

  const map = await CurrentMap.load({ env, namespace, leader, settings, generation, issue: () => numbers.issue() })
  known = { server: (id) => map.index.server(id), dutyOf: (id) => map.dutyOf(id), group: (id) => map.index.group(id) }
  const registry = new ServerRegistry({
    env,
    map,
    leaderEpoch: leader.epoch,
    heartbeatIntervalMs: () => heartbeatIntervalMs(settings.values),
    deadAfterMs: () => settings.values.deadAfterMs,
    clusterTime,
    onChange: () => {
      workers.wake('watch', 'gc', 'repair', 'reconcile', 'members')
      backups?.wake()
    },
    onFatal,
  })
  const chooser = new GroupChooser({ env, map, registry, namespace })
  const tokens = new TokenMint({ clusterId, key: keys.token, clusterTime, map })
  const dutyRate = (server: ServerId) => settings.values.repairBytesPerSecond || registry.halfOfDisk(server)
  const orders = new ChunkOrders({
    env,
    map,
    registry,
    tokens,
    leaderEpoch: leader.epoch,
    receiptKey: keys.receipt,
    bytesPerSecond: dutyRate,
    permitDelete: async () => backups?.permitDelete(),
    onDeleted: tellDeleted(events),
  })
  const lostFuture = await LostFuture.load({ namespace, leader, generation, log: env.log })
  const paused = await PausedDuties.load({ namespace, leader })
  const sizes = new GroupSizes({ namespace, clock: env.clock })
  const changes = new MemberChanges({
    env,
    map,
    registry,
    sizes,
    holdOffMs: () => settings.values.holdOffMs,
    isPaused: (duty) => paused.has(duty),
    clusterTimeMs: () => counterOf(clusterTime()),
    onBegun: () => workers.wake('fill'),
  })
  const lifecycle = new Lifecycle({
    ...{ namespace, leader, events, log: env.log },
    nowMs: () => wall.provenMs(),
    dayMs: () => settings.values.lifecycleDayMs,
    monotonicMs: () => env.clock.monotonicMs(),
  })
  const workers = createDutyWorkers({
    ...{ env, namespace, leader, map, registry, sizes, orders, lostFuture, onFatal },
    ...{ time, wall, changes, paused, lifecycle, events },
  })

  const backups: Backups | undefined =
    options.backups &&
    new Backups({
      ...options.backups,
      everyMs: () => settings.values.backupEveryMs,
      ...{ env, kv, events, lostFuture, clusterId, generation, onFatal, leaderEpoch: leader.epoch },
      key: deriveBackupKey(secret),
      shelves: new BackupShelves({ map, registry, leaderEpoch: leader.epoch }),
    })
  const noting = eventWorker({ env, kv, events, registry, changes, onFatal })
  const work = { map, registry, sizes, orders, changes, paused }
  const nodes = () => clusterNodes(work, counterOf(clusterTime()))
  const status = () =>
    clusterStatus({
      clusterId,
      generation,
      leaderEpoch: leader.epoch,
      kv,
      namespace,
      map,
      registry,
      settings,
      lostFuture,
      clusterTime,
      work,
      backups: () => backups?.status(),
      uptimeMs: () => Math.floor(env.clock.monotonicMs() - startedMs),
      version: options.version ?? 'unknown',
    })
  const service = meteredService(createService(), env.clock, options.onRequest)
  const context: HandlerContext = {
    env,
    service: lostFuture.guard(service),
    namespace,
    leader,
    map,
    registry,
    chooser,
    settings,
    tokens,
    keys,
    workers,
    clusterTime,
  }
  answerSessions(context)
  const refusals = new Refusals({ clock: env.clock, prefix: `r${counterOf(leader.epoch)}` })
  answerWrites(context, refusals)
  answerFiles(context)
  service.handle(planLifecycle, async ({ bucket }) => ({ value: await lifecycle.preview(bucket) }))
  answerCluster(context, { status, nodes, isScrubPaused: () => paused.has('scrub') })
  answerDuties(context, { changes, paused, orders, bytesPerSecond: dutyRate })
  answerExplain(context, { changes, sizes, refusals, isRepairPaused: () => paused.has('repair') })
  answerBackups(context, backups)
  const mayDelete = () => !lostFuture.isFound && !changes.isHolding() && !paused.has('gc')
  answerDeleteOrders(context, { orders, mayDelete })
  answerScrubs(context, orders)
  answerInsight(context, { orders, events, measureOwn: options.measureFolder })

  const serverId = env.random.bytes(16).toString('hex') as ServerId
  const listener = await listenForPeers({
    env,
    address: options.listenAddress,
    credentials: { role: 'master', clusterId, serverId, keys },
    service,
  })
  workers.start()
  noting.start()
  backups?.start()
  events.tell({
    kind: 'master-started',
    what: `a master leads, epoch ${counterOf(leader.epoch)}`,
    reason: 'it was started',
  })
  await tellRestored({ namespace, leader, events })
  env.log.info('master started', { address: listener.address, cluster: clusterId, leaderEpoch: leader.epoch })

  return {
    address: options.advertiseAddress ?? listener.address,
    clientCredentials: { role: 'client', clusterId, clientKey: keys.client, serverKey: serverKeyOf(keys) },
    status,
    nodes,
    backupStatus: () => backups?.status(),
    async close() {
      // While the chunk servers are still connected: what was committed goes into the log.
      await backups?.stop()
      // Orders under way end with their connections, so that the workers need not wait for answers.
      await Promise.all([workers.stop(), noting.stop(), listener.close()])
      await events.flush().catch((error: unknown) => env.log.warn('the last events were not written down', { error }))
      await numbers.stop()
    },
  }
}

/** The first fatal error is told; what follows from it is not. */
function once({ onFatal }: MasterOptions, onFirst: (error: AshlarError) => void): (error: unknown) => void {
  let isTold = false
  return (error) => {
    if (isTold) return
    isTold = true
    onFirst(toAshlarError(error))
    onFatal(toAshlarError(error))
  }
}
