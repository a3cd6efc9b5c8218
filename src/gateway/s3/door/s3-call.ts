/** One request on its way through the door: what an operation is given, and nothing of HTTP's machinery. @module */
import type { AshlarClient } from '../../../client/index.ts'
import type { Env } from '../../../env/env.ts'
import type { Account, Accounts } from '../auth/accounts.ts'
import type { Authenticated } from '../auth/authenticate.ts'
import type { BodyReader } from '../body/body-reader.ts'
import type { EncryptionServices } from '../encryption/object-encryption.ts'
import type { Notifier } from '../notify/notifier.ts'
import type { OperationName } from '../request/operations.ts'
import type { S3Request } from '../request/s3-request.ts'
import type { BucketDefaults } from '../store/bucket-settings.ts'
import type { Bucket, Buckets } from '../store/buckets.ts'
import type { RecentBuckets } from '../store/recent-buckets.ts'
import type { Uploads } from '../store/uploads.ts'
import type { Refusals, RequestTrail } from './refusals.ts'
import type { S3Answer } from './s3-answer.ts'

/** What all requests share. */
export interface S3Services {
  readonly env: Env
  readonly client: AshlarClient
  readonly accounts: Accounts
  readonly buckets: Buckets
  /** For operations on single objects. */
  readonly recentBuckets: RecentBuckets
  readonly uploads: Uploads
  /** The cluster's keys, and the names that keys have here. */
  readonly encryption: EncryptionServices & { readonly kmsKeyIds: readonly string[] }
  readonly refusals: Refusals
  /** Absent: this gateway sends no notifications. */
  readonly notifier?: Notifier | undefined
  /** Of buckets that were told nothing. */
  readonly bucketDefaults: BucketDefaults
  /** What GetBucketLocation tells. */
  readonly region: string
  /** All parts of an upload but the last have at least so many bytes. */
  readonly partMinBytes: number
}

export interface S3Call {
  readonly services: S3Services
  readonly request: S3Request
  readonly operation: OperationName
  readonly caller: Authenticated
  readonly requestId: string
  /** What was decided on its way, for `explain-deny`. */
  readonly trail: RequestTrail
  /** Who sends it: the peer of the socket, or whom a trusted proxy names. */
  readonly sourceIp: string
  /** Whether it came encrypted all the way to the door, or to the trusted proxy in front. */
  readonly isSecure: boolean
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /**
   * The body, of which nothing was read so far: asks the client for it where it waits to be asked. Once.
   * @throws {S3Error} what its headers say is wrong
   */
  readonly openBody: (maxBytes: number) => BodyReader
}

/** Of an operation on a bucket or an object: the bucket is there, and the caller may do this to it. */
export interface BucketCall extends S3Call {
  readonly bucket: Bucket
}

export interface ObjectCall extends BucketCall {
  readonly key: string
}

export type S3Operation<Call extends S3Call = S3Call> = (call: Call) => Promise<S3Answer>

export function isRoot(account: Account | undefined): boolean {
  return account?.isRoot === true
}
