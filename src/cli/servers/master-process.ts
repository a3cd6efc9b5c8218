/**
 * `ashlar master`: the metadata and the HTTP door in one process.
 *
 * Writes `join.json` (for chunk servers: the cluster secret) once it listens and `cluster.json` (for clients: the client key) once its
 * HTTP door does, since only then the addresses are known.
 * @module
 */
import { dirname, join } from 'node:path'
import { isAshlarError } from '../../base/errors.ts'
import { parseDuration, parseSize } from '../../base/sizes.ts'
import { type ClusterFile, formatClusterFile, readClusterFile } from '../../client/cluster-file.ts'
import { connectClient } from '../../client/connect.ts'
import { strategyNamed } from '../../cluster/placement-strategy.ts'
import type { Env } from '../../env/env.ts'
import type { HealthReport } from '../../env/health-door.ts'
import { startHttpGateway } from '../../gateway/http/http-gateway.ts'
import { openSqliteKV, type SqliteKV } from '../../kv/sqlite-kv.ts'
import { createOrOpenMasterFolder, type MasterFolder } from '../../master/data-folder.ts'
import { type Master, startMaster } from '../../master/master.ts'
import type { SettingValues } from '../../master/settings.ts'
import { createMasterMetrics } from '../metrics/master-metrics.ts'
import type { MetricSet } from '../metrics/metric-set.ts'
import { readOrMakeEncryptionKeys } from '../s3/s3-encryption-keys.ts'
import { readOrMakeRootKey } from '../s3/s3-root-key.ts'
import { packageVersion } from '../version.ts'
import { backupPlan } from './backup-plan.ts'
import { folderMeter } from './folder-meter.ts'
import { formatJoinFile } from './join-file.ts'
import { type Parent, runUnderParent } from './parent.ts'
import { defaultPorts, listenOnFree, loopback, portOf, splitAddress } from './ports.ts'
import { serveUntil, stopped } from './serve-until.ts'
import type { ServerRun } from './server-run.ts'
import { leaveTrace, readTrace, tracePath } from './store-trace.ts'

export interface RawMasterOptions {
  readonly data: string
  readonly listen?: string
  readonly advertise?: string
  readonly httpPort?: string
  readonly policy?: string
  readonly chunkSize?: string
  readonly trashKeep?: string
  readonly deadAfter?: string
  readonly placement?: string
  readonly backupEvery?: string
  readonly json?: boolean
  readonly acceptOlderMetadata?: boolean
  readonly yes?: boolean
  /** For `ashlar up`. */
  /** Default 127.0.0.1. */
  readonly host?: string
  /** The one of an earlier start; 0, the default: none. */
  readonly port?: number
  readonly clusterFile?: string
  readonly existing?: boolean
  readonly exactHttpPort?: boolean
  readonly anyPort?: boolean
  readonly supervised?: boolean
}

interface MasterRun extends Omit<ServerRun, 'exitWith'> {
  readonly parent: Parent | undefined
  readonly folder: MasterFolder
}

/** Runs until it is told to stop, or the metadata can no longer be trusted. */
export async function runMaster(raw: RawMasterOptions, { env, output, stop, exitWith }: ServerRun): Promise<void> {
  await runUnderParent({ env, supervised: raw.supervised === true, exitWith }, async (parent) => {
    const isKnown = (await readTrace(env.disk, raw.data)) !== undefined
    const folder = await createOrOpenMasterFolder(env, raw.data, {
      holder: `ashlar master, pid ${process.pid}`,
      raiseGeneration: raw.acceptOlderMetadata === true,
      create: raw.existing !== true && !isKnown,
      ...(isKnown ? { trace: tracePath(raw.data) } : {}),
    })
    try {
      if (!isKnown) await leaveTrace(env, raw.data, folder.clusterId)
      await serve(raw, { env, output, stop, parent, folder })
    } finally {
      await folder.close()
    }
  })
}

async function serve(raw: RawMasterOptions, { env, output, stop, parent, folder }: MasterRun): Promise<void> {
  const backups = backupPlan(env, folder, raw.backupEvery)
  const kv = await openSqliteKV({
    feed: backups?.feed,
    path: folder.metadataPath,
    clock: env.clock,
    log: env.log,
    disk: env.disk,
    onFatal: (error) => endNow(env, error),
  })
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => kv.close())
  let started: Master | undefined
  const metrics = createMasterMetrics(() => started)
  const master = await listenOnFree(framePorts(raw), (port) =>
    startMaster({
      env,
      kv,
      secret: folder.secret,
      clusterId: folder.clusterId,
      generation: folder.generation,
      listenAddress: `${hostOf(raw)}:${port}`,
      settings: settingsOf(raw),
      onFatal: (error) => endNow(env, error),
      version: packageVersion(),
      measureFolder: folderMeter(env, raw.data),
      backups,
      onRequest: metrics.onRequest,
    }),
  )
  started = master
  cleanup.defer(() => master.close())
  const address = raw.advertise === undefined ? master.address : `${raw.advertise}:${splitAddress(master.address).port}`
  const clientFile: ClusterFile = {
    clusterId: folder.clusterId,
    address,
    secret: master.clientCredentials.clientKey.toString('base64'),
    serverKey: master.clientCredentials.serverKey?.toString('base64'),
  }
  await writeJoinFiles(raw, { env, folder, address })
  parent?.report({ event: 'leading', address })
  const httpAddress = await openHttpDoor(raw, { env, master, clientFile, cleanup, health: healthOf(metrics, kv) })
  const s3 = {
    ...(await endpointBefore(raw, env)),
    ...(await readOrMakeRootKey(env, raw.data)),
    encryptionKeys: await readOrMakeEncryptionKeys(env, raw.data),
  }
  const clusterFile = { ...clientFile, http: `http://${httpAddress}`, s3 }
  await env.disk.writeSmall(clusterFilePath(raw), Buffer.from(formatClusterFile(clusterFile)))

  parent?.report({ event: 'listening', address, httpAddress, serverId: '' })
  if (parent === undefined) {
    const cluster = clusterFilePath(raw)
    output.object({
      event: 'ready',
      role: 'master',
      pid: process.pid,
      cluster,
      endpoints: { master: address, http: clusterFile.http },
    })
    output.line(`The master is ready on ${address}, its HTTP door on ${clusterFile.http}.`)
    output.line(`Clients use ${cluster}; chunk servers join with ${join(raw.data, 'join.json')}. Ctrl-C stops it.`)
  }
  await serveUntil(stopped([stop, parent?.gone]), { env, close: () => cleanup.disposeAsync() })
}

