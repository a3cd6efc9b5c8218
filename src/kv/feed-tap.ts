/**
 * The change feed of a memory engine: its commits are applied first and durable later, several at a time, so they wait here.
 * @module
 */
import { assert } from '../base/assert.ts'
import { counterOf, generationOf, type Rising, rising } from '../base/rising.ts'
import { type ChangeFeed, encodePosition } from './change-feed.ts'
import type { Change } from './changes.ts'
import type { MemoryImage } from './memory-image.ts'
import { keyText } from './sorted-map.ts'
import type { WriteSet } from './write-set.ts'

export class FeedTap {
  readonly #feed: ChangeFeed
  readonly #image: MemoryImage
  #staged: { readonly position: Rising; readonly changes: readonly Change[] }[] = []
  #stamped: Rising | undefined

  constructor(feed: ChangeFeed, image: MemoryImage) {
    this.#feed = feed
    this.#image = image
    feed.begin(image.get(keyText(feed.positionKey))?.value)
  }

  /** Adds the position row to a commit that is about to be applied. */
  stamp(writes: WriteSet): void {
    const { position: next } = this.#feed.next()
    const last = this.#staged.at(-1)?.position
    this.#stamped = last === undefined ? next : rising(generationOf(next), counterOf(last) + 1)
    writes.put(this.#feed.positionKey, encodePosition(this.#stamped))
  }

  /** The commit was applied; it may not be durable yet. */
  applied(writes: WriteSet): void {
    const position = this.#stamped
    assert(position !== undefined, 'stamped before')
    const changes: Change[] = []
    for (const [text, write] of writes.writes()) changes.push([write.key, this.#image.get(text)?.value])
    this.#staged.push({ position, changes })
  }

  /** Gives the feed what has become durable: all but the latest that the image could still lose. */
  publish(): void {
    const durable = this.#staged.splice(0, Math.max(0, this.#staged.length - this.#image.unsyncedCount))
    for (const { position, changes } of durable) this.#feed.append(position, changes)
  }
}
