/**
 * Users and keys at rest: attributes of empty files, so that they are rows of the metadata, as durable and as consistent.
 *
 *     /.s3/accounts                 `s3.revision`: another one after every change, so that gateways need not read all
 *     /.s3/accounts/users/NAME      `s3.user`, `s3.user.disabled`, `s3.policy.POLICY` each
 *     /.s3/accounts/keys/KEY-ID     `s3.key`: whose it is, and its sealed secret
 *
 * Readers need no lock: a key counts only with its user, and whatever changes meanwhile changes the revision.
 * @module
 */
import { AshlarError, isAshlarError } from '../../../base/errors.ts'
import type { AshlarClient, DirectoryEntry, FileStats } from '../../../client/index.ts'
import { systemFolder } from '../store/object-path.ts'

export interface UserRow {
  readonly name: string
  readonly id: string
  readonly email: string | undefined
  readonly createdMs: number
  readonly isDisabled: boolean
  /** JSON by name, as it was put. */
  readonly policies: ReadonlyMap<string, string>
}

export interface KeyRow {
  readonly accessKeyId: string
  readonly userName: string
  readonly createdMs: number
  readonly sealedSecret: string
}

export const accountsFolder = `${systemFolder}/accounts`
export const usersFolder = `${accountsFolder}/users`
export const keysFolder = `${accountsFolder}/keys`

export const revisionAttribute = 's3.revision'
export const userAttribute = 's3.user'
export const disabledAttribute = 's3.user.disabled'
export const keyAttribute = 's3.key'
export const policyAttributePrefix = 's3.policy.'

interface StoredUser {
  readonly version: 1
  readonly id: string
  readonly email?: string | undefined
}

interface StoredKey {
  readonly version: 1
  readonly user: string
  readonly sealed: string
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export function formatUser({ id, email }: Pick<UserRow, 'id' | 'email'>): string {
  const stored: StoredUser = { version: 1, id, email }
  return JSON.stringify(stored)
}

export function formatKey({ userName, sealedSecret }: Pick<KeyRow, 'userName' | 'sealedSecret'>): string {
  const stored: StoredKey = { version: 1, user: userName, sealed: sealedSecret }
  return JSON.stringify(stored)
}

/** In the order of names. */
export async function* readUsers(client: AshlarClient, { signal }: CallOptions = {}): AsyncGenerator<UserRow> {
  for await (const { name, stats } of entriesOf(client, usersFolder, signal)) {
    const user = userOf(name, stats)
    if (user !== undefined) yield user
  }
}

export async function* readKeys(client: AshlarClient, { signal }: CallOptions = {}): AsyncGenerator<KeyRow> {
  for await (const { name, stats } of entriesOf(client, keysFolder, signal)) {
    const key = keyOf(name, stats)
    if (key !== undefined) yield key
  }
}

export async function findUser(
  client: AshlarClient,
  name: string,
  { signal }: CallOptions = {},
): Promise<UserRow | undefined> {
  const stats = await statOf(client, `${usersFolder}/${name}`, signal)
  return stats === undefined ? undefined : userOf(name, stats)
}

export async function findKeyRow(
  client: AshlarClient,
  accessKeyId: string,
  { signal }: CallOptions = {},
): Promise<KeyRow | undefined> {
  const stats = await statOf(client, `${keysFolder}/${accessKeyId}`, signal)
  return stats === undefined ? undefined : keyOf(accessKeyId, stats)
}

/** Undefined: there were never any accounts. */
export async function readRevision(client: AshlarClient): Promise<string | undefined> {
  return (await statOf(client, accountsFolder, undefined))?.xattrs.get(revisionAttribute)?.toString('utf8')
}

async function statOf(client: AshlarClient, path: string, signal?: AbortSignal): Promise<FileStats | undefined> {
  try {
    return await client.stat(path, { xattrs: true, signal })
  } catch (error) {
    if (isAshlarError(error, 'not-found', 'not-a-directory')) return undefined
    throw error
  }
}

async function* entriesOf(
  client: AshlarClient,
  folder: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<DirectoryEntry> {
  try {
    yield* client.list(folder, { xattrs: true, signal })
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
  }
}

/** Undefined: it is being made, or removed. */
function userOf(name: string, { xattrs, createdMs }: FileStats): UserRow | undefined {
  const stored = parse<StoredUser>(xattrs.get(userAttribute), `user ${name}`)
  if (stored === undefined) return undefined
  const policies = [...xattrs].flatMap(([key, value]) =>
    key.startsWith(policyAttributePrefix)
      ? [[key.slice(policyAttributePrefix.length), value.toString('utf8')] as const]
      : [],
  )
  const isDisabled = xattrs.has(disabledAttribute)
  return { name, id: stored.id, email: stored.email, createdMs, isDisabled, policies: new Map(policies) }
}

function keyOf(accessKeyId: string, { xattrs, createdMs }: FileStats): KeyRow | undefined {
  const stored = parse<StoredKey>(xattrs.get(keyAttribute), `key ${accessKeyId}`)
  return stored && { accessKeyId, userName: stored.user, createdMs, sealedSecret: stored.sealed }
}

function parse<Row extends { readonly version: number }>(bytes: Buffer | undefined, what: string): Row | undefined {
  if (bytes === undefined) return undefined
  let row: Row | undefined
  try {
    row = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new AshlarError('metadata-corrupt', `Cannot read ${what} of S3: its row is no JSON`, { cause })
  }
  if (row?.version === 1) return row
  throw new AshlarError(
    'version-unsupported',
    `Cannot read ${what} of S3: it has version ${row?.version}, of a newer Ashlar`,
  )
}
