/**
 * What a process proves itself with. The *cluster secret* lives on servers only: from it the keys are derived that
 * authenticate servers, mint capability tokens and sign receipts. A client holds one derived key, which authenticates
 * and can do nothing else.
 * @module
 */
import type { ClusterId, ServerId } from '../base/ids.ts'

/** Derived from the cluster secret by `deriveKeys`; 32 bytes each. */
export interface ClusterKeys {
  /** Authenticates clients: the only one that leaves the servers. */
  readonly client: Buffer
  /** Authenticates masters and chunk servers to each other. */
  readonly server: Buffer
  /** Mints and checks capability tokens. */
  readonly token: Buffer
  /** Signs and checks receipts. */
  readonly receipt: Buffer
  /** Seed of the key by which servers show themselves to clients: see `server-identity.ts`. */
  readonly identity: Buffer
}

export type Credentials =
  | {
      readonly role: 'client'
      readonly clusterId: ClusterId
      readonly clientKey: Buffer
      /** Servers that do not prove it are refused. Absent (an older `cluster.json`): whoever holds the client key will do. */
      readonly serverKey?: Buffer | undefined
    }
  | {
      readonly role: 'chunkserver' | 'master'
      readonly clusterId: ClusterId
      readonly serverId: ServerId
      readonly keys: ClusterKeys
    }
