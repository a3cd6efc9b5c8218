/**
 * Listings as S3 defines them, over keys that are all at hand: the reference that the real, paged listing is held to.
 *
 * Keys are in the order of their UTF-8 bytes. With a delimiter, what shares its first occurrence after the prefix becomes
 * one common prefix, which counts as one entry. A page begins behind `after`; one that was told as a common prefix is not
 * told again.
 * @module
 */
import { compareKeys } from './object-key.ts'

export interface ListQuery {
  readonly prefix: string
  /** Empty: none. */
  readonly delimiter: string
  /** Entries told; 0 gives an empty page that is complete. */
  readonly maxKeys: number
}

export type ListItem<Entry> =
  | { readonly kind: 'entry'; readonly entry: Entry }
  | { readonly kind: 'common-prefix'; readonly prefix: string }

export interface ListPage<Entry> {
  readonly items: readonly ListItem<Entry>[]
  readonly isTruncated: boolean
}

/**
 * One page of ListObjects (`after` is the marker) or ListObjectsV2 (the continuation, else start-after).
 * @param keys sorted by `compareKeys`, without doubles
 */
export function listKeys(
  keys: readonly string[],
  { after, ...query }: ListQuery & { readonly after: string },
): ListPage<string> {
  const behind = keys.filter((key) => after === '' || compareKeys(key, after) > 0)
  return page(behind, query, { keyOf: (key) => key, after })
}

/** Where the next page of {@link listKeys} begins: the last entry or common prefix told. */
export function lastName({ items }: ListPage<string>): string | undefined {
  const last = items.at(-1)
  return last?.kind === 'entry' ? last.entry : last?.prefix
}

export interface ListedVersion {
  readonly key: string
  readonly versionId: string
}

/**
 * One page of ListObjectVersions.
 * @param versions by key, the newest of each first
 * @param after the last version told, or a key of which no version is told; an unknown version id stands for all of its key
 */
export function listVersions<Version extends ListedVersion>(
  versions: readonly Version[],
  { after, ...query }: ListQuery & { readonly after: { readonly key: string; readonly versionId?: string } },
): ListPage<Version> {
  const { key, versionId } = after
  const last = versions.findIndex((version) => version.key === key && version.versionId === versionId)
  const behind = versions.filter((version, index) => {
    if (key === '') return true
    const order = compareKeys(version.key, key)
    return order > 0 || (order === 0 && last !== -1 && index > last)
  })
  return page(behind, query, { keyOf: (version) => version.key, after: key })
}

function page<Entry>(
  entries: readonly Entry[],
  { prefix, delimiter, maxKeys }: ListQuery,
  { keyOf, after }: { readonly keyOf: (entry: Entry) => string; readonly after: string },
): ListPage<Entry> {
  const items: ListItem<Entry>[] = []
  let lastPrefix = after
  for (const entry of entries) {
    const key = keyOf(entry)
    if (!key.startsWith(prefix)) continue
    const common = commonPrefix(key, prefix, delimiter)
    if (common !== undefined && common === lastPrefix) continue
    if (items.length >= maxKeys) return { items, isTruncated: maxKeys > 0 }
    if (common === undefined) items.push({ kind: 'entry', entry })
    else {
      items.push({ kind: 'common-prefix', prefix: common })
      lastPrefix = common
    }
  }
  return { items, isTruncated: false }
}

function commonPrefix(key: string, prefix: string, delimiter: string): string | undefined {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
  return at === -1 ? undefined : key.slice(0, at + delimiter.length)
}