/** An S3 door that is running is still the one to name. */
async function endpointBefore(raw: RawMasterOptions, env: Env): Promise<{ readonly endpoint?: string }> {
  try {
    const { s3 } = await readClusterFile(env.disk, clusterFilePath(raw))
    return s3?.endpoint === undefined ? {} : { endpoint: s3.endpoint }
  } catch (error) {
    // The first start, or a file that is about to be written anew.
    if (isAshlarError(error, 'not-found', 'invalid-argument')) return {}
    throw error
  }
}

/** Ready: it leads, and its metadata takes every change. */
function healthOf(metrics: MetricSet, kv: Pick<SqliteKV, 'isReadOnly'>): HealthReport {
  const notReady = () => (kv.isReadOnly ? 'the disk of the metadata is full' : undefined)
  return { metrics: metrics.report, notReady }
}

/** The door is a client like any other: it connects through the front. */
async function openHttpDoor(
  raw: RawMasterOptions,
  {
    env,
    master,
    clientFile,
    cleanup,
    health,
  }: {
    readonly env: Env
    readonly master: Master
    readonly clientFile: ClusterFile
    readonly cleanup: AsyncDisposableStack
    readonly health: HealthReport
  },
): Promise<string> {
  const client = await connectClient({ cluster: { ...clientFile, address: master.address }, env })
  cleanup.defer(() => client.close())
  const { clientKey } = master.clientCredentials
  const door = await listenOnFree(httpPorts(raw), (port) =>
    startHttpGateway({ env, client, clientKey, health, listenAddress: `${hostOf(raw)}:${port}` }),
  )
  cleanup.defer(() => door.close())
  return raw.advertise === undefined ? door.address : `${raw.advertise}:${splitAddress(door.address).port}`
}

async function writeJoinFiles(
  raw: RawMasterOptions,
  { env, folder, address }: { readonly env: Env; readonly folder: MasterFolder; readonly address: string },
): Promise<void> {
  const { clusterId, secret } = folder
  const bytes = Buffer.from(formatJoinFile({ clusterId, address, clusterSecret: secret.toString('base64') }))
  // Of a cluster by "ashlar up" also beside its cluster.json: a restore needs it when this folder is gone.
  const places = new Set([raw.data, dirname(clusterFilePath(raw))])
  await Promise.all([...places].map((place) => env.disk.writeSmall(join(place, 'join.json'), bytes)))
}

function clusterFilePath(raw: RawMasterOptions): string {
  return raw.clusterFile ?? join(raw.data, 'cluster.json')
}

function settingsOf({ policy, chunkSize, trashKeep, deadAfter, placement }: RawMasterOptions): Partial<SettingValues> {
  return {
    ...(policy === undefined ? {} : { defaultPolicy: policy }),
    ...(chunkSize === undefined ? {} : { chunkSizeBytes: parseSize(chunkSize) }),
    ...(trashKeep === undefined ? {} : { trashKeepMs: parseDuration(trashKeep) }),
    ...(deadAfter === undefined ? {} : { deadAfterMs: parseDuration(deadAfter) }),
    ...(placement === undefined ? {} : { placement: strategyNamed(placement) }),
  }
}

function hostOf(raw: RawMasterOptions): string {
  return raw.listen === undefined ? (raw.host ?? loopback) : splitAddress(raw.listen).host
}

function framePorts(raw: RawMasterOptions): Parameters<typeof listenOnFree>[0] {
  const asked = raw.listen === undefined ? undefined : splitAddress(raw.listen).port
  const exact = asked !== undefined && asked !== 0
  return {
    kept: asked ?? raw.port ?? 0,
    usual: defaultPorts.master,
    step: 1,
    exact,
    any: asked === 0 || raw.anyPort === true,
  }
}

function httpPorts(raw: RawMasterOptions): Parameters<typeof listenOnFree>[0] {
  const asked = raw.httpPort === undefined ? 0 : portOf(raw.httpPort)
  const exact = raw.exactHttpPort === true || (raw.supervised !== true && asked !== 0)
  return { kept: asked, usual: defaultPorts.http, step: 1, exact, any: raw.anyPort === true && !exact }
}

/** The metadata, or the leadership, is lost: no answer could be trusted any more. Durability does not need an orderly end. */
function endNow(env: Env, error: Error): void {
  env.log.error('the master ends: its metadata can no longer be trusted', { error })
  process.stderr.write(`ashlar: the master ends: ${error.message}\n`)
  process.exit(1)
}
