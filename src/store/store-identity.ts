/**
 * Who a store's folder belongs to, and whether it may be opened. `identity.json` is made once; a folder without it is
 * never taken for a new store unless the caller says that it is the first time: an empty folder may be the mount
 * point of a disk that is not there.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ClusterId, ServerId } from '../base/ids.ts'
import type { Disk } from '../env/disk.ts'
import type { Env } from '../env/env.ts'
import { StoreLayout } from './store-layout.ts'

export interface StoreIdentity {
  readonly server: ServerId
  readonly cluster: ClusterId
  /** Chunk bytes; undefined: a share of what the disk has free. */
  readonly capacityBytes?: number | undefined
}

const format = 'ashlar-store'
/** Of all that the folder holds: 2 has shorter heads of records, and shorter rows in the index. */
const version = 2
const identityMaxBytes = 4096
/** What may lie in a folder that becomes a store: ext4 makes it in each new file system. */
const allowedNames: ReadonlySet<string> = new Set(['lost+found'])

/**
 * Makes the folder of a store that is to be made, or finds it empty.
 * @throws {AshlarError} `bad-store` — the folder holds something
 */
export async function prepareStoreFolder(options: {
  readonly env: Pick<Env, 'disk'>
  readonly path: string
}): Promise<void> {
  const { env, path } = options
  await env.disk.makeDirectory(path)
  const foreign = (await env.disk.list(path)).filter((name) => !allowedNames.has(name) && !isOwnName(path, name))
  if (foreign.length > 0) {
    throw badStore(path, `it is not a store, and it is not empty (it holds "${foreign[0]}"): choose an empty folder`)
  }
}

/**
 * Makes a store in a folder that was prepared, and is locked: a second one would overwrite the identity of the first.
 */
export async function createStoreFolder(options: {
  readonly env: Pick<Env, 'disk'>
  readonly path: string
  readonly identity: StoreIdentity
}): Promise<void> {
  const { env, path, identity } = options
  const layout = new StoreLayout(path)
  for (const folder of layout.folders) await env.disk.makeDirectory(folder)
  await writeIdentity(env.disk, layout, identity)
}

/** A creation that was cut off leaves folders without an identity; it may go on. */
function isOwnName(root: string, name: string): boolean {
  const layout = new StoreLayout(root)
  const isLock = `${root}/${name}`.startsWith(layout.lock)
  return isLock || layout.folders.includes(`${root}/${name}`) || name.startsWith('identity.json')
}

/** @throws {AshlarError} `not-found` — there is none; `bad-store` — damaged; `version-unsupported` */
export async function readIdentity(disk: Disk, layout: StoreLayout): Promise<StoreIdentity> {
  const bytes = await disk.readSmall(layout.identity, identityMaxBytes)
  let parsed: Record<string, unknown>
  try {
    parsed = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>
  } catch (cause) {
    throw badStore(layout.root, 'its identity.json is damaged', cause)
  }
  const { crc, ...facts } = parsed
  if (facts['format'] !== format || crc !== crcOf(facts)) throw badStore(layout.root, 'its identity.json is damaged')
  if (facts['version'] !== version) {
    throw new AshlarError(
      'version-unsupported',
      `Cannot open store ${layout.root}: its format is version ${facts['version']}, where ${version} is known`,
    )
  }
  return {
    server: facts['server'] as ServerId,
    cluster: facts['cluster'] as ClusterId,
    capacityBytes: facts['capacityBytes'] as number | undefined,
  }
}

export async function writeIdentity(disk: Disk, layout: StoreLayout, identity: StoreIdentity): Promise<void> {
  const { server, cluster, capacityBytes } = identity
  const facts = { format, version, server, cluster, ...(capacityBytes !== undefined && { capacityBytes }) }
  const text = `${JSON.stringify({ ...facts, crc: crcOf(facts) }, undefined, 2)}\n`
  await disk.writeSmall(layout.identity, Buffer.from(text))
}

/** Refuses a store that is not the expected one. @throws {AshlarError} `wrong-cluster`, `bad-store` */
export function checkIdentity(
  root: string,
  found: StoreIdentity,
  expected: { readonly cluster?: ClusterId | undefined; readonly server?: ServerId | undefined },
): void {
  if (expected.cluster !== undefined && expected.cluster !== found.cluster) {
    throw new AshlarError('wrong-cluster', `Cannot open store ${root}: it belongs to another cluster`, {
      details: { found: found.cluster, expected: expected.cluster },
    })
  }
  if (expected.server !== undefined && expected.server !== found.server) {
    throw badStore(root, `it is the store of server ${found.server}, not of ${expected.server}`)
  }
}

export function missingIdentity(root: string, cause: unknown): AshlarError {
  return badStore(root, 'there is no store in it; if it is on a disk of its own, see that the disk is mounted', cause)
}

export function badStore(root: string, state: string, cause?: unknown): AshlarError {
  return new AshlarError('bad-store', `Cannot open store ${root}: ${state}`, { cause })
}

export function isMissing(error: unknown): boolean {
  return isAshlarError(error, 'not-found')
}

function crcOf(facts: Readonly<Record<string, unknown>>): string {
  return crc32(Buffer.from(JSON.stringify(facts)))
    .toString(16)
    .padStart(8, '0')
}
