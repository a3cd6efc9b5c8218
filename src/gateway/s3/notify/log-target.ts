/**
 * Where the access log of a bucket goes, and the keys of its objects there: S3's two formats.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html
 * @module
 */
import type { LoggedRequest } from './log-line.ts'

/** As it is kept with the bucket. */
export interface LogTarget {
  readonly targetBucket: string
  readonly targetPrefix: string
  /** `simple`: asked for by name, and told so. Absent: the same keys. Else in folders by owner, region, bucket and the day of the requests, or of the delivery. */
  readonly keyFormat?: LogKeyFormat
}

export type LogKeyFormat = 'simple' | 'EventTime' | 'DeliveryTime'

type Logged = Pick<LoggedRequest, 'bucket' | 'ownerId' | 'atMs'>

/** Requests of one name may share an object. */
export function batchName(
  { targetBucket, targetPrefix, keyFormat }: LogTarget,
  { bucket, ownerId, atMs }: Logged,
): string {
  const target = `${targetBucket}/${targetPrefix}`
  if (!isPartitioned(keyFormat)) return target
  return [target, ownerId, bucket, keyFormat === 'EventTime' ? dayOf(atMs) : ''].join('/')
}

/** @param unique letters that no other log object of this second has */
export function logKey(
  { targetPrefix, keyFormat }: LogTarget,
  { bucket, ownerId, atMs }: Logged,
  { region, nowMs, unique }: { readonly region: string; readonly nowMs: number; readonly unique: string },
): string {
  const delivered = `${new Date(nowMs).toISOString().slice(0, 19).replace(/[T:]/g, '-')}-${unique}`
  if (!isPartitioned(keyFormat)) return `${targetPrefix}${delivered}`
  const day = dayOf(keyFormat === 'EventTime' ? atMs : nowMs)
  // Of events, an object holds one day, and its name tells no time of it.
  const name = keyFormat === 'EventTime' ? `${day}-00-00-00-${unique}` : delivered
  return `${targetPrefix}${ownerId}/${region}/${bucket}/${day.replaceAll('-', '/')}/${name}`
}

function isPartitioned(format: LogKeyFormat | undefined): boolean {
  return format !== undefined && format !== 'simple'
}

function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}
