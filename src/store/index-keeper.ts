/**
 * Keeps the index close behind the log: a checkpoint when enough events wait, or a second after the first of them.
 * Puts do not wait for it unless the index falls so far behind that memory would grow.
 * A full disk delays checkpoints, it does not lose anything; a damaged index fences the store and is rebuilt at the
 * next opening.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock, Timer } from '../env/clock.ts'
import type { Env } from '../env/env.ts'
import type { Log } from '../env/log.ts'
import type { ChunkIndex } from './chunk-index.ts'
import type { Fence } from './fence.ts'
import type { SpaceReserve } from './space-reserve.ts'

const delayMs = 1000
const eagerEvents = 4096

export interface IndexKeeperOptions {
  readonly clock: Clock
  readonly log: Log
  readonly index: ChunkIndex
  readonly fence: Fence
  readonly reserve: SpaceReserve
  readonly buggify: Env['buggify']
  /** Runs after each checkpoint that wrote something: compaction looks for work then. */
  readonly afterCheckpoint?: () => void
}

export class IndexKeeper {
  readonly #options: IndexKeeperOptions
  #timer: Timer | undefined
  #running: Promise<void> | undefined
  #isClosed = false

  constructor(options: IndexKeeperOptions) {
    this.#options = options
  }

  /** To be called after events were added: sees to it that they are written soon. */
  noteEvents(): void {
    if (this.#isClosed) return
    const isEager = this.#options.index.pendingEvents >= eagerEvents
    if (isEager || this.#options.buggify('index: a checkpoint for each event')) this.#start()
    else this.#timer ??= this.#options.clock.after(delayMs, () => this.#start(), { background: true })
  }

  /**
   * Waits until the index has room for one more event; undefined: it has.
   * @throws {AshlarError} `busy` — it cannot follow
   */
  room(): Promise<void> | undefined {
    return this.#options.index.pendingEvents < limits.storeOverlayEvents ? undefined : this.#makeRoom()
  }

  async #makeRoom(): Promise<void> {
    await this.checkpoint()
    if (this.#options.index.pendingEvents < limits.storeOverlayEvents) return
    throw new AshlarError('busy', 'Cannot write: the index of the store is too far behind')
  }

  /** Writes what waits; several callers share one. Rejects only with what fences the store. */
  checkpoint(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#running ??= this.#checkpoint().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  /** Writes what waits, a last time. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#running
    if (!this.#options.fence.isUp) await this.checkpoint()
  }

  #start(): void {
    // A failure has raised the fence already, which every later call meets.
    this.checkpoint().catch(() => undefined)
  }

  async #checkpoint(): Promise<void> {
    const { index, reserve, fence, log } = this.#options
    try {
      await index.checkpoint()
      this.#options.afterCheckpoint?.()
    } catch (error) {
      if (isAshlarError(error, 'read-only', 'no-space')) {
        log.warn('index cannot follow: the disk is full', { pendingEvents: index.pendingEvents })
        await reserve.release()
        await index.checkpoint({ freesRoom: true }).catch((again: unknown) => {
          if (!isAshlarError(again, 'read-only', 'no-space')) throw again
        })
        return
      }
      fence.raise(error)
      throw error
    }
  }
}
