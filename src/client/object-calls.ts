/**
 * The view of objects: the keys of a bucket (a directory at the top of the tree), in the order of their bytes. Everything
 * else takes an object's path where it takes a file's: see `objectPath`.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { awaitedLater } from '../env/waiting.ts'
import { listObjects } from '../wire/methods/file-methods.ts'
import type { ClientCore } from './client-core.ts'
import { FileStats } from './file-stats.ts'
import type { ListedObject } from './filesystem.ts'
import type { ListObjectsOptions } from './options.ts'
import { checkName } from './paths.ts'

export class ObjectCalls {
  readonly #core: ClientCore

  constructor(core: ClientCore) {
    this.#core = core
  }

  async *list(bucket: string, options: ListObjectsOptions = {}): AsyncGenerator<ListedObject, void, undefined> {
    const { prefix = '', delimiter = '', after = '', pageEntries: limit = limits.listPageEntries } = options
    const { maxEntries = Number.POSITIVE_INFINITY, xattrs = false, signal } = options
    checkCounts(bucket, { pageEntries: limit, maxEntries })
    const query = {
      ...{ bucket: checkName(bucket), after: checkText(bucket, after) },
      ...{ prefix: checkText(bucket, prefix), delimiter: checkText(bucket, delimiter) },
      ...(xattrs ? { wantXattrs: true } : {}),
    }
    let left = maxEntries
    const ask = (cursor: Buffer | undefined) => {
      const request = { ...query, limit: Math.min(limit, left), ...(cursor === undefined ? {} : { cursor }) }
      return this.#core.link.call(listObjects, request, { signal })
    }
    for (let asked = ask(undefined); ; ) {
      const { cursor, objects } = (await asked).value
      left -= objects.length
      const hasMore = cursor !== undefined && left > 0
      // Who says how many are wanted has the next page made while this one is used.
      const isAhead = hasMore && maxEntries !== Number.POSITIVE_INFINITY
      if (isAhead) asked = awaitedLater(ask(cursor))
      for (const { name, attributes } of objects) {
        yield attributes === undefined ? { prefix: name } : { key: name, stats: new FileStats(attributes) }
      }
      if (!hasMore) return
      if (!isAhead) asked = ask(cursor)
    }
  }
}

/** @throws {AshlarError} `invalid-argument` */
export function checkCounts(
  bucket: string,
  { pageEntries, maxEntries }: { readonly pageEntries: number; readonly maxEntries: number },
): void {
  const isPage = Number.isInteger(pageEntries) && pageEntries >= 1 && pageEntries <= limits.listPageEntries
  if (isPage && (maxEntries === Number.POSITIVE_INFINITY || (Number.isInteger(maxEntries) && maxEntries >= 1))) return
  throw new AshlarError(
    'invalid-argument',
    `Cannot list ${bucket}: ${pageEntries} entries a page, ${maxEntries} in all; give 1 to ${limits.listPageEntries} a page, and 1 or more in all`,
  )
}

/** No key has more bytes than a path. */
export function checkText(bucket: string, text: string): string {
  if (!text.isWellFormed() || Buffer.byteLength(text) > limits.pathBytes) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot list objects of ${bucket}: a prefix, delimiter or name is no Unicode, or has more than ${limits.pathBytes} bytes`,
    )
  }
  return text
}
