/**
 * Issues rising numbers at once, from blocks that were reserved durably before: a crash leaves a gap, never a repetition.
 *
 * Two blocks are held: one in use, one in reserve. When the first runs out the second takes over and a third is asked
 * for in the background, so that issuing stays synchronous at any rate the store can commit.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { Rising } from '../base/rising.ts'
import type { Log } from '../env/log.ts'
import type { IssueBlock } from '../namespace/namespace.ts'

/** Numbers in a block: about a second of the fastest writes. */
const blockNumbers = 65_536

export interface NumberSourceOptions {
  readonly reserve: (count: number) => Promise<IssueBlock>
  readonly log: Log
}

export class NumberSource {
  readonly #options: NumberSourceOptions
  #next = 0
  #end = 0
  #spare: IssueBlock | undefined
  #refill: Promise<void> | undefined

  constructor(options: NumberSourceOptions) {
    this.#options = options
  }

  /** Reserves the first blocks: call it once, before {@link issue}. */
  async start(): Promise<void> {
    this.#use(await this.#options.reserve(blockNumbers))
    this.#spare = await this.#options.reserve(blockNumbers)
  }

  /** @throws {AshlarError} `busy` — both blocks ran out before the store gave the next */
  issue(): Rising {
    if (this.#next >= this.#end) {
      const spare = this.#spare
      if (spare === undefined) {
        this.#refillSoon()
        throw new AshlarError('busy', 'Cannot issue a number: the next block is still being reserved')
      }
      this.#spare = undefined
      this.#use(spare)
      this.#refillSoon()
    }
    return this.#next++ as Rising
  }

  /** Waits for a reservation under way. */
  async stop(): Promise<void> {
    await this.#refill
  }

  #use({ first, end }: IssueBlock): void {
    this.#next = first
    this.#end = end
  }

  #refillSoon(): void {
    this.#refill ??= this.#reserveSpare()
  }

  async #reserveSpare(): Promise<void> {
    try {
      this.#spare = await this.#options.reserve(blockNumbers)
    } catch (error) {
      // The next number that finds both blocks empty asks again.
      this.#options.log.error('cannot reserve numbers', { error })
    } finally {
      this.#refill = undefined
    }
  }
}
