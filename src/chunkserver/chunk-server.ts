/**
 * A chunk server: one store, served to clients and other chunk servers by frames and by HTTP, under orders of the master.
 *
 * It starts to listen before it registers, so that the addresses it registers answer; it decides nothing about which
 * chunks should exist.
 * @module
 */
import type { ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import type { HealthReport } from '../env/health-door.ts'
import type { HttpListener } from '../env/network.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import type { ClusterKeys, Credentials } from '../wire/credentials.ts'
import { listenForPeers, type PeerListener } from '../wire/listen.ts'
import { meteredService, type RequestObserver } from '../wire/metered-service.ts'
import type { FolderMeter } from '../wire/methods/insight-methods.ts'
import { createService } from '../wire/service.ts'
import type { ScrubReport } from '../wire/types/scrub.ts'
import { Access } from './access.ts'
import { serveBackups } from './backup-methods.ts'
import { BackupShelf } from './backup-shelf.ts'
import { serveChunks } from './chunk-methods.ts'
import { CopyPace } from './copy-pace.ts'
import { createHttpHandler } from './http-door.ts'
import { MapView } from './map-view.ts'
import { MasterLink } from './master-link.ts'
import { serveOrders } from './order-methods.ts'
import { Replicator } from './replicator.ts'
import { Scrub } from './scrub.ts'

export interface ChunkServerOptions {
  readonly env: Env
  /** Open, and owned by the chunk server from now on: `close` closes it. */
  readonly store: ChunkStore
  readonly serverId: ServerId
  readonly clusterId: ClusterId
  readonly keys: ClusterKeys
  readonly masterAddress: string
  /** `host:port` of frames; port 0 takes any. */
  readonly listenAddress: string
  /** `host:port` of plain HTTP; port 0 takes any. */
  readonly httpListenAddress: string
  /** The host that others reach this server by, when it is not the one listened on. */
  readonly advertiseHost?: string
  /** `host/rack`. */
  readonly domain: string
  readonly version: string
  /** Measures the store's data folder, for the byte ledger. Absent: the store is in memory. */
  readonly measureFolder?: FolderMeter
  /** Where backups of the metadata are kept, absolute. Absent: nowhere. */
  readonly backupFolder?: string
  /** What the disk does in a second; undefined until it is known. Absent: it never is. */
  readonly diskBytesPerSecond?: () => number | undefined
  /** Told of each answer to a frame. */
  readonly onRequest?: RequestObserver
  /** Answers `/metrics`, `/healthz` and `/readyz`. */
  readonly health?: HealthReport
}

export interface ChunkServer {
  readonly serverId: ServerId
  readonly address: string
  readonly httpAddress: string
  readonly store: ChunkStore
  /** Resolves when the master knows this server. */
  readonly registered: Promise<void>
  /** How it stands with reading all it holds; undefined until the master told what it wants. */
  scrubReport(): ScrubReport | undefined
  /** Stops taking work, lets what is under way settle, closes the store. Idempotent. */
  close(): Promise<void>
}

/** @throws {AshlarError} `in-use` — a port is taken */
export async function startChunkServer(options: ChunkServerOptions): Promise<ChunkServer> {
  const { env, store, serverId, clusterId, keys } = options
  const credentials: Credentials = { role: 'chunkserver', clusterId, serverId, keys }
  const view = await MapView.open({ serverId, clock: env.clock, store })
  const pace = new CopyPace(env.clock)
  const service = meteredService(createService(), env.clock, (answer, caller) => {
    if (caller === 'client') pace.noteRequest(answer.method, answer.durationMs)
    options.onRequest?.(answer, caller)
  })
  const { masterAddress, domain, version } = options
  const clusterTimeMs = () => (view.mapVersion === undefined ? undefined : counterOf(view.clusterTimeMs()))
  const { diskBytesPerSecond } = options
  const scrub = new Scrub({ env, store, clusterTimeMs })
  const link = new MasterLink({
    ...{ env, store, view, credentials, service, scrub, diskBytesPerSecond },
    ...{ serverId, masterAddress, domain, version },
  })
  const fetchMap = () => link.fetchMap()
  const access = new Access({ tokenKey: keys.token, clusterId, serverId, view, fetchMap })
  const replicator = new Replicator({ env, store, credentials, pace })
  const handles = serveChunks({ service, store, access, serverId, receiptKey: keys.receipt })
  const { measureFolder: measure } = options
  serveOrders({ service, store, view, access, replicator, serverId, receiptKey: keys.receipt, measure })

  const { backupFolder: folder } = options
  const shelf =
    folder === undefined ? undefined : new BackupShelf({ env, folder, refusal: () => store.space().refusal })
  serveBackups({ service, view, shelf })

  const peers: PeerListener = await listenForPeers({
    env,
    address: options.listenAddress,
    credentials,
    service,
    takesChunks: true,
    onPeerClosed: (peer) => {
      handles.abortAll(peer).catch((error: unknown) => {
        env.log.warn('a write left open by a closed connection could not be dropped', { error })
      })
    },
  })
  let http: HttpListener
  try {
    http = await env.network.serveHttp(
      {
        address: options.httpListenAddress,
        maxConnections: limits.connectionsPerListener,
        idleTimeoutMs: limits.idleConnectionTimeoutMs,
      },
      createHttpHandler({ store, access, view, serverId, clusterId, keys, env, health: options.health }),
    )
  } catch (error) {
    await peers.close()
    throw error
  }

  scrub.start()
  link.start({
    address: advertised(peers.address, options.advertiseHost),
    httpAddress: advertised(http.address, options.advertiseHost),
  })

  let closing: Promise<void> | undefined
  async function closeAll(): Promise<void> {
    await link.close()
    await Promise.all([peers.close(), http.close()])
    await Promise.all([replicator.close(), scrub.close()])
    await store.close()
  }
  return {
    serverId,
    address: peers.address,
    httpAddress: http.address,
    store,
    registered: link.firstRegistration,
    scrubReport: () => scrub.report(),
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}

function advertised(address: string, host: string | undefined): string {
  return host === undefined ? address : `${host}${address.slice(address.lastIndexOf(':'))}`
}
