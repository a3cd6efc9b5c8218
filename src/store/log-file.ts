/**
 * The file at the end of the log, with *room made ahead*: zeros behind the last record, which the next records overwrite.
 *
 * A file that grows has its new length journalled with every sync, and on one disk all stores wait for that one journal;
 * one that is overwritten has not. So a small batch that reaches the end of the room writes the next room along with itself,
 * under the same sync: nothing runs beside the batches, and a failed sync has one owner.
 * Measured (ext4, 32 KiB and a sync, three times alternating, disk shared with others): appended 812 to 1,091/s and 110 to
 * 149 µs of CPU each, overwritten 1,685 to 5,274/s and 46 to 51 µs. What it costs: small records are written twice, once as zeros; a
 * 4 KiB file in three copies, all processes together, 28.7 KB at the disk instead of 17.5.
 *
 * Large batches make none: they would write everything twice to save little. A reader takes the zeros for what a torn tail
 * is, no record; a segment that takes no more gives its room back before the next one begins.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { File } from '../env/disk.ts'
import type { Fence } from './fence.ts'
import type { Segment } from './segment-table.ts'

export interface LogFileOptions {
  readonly segment: Segment
  readonly file: File
  readonly fence: Fence
  /** Of a full segment. */
  readonly segmentBytes: number
}

/** Small segments, as in simulations, have rooms too. */
const roomsOfSegment = 16
/** A few hundred small chunks. */
const roomMaxBytes = 1024 * 1024
/** A batch of more than this part of a room makes none. */
const batchesOfRoom = 4
const zeros = Buffer.alloc(roomMaxBytes)

export class LogFile {
  readonly segment: Segment
  readonly #file: File
  readonly #fence: Fence
  readonly #segmentBytes: number
  readonly #roomBytes: number
  /** End of the file: of the room that was made. */
  #fileBytes: number
  #makesRoom = true

  /** The file ends where the segment does. */
  constructor({ segment, file, fence, segmentBytes }: LogFileOptions) {
    this.segment = segment
    this.#file = file
    this.#fence = fence
    this.#segmentBytes = segmentBytes
    this.#roomBytes = Math.min(roomMaxBytes, Math.floor(segmentBytes / roomsOfSegment))
    this.#fileBytes = segment.endBytes
  }

  hasRoomFor(lengthBytes: number): boolean {
    return this.segment.endBytes + lengthBytes <= this.#segmentBytes
  }

  /**
   * Makes `bytes` durable at the end of the segment; `bytes` must not change meanwhile.
   * @throws {AshlarError} `no-space` — the file is as it was; `disk-failed` — the fence is up
   */
  async append(bytes: Buffer): Promise<void> {
    const start = this.segment.endBytes
    const end = start + bytes.length
    const room = this.#roomAfter(end, bytes.length)
    try {
      await this.#fence.guard(() => this.#file.write(room === 0 ? [bytes] : [bytes, zeros.subarray(0, room)], start))
    } catch (error) {
      if (!isAshlarError(error, 'no-space')) {
        this.#fence.raise(error)
        throw error
      }
      await this.#cut(start)
      if (room === 0) throw error
      this.#makesRoom = false
      return await this.append(bytes)
    }
    this.#fileBytes = Math.max(this.#fileBytes, end + room)
    await this.#sync()
    this.segment.endBytes = end
  }

  /** No more records come: durably as long as its records. */
  async seal(): Promise<void> {
    this.segment.isSealed = true
    try {
      if (this.#fileBytes === this.segment.endBytes) return
      await this.#cut(this.segment.endBytes)
      await this.#sync()
    } finally {
      await this.#file.close()
    }
  }

  /** Another run of the store goes on with it. */
  async close(): Promise<void> {
    try {
      if (this.#fileBytes > this.segment.endBytes && !this.#fence.isUp) await this.#cut(this.segment.endBytes)
    } finally {
      await this.#file.close()
    }
  }

  #roomAfter(end: number, batchBytes: number): number {
    if (end <= this.#fileBytes || !this.#makesRoom || batchBytes * batchesOfRoom > this.#roomBytes) return 0
    return Math.max(0, Math.min(end + this.#roomBytes, this.#segmentBytes) - end)
  }

  async #cut(lengthBytes: number): Promise<void> {
    await this.#fence.guard(() => this.#file.truncate(lengthBytes))
    this.#fileBytes = lengthBytes
  }

  async #sync(): Promise<void> {
    try {
      await this.#file.sync()
    } catch (error) {
      this.#fence.raise(error)
      throw error
    }
  }
}
