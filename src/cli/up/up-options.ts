/**
 * What `ashlar up` was asked for, and what it remembers: options in stages, raw → checked → merged with the first start's.
 *
 * `up.json` in the data folder holds the merged ones. A later start keeps them; it may add chunk servers and capacity, and
 * whatever it cannot change is refused with the reason.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { formatSize, parseDuration, parseSize } from '../../base/sizes.ts'
import { defaultStrategy, type StrategyName, strategyNamed } from '../../cluster/placement-strategy.ts'

/** As commander hands them over: absent ones were not given. */
export interface RawUpOptions {
  readonly data?: string
  readonly chunkServers?: string
  readonly capacity?: string
  readonly host?: string
  readonly port?: string
  readonly s3Port?: string
  readonly openBuckets?: boolean
  readonly chunkSize?: string
  readonly policy?: string
  readonly trashKeep?: string
  readonly deadAfter?: string
  readonly placement?: string
  readonly backupEvery?: string
  readonly restart: boolean
  readonly temp?: boolean
  readonly replaceChunkServer?: string
  readonly acceptOlderMetadata?: boolean
  readonly yes?: boolean
}

export interface AskedOptions {
  readonly chunkServers?: number
  /** One for all servers, or one for each. */
  readonly capacities?: readonly number[]
  readonly host?: string
  readonly httpPort?: number
  readonly s3Port?: number
  /** For this start alone: what opens something is said each time. */
  readonly openBuckets?: boolean
  readonly chunkSizeBytes?: number
  readonly policy?: string
  readonly trashKeepMs?: number
  readonly deadAfterMs?: number
  readonly placement?: StrategyName
  /** 0: no backups. */
  readonly backupEveryMs?: number
  /** Numbers of chunk servers, from 1, that start anew without what they held. For this start alone. */
  readonly replaced?: readonly number[]
}

export interface ServerPlan {
  /** Absent: a share of the disk's free space. */
  readonly capacityBytes?: number
  /** Known after the first start: a folder that lost its store is refused then. */
  readonly serverId?: string
  /** The last ports, kept for later starts; 0: none yet. */
  readonly port: number
  readonly httpPort: number
}

/** `up.json`. */
export interface UpPlan {
  readonly formatVersion: 1
  readonly host: string
  readonly masterPort: number
  readonly httpPort: number
  /** Absent in plans of before there was S3. */
  readonly s3Port?: number
  readonly policy: string
  readonly chunkSizeBytes: number
  readonly trashKeepMs: number
  readonly deadAfterMs: number
  /** Absent: the default one, or what `ashlar config placement` made of it. */
  readonly placement?: StrategyName
  /** Between backups of the metadata; 0: none are kept. Absent: the default. */
  readonly backupEveryMs?: number
  readonly servers: readonly ServerPlan[]
}

const replicasOf: Readonly<Record<string, number>> = { 'replicated-1': 1, 'replicated-2': 2, 'replicated-3': 3 }
const mostLocalServers = 64

/** @returns milliseconds; 0: `off` */
export function parseBackupEvery(text: string): number {
  if (text === 'off') return 0
  const everyMs = parseDuration(text)
  if (everyMs < 60_000) throw refused(`--backup-every ${text}`, 'it takes "off", or a duration from 1m on')
  return everyMs
}

/** @throws {AshlarError} `invalid-argument` — names the option and what it takes */
export function checkUpOptions(raw: RawUpOptions): AskedOptions {
  const capacities = raw.capacity?.split(',').map((text) => parseSize(text))
  for (const capacity of capacities ?? []) {
    if (capacity < 50) throw refused(`--capacity ${capacity}`, 'a chunk server needs at least 50 bytes')
  }
  if (raw.policy !== undefined && replicasOf[raw.policy] === undefined) {
    throw refused(`--policy ${raw.policy}`, `the policies are ${Object.keys(replicasOf).join(', ')}`)
  }
  const chunkSizeBytes = raw.chunkSize === undefined ? undefined : parseSize(raw.chunkSize)
  if (chunkSizeBytes !== undefined && (chunkSizeBytes < 1 || chunkSizeBytes > limits.chunkSizeMaxBytes)) {
    throw refused(`--chunk-size ${raw.chunkSize}`, `a chunk has 1 byte to ${formatSize(limits.chunkSizeMaxBytes)}`)
  }
  return defined({
    chunkServers: integer('--chunk-servers', raw.chunkServers, { from: 1, to: mostLocalServers }),
    capacities,
    host: raw.host,
    httpPort: integer('--port', raw.port, { from: 0, to: 65_535 }),
    s3Port: integer('--s3-port', raw.s3Port, { from: 0, to: 65_535 }),
    openBuckets: raw.openBuckets,
    chunkSizeBytes,
    policy: raw.policy,
    trashKeepMs: raw.trashKeep === undefined ? undefined : parseDuration(raw.trashKeep),
    deadAfterMs: raw.deadAfter === undefined ? undefined : parseDuration(raw.deadAfter),
    placement: raw.placement === undefined ? undefined : strategyNamed(raw.placement),
    backupEveryMs: raw.backupEvery === undefined ? undefined : parseBackupEvery(raw.backupEvery),
    replaced: raw.replaceChunkServer?.split(',').map(serverNumber),
  })
}

