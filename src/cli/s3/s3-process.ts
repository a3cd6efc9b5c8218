/**
 * `ashlar s3 serve`: the S3 door in a process of its own. Any number of them may serve one cluster.
 *
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { readClusterFile } from '../../client/cluster-file.ts'
import { connectClient } from '../../client/connect.ts'
import type { Env } from '../../env/env.ts'
import { answerHealth, type HealthReport } from '../../env/health-door.ts'
import { createHttpPost } from '../../env/http-post.ts'
import type { HttpListener } from '../../env/network.ts'
import { StoredAccounts } from '../../gateway/s3/auth/stored-accounts.ts'
import { WebhookTargets } from '../../gateway/s3/notify/webhook-targets.ts'
import { closedBuckets, openBuckets, startS3Gateway } from '../../gateway/s3/s3-gateway.ts'
import { createGatewayMetrics } from '../metrics/gateway-metrics.ts'
import { type Parent, runUnderParent } from '../servers/parent.ts'
import { defaultPorts, listenOnFree, loopback, splitAddress } from '../servers/ports.ts'
import { serveUntil, stopped } from '../servers/serve-until.ts'
import type { ServerRun } from '../servers/server-run.ts'
import { packageVersion } from '../version.ts'
import { tellEndpoint } from './tell-endpoint.ts'

export interface RawS3Options {
  readonly cluster: string
  readonly listen?: string
  readonly metricsListen?: string
  readonly region?: string
  readonly domain?: readonly string[]
  readonly trustedProxy?: readonly string[]
  readonly kmsKey?: readonly string[]
  readonly openBuckets?: boolean
  readonly json?: boolean
  /** For `ashlar up`. */
  /** Default 127.0.0.1. */
  readonly host?: string
  /** The one of an earlier start; 0, the default: none. */
  readonly port?: number
  readonly anyPort?: boolean
  readonly supervised?: boolean
}

/** Runs until it is told to stop. */
export async function runS3Gateway(raw: RawS3Options, { env, output, stop, exitWith }: ServerRun): Promise<void> {
  await runUnderParent({ env, supervised: raw.supervised === true, exitWith }, async (parent) => {
    // What it serves is there only once the master is.
    if (parent !== undefined && !(await masterIsUp(parent, stop))) return
    const { s3 } = await readClusterFile(env.disk, raw.cluster)
    if (s3 === undefined) {
      throw new AshlarError(
        'invalid-argument',
        `Cannot serve S3: ${raw.cluster} has no root key. Start its master anew`,
      )
    }
    await using cleanup = new AsyncDisposableStack()
    const client = await connectClient({ cluster: raw.cluster, env, chunkCacheBytes: limits.s3ChunkCacheBytes })
    cleanup.defer(() => client.close())
    const accounts = new StoredAccounts({ env, client, root: s3 })
    const metrics = createGatewayMetrics(packageVersion(), client)
    const door = await listenOnFree(portChoice(raw), (port) =>
      startS3Gateway({
        ...{ env, client, accounts, listenAddress: `${hostOf(raw)}:${port}` },
        webhooks: { targets: new WebhookTargets({ env, client, root: s3 }), post: createHttpPost() },
        ...{ region: raw.region, domains: raw.domain, trustedProxies: raw.trustedProxy },
        encryptionKeys: s3.encryptionKeys?.map((key) => Buffer.from(key, 'base64')),
        kmsKeyIds: raw.kmsKey,
        bucketDefaults: raw.openBuckets === true ? openBuckets : closedBuckets,
        observer: metrics.observer,
      }),
    )
    cleanup.defer(() => door.close())
    const watched = await openHealthDoor(raw, { env, health: { metrics: metrics.report, notReady: () => undefined } })
    cleanup.defer(() => watched.close())
    const endpoint = `http://${door.address}`
    const untold = await tellEndpoint(env, raw.cluster, { endpoint, isClusters: parent !== undefined })
    if (untold !== undefined) {
      const consequence = `"ashlar s3 env" cannot tell this door: ${untold.message}`
      output.warning(consequence, { code: untold.code, endpoint })
    }
    parent?.report({ event: 'listening', address: door.address, httpAddress: door.address, serverId: '' })
    if (parent === undefined) {
      output.object({
        event: 'ready',
        role: 'gateway',
        pid: process.pid,
        endpoints: { s3: endpoint, metrics: `http://${watched.address}/metrics` },
      })
      output.line(`The S3 door is ready on ${endpoint}. Ctrl-C stops it.`)
    }
    await serveUntil(stopped([stop, parent?.gone]), { env, close: () => cleanup.disposeAsync() })
  })
}

async function masterIsUp(parent: Parent, stop: AbortSignal): Promise<boolean> {
  const ended = stopped([stop, parent.gone])
  return (await Promise.race([parent.masterAddress, ended])) !== undefined
}

function hostOf(raw: RawS3Options): string {
  return raw.listen === undefined ? (raw.host ?? loopback) : splitAddress(raw.listen).host
}

/** A door of its own: each path of the other one is a bucket's. */
function openHealthDoor(
  raw: RawS3Options,
  { env, health }: { readonly env: Env; readonly health: HealthReport },
): Promise<HttpListener> {
  const asked = raw.metricsListen === undefined ? undefined : splitAddress(raw.metricsListen)
  const choice = { kept: asked?.port ?? 0, usual: defaultPorts.s3Metrics, step: 1 }
  const exact = asked !== undefined && asked.port !== 0
  return listenOnFree({ ...choice, exact, any: asked?.port === 0 || raw.anyPort === true }, (port) => {
    const address = `${asked?.host ?? hostOf(raw)}:${port}`
    const bounds = { maxConnections: limits.connectionsPerListener, idleTimeoutMs: limits.idleConnectionTimeoutMs }
    return env.network.serveHttp({ address, ...bounds }, async (request, response) => {
      if (await answerHealth(request, response, health)) return
      response.statusCode = 404
      response.end()
    })
  })
}

function portChoice(raw: RawS3Options): Parameters<typeof listenOnFree>[0] {
  const asked = raw.listen === undefined ? undefined : splitAddress(raw.listen).port
  return {
    kept: asked ?? raw.port ?? 0,
    usual: defaultPorts.s3,
    step: 1,
    exact: asked !== undefined && asked !== 0,
    any: asked === 0 || raw.anyPort === true,
  }
}
