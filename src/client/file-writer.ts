/**
 * Bytes into a file, piece by piece: copied into blocks, sealed into chunks, handed to the pipeline.
 *
 * Pieces are copied, so the caller may use its memory again when `write` resolves, and a source of tiny pieces costs no
 * more than its bytes. Memory comes from the client's budget, room for a whole chunk at once: so no writer waits while it
 * holds bytes that could move on. While others wait, a source that went silent has its chunk sealed short, and a slow one
 * gives back the room that it has not come to.
 * Calls of one writer come one after the other.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { AshlarError, toAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { cancelled } from '../env/waiting.ts'
import type { BufferBudget } from './buffer-budget.ts'
import type { ChunkPipeline } from './chunk-pipeline.ts'
import type { FileStats } from './file-stats.ts'
import { sealBytes } from './sealed-chunk.ts'

/** Copied and summed at a time, so that the checksum finds the bytes in the processor's cache: 0.28 ms a MiB for both, and 0.39 a chunk at a time. */
const stepBytes = 128 * 1024

export interface FileWriterOptions {
  readonly pipeline: ChunkPipeline
  readonly budget: BufferBudget
  /** Of the policy, or less. */
  readonly chunkSizeBytes: number
  readonly signal?: AbortSignal | undefined
  /** For messages. */
  readonly path: string
}

export class FileWriter {
  readonly #pipeline: ChunkPipeline
  readonly #budget: BufferBudget
  readonly #chunkSizeBytes: number
  readonly #path: string
  #endPressure: (() => void) | undefined
  readonly #signal: AbortSignal | undefined
  #blocks: Buffer[] = []
  /** Bytes of the last block that are filled. */
  #used = 0
  /** Of the bytes in `#blocks`. */
  #crc = 0
  /** Taken for this chunk, and not yet made a block. */
  #roomBytes = 0
  /** Since the last time that others were short of memory: bytes came, a block was begun. */
  #isLively = false
  #isFast = false
  #aborting: Promise<void> | undefined
  #state: 'open' | 'finished' | 'aborted' = 'open'

