/**
 * `cluster.json`: how a client finds and is let into a cluster. It holds the client key, so it is mode 0600, and its
 * content never appears in a message.
 *
 *     { "clusterId": 32 hex digits, "address": "host:port", "secret": base64 of the 32-byte client key,
 *       "serverKey"?: base64 of the 32-byte public key of its servers, "http"?: url,
 *       "s3"?: { "accessKeyId", "secretAccessKey", "endpoint"?: url, "encryptionKeys"?: base64 of 32 bytes each } }
 * @module
 */
import { join } from 'node:path'
import type { ErrorCode } from '../base/error-table.ts'
import { AshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import type { Disk } from '../env/disk.ts'
import { homeFolder } from '../env/places.ts'
import type { Credentials } from '../wire/credentials.ts'

export interface ClusterFile {
  readonly clusterId: string
  /** `host:port` of the master. */
  readonly address: string
  /** Base64 of the client key: it authenticates, and can mint neither tokens nor receipts. */
  readonly secret: string
  /** Base64 of the public key that the cluster's servers prove to hold; without it whoever holds `secret` could pose as one. */
  readonly serverKey?: string | undefined
  /** The cluster's HTTP door. */
  readonly http?: string | undefined
  readonly s3?: S3Access | undefined
}

/** How clients of S3 are let in. */
export interface S3Access {
  /** Of the root account. */
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** The URL of an S3 door, once one has been started. */
  readonly endpoint?: string | undefined
  /** For gateways: base64, the newest first. What they encrypt is encrypted under these. */
  readonly encryptionKeys?: readonly string[] | undefined
}

const maxBytes = 64 * 1024
const clientKeyBytes = 32
const knownKeys: readonly string[] = ['clusterId', 'address', 'secret', 'serverKey', 'http', 's3']

/** `~/.local/share/ashlar`. */
export function defaultDataFolder(): string {
  return join(homeFolder(), '.local', 'share', 'ashlar')
}

export function defaultClusterFilePath(): string {
  return join(defaultDataFolder(), 'cluster.json')
}

const adviceFor: Partial<Record<ErrorCode, string>> = {
  'not-found': 'there is no such file. Start a cluster with "ashlar up", or name the cluster.json of a running one',
  'is-a-directory': 'it is a folder. Name the cluster.json in it',
}

/** @throws {AshlarError} `not-found` — no such file; `read-only` — it may not be read; `invalid-argument` — not a cluster file */
export async function readClusterFile(disk: Disk, path: string): Promise<ClusterFile> {
  let text: string
  try {
    text = (await disk.readSmall(path, maxBytes)).toString('utf8')
  } catch (cause) {
    if (!(cause instanceof AshlarError)) throw cause
    const advice = adviceFor[cause.code]
    const message = advice === undefined ? cause.message : `Cannot read cluster file ${path}: ${advice}`
    throw new AshlarError(cause.code, message, { cause, applied: 'no' })
  }
  return parseClusterFile(text, path)
}

/**
 * @param source the file's path, for messages
 * @throws {AshlarError} `invalid-argument` — not JSON, an unknown or missing key, or a value that cannot be one
 */
export function parseClusterFile(text: string, source: string): ClusterFile {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    // Not kept as cause: V8 quotes the text it could not parse, and the text holds the key.
    throw refused(source, 'it is not JSON')
  }
  return checkClusterFile(parsed, source)
}

/** As {@link parseClusterFile}, of an object. */
export function checkClusterFile(value: unknown, source: string): ClusterFile {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(source, 'it is not an object')
  const unknownKey = Object.keys(value).find((key) => !knownKeys.includes(key))
  if (unknownKey !== undefined)
    throw refused(source, `it has the unknown key ${JSON.stringify(unknownKey.slice(0, 64))}`)
  const { clusterId, address, secret, serverKey, http, s3 } = value as Record<string, unknown>
  if (typeof clusterId !== 'string' || !/^[0-9a-f]{32}$/.test(clusterId)) {
    throw refused(source, '"clusterId" is not 32 lower-case hex digits')
  }
  if (typeof address !== 'string' || !isAddress(address)) throw refused(source, '"address" is not host:port')
  if (typeof secret !== 'string' || keyOf(secret) === undefined) {
    throw refused(source, `"secret" is not the base64 of ${clientKeyBytes} bytes`)
  }
  if (serverKey !== undefined && (typeof serverKey !== 'string' || keyOf(serverKey) === undefined)) {
    throw refused(source, `"serverKey" is not the base64 of ${clientKeyBytes} bytes`)
  }
  if (http !== undefined && (typeof http !== 'string' || !URL.canParse(http)))
    throw refused(source, '"http" is not a URL')
  return {
    clusterId,
    address,
    secret,
    ...(serverKey === undefined ? {} : { serverKey }),
    ...(http === undefined ? {} : { http }),
    ...(s3 === undefined ? {} : { s3: checkS3Access(s3, source) }),
  }
}

function checkS3Access(value: unknown, source: string): S3Access {
  const { accessKeyId, secretAccessKey, endpoint, encryptionKeys } = (value ?? {}) as Record<string, unknown>
  const isUrl = endpoint === undefined || (typeof endpoint === 'string' && URL.canParse(endpoint))
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string' || !isUrl) {
    throw refused(source, '"s3" is not accessKeyId, secretAccessKey and perhaps the URL endpoint')
  }
  if (encryptionKeys !== undefined && !isKeyList(encryptionKeys)) {
    throw refused(source, '"s3.encryptionKeys" is not a list of the base64 of 32 bytes')
  }
  return {
    accessKeyId,
    secretAccessKey,
    ...(endpoint === undefined ? {} : { endpoint: endpoint as string }),
    ...(encryptionKeys === undefined ? {} : { encryptionKeys }),
  }
}

/** Each the base64 of 32 bytes. */
export function isKeyList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((key) => typeof key === 'string' && keyOf(key) !== undefined)
}

/** The text to store, with a newline at its end. */
export function formatClusterFile(file: ClusterFile): string {
  return `${JSON.stringify(file, null, 2)}\n`
}

/** What a client proves itself with. */
export function clientCredentials(file: ClusterFile): Credentials {
  return {
    role: 'client',
    clusterId: file.clusterId as ClusterId,
    clientKey: Buffer.from(file.secret, 'base64'),
    serverKey: file.serverKey === undefined ? undefined : Buffer.from(file.serverKey, 'base64'),
  }
}

function keyOf(secret: string): Buffer | undefined {
  const key = Buffer.from(secret, 'base64')
  return key.length === clientKeyBytes && key.toString('base64') === secret ? key : undefined
}

function isAddress(address: string): boolean {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(address)
  return match !== null && Number(match[2]) >= 1 && Number(match[2]) <= 65_535
}

function refused(source: string, state: string): AshlarError {
  return new AshlarError(
    'invalid-argument',
    `Cannot use cluster file ${source}: ${state}. Take the cluster.json that the cluster wrote`,
  )
}
