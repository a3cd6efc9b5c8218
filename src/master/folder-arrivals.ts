/**
 * Since when the objects of a folder can be in their bucket: a directory that was moved there from elsewhere brings files that
 * are older than that, and a move changes no row below it. A file that was moved alone says it itself (`namespace/rename.ts`).
 *
 * Names that no file door can move (empty, `.`, `..`) came with a directory above them, or were made there.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { Namespace } from '../namespace/namespace.ts'

export class FolderArrivals {
  readonly #namespace: Pick<Namespace, 'stat'>
  readonly #bucket: string
  /** By path below the bucket. Bounded by the page of keys that are asked about. */
  readonly #known = new Map<string, number>()

  constructor(namespace: Pick<Namespace, 'stat'>, bucket: string) {
    this.#namespace = namespace
    this.#bucket = bucket
  }

  /** @returns ms since 1970; 0: all that is known is what the object itself says */
  async of(key: string): Promise<number> {
    let latestMs = 0
    for (let end = key.indexOf('/'); end !== -1; end = key.indexOf('/', end + 1)) {
      latestMs = Math.max(latestMs, await this.#madeMs(key.slice(0, end + 1)))
    }
    return latestMs
  }

  async #madeMs(folder: string): Promise<number> {
    const known = this.#known.get(folder)
    if (known !== undefined) return known
    const madeMs = await this.#ask(folder)
    this.#known.set(folder, madeMs)
    return madeMs
  }

  async #ask(folder: string): Promise<number> {
    try {
      const { attributes } = await this.#namespace.stat({ path: `/${this.#bucket}/${folder}` })
      return attributes.createdMs
    } catch (error) {
      if (isAshlarError(error, 'not-found', 'not-a-directory', 'invalid-name')) return 0
      throw error
    }
  }
}
