/**
 * Tags of objects and buckets: their limits, and the two ways in which they come (a header in the form of a query, and a
 * list from XML). Keys are unique; order is kept as it came.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
 * @module
 */
import { S3Error } from './s3-error.ts'

/** At most this many tags; characters are UTF-16 units, as S3 counts. */
export const tagLimits = { object: 10, bucket: 50, keyCharacters: 128, valueCharacters: 256 } as const

export interface Tag {
  readonly key: string
  readonly value: string
}

/** Key to value. */
export type Tags = ReadonlyMap<string, string>

const allowed = /^[\p{L}\p{N}\p{Z}_.:/=+\-@]*$/u

/**
 * Tags from a list, held to the limits.
 * @throws {S3Error} `InvalidTag`; `BadRequest` when there are too many of a bucket
 */
export function checkTags(list: readonly Tag[], owner: 'object' | 'bucket'): Tags {
  if (list.length > tagLimits[owner]) throw tooMany(owner)
  const tags = new Map<string, string>()
  for (const { key, value } of list) {
    if (key === '' || key.length > tagLimits.keyCharacters || !allowed.test(key)) {
      throw new S3Error('InvalidTag', 'The TagKey you have provided is invalid', { details: { TagKey: key } })
    }
    if (value.length > tagLimits.valueCharacters || !allowed.test(value)) {
      throw new S3Error('InvalidTag', 'The TagValue you have provided is invalid', {
        details: { TagKey: key, TagValue: value },
      })
    }
    if (owner === 'bucket' && key.toLowerCase().startsWith('aws:')) {
      throw new S3Error('InvalidTag', 'System tags cannot be added/updated by requester', { details: { TagKey: key } })
    }
    if (tags.has(key)) {
      throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key', { details: { TagKey: key } })
    }
    tags.set(key, value)
  }
  return tags
}

/**
 * The tags of `x-amz-tagging`: `key=value&key=value`, each percent-encoded, `+` for a space.
 * @throws {S3Error} `InvalidTag`, `InvalidArgument` for a broken escape
 */
export function parseTaggingHeader(header: string): Tags {
  if (header === '') return new Map()
  const pairs = header.split('&', tagLimits.object + 1).filter((pair) => pair !== '')
  const list = pairs.map((pair) => {
    const equals = pair.indexOf('=')
    return equals === -1
      ? { key: decode(pair), value: '' }
      : { key: decode(pair.slice(0, equals)), value: decode(pair.slice(equals + 1)) }
  })
  return checkTags(list, 'object')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (cause) {
    throw new S3Error(
      'InvalidArgument',
      "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
      { cause },
    )
  }
}

function tooMany(owner: 'object' | 'bucket'): S3Error {
  return owner === 'object'
    ? new S3Error('InvalidTag', `Object tags cannot be greater than ${tagLimits.object}`)
    : new S3Error('BadRequest', `Bucket tag count cannot be greater than ${tagLimits.bucket}`)
}
