/**
 * The S3 door. It keeps no state: any number of them may serve one cluster, on the public client only.
 *
 * Bounded: connections, heads, the memory of bodies, and how slowly a client may send (see `body/body-reader.ts`). An `Expect` is
 * answered after authentication.
 * @module
 */
import { limits } from '../../base/limits.ts'
import type { AshlarClient } from '../../client/index.ts'
import type { Env } from '../../env/env.ts'
import type { HttpPost } from '../../env/http-post.ts'
import type { HttpListener } from '../../env/network.ts'
import { type AccountSource, rootAccount } from './auth/accounts.ts'
import { type S3RequestObserver, s3RequestHandler } from './door/handle-request.ts'
import { parseTrustedProxies } from './door/peer.ts'
import { Refusals } from './door/refusals.ts'
import { KeyRing } from './encryption/key-ring.ts'
import { AccessLog } from './notify/access-log.ts'
import { Notifier, type NotifierOptions } from './notify/notifier.ts'
import type { WebhookTargets } from './notify/webhook-targets.ts'
import { allowPublicAccess, blockAllPublicAccess } from './rules/access/public-access-block.ts'
import type { BucketDefaults } from './store/bucket-settings.ts'
import { Buckets } from './store/buckets.ts'
import { RecentBuckets } from './store/recent-buckets.ts'
import { Uploads } from './store/uploads.ts'

export interface S3GatewayOptions {
  readonly env: Env
  readonly client: AshlarClient
  /** `host:port`; port 0 takes any. */
  readonly listenAddress: string
  readonly accounts: AccountSource
  /** Proxies in front, as addresses or ranges (`10.0.0.0/8`): what they say of who asks, and how, is believed. Default: none. */
  readonly trustedProxies?: readonly string[] | undefined
  /** Whom buckets may tell of changes, and how they are reached. Default: nobody. */
  readonly webhooks?: { readonly targets: WebhookTargets; readonly post: HttpPost } | undefined
  /** What buckets are told to be in. Default `us-east-1`. Signatures of any region are taken, unless `requireRegion`. */
  readonly region?: string | undefined
  readonly requireRegion?: boolean | undefined
  /** Hosts that carry buckets in front of them (`bucket.HOST`). Default: `localhost`. */
  readonly domains?: readonly string[] | undefined
  /** 32 bytes each, the newest first: what the gateway encrypts for itself. Default: none, and only customers' own keys work. */
  readonly encryptionKeys?: readonly Buffer[] | undefined
  /** Names of keys for `aws:kms`, each derived from the first of `encryptionKeys`. Default: none, and it is not there. */
  readonly kmsKeyIds?: readonly string[] | undefined
  /** All parts of an upload but the last have at least so many bytes. Default 5 MiB, as S3 has it. */
  readonly partMinBytes?: number | undefined
  /** Between two objects of one access log. Default one minute. */
  readonly accessLogEveryMs?: number | undefined
  /** What buckets have that were told nothing else. Default: {@link closedBuckets}. */
  readonly bucketDefaults?: BucketDefaults | undefined
  /** For metrics. Default: nobody. */
  readonly observer?: S3RequestObserver | undefined
}

/** No lists, nothing public: as S3 makes buckets today. */
export const closedBuckets: BucketDefaults = {
  ownership: 'BucketOwnerEnforced',
  publicAccessBlock: blockAllPublicAccess,
}

/** Lists count and may open to anybody, as S3 once made buckets; what older suites and clients expect. */
export const openBuckets: BucketDefaults = { ownership: 'ObjectWriter', publicAccessBlock: allowPublicAccess }

const defaultRegion = 'us-east-1'
const defaultPartMinBytes = 5 * 1024 ** 2
const defaultAccessLogEveryMs = 60_000

/** @throws {AshlarError} `in-use` — the port is taken */
export async function startS3Gateway(options: S3GatewayOptions): Promise<HttpListener> {
  const { env, client, accounts, listenAddress, region = defaultRegion } = options
  const refusals = new Refusals(limits.s3RefusalsKept)
  // Ended also when the port is taken.
  await using started = new AsyncDisposableStack()
  const buckets = new Buckets(client)
  const rootId = rootAccount().id
  const ownerOf: NotifierOptions['ownerOf'] = async (bucket, given) =>
    (await buckets.find(bucket, given))?.ownerId ?? rootId
  const notifier = started.use(options.webhooks && new Notifier({ env, client, region, ownerOf, ...options.webhooks }))
  const accessLog = started.use(
    new AccessLog({ env, client, rootId, region, everyMs: options.accessLogEveryMs ?? defaultAccessLogEveryMs }),
  )
  const handle = s3RequestHandler({
    ...{
      accounts,
      refusals,
      accessLog,
      observer: options.observer,
      trustedProxies: parseTrustedProxies(options.trustedProxies ?? []),
    },
    services: {
      ...{ env, client, region, refusals, notifier },
      buckets,
      recentBuckets: new RecentBuckets(buckets, env.clock),
      uploads: new Uploads(client),
      encryption: {
        ring: new KeyRing(options.encryptionKeys ?? []),
        random: (length) => env.random.bytes(length),
        kmsKeyIds: options.kmsKeyIds ?? [],
      },
      bucketDefaults: options.bucketDefaults ?? closedBuckets,
      partMinBytes: options.partMinBytes ?? defaultPartMinBytes,
    },
    domains: options.domains ?? ['localhost'],
    signedRegion: options.requireRegion === true ? region : undefined,
  })
  const listener = await env.network.serveHttp(
    {
      address: listenAddress,
      maxConnections: limits.connectionsPerListener,
      idleTimeoutMs: limits.idleConnectionTimeoutMs,
      expectations: 'handled',
    },
    handle,
  )
  const background = started.move()
  const close = async () => {
    await listener.close()
    await background.disposeAsync()
  }
  return { address: listener.address, close }
}
