/** What a test gets, and what it may choose. @module */
import type { AshlarClient, ClusterFile, ConnectOptions } from '../client/index.ts'
import type { Log } from '../env/log.ts'
import type { TestChunkServer } from './test-chunk-server.ts'

export interface TestClusterOptions {
  /** Default 3. */
  readonly chunkServers?: number
  /** Chunk bytes of every server, or of each. Default: 1 GiB each. */
  readonly capacityBytes?: number | readonly number[]
  /** Default: the widest of `replicated-3`, `-2` and `-1` that the servers allow. */
  readonly policy?: 'replicated-1' | 'replicated-2' | 'replicated-3'
  readonly chunkSizeBytes?: number
  readonly trashKeepMs?: number
  /** A silent server is dead after this. Default 30 s. */
  readonly deadAfterMs?: number
  /**
   * `memory` (the default): nothing touches the disk, and `kill` loses what was not synced, as a power cut would.
   * `disk`: real files and SQLite in a temporary folder, deleted at the end.
   */
  readonly storage?: 'memory' | 'disk'
  /** Keep backups of the metadata, and its change log, on the chunk servers, as `ashlar up` does. Default false. */
  readonly backups?: boolean
  /** Open the HTTP door on a free port of 127.0.0.1. Default false. */
  readonly http?: boolean
  /** Open the S3 door on a free port of 127.0.0.1. Default false. */
  readonly s3?: boolean
  /** Makes the same choices each time: ids, placement. Default: random. */
  readonly seed?: number
  /** Where the servers and clients log. Default: nowhere. */
  readonly log?: Log
}

export interface TestS3Access {
  /** A URL; buckets go into the path, or in front of `localhost`. */
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
}

/** A running cluster; `await using` closes it and removes what it stored. */
export interface TestCluster extends AsyncDisposable {
  /** Connected, and closed with the cluster. */
  readonly client: AshlarClient
  readonly chunkServers: readonly TestChunkServer[]
  /** Of `http: true`: a URL, and the bearer token it asks for. */
  readonly http: { readonly url: string; readonly token: string } | undefined
  /** Of `s3: true`: what an S3 client is told. The key is the root account's. */
  readonly s3: TestS3Access | undefined
  /** Another client of its own, with its own session. */
  connect(options?: Omit<ConnectOptions, 'cluster' | 'env'>): Promise<AshlarClient>
  /** Adds a chunk server while the cluster runs; resolves when the master knows it. */
  addChunkServer(options?: { readonly capacityBytes?: number }): Promise<TestChunkServer>
  /**
   * Ends the master as SIGKILL would, and starts it on the same metadata; what was not synced is lost, where the storage can
   * lose it. Clients and chunk servers find it again by themselves.
   */
  restartMaster(): Promise<void>
  /** What a client of another process would need. */
  readonly clusterFile: ClusterFile
  close(): Promise<void>
}
