/**
 * The master's data folder: who the cluster is, its secret, and where its metadata lies.
 *
 *     lock            held by the operating system while a master runs; its text names the holder
 *     secret          the cluster secret, base64; mode 0600; never leaves the servers
 *     identity.json   format, cluster id, generation; written last, so that a folder which has it is whole
 *     metadata.db     the metadata (with the files that SQLite keeps beside it)
 *
 * Invariant: a folder that holds metadata and no identity is not made into a new cluster: it is refused.
 * @module
 */
import { dirname, join } from 'node:path'
import { assert } from '../base/assert.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import { maxGeneration } from '../base/rising.ts'
import type { DiskLock } from '../env/disk.ts'
import type { Env } from '../env/env.ts'
import { clusterSecretBytes } from '../wire/keys.ts'

export interface MasterFolder {
  readonly path: string
  readonly clusterId: ClusterId
  readonly generation: number
  /** Hand it to `startMaster`; never log it. */
  readonly secret: Buffer
  /** Where the embedded metadata engine keeps its file. */
  readonly metadataPath: string
  /** It was made just now. */
  readonly isNew: boolean
  /** Gives the lock back. Idempotent. */
  close(): Promise<void>
}

const format = 1
const identityMaxBytes = 4096
const names = {
  lock: 'lock',
  secret: 'secret',
  identity: 'identity.json',
  metadata: 'metadata.db',
  restoring: 'restoring',
} as const

/**
 * Opens the folder at `path`, or makes it with a new cluster in it, and locks it for this process.
 *
 * @param options.raiseGeneration what was written under this generation and is not in the metadata is given up: all numbers
 *   from now on outrank those of before
 * @param options.create whether a new cluster may be made: not where there was one, and its folder is gone
 * @param options.trace the file that tells of a cluster that was here, for the message: without it a new one could be made
 * @param options.holder how whoever is refused meanwhile gets to know this process: `pid 1234`
 * @throws {AshlarError} `in-use` — another master runs on it; the message names the holder. `bad-store` — not a master's
 *   folder, or damaged; `version-unsupported` — of a newer format; `read-only`, `no-space`, `disk-failed`
 */
