/**
 * Who may do what: asked once a request before anything is done, and once more for each key of a body and each source of a copy.
 *
 * The root account may do everything, the owner of a bucket everything in it; everybody else, and whoever is anonymous, nothing.
 * @module
 */
import type { Account } from '../auth/accounts.ts'
import type { OperationName } from '../request/operations.ts'
import { S3Error } from '../rules/s3-error.ts'
import type { Bucket } from '../store/buckets.ts'

export interface AccessQuestion {
  readonly account: Account | undefined
  readonly operation: OperationName
  readonly bucket: Bucket
  readonly key?: string | undefined
}

export interface Access {
  /** @throws {S3Error} `AccessDenied` */
  check(question: AccessQuestion): void
}

export function ownerOnlyAccess(): Access {
  return {
    check({ account, bucket }) {
      if (account?.isRoot === true || (account !== undefined && account.id === bucket.ownerId)) return
      throw accessDenied()
    },
  }
}

export function accessDenied(): S3Error {
  return new S3Error('AccessDenied', 'Access Denied')
}