  constructor(options: FileWriterOptions) {
    this.#pipeline = options.pipeline
    this.#budget = options.budget
    this.#path = options.path
    this.#signal = options.signal
    this.#chunkSizeBytes = Math.min(options.chunkSizeBytes, limits.unrepeatableChunkBytes)
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Adds bytes; resolves when more may come. @throws {AshlarError} why the file cannot be written */
  async write(piece: Uint8Array): Promise<void> {
    this.#isLively = true
    for (let at = 0; at < piece.length; ) {
      this.#check()
      let block = this.#blocks.at(-1)
      if (block === undefined || this.#used === block.length) {
        block = await this.#nextBlock()
        this.#checkFor(block)
        this.#blocks.push(block)
        this.#used = 0
      }
      const count = Math.min(stepBytes, piece.length - at, block.length - this.#used)
      block.set(at === 0 && count === piece.length ? piece : piece.subarray(at, at + count), this.#used)
      this.#crc = crc32(block.subarray(this.#used, this.#used + count), this.#crc)
      this.#used += count
      at += count
    }
  }

  /** Adds bytes that stay as they are until {@link finish} has settled: they are not copied. */
  async writeWhole(bytes: Uint8Array): Promise<void> {
    this.#seal()
    for (let at = 0; at < bytes.length; at += this.#chunkSizeBytes) {
      this.#check()
      this.#pipeline.push(sealBytes(bytes.subarray(at, at + this.#chunkSizeBytes)), nothingToRelease)
      await this.#pipeline.room()
    }
  }

  /** Writes the rest and makes the file visible, whole. */
  async finish(): Promise<FileStats> {
    this.#check()
    this.#seal()
    const stats = await this.#pipeline.finish()
    this.#end('finished')
    return stats
  }

  /**
   * Drops everything: nothing became visible, unless a `finish` under way was already applied.
   * Resolves when nothing runs any more; never rejects. Idempotent.
   */
  async abort(reason: unknown): Promise<void> {
    if (this.#state === 'open') this.#aborting = this.#abort(reason)
    await this.#aborting
  }

  async #abort(reason: unknown): Promise<void> {
    this.#end('aborted')
    for (const block of this.#blocks.splice(0)) this.#budget.giveBlock(block, { isClean: true })
    this.#giveRoom()
    await this.#pipeline.abort(toAshlarError(reason, `write ${this.#path}`))
  }

  async #nextBlock(): Promise<Buffer> {
    this.#endPressure ??= this.#budget.onPressure(() => this.#pressed())
    if (this.#roomBytes === 0) await this.#nextChunk()
    const bytes = Math.min(limits.framePayloadBytes, this.#roomBytes)
    this.#roomBytes -= bytes
    this.#isFast = true
    return this.#budget.block(bytes)
  }

  /** Seals what there is, and waits until another chunk may be filled. */
  async #nextChunk(): Promise<void> {
    if (this.#blocks.length > 0) {
      this.#seal()
      await this.#pipeline.room()
    }
    const bytes = Math.min(this.#chunkSizeBytes, this.#budget.fairChunkBytes)
    if (!this.#budget.tryTakeRoom(bytes)) {
      // Others may wait for what this file holds: it goes as soon as it is committed.
      this.#pipeline.stage()
      try {
        await this.#budget.takeRoom(bytes, this.#pipeline.stopSignal)
      } catch (error) {
        // The pipeline stops the wait when it fails: its failure is the reason, not the wait's end.
        throw this.#pipeline.failure ?? error
      }
    }
    this.#roomBytes = bytes
  }

  get #filledBytes(): number {
    return this.#blocks.length === 0
      ? 0
      : this.#blocks.slice(0, -1).reduce((sum, block) => sum + block.length, this.#used)
  }

  /** Others wait for memory: a source that went silent must not keep it, nor a slow one what it has not come to. */
  #pressed(): void {
    if (this.#state === 'open' && !this.#isLively) {
      this.#seal()
      this.#pipeline.stage()
    } else if (!this.#isFast) this.#giveRoom()
    this.#isLively = false
    this.#isFast = false
  }

  #giveRoom(): void {
    const bytes = this.#roomBytes
    this.#roomBytes = 0
    if (bytes > 0) this.#budget.giveRoom(bytes)
  }

  #seal(): void {
    this.#giveRoom()
    const blocks = this.#blocks
    const last = blocks.at(-1)
    if (last === undefined) return
    const views = last.length === this.#used ? blocks : [...blocks.slice(0, -1), last.subarray(0, this.#used)]
    const sealed = { blocks: views, length: this.#filledBytes, crc: this.#crc }
    this.#blocks = []
    this.#used = 0
    this.#crc = 0
    this.#pipeline.push(sealed, (isClean) => {
      for (const block of blocks) this.#budget.giveBlock(block, { isClean })
    })
  }

  readonly #onAbort = (): void => {
    void this.abort(cancelled(`write ${this.#path}`, this.#signal as AbortSignal))
  }

  #check(): void {
    if (this.#state === 'open' && this.#pipeline.failure === undefined) return
    throw (
      this.#pipeline.failure ??
      new AshlarError('closed', `Cannot write ${this.#path}: the writer is ${this.#state}`, { applied: 'no' })
    )
  }

  /** As {@link #check}; a block that came in the turn in which the writer ended would belong to nobody. */
  #checkFor(block: Buffer): void {
    try {
      this.#check()
    } catch (error) {
      this.#budget.giveBlock(block, { isClean: true })
      this.#giveRoom()
      throw error
    }
  }

  #end(state: 'finished' | 'aborted'): void {
    this.#state = state
    this.#endPressure?.()
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}

/** The bytes are the caller's. */
function nothingToRelease(): undefined {
  return undefined
}
