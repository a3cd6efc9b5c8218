/**
 * Notification rules of a bucket, which changes are told to which webhook, and where events wait for it.
 *
 * The S3 door writes the rules and sends what waits. It queues what its requests do, the leader what lifecycle removes, each as an
 * empty file with an attribute: they meet here.
 *
 *     /.s3/events/WEBHOOK/TIME-UNIQUE
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
 * @module
 */

/** Of a bucket's directory: its rules, as JSON. */
export const notificationAttribute = 's3.doc.notification'
/** A directory for each webhook. */
export const eventsFolder = '/.s3/events'
/** Of an event that waits: the JSON that is sent. */
export const eventAttribute = 's3.event'
/** Of one that the leader queued: an {@link ExpiryEvent}, of which the door that delivers it makes what is sent. */
export const expiryEventAttribute = 's3.expiry-event'

/** What happens here; `s3:` goes before it. */
export const eventNames = [
  'ObjectCreated:Put',
  'ObjectCreated:Post',
  'ObjectCreated:Copy',
  'ObjectCreated:CompleteMultipartUpload',
  'ObjectRemoved:Delete',
  'ObjectRemoved:DeleteMarkerCreated',
  'LifecycleExpiration:Delete',
  'LifecycleExpiration:DeleteMarkerCreated',
] as const

export type EventName = (typeof eventNames)[number]

/** Something that was done to one key. */
export interface Change {
  readonly event: EventName
  readonly key: string
  readonly versionId?: string | undefined
}

export interface NotificationRule {
  readonly id: string
  /** Name of the target. */
  readonly webhook: string
  /** `s3:ObjectCreated:Put`, `s3:ObjectRemoved:*` */
  readonly events: readonly string[]
  readonly prefix: string
  readonly suffix: string
}

/** Something that a lifecycle rule did to one key. */
export interface ExpiryEvent {
  readonly version: 1
  /** Of the notification. */
  readonly ruleId: string
  readonly event: EventName
  readonly bucket: string
  readonly key: string
  /** That went, or of the marker that came; 0: the null version; undefined: the bucket keeps none. */
  readonly objectVersion?: number | undefined
  /** Since 1970. */
  readonly atMs: number
}

export function ruleMatches(
  { events, prefix, suffix }: NotificationRule,
  { event, key }: { readonly event: EventName; readonly key: string },
): boolean {
  const full = `s3:${event}`
  const isNamed = events.some((name) => name === full || (name.endsWith('*') && full.startsWith(name.slice(0, -1))))
  return isNamed && key.startsWith(prefix) && key.endsWith(suffix)
}

/** Names of webhooks are names of directories too. */
export function isWebhookName(name: string): boolean {
  return /^[\w-]{1,64}$/.test(name)
}

/** Of what the door stored. @returns without what is something else, which is told nobody */
export function parseStoredRules(text: string): readonly NotificationRule[] {
  const stored = parseJson(text)
  return Array.isArray(stored) ? stored.filter(isRule) : []
}

function isRule(stored: Partial<NotificationRule> | null): stored is NotificationRule {
  if (typeof stored?.webhook !== 'string' || !isWebhookName(stored.webhook)) return false
  const { id, events, prefix, suffix } = stored
  return Array.isArray(events) && [id, prefix, suffix, ...events].every((text) => typeof text === 'string')
}

/** @returns undefined for what no leader of this version wrote */
export function parseExpiryEvent(text: string): ExpiryEvent | undefined {
  const stored = parseJson(text) as Partial<ExpiryEvent> | undefined
  return stored?.version === 1 ? (stored as ExpiryEvent) : undefined
}

/** Where an event waits. Names are in the order of time. @param unique what no other event of the same moment has */
export function eventPath(
  webhook: string,
  { atMs, unique }: { readonly atMs: number; readonly unique: string },
): string {
  return `${eventsFolder}/${webhook}/${atMs.toFixed(0).padStart(15, '0')}-${unique}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whoever asks treats it as nothing.
    return undefined
  }
}
