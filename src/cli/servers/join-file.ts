/**
 * The join file: what a chunk server needs to join a cluster, the cluster secret included. It is for servers only, mode 0600;
 * `ashlar join` prints it, a client never needs it.
 * @module
 */
import { AshlarError } from '../../base/errors.ts'
import type { ClusterId } from '../../base/ids.ts'
import type { Disk } from '../../env/disk.ts'

export interface JoinFile {
  readonly clusterId: ClusterId
  /** `host:port` of the master. */
  readonly address: string
  /** Base64 of the 32-byte cluster secret. */
  readonly clusterSecret: string
}

const maxBytes = 64 * 1024

/** @throws {AshlarError} `not-found`; `invalid-argument` — not a join file */
export async function readJoinFile(disk: Disk, path: string): Promise<JoinFile> {
  let text: string
  try {
    text = (await disk.readSmall(path, maxBytes)).toString('utf8')
  } catch (cause) {
    if (!(cause instanceof AshlarError)) throw cause
    throw new AshlarError(
      cause.code,
      `Cannot read join file ${path}: make one on the master's machine with "ashlar join"`,
      { cause },
    )
  }
  let value: Partial<JoinFile> | null
  try {
    value = JSON.parse(text) as Partial<JoinFile> | null
  } catch {
    // Not kept as cause: V8 quotes the text, and the text holds the secret.
    throw refused(path, 'it is not JSON')
  }
  const { clusterId, address, clusterSecret } = value ?? {}
  if (typeof clusterId !== 'string' || !/^[0-9a-f]{32}$/.test(clusterId))
    throw refused(path, '"clusterId" is not 32 hex digits')
  if (typeof address !== 'string' || !/:\d{1,5}$/.test(address)) throw refused(path, '"address" is not host:port')
  if (typeof clusterSecret !== 'string' || Buffer.from(clusterSecret, 'base64').length !== 32) {
    throw refused(path, "it holds no cluster secret (a client's cluster.json is not a join file)")
  }
  return { clusterId: clusterId as ClusterId, address, clusterSecret }
}

export function formatJoinFile({ clusterId, address, clusterSecret }: JoinFile): string {
  return `${JSON.stringify({ clusterId, address, clusterSecret }, null, 2)}\n`
}

function refused(path: string, why: string): AshlarError {
  return new AshlarError('invalid-argument', `Cannot use join file ${path}: ${why}. Make one with "ashlar join"`)
}
