/**
 * Memory for file bytes, shared by all transfers of a client and bounded for files of any size.
 *
 * Three shares, so that none can starve another: chunks of writes, pieces that a reader waits for, and read-ahead.
 * A writer takes room for a whole chunk before it begins one: where each took blocks one by one, four streams had chunks of one block.
 * Writes wait in order; while one waits, all writers are told so again and again, and one whose source is silent or slow seals
 * what it has filled, or gives back what it will not fill soon. Pieces that a reader waits for are held only while their call is under
 * way. Read-ahead never waits: without room there is none.
 * Who consumes a piece keeps it until the next one comes, which no share can bound: where many read at once, pieces are smaller.
 * Invariant: a block is used again only when every call that sent it has succeeded; otherwise it is left to the collector, since
 * the socket may still read it.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock, Timer } from '../env/clock.ts'
import { cancelled, Limiter } from '../env/waiting.ts'

const blockBytes = limits.framePayloadBytes
/** A source that gave nothing for so long, while others wait for memory, is silent. */
const pressureIntervalMs = 50

export class BufferBudget {
  readonly #totalBytes: number
  /** Room that may be out for writes. */
  readonly #writeBytes: number
  readonly #clock: Clock
  readonly #readAheadBytes: number
  /** Pieces that readers wait for. */
  readonly demanded: Limiter
  #writeBytesOut = 0
  #readAheadBytesOut = 0
  #readers = 0
  readonly #free: Buffer[] = []
  readonly #waiting: { readonly bytes: number; readonly start: () => void }[] = []
  readonly #pressureListeners = new Set<() => void>()
  #pressureTimer: Timer | undefined

  constructor(totalBytes: number, clock: Clock) {
    this.#clock = clock
    this.#totalBytes = totalBytes
    assert(totalBytes >= 4 * blockBytes, 'the buffer budget is too small')
    this.#writeBytes = Math.max(blockBytes, Math.floor((totalBytes * 5) / 8))
    this.#readAheadBytes = Math.max(blockBytes, Math.floor((totalBytes * 3) / 16))
    this.demanded = new Limiter({
      name: 'memory for reads',
      slots: Math.max(blockBytes + 2 * limits.blockBytes, Math.floor((totalBytes * 3) / 16)),
      maxWaiting: limits.clientWaitersForMemory,
    })
  }

  /** A writer should fill no larger chunk than this: two of each writer fit. Whole blocks. */
  get fairChunkBytes(): number {
    const writers = Math.max(1, this.#pressureListeners.size)
    return blockBytes * Math.max(1, Math.floor(this.#writeBytes / (2 * writers * blockBytes)))
  }

  /** Bytes out at the moment, for tests. */
  get bytesOut(): number {
    return this.#writeBytesOut + this.#readAheadBytesOut
  }

  /** In blocks that nobody has at the moment. */
  get keptBytes(): number {
    return this.#free.length * blockBytes
  }

  /** Takes room for `bytes` of writes if there is some now, and nobody waits for it. */
  tryTakeRoom(bytes: number): boolean {
    if (this.#waiting.length > 0 || this.#writeBytesOut + bytes > this.#writeBytes) return false
    this.#writeBytesOut += bytes
    return true
  }

  /** Waits for room. The caller holds no filled and unsealed bytes meanwhile. @throws {AshlarError} `cancelled`, `busy` */
  async takeRoom(bytes: number, signal?: AbortSignal): Promise<void> {
    assert(bytes <= this.#writeBytes, 'more room than all writers have')
    if (this.tryTakeRoom(bytes)) return
    if (signal?.aborted) throw cancelled('wait for memory', signal)
    if (this.#waiting.length >= limits.clientWaitersForMemory) {
      throw new AshlarError('busy', `Cannot write: ${this.#waiting.length} files wait for memory already`)
    }
    const room = new Promise<void>((resolve, reject) => {
      const entry = {
        bytes,
        start: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1)
        reject(cancelled('wait for memory', signal as AbortSignal))
        this.#startWaiting()
      }
      this.#waiting.push(entry)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
    this.#press()
    await room
  }

  giveRoom(bytes: number): void {
    this.#writeBytesOut -= bytes
    assert(this.#writeBytesOut >= 0, 'more room came back than was taken')
    this.#startWaiting()
    // Kept only while someone writes: an idle client gives its memory back.
    if (this.#writeBytesOut === 0) this.#free.length = 0
  }

  /** Memory of `bytes`, at most 1 MiB: a part of the room that the caller has taken. */
  block(bytes: number): Buffer {
    assert(bytes <= blockBytes, 'a block of more than 1 MiB')
    if (bytes === blockBytes) return this.#free.pop() ?? Buffer.allocUnsafeSlow(bytes)
    // Kept blocks and those in use together stay within the room of writes: a smaller one takes the place of a kept one.
    if (this.#writeBytesOut + this.keptBytes > this.#writeBytes) this.#free.pop()
    return Buffer.allocUnsafeSlow(bytes)
  }

  /** Gives the block's room back as well. @param options.isClean every call that sent the block succeeded */
  giveBlock(block: Buffer, { isClean }: { readonly isClean: boolean }): void {
    if (isClean && block.length === blockBytes) this.#free.push(block)
    this.giveRoom(block.length)
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#writeBytesOut + next.bytes > this.#writeBytes) break
      this.#waiting.shift()
      this.#writeBytesOut += next.bytes
      next.start()
    }
  }

  /** Calls `listener` at intervals while some writer waits. @returns a function that ends it */
  onPressure(listener: () => void): () => void {
    this.#pressureListeners.add(listener)
    return () => this.#pressureListeners.delete(listener)
  }

  #press(): void {
    this.#pressureTimer ??= this.#clock.after(pressureIntervalMs, () => {
      this.#pressureTimer = undefined
      if (this.#waiting.length === 0) return
      for (const listener of this.#pressureListeners) listener()
      this.#press()
    })
  }

  /**
   * A reader of many pieces should ask for none that is larger: one of each reader fits, down to a block each.
   * A power of two, so that pieces end where blocks do.
   */
  get fairPieceBytes(): number {
    let bytes: number = blockBytes
    while (bytes > limits.blockBytes && bytes * this.#readers > this.#totalBytes) bytes /= 2
    return bytes
  }

  beginReading(): void {
    this.#readers++
  }

  endReading(): void {
    this.#readers--
    assert(this.#readers >= 0, 'more readers ended than began')
  }

  /** @param aheadBytes what the reader has ahead already: none takes more than its part, or those that have some would keep it */
  tryReadAhead(bytes: number, aheadBytes = 0): boolean {
    if ((aheadBytes + bytes) * this.#readers > this.#readAheadBytes) return false
    if (this.#readAheadBytesOut + bytes > this.#readAheadBytes) return false
    this.#readAheadBytesOut += bytes
    return true
  }

  endReadAhead(bytes: number): void {
    this.#readAheadBytesOut -= bytes
    assert(this.#readAheadBytesOut >= 0, 'more read-ahead ended than began')
  }
}
