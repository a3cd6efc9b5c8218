/** Keys that a listing shows as one: those with the same text up to a delimiter behind the prefix. @module */
import { prefixEnd } from '../kv/txn-kv.ts'

export interface Grouping {
  readonly prefix: Buffer
  /** Empty: none. */
  readonly delimiter: Buffer
}

/** What all keys of the group begin with that `key` is in. */
export function groupOf(key: Buffer, { prefix, delimiter }: Grouping): Buffer | undefined {
  const at = delimiter.length === 0 ? -1 : key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.subarray(0, at + delimiter.length)
}

/** The place behind a key, or behind all of a group that was told by its name. */
export function placeAfter(after: Buffer, grouping: Grouping): Buffer {
  if (after.length === 0) return after
  const isInside = after.subarray(0, grouping.prefix.length).equals(grouping.prefix)
  const isGroup = isInside && groupOf(after, grouping)?.length === after.length
  return isGroup ? prefixEnd(after) : Buffer.concat([after, Buffer.from([0])])
}