export async function createOrOpenMasterFolder(
  env: Env,
  path: string,
  {
    holder,
    raiseGeneration = false,
    create: mayCreate = true,
    trace,
  }: {
    readonly holder: string
    readonly raiseGeneration?: boolean
    readonly create?: boolean
    readonly trace?: string
  },
): Promise<MasterFolder> {
  if (!mayCreate) await requireIdentity(env, path, trace)
  await env.disk.makeDirectory(path)
  const lock = await env.disk.lock(join(path, names.lock), holder)
  try {
    const found = await env.disk.list(path)
    const isNew = !found.includes(names.identity)
    if (isNew) await create(env, path, found)
    if (raiseGeneration && !isNew) await raise(env, path)
    const { clusterId, generation } = await readIdentity(env, path)
    const secret = await readSecret(env, path)
    const metadataPath = join(path, names.metadata)
    return { path, clusterId, generation, secret, metadataPath, isNew, close: releasing(lock) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Before anything is made in what may be a bare mount point. */
async function requireIdentity(env: Env, path: string, trace: string | undefined): Promise<void> {
  try {
    await env.disk.info(join(path, names.identity))
  } catch (cause) {
    if (!isAshlarError(cause, 'not-found', 'not-a-directory')) throw cause
    throw badStore(
      path,
      'it is missing. If it is on a disk of its own, see that it is mounted. If it is gone for good, rebuild it from the chunk ' +
        `servers: ashlar restore --from-servers ${dirname(path)} --data ${path}` +
        (trace === undefined ? '' : `. For a new cluster in its place, remove ${trace} first`),
      cause,
    )
  }
}

async function create(env: Env, path: string, found: readonly string[]): Promise<void> {
  // The lock's own files are there already; ext4 makes lost+found; a secret alone is what a crash in the middle of this leaves.
  const expected = [names.lock, names.secret, 'identity', 'lost+found']
  const strange = found.find((name) => !expected.some((start) => name.startsWith(start)))
  if (strange !== undefined) {
    throw badStore(
      path,
      `it holds "${strange}" and no ${names.identity}. Is its disk mounted? Else name an empty folder.`,
    )
  }
  const clusterId = env.random.bytes(16).toString('hex')
  await env.disk.writeSmall(
    join(path, names.secret),
    Buffer.from(env.random.bytes(clusterSecretBytes).toString('base64')),
  )
  await writeIdentity(env, path, { clusterId, generation: 0 })
}

/**
 * Makes a folder for metadata that is rebuilt from backups. `load` puts it at the path it is given; only when it is done the folder
 * gets its identity and becomes a master's. What a crash leaves before that is no master's folder, and is cleared by the next try.
 * @throws {AshlarError} `already-exists` — something else is in the folder; `in-use`
 */
export async function createRestoredFolder(
  env: Env,
  path: string,
  restored: {
    readonly clusterId: ClusterId
    readonly generation: number
    readonly secret: Buffer
    /** Small files by name, beside the metadata. */
    readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[]
    readonly load: (metadataPath: string) => Promise<void>
  },
): Promise<void> {
  const { clusterId, generation, secret, files, load } = restored
  assert(generation > 0 && generation <= maxGeneration, 'a restore raises the generation')
  await env.disk.makeDirectory(path)
  const lock = await env.disk.lock(join(path, names.lock), 'a restore')
  try {
    await clearForRestore(env, path)
    await env.disk.writeSmall(join(path, names.restoring), Buffer.from('A restore was begun here.\n'))
    await load(join(path, names.metadata))
    for (const { name, bytes } of files) {
      assert(/^[a-z0-9][a-z0-9.-]{0,63}$/.test(name), 'not the name of a small file')
      await env.disk.writeSmall(join(path, name), bytes)
    }
    await env.disk.writeSmall(join(path, names.secret), Buffer.from(secret.toString('base64')))
    await writeIdentity(env, path, { clusterId, generation })
    await env.disk.remove(join(path, names.restoring))
  } finally {
    await lock.release()
  }
}

/**
 * Whether a restore into the folder would be refused for what it holds: known before anything is gathered for it.
 * @throws {AshlarError} `already-exists`
 */
export async function requireRestorable(env: Env, path: string): Promise<void> {
  try {
    await restorable(env, path)
  } catch (error) {
    // One that is not there is made.
    if (!isAshlarError(error, 'not-found')) throw error
  }
}

async function clearForRestore(env: Env, path: string): Promise<void> {
  for (const name of await restorable(env, path)) await env.disk.remove(join(path, name))
}

/** An empty folder, or one in which a restore was cut off. @returns what that one left */
async function restorable(env: Env, path: string): Promise<readonly string[]> {
  const found = (await env.disk.list(path)).filter((name) => !name.startsWith(names.lock) && name !== 'lost+found')
  if (found.length > 0 && (!found.includes(names.restoring) || found.includes(names.identity))) {
    throw new AshlarError(
      'already-exists',
      `Cannot restore into ${path}: it holds "${found[0]}". Name a new, empty folder`,
    )
  }
  return found
}

async function raise(env: Env, path: string): Promise<void> {
  const { clusterId, generation } = await readIdentity(env, path)
  if (generation === maxGeneration) throw badStore(path, `its generation is ${generation}, and cannot rise any more`)
  await writeIdentity(env, path, { clusterId, generation: generation + 1 })
}

async function writeIdentity(
  env: Env,
  path: string,
  { clusterId, generation }: { readonly clusterId: string; readonly generation: number },
): Promise<void> {
  const identity = { format, role: 'master', clusterId, generation }
  await env.disk.writeSmall(join(path, names.identity), Buffer.from(`${JSON.stringify(identity, null, 2)}\n`))
}

async function readIdentity(env: Env, path: string): Promise<{ clusterId: ClusterId; generation: number }> {
  const text = (await env.disk.readSmall(join(path, names.identity), identityMaxBytes)).toString()
  const identity = parseIdentity(path, text)
  if (Number.isInteger(identity.format) && Number(identity.format) > format) {
    throw new AshlarError(
      'version-unsupported',
      `Cannot open master folder ${path}: it is of format ${identity.format}, where ${format} is known. Use the newer program.`,
    )
  }
  const { clusterId, generation, role } = identity
  const isWhole =
    identity.format === format &&
    typeof clusterId === 'string' &&
    /^[0-9a-f]{32}$/.test(clusterId) &&
    Number.isInteger(generation) &&
    Number(generation) >= 0 &&
    Number(generation) <= maxGeneration
  if (role !== 'master') throw badStore(path, 'it is not the folder of a master')
  if (!isWhole) throw badStore(path, `its ${names.identity} is damaged. Put back a copy of it.`)
  return { clusterId: clusterId as ClusterId, generation: Number(generation) }
}

function parseIdentity(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>
  } catch (cause) {
    throw badStore(path, `its ${names.identity} is damaged. Put back a copy of it.`, cause)
  }
  throw badStore(path, `its ${names.identity} is damaged. Put back a copy of it.`)
}

async function readSecret(env: Env, path: string): Promise<Buffer> {
  const text = await env.disk.readSmall(join(path, names.secret), identityMaxBytes).catch((error: unknown) => {
    if (isAshlarError(error, 'not-found')) throw badStore(path, 'its secret is missing. Put back a copy of it.', error)
    throw error
  })
  const secret = Buffer.from(text.toString().trim(), 'base64')
  if (secret.length < clusterSecretBytes) throw badStore(path, 'its secret is damaged. Put back a copy of it.')
  return secret
}

function releasing(lock: DiskLock): () => Promise<void> {
  let released: Promise<void> | undefined
  return () => {
    released ??= lock.release()
    return released
  }
}

function badStore(path: string, state: string, cause?: unknown): AshlarError {
  return new AshlarError('bad-store', `Cannot open master folder ${path}: ${state}`, { cause })
}
