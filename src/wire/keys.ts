/**
 * The keys of a cluster, derived from its one secret. Each has a label of its own, so that a MAC made for one purpose
 * never passes for another, and the client key says nothing about the others.
 * @module
 */
import { hkdfSync } from 'node:crypto'
import { AshlarError } from '../base/errors.ts'
import type { ClusterKeys } from './credentials.ts'

export const clusterSecretBytes = 32

/**
 * HKDF-SHA-256 of the secret, 32 bytes a key.
 * @param secret at least 32 random bytes
 * @throws {AshlarError} `invalid-argument` — the secret is shorter
 * @see RFC 5869
 */
export function deriveKeys(secret: Buffer): ClusterKeys {
  if (secret.length < clusterSecretBytes) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot derive keys: the cluster secret has ${secret.length} bytes, where ${clusterSecretBytes} are the least`,
    )
  }
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', secret, 'ashlar', `ashlar 1 ${purpose}`, 32))
  return {
    client: derive('client'),
    server: derive('server'),
    token: derive('token'),
    receipt: derive('receipt'),
    identity: derive('identity'),
  }
}

/**
 * The key that seals backups of the metadata: of the master alone, and of whoever restores one. Chunk servers keep backups and
 * could derive it, since they hold the secret; a disk of theirs without the join file tells nothing.
 * @param secret the cluster secret
 */
export function deriveBackupKey(secret: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'ashlar', 'ashlar 1 backup', 32))
}
