/**
 * Lifecycle rules of a bucket: which objects they are about, and how the bucket's directory keeps them.
 *
 * The S3 door writes them, the leader carries them out: they meet here. They are JSON in an extended attribute of the
 * directory; tags of an object, and the key of an upload, are JSON in attributes of their files.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
 * @module
 */

/** Of a bucket's directory: its rules. */
export const lifecycleAttribute = 's3.doc.lifecycle'
/** Of an object: its tags. */
export const tagsAttribute = 's3.tags'
/** Of an upload's file: what it is of. */
export const uploadAttribute = 's3.upload'

/** Of a bucket: a directory for each of its uploads, in which a file `upload` says what it is of. */
export function uploadsFolder(bucket: string): string {
  return `/.s3/uploads/${bucket}`
}

/** Key to value. */
export type Tags = ReadonlyMap<string, string>

/** Everything that is given must fit. */
export interface LifecycleFilter {
  readonly prefix: string
  readonly tags: Tags
  readonly sizeGreaterThanBytes?: number
  readonly sizeLessThanBytes?: number
}

export type LifecycleExpiration =
  | { readonly kind: 'days'; readonly days: number }
  /** Since 1970, at midnight UTC. */
  | { readonly kind: 'date'; readonly dateMs: number }
  /** A delete marker with no version left beneath it. */
  | { readonly kind: 'lone-marker' }

export interface LifecycleRule {
  readonly id: string
  readonly isEnabled: boolean
  /** It was given with its prefix beside the filter, and is told so. */
  readonly hasOldForm?: true
  readonly filter: LifecycleFilter
  readonly expiration?: LifecycleExpiration
  readonly noncurrent?: { readonly days: number; readonly newerVersionsKept: number }
  readonly abortUploadsAfterDays?: number
}

/** What a filter looks at. */
export interface LifecycleSubject {
  readonly key: string
  readonly sizeBytes: number
  readonly tags: Tags
}

export function filterMatches(filter: LifecycleFilter, { key, sizeBytes, tags }: LifecycleSubject): boolean {
  const { prefix, sizeGreaterThanBytes = -1, sizeLessThanBytes = Number.POSITIVE_INFINITY } = filter
  return (
    key.startsWith(prefix) &&
    sizeBytes > sizeGreaterThanBytes &&
    sizeBytes < sizeLessThanBytes &&
    [...filter.tags].every(([name, value]) => tags.get(name) === value)
  )
}

/** Whether the filter asks for a size. */
export function hasSize({ sizeGreaterThanBytes, sizeLessThanBytes }: LifecycleFilter): boolean {
  return sizeGreaterThanBytes !== undefined || sizeLessThanBytes !== undefined
}

interface StoredRule extends Omit<LifecycleRule, 'filter'> {
  readonly filter: Omit<LifecycleFilter, 'tags'> & { readonly tags: Readonly<Record<string, string>> }
}

export function formatLifecycle(rules: readonly LifecycleRule[]): string {
  const stored = rules.map(
    (rule): StoredRule => ({ ...rule, filter: { ...rule.filter, tags: Object.fromEntries(rule.filter.tags) } }),
  )
  return JSON.stringify(stored)
}

/** Of what {@link formatLifecycle} made. @returns undefined where it is something else: then nothing is expired by it */
export function parseLifecycle(text: string): readonly LifecycleRule[] | undefined {
  const stored = parseJson(text)
  if (!Array.isArray(stored)) return undefined
  const rules: LifecycleRule[] = []
  for (const rule of stored as readonly Partial<StoredRule>[]) {
    if (typeof rule?.id !== 'string' || typeof rule.isEnabled !== 'boolean' || rule.filter === undefined)
      return undefined
    const { id, isEnabled, filter } = rule
    rules.push({ ...rule, id, isEnabled, filter: { ...filter, tags: new Map(Object.entries(filter.tags)) } })
  }
  return rules
}

/** Of an object's {@link tagsAttribute}. */
export function parseTags(text: string | undefined): Tags {
  const tags = text === undefined ? undefined : parseJson(text)
  if (typeof tags !== 'object' || tags === null) return new Map()
  return new Map(Object.entries(tags).map(([key, value]) => [key, String(value)]))
}

/** Of an upload's {@link uploadAttribute}. */
export function uploadKey(text: string | undefined): string | undefined {
  const upload = text === undefined ? undefined : parseJson(text)
  const key = (upload as { readonly key?: unknown } | undefined)?.key
  return typeof key === 'string' ? key : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whoever asks treats it as nothing, which expires nothing.
    return undefined
  }
}
