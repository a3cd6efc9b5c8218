/** `ashlar chunkserver`: one store in one process, joined to a cluster. @module */
import { hostname } from 'node:os'
import { AshlarError, isAshlarError } from '../../base/errors.ts'
import type { ServerId } from '../../base/ids.ts'
import { parseSize } from '../../base/sizes.ts'
import { backupFolderOf } from '../../chunkserver/backup-shelf.ts'
import { type ChunkServer, startChunkServer } from '../../chunkserver/chunk-server.ts'
import type { Env } from '../../env/env.ts'
import { type OpenedStore, openDiskStore } from '../../store/open-disk-store.ts'
import { deriveKeys } from '../../wire/keys.ts'
import { createChunkServerMetrics } from '../metrics/chunkserver-metrics.ts'
import { packageVersion } from '../version.ts'
import { DiskRate } from './disk-rate.ts'
import { folderMeter } from './folder-meter.ts'
import { type JoinFile, readJoinFile } from './join-file.ts'
import { type Parent, runUnderParent } from './parent.ts'
import { defaultPorts, listenOnFree, loopback, portOf, splitAddress } from './ports.ts'
import { serveUntil, stopped } from './serve-until.ts'
import type { ServerRun } from './server-run.ts'
import { leaveTrace, readTrace } from './store-trace.ts'

export interface RawChunkServerOptions {
  readonly data: string
  readonly cluster: string
  readonly capacity?: string
  readonly listen?: string
  readonly advertise?: string
  readonly httpPort?: string
  readonly diskRate?: string
  readonly domain?: string
  readonly json?: boolean
  /** For `ashlar up`. */
  /** Default 127.0.0.1. */
  readonly host?: string
  /** The one of an earlier start; 0, the default: none. */
  readonly port?: number
  /** How many share the disk. Default 1. */
  readonly shareOf?: number
  readonly expectId?: string
  readonly anyPort?: boolean
  readonly supervised?: boolean
}

const leastCapacityBytes = 50

/** Runs until it is told to stop. */
export async function runChunkServer(
  raw: RawChunkServerOptions,
  { env, output, stop, exitWith }: ServerRun,
): Promise<void> {
  await runUnderParent({ env, supervised: raw.supervised === true, exitWith }, (parent) =>
    run(raw, { env, output, stop, parent }),
  )
}

async function run(
  raw: RawChunkServerOptions,
  { env, output, stop, parent }: Omit<ServerRun, 'exitWith'> & { readonly parent: Parent | undefined },
): Promise<void> {
  const ended = stopped([stop, parent?.gone])
  const join = await waitForJoinFile(raw, { env, parent, ended })
  if (join === undefined) return
  const store = await openStore(raw, { env, join })
  const masterAddress = await Promise.race([parent?.masterAddress, ended])
  if (stop.aborted || parent?.gone.aborted) return await store.close()
  const diskRate = new DiskRate({ env, store, data: raw.data, shareOf: raw.shareOf ?? 1, declared: raw.diskRate })
  let running: ChunkServer | undefined
  const metrics = createChunkServerMetrics({ space: () => store.space(), scrub: () => running?.scrubReport() })
  let isRegistered = false
  const health = {
    metrics: metrics.report,
    notReady: () => (isRegistered ? undefined : 'not registered with the master'),
  }
  const server = await listenOnFree(portChoice(raw), (port) =>
    startChunkServer({
      env,
      store,
      serverId: store.identity.server,
      clusterId: join.clusterId,
      keys: deriveKeys(Buffer.from(join.clusterSecret, 'base64')),
      masterAddress: masterAddress ?? join.address,
      listenAddress: `${hostOf(raw)}:${port}`,
      httpListenAddress: `${hostOf(raw)}:${httpPort(raw, port)}`,
      ...(raw.advertise === undefined ? {} : { advertiseHost: raw.advertise }),
      domain: raw.domain ?? hostname(),
      version: packageVersion(),
      measureFolder: folderMeter(env, raw.data),
      backupFolder: backupFolderOf(raw.data),
      diskBytesPerSecond: () => diskRate.bytesPerSecond,
      onRequest: metrics.onRequest,
      health,
    }),
  ).catch(async (error: unknown) => {
    await store.close()
    throw error
  })

  running = server
  diskRate.start()
  const close = async () => {
    await diskRate.stop()
    await server.close()
  }
  const { serverId, address, httpAddress } = server
  parent?.report({ event: 'listening', address, httpAddress, serverId })
  try {
    await Promise.race([server.registered, ended])
    isRegistered = true
  } catch (error) {
    await close()
    throw error
  }
  parent?.report({ event: 'registered' })
  if (parent === undefined) {
    output.object({
      event: 'ready',
      role: 'chunkserver',
      id: serverId,
      pid: process.pid,
      address,
      http: `http://${httpAddress}`,
      data: raw.data,
    })
    output.line(
      `Chunk server ${serverId.slice(0, 8)} is ready on ${address}, ${store.space().capacityBytes} bytes. Ctrl-C stops it.`,
    )
  }
  await serveUntil(ended, { env, close })
}

