/**
 * A segment of the change log: one piece of a backup that grows on several chunk servers, each at its own pace.
 *
 * Each server gets the same bytes at the same offsets, and one that was away goes on where it was, while the blocks are still in
 * memory. A block is dropped when all servers have it; a server that is too far behind, or cannot go on, is given up.
 * @module
 */
import type { ErrorCode } from '../base/error-table.ts'
import { type AshlarError, toAshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf, type Rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import { type PieceId, pieceName } from '../wire/types/backup.ts'
import type { BackupShelves } from './backup-shelves.ts'

interface Block {
  readonly offset: number
  readonly bytes: Buffer
  readonly through: Rising
  readonly madeMs: number
}

interface Target {
  readonly server: ServerId
  ackedBytes: number
  isSending: boolean
  /** Since when it has not taken what it was sent. */
  failingSinceMs: number | undefined
}

export interface LogSegmentOptions {
  readonly env: Env
  readonly id: PieceId
  readonly servers: readonly ServerId[]
  /** Servers that make a commit safe. */
  readonly needed: number
  readonly shelves: Pick<BackupShelves, 'append'>
  /** More was acknowledged, or a server was given up. */
  readonly onProgress: () => void
  /** A send failed that is to be tried again, soon. */
  readonly onRetry: () => void
  readonly onFatal: (error: AshlarError) => void
}

/** After these a server cannot go on with the segment. */
const finalCodes: ReadonlySet<ErrorCode> = new Set([
  'range-not-satisfiable',
  'disk-failed',
  'no-space',
  'not-supported',
  'too-large',
])

export class LogSegment {
  readonly id: PieceId
  readonly #options: LogSegmentOptions
  readonly #name: string
  readonly #targets: Map<ServerId, Target>
  #blocks: Block[] = []
  #blockCount = 0
  #lengthBytes = 0
  #queuedBytes = 0
  #shipped: Rising

  constructor(options: LogSegmentOptions) {
    this.id = options.id
    this.#options = options
    this.#name = pieceName(options.id)
    this.#shipped = options.id.start
    const target = (server: ServerId) => ({ server, ackedBytes: 0, isSending: false, failingSinceMs: undefined })
    this.#targets = new Map(options.servers.map((server) => [server, target(server)]))
  }

  get servers(): ReadonlySet<ServerId> {
    return new Set(this.#targets.keys())
  }

  /** Fewer servers take it than make a commit safe. */
  get isStuck(): boolean {
    return this.#targets.size < this.#options.needed
  }

  get lengthBytes(): number {
    return this.#lengthBytes
  }

  get hasUnsent(): boolean {
    return this.#queuedBytes > 0
  }

  /** Of the next block. */
  get nextIndex(): number {
    return this.#blockCount
  }

  /** The last commit that is on enough servers. */
  get shipped(): Rising {
    return this.#shipped
  }

  /** When the oldest block was made that is not on enough servers. */
  get unshippedSinceMs(): number | undefined {
    return this.#blocks.find(({ through }) => counterOf(through) > counterOf(this.#shipped))?.madeMs
  }

  /** Servers that have not taken what they were sent for `ms`. */
  failingCount(ms: number): number {
    const nowMs = this.#options.env.clock.monotonicMs()
    return [...this.#targets.values()].filter(
      ({ failingSinceMs }) => failingSinceMs !== undefined && nowMs - failingSinceMs >= ms,
    ).length
  }

  /** @param block.through the last commit that is whole with this block */
  add({ bytes, through, madeMs }: Omit<Block, 'offset'>): void {
    this.#blocks.push({ offset: this.#lengthBytes, bytes, through, madeMs })
    this.#blockCount++
    this.#lengthBytes += bytes.length
    this.#queuedBytes += bytes.length
    while (this.#queuedBytes > limits.backupLogQueueBytes && this.#targets.size > 0) {
      const slowest = [...this.#targets.values()].reduce((a, b) => (b.ackedBytes < a.ackedBytes ? b : a))
      this.#giveUp(slowest, 'it is too far behind')
    }
  }

  /** Sends each server what it lacks, unless it is being sent something. */
  send(): void {
    for (const target of this.#targets.values()) {
      if (target.isSending || target.ackedBytes >= this.#lengthBytes) continue
      target.isSending = true
      this.#sendAll(target)
        .catch((error: unknown) => this.#failed(target, toAshlarError(error)))
        .finally(() => {
          target.isSending = false
        })
    }
  }

  async #sendAll(target: Target): Promise<void> {
    while (target.ackedBytes < this.#lengthBytes && this.#targets.has(target.server)) {
      const offset = target.ackedBytes
      const bytes = Buffer.concat(this.#from(offset))
      await this.#options.shelves.append(target.server, { name: this.#name, offset, bytes })
      target.ackedBytes = offset + bytes.length
      target.failingSinceMs = undefined
      this.#acknowledged()
    }
  }

  /** Blocks from `offset` on, as many as one call takes. */
  #from(offset: number): readonly Buffer[] {
    const some: Buffer[] = []
    let sizeBytes = 0
    for (const block of this.#blocks) {
      if (block.offset < offset) continue
      sizeBytes += block.bytes.length
      if (some.length > 0 && sizeBytes > limits.framePayloadBytes) break
      some.push(block.bytes)
    }
    return some
  }

  #failed(target: Target, error: AshlarError): void {
    const { env, onFatal, onRetry } = this.#options
    target.failingSinceMs ??= env.clock.monotonicMs()
    if (error.code === 'stale-leader') onFatal(error)
    else if (finalCodes.has(error.code)) this.#giveUp(target, error.message)
    else onRetry()
  }

  #giveUp(target: Target, reason: string): void {
    this.#targets.delete(target.server)
    this.#options.env.log.warn('a server takes no more of the change log', { server: target.server, reason })
    this.#acknowledged()
  }

  #acknowledged(): void {
    const { needed, onProgress } = this.#options
    const acked = [...this.#targets.values()].map(({ ackedBytes }) => ackedBytes).sort((a, b) => b - a)
    const onEnough = acked[needed - 1]
    const onAll = acked.at(-1) ?? this.#lengthBytes
    for (const block of this.#blocks) {
      if (onEnough === undefined || block.offset + block.bytes.length > onEnough) break
      this.#shipped = block.through
    }
    const kept = this.#blocks.findIndex(({ offset, bytes }) => offset + bytes.length > onAll)
    const dropped = this.#blocks.splice(0, kept < 0 ? this.#blocks.length : kept)
    for (const { bytes } of dropped) this.#queuedBytes -= bytes.length
    onProgress()
  }
}
