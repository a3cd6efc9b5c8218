/** `ashlar restore`: from the sources that were named or found, into a new folder; and what to say of it. @module */
import { basename, dirname, resolve } from 'node:path'
import { counterOf } from '../../base/rising.ts'
import { formatSize, parseDuration } from '../../base/sizes.ts'
import type { Env } from '../../env/env.ts'
import { openSqliteKV } from '../../kv/sqlite-kv.ts'
import { BlockSeal } from '../../master/backup-blocks.ts'
import { type BackupSource, BackupSources } from '../../master/backup-source.ts'
import { createRestoredFolder, requireRestorable } from '../../master/data-folder.ts'
import { loadMetadata, planRestore, type RestorePlan } from '../../master/restore.ts'
import { noteRestored } from '../../master/restored-note.ts'
import { deriveBackupKey } from '../../wire/keys.ts'
import { pieceName } from '../../wire/types/backup.ts'
import type { Output } from '../output.ts'
import { type FoundCluster, findCluster } from './find-cluster.ts'
import { fileSource, folderSource } from './folder-source.ts'
import { dialServers, type RunningServers, waitForServers } from './server-sources.ts'

export interface RawRestoreOptions {
  readonly fromServers: string
  readonly data: string
  readonly plan?: boolean
  readonly server?: readonly string[]
  readonly folder?: readonly string[]
  readonly file?: readonly string[]
  readonly listen?: string
  readonly wait?: string
  readonly json?: boolean
}

interface RestoreRun {
  readonly env: Env
  readonly output: Output
  readonly signal: AbortSignal
}

const waitMs = 30_000

/** @throws {AshlarError} `not-found` — no backup can be used; `already-exists` — the folder is not empty; `unavailable` — no server came */
export async function runRestore(raw: RawRestoreOptions, { env, output, signal }: RestoreRun): Promise<void> {
  const cluster = await findCluster(env, raw.fromServers)
  if (raw.plan !== true) await requireRestorable(env, raw.data)
  const { clusterId, clusterSecret } = cluster.join
  const secret = Buffer.from(clusterSecret, 'base64')
  await using found = await findSources(raw, cluster, { env, output, signal })
  const seal = new BlockSeal(deriveBackupKey(secret), env.random)
  const sources = await BackupSources.open(found.sources, { seal, log: env.log })
  for (const { label, error } of sources.failures) {
    output.warning(`${label} cannot be read: ${error.message}`, { source: label, code: error.code })
  }
  const plan = await planRestore(sources, clusterId)
  const generation = Math.max(plan.generation, found.generationSeen + 1)
  if (raw.plan !== true) {
    await createRestoredFolder(env, raw.data, {
      ...{ clusterId, generation, secret },
      files: plan.manifest.attachments,
      load: (path) => load(path, { env, sources, plan, generation }),
    })
  }
  tell(output, { raw, plan, generation, clusterId, labels: sources.labels })
}

async function findSources(
  raw: RawRestoreOptions,
  { join, serverFolders }: FoundCluster,
  { env, output, signal }: RestoreRun,
): Promise<RunningServers> {
  const files = await Promise.all((raw.file ?? []).map((path) => fileSource(env, resolve(path))))
  const named = (raw.folder ?? []).map((path) => folderSource(env, resolve(path)))
  const here: BackupSource[] = [...files, ...named]
  const cluster = { env, signal, clusterId: join.clusterId, secret: Buffer.from(join.clusterSecret, 'base64') }
  if (raw.server !== undefined) {
    const dialled = await dialServers(cluster, raw.server)
    return {
      ...dialled,
      sources: [...here, ...dialled.sources],
      [Symbol.asyncDispose]: () => dialled[Symbol.asyncDispose](),
    }
  }
  if (here.length === 0) here.push(...serverFolders.map((folder) => folderSource(env, folder)))
  if (here.length > 0) return { sources: here, generationSeen: 0, [Symbol.asyncDispose]: async () => undefined }
  const address = raw.listen ?? join.address
  output.note(`Waiting for chunk servers at ${address}`)
  return await waitForServers(cluster, {
    address,
    waitMs: raw.wait === undefined ? waitMs : parseDuration(raw.wait),
    onServer: (count) => output.note(`${count} chunk server${count === 1 ? ' is' : 's are'} here`),
  })
}

async function load(
  path: string,
  {
    env,
    sources,
    plan,
    generation,
  }: { readonly env: Env; readonly sources: BackupSources; readonly plan: RestorePlan; readonly generation: number },
): Promise<void> {
  const failed = Promise.withResolvers<never>()
  // Awaited only where something else fails too.
  failed.promise.catch(() => undefined)
  const { clock, log, disk } = env
  const kv = await openSqliteKV({ path, clock, log, disk, reserveBytes: 0, onFatal: (error) => failed.reject(error) })
  try {
    await Promise.race([loadMetadata(sources, plan, kv), failed.promise])
    await noteRestored(kv, { generation, changedMs: plan.changedMs, position: plan.position })
  } finally {
    await kv.close()
  }
}

function tell(
  output: Output,
  {
    raw,
    plan,
    generation,
    clusterId,
    labels,
  }: {
    readonly raw: RawRestoreOptions
    readonly plan: RestorePlan
    readonly generation: number
    readonly clusterId: string
    readonly labels: readonly string[]
  },
): void {
  const { manifest, commits, passedOver } = plan
  const isPlan = raw.plan === true
  const lastChange = new Date(plan.changedMs).toISOString()
  const lost =
    `Lost is what was acknowledged after ${lastChange}, the newest change that was found. Where the log was current ` +
    '("ashlar status" says so), that is the last second before the old master ended; where it was not, more.'
  output.object({
    event: isPlan ? 'plan' : 'restored',
    ...{ data: raw.data, clusterId, generation, sources: labels },
    backup: { name: pieceName(plan.base), atMs: manifest.atMs, rows: manifest.rows, sizeBytes: manifest.lengthBytes },
    ...{ backupOn: plan.baseHolders, logOn: plan.logHolders, commits, position: counterOf(plan.position) },
    ...{ lastChangeMs: plan.changedMs, lastChange, lost, passedOver },
  })
  for (const { name, why } of passedOver) output.note(`Passed over ${name}: ${why}`)
  const made = new Date(manifest.atMs).toISOString()
  output.line(
    `backup     of ${made}: ${manifest.rows} rows, ${formatSize(manifest.lengthBytes)}, from ${plan.baseHolders.join(', ')}`,
  )
  output.line(`log        ${commits} commits after it, the last of ${lastChange}, from ${plan.logHolders.join(', ')}`)
  output.line(lost)
  if (isPlan) {
    output.line('Nothing was changed. Without --plan it is restored.')
    return
  }
  output.line(`Restored to ${raw.data}, as generation ${generation}: nothing of the lost time can pass for new.`)
  output.line(`Start it: ${startCommand(raw)}`)
}

/** A folder in its place below that of `ashlar up` is started by that. */
function startCommand({ data, fromServers }: RawRestoreOptions): string {
  const isOfUp = basename(data) === 'master' && [fromServers, dirname(fromServers)].includes(dirname(data))
  return isOfUp
    ? `ashlar up --data ${dirname(data)}`
    : `ashlar master --data ${data}, at the address of the old one (--listen), or hand out its join.json and cluster.json`
}