/**
 * From its second start on, a server of `up` opens its store while the master starts; before the first one there is no cluster to
 * know of. @returns undefined when it was told to end meanwhile
 */
async function waitForJoinFile(
  raw: RawChunkServerOptions,
  { env, parent, ended }: { readonly env: Env; readonly parent: Parent | undefined; readonly ended: Promise<void> },
): Promise<JoinFile | undefined> {
  try {
    return await readJoinFile(env.disk, raw.cluster)
  } catch (error) {
    if (parent === undefined || !isAshlarError(error, 'not-found')) throw error
  }
  const masterAddress = await Promise.race([parent.masterAddress, ended])
  return masterAddress === undefined ? undefined : await readJoinFile(env.disk, raw.cluster)
}

async function openStore(
  raw: RawChunkServerOptions,
  { env, join }: { readonly env: Env; readonly join: JoinFile },
): Promise<OpenedStore> {
  const capacityBytes = raw.capacity === undefined ? undefined : parseSize(raw.capacity)
  if (capacityBytes !== undefined && capacityBytes < leastCapacityBytes) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot start with --capacity ${raw.capacity}: a chunk server needs at least ${leastCapacityBytes} bytes`,
    )
  }
  const known = raw.expectId ?? (await readTrace(env.disk, raw.data))
  const store = await openDiskStore({
    env,
    path: raw.data,
    identity: { cluster: join.clusterId, server: known as ServerId | undefined },
    holder: `ashlar chunkserver, pid ${process.pid}`,
    create: known === undefined,
    capacityBytes,
    shareOf: raw.shareOf ?? 1,
  })
  try {
    if (known === undefined) await leaveTrace(env, raw.data, store.identity.server)
    if (capacityBytes !== undefined && capacityBytes !== store.identity.capacityBytes)
      await store.setCapacity(capacityBytes)
  } catch (error) {
    await store.close()
    throw error
  }
  return store
}

function hostOf(raw: RawChunkServerOptions): string {
  return raw.listen === undefined ? (raw.host ?? loopback) : splitAddress(raw.listen).host
}

function portChoice(raw: RawChunkServerOptions): Parameters<typeof listenOnFree>[0] {
  const asked = raw.listen === undefined ? undefined : splitAddress(raw.listen).port
  const exact = asked !== undefined && asked !== 0
  const any = asked === 0 || raw.anyPort === true
  return { kept: asked ?? raw.port ?? 0, usual: defaultPorts.chunkServer, step: 2, exact, any }
}

/** The neighbour of the port of frames, unless one was asked for. */
function httpPort(raw: RawChunkServerOptions, port: number): number {
  if (raw.httpPort !== undefined && raw.httpPort !== '0') return portOf(raw.httpPort)
  return port === 0 ? 0 : port + 1
}