/**
 * What this start will do.
 * @param before the plan of earlier starts, if the data folder has one
 * @throws {AshlarError} `invalid-argument` — what was asked for cannot be, or can no longer be changed
 */
export function planUp(asked: AskedOptions, before: UpPlan | undefined): UpPlan {
  const count = asked.chunkServers ?? before?.servers.length ?? Math.max(asked.capacities?.length ?? 0, 3)
  const policy = asked.policy ?? before?.policy ?? 'replicated-3'
  const replicas = replicasOf[policy] ?? 1
  if (count < replicas) {
    throw refused(
      `--chunk-servers ${count}`,
      `policy ${policy} needs ${replicas}. Add --policy replicated-${count}, or more servers`,
    )
  }
  if (before !== undefined) refuseChanges(asked, { before, count })
  if (asked.capacities !== undefined && asked.capacities.length !== 1 && asked.capacities.length !== count) {
    throw refused(
      `--capacity with ${asked.capacities.length} sizes`,
      `there are ${count} chunk servers: give one size for all, or one for each`,
    )
  }
  const servers = Array.from({ length: count }, (_, index) =>
    planServer(asked, { before: before?.servers[index], index }),
  )
  return {
    formatVersion: 1,
    host: asked.host ?? before?.host ?? '127.0.0.1',
    masterPort: before?.masterPort ?? 0,
    httpPort: asked.httpPort ?? before?.httpPort ?? 0,
    s3Port: asked.s3Port ?? before?.s3Port ?? 0,
    policy,
    chunkSizeBytes: asked.chunkSizeBytes ?? before?.chunkSizeBytes ?? limits.chunkSizeDefaultBytes,
    trashKeepMs: asked.trashKeepMs ?? before?.trashKeepMs ?? limits.trashKeepMs,
    deadAfterMs: asked.deadAfterMs ?? before?.deadAfterMs ?? limits.deadAfterMs,
    ...defined({
      placement: asked.placement ?? before?.placement,
      backupEveryMs: asked.backupEveryMs ?? before?.backupEveryMs,
    }),
    servers,
  }
}

function refuseChanges(
  asked: AskedOptions,
  { before, count }: { readonly before: UpPlan; readonly count: number },
): void {
  if (count < before.servers.length) {
    throw refused(
      `--chunk-servers ${count}`,
      `this data folder has ${before.servers.length}, and removing one would lose its replicas`,
    )
  }
  if (asked.policy !== undefined && asked.policy !== before.policy) {
    throw refused(`--policy ${asked.policy}`, `this data folder was made with ${before.policy}, and its files keep it`)
  }
  if (asked.placement !== undefined && asked.placement !== (before.placement ?? defaultStrategy)) {
    throw refused(
      `--placement ${asked.placement}`,
      `this cluster was made with ${before.placement ?? defaultStrategy}. While it runs, "ashlar config placement ${asked.placement}" ` +
        'changes it, and "ashlar plan rebalance" shows what will move',
    )
  }
}

function planServer(
  asked: AskedOptions,
  { before, index }: { readonly before: ServerPlan | undefined; readonly index: number },
): ServerPlan {
  const capacity = asked.capacities?.length === 1 ? asked.capacities[0] : asked.capacities?.[index]
  if (capacity !== undefined && before?.capacityBytes !== undefined && capacity < before.capacityBytes) {
    throw refused(
      `--capacity ${capacity}`,
      `chunk server ${index + 1} was declared with ${before.capacityBytes} bytes, and can only grow`,
    )
  }
  const capacityBytes = capacity ?? before?.capacityBytes
  return {
    port: before?.port ?? 0,
    httpPort: before?.httpPort ?? 0,
    ...(before?.serverId === undefined ? {} : { serverId: before.serverId }),
    ...(capacityBytes === undefined ? {} : { capacityBytes }),
  }
}

/** NaN for what is none: refused when the plan says which there are. */
function serverNumber(text: string): number {
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : Number.NaN
}

function integer(
  option: string,
  text: string | undefined,
  { from, to }: { readonly from: number; readonly to: number },
): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= from && value <= to)) throw refused(`${option} ${text}`, `it takes a number from ${from} to ${to}`)
  return value
}

function refused(what: string, why: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot start with ${what}: ${why}`)
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Leaves out the keys whose value is undefined. */
function defined<T extends object>(options: T): Defined<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>
}
