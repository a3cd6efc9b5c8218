/**
 * Reads one version of a file, in pieces, ahead of whoever consumes them.
 *
 * The first piece is asked for alone, then twice as many with each one consumed, up to 8 MiB and what the budget has; the
 * window ends with the API call it serves: the next call asks again. When every member failed, the file is opened once
 * more in that call: same content, perhaps in other chunks: the read goes on; replaced: `changed`.
 * Pieces are of 1 MiB, and smaller where many files are read at once: a thousand open streams held a piece of 1 MiB each.
 * Pieces that only pass use the same memory again: a gateway spent 2.6 ms of CPU a MiB where each piece had memory of its own,
 * most of it in collections of the whole heap, and spends 0.8.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { awaitedLater, throwIfCancelled } from '../env/waiting.ts'
import { openFile } from '../wire/methods/file-methods.ts'
import { recyclePayload } from '../wire/payload-memory.ts'
import type { BufferBudget } from './buffer-budget.ts'
import { type ChunkReader, readWindowBytes } from './chunk-reader.ts'
import { ExtentList } from './extent-list.ts'
import { FileStats } from './file-stats.ts'
import type { MasterLink } from './master-link.ts'
import type { OpenOptions, VersionOptions } from './options.ts'

export interface ReadServices {
  readonly link: MasterLink
  readonly chunks: ChunkReader
  readonly budget: BufferBudget
  /** Told of the version of the cluster map with each open. */
  noticeMapVersion(mapVersion: number): void
}

export interface PieceRange {
  readonly start: number
  /** Exclusive, at most the file's length. */
  readonly end: number
  readonly signal?: AbortSignal | undefined
}

/** What the pieces of one API call share: the file is opened once more at most, whichever of them needs it first. */
interface ReadCall {
  reopening: Promise<void> | undefined
}

/** A piece ends at `end` or before it. */
interface PieceEnd {
  readonly end: number
  readonly signal?: AbortSignal | undefined
  readonly call: ReadCall
}

interface Piece {
  readonly bytes: Promise<Buffer>
  readonly length: number
  /** It counts as read-ahead until it is consumed or dropped. */
  readonly isAhead: boolean
}

const mostPiecesAhead = 8

type WhichVersion = Pick<VersionOptions, 'objectVersion'>

export class FileReader {
  readonly path: string
  readonly stats: FileStats
  readonly #services: ReadServices
  readonly #content: number
  readonly #which: WhichVersion
  #extents: ExtentList

  private constructor(
    services: ReadServices,
    opened: { path: string; stats: FileStats; content: number; extents: ExtentList; which: WhichVersion },
  ) {
    this.#services = services
    this.path = opened.path
    this.stats = opened.stats
    this.#content = opened.content
    this.#extents = opened.extents
    this.#which = opened.which
  }

  /** @throws {AshlarError} `not-found`, `is-a-directory`, `not-a-directory` */
  static async open(
    services: ReadServices,
    path: string,
    { objectVersion, xattrs = false, signal }: OpenOptions = {},
  ): Promise<FileReader> {
    const version = objectVersion === undefined ? {} : { objectVersion }
    const asked = xattrs ? { ...version, wantXattrs: true } : version
    const { value } = await services.link.call(openFile, { path, ...asked }, { signal })
    const { attributes, content, extentCount, extents, mapVersion } = value
    // Where versions are kept, this one is there when it is not the current one any more.
    const { objectVersion: name = objectVersion } = attributes
    const which = name === undefined ? {} : { objectVersion: name }
    services.noticeMapVersion(mapVersion)
    return new FileReader(services, {
      path,
      stats: new FileStats(attributes),
      content,
      which,
      extents: new ExtentList(services.link, { path, ...which, content, extentCount, extents }),
    })
  }

  /** The range in one buffer of its own. */
  async readRange({ start, end, signal }: PieceRange): Promise<Buffer> {
    if (end === start) return Buffer.alloc(0)
    if (end - start <= readWindowBytes) {
      const only = await this.#demanded(start, { end, signal, call: { reopening: undefined } })
      if (only.length === end - start) return only
    }
    const whole = Buffer.allocUnsafeSlow(end - start)
    await this.readInto(whole, { start, signal })
    return whole
  }

  /** Fills `buffer` from byte `start` of the file on; the file is long enough. */
  async readInto(
    buffer: Uint8Array,
    { start, signal }: { readonly start: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    let at = 0
    const range = { start, end: start + buffer.length, signal }
    for await (const piece of this.pieces({ ...range, isWanted: true, arePassing: true })) {
      buffer.set(piece, at)
      at += piece.length
    }
  }

  /**
   * The range, piece by piece, each at most 1 MiB and the consumer's own.
   * @param range.isWanted all of it will be consumed at once: ask for many pieces from the start
   * @param range.arePassing each is the consumer's only until it asks for the next one: its memory is used again then
   * @param range.onEnd told when nothing is read any more; of a sequence that was never begun: never
   */
  async *pieces(
    range: PieceRange & { readonly isWanted?: boolean; readonly arePassing?: boolean; readonly onEnd?: () => void },
  ): AsyncGenerator<Buffer, void, undefined> {
    let { start } = range
    try {
      const only = start < range.end ? await this.#onlyPiece(range) : undefined
      if (only !== undefined) {
        start += only.length
        yield only
        if (range.arePassing === true) recyclePayload(only)
      }
      // Also where the file was opened again for the one piece, and it lies in two chunks now.
      if (start < range.end) yield* this.#piecesAhead({ ...range, start })
    } finally {
      range.onEnd?.()
    }
  }

  /** A range in one piece needs no window and no signal of its own: of a small GET that was 25 µs of CPU. Undefined: it is none. */
  async #onlyPiece({ start, end, signal }: PieceRange): Promise<Buffer | undefined> {
    if ((await this.#pieceLength(start, { end, signal })) !== end - start) return undefined
    throwIfCancelled(signal, `read ${this.path}`)
    return await this.#demanded(start, { end, signal, call: { reopening: undefined } })
  }

  async *#piecesAhead(
    range: PieceRange & { readonly isWanted?: boolean; readonly arePassing?: boolean },
  ): AsyncGenerator<Buffer, void, undefined> {
    const { end, signal } = range
    const { budget } = this.#services
    const stop = new AbortController()
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal])
    const call: ReadCall = { reopening: undefined }
    const ahead: Piece[] = []
    let window = range.isWanted === true ? mostPiecesAhead : 1
    let position = range.start
    let nextPosition = position
    let aheadBytes = 0
    budget.beginReading()
    try {
      while (position < end) {
        throwIfCancelled(signal, `read ${this.path}`)
        while (ahead.length < window && nextPosition < end) {
          const windowBytes = budget.fairPieceBytes
          const length = await this.#pieceLength(nextPosition, { end, signal, windowBytes })
          const isAhead = ahead.length > 0
          if (isAhead && !budget.tryReadAhead(length, aheadBytes)) break
          if (isAhead) aheadBytes += length
          const request = { end: nextPosition + length, signal: both, call }
          const bytes = isAhead ? this.#piece(nextPosition, request) : this.#demanded(nextPosition, request)
          ahead.push({ bytes: awaitedLater(bytes), length, isAhead })
          nextPosition += length
        }
        const piece = ahead[0] as Piece
        const bytes = await piece.bytes
        ahead.shift()
        if (piece.isAhead) {
          budget.endReadAhead(piece.length)
          aheadBytes -= piece.length
        }
        position += piece.length
        window = Math.min(mostPiecesAhead, window * 2)
        yield bytes
        if (range.arePassing === true) recyclePayload(bytes)
      }
    } finally {
      budget.endReading()
      if (ahead.length > 0) stop.abort()
      for (const { bytes, length, isAhead } of ahead) {
        const drop = () => {
          if (isAhead) budget.endReadAhead(length)
        }
        bytes.then(drop, drop)
      }
    }
  }

  /** A piece that its consumer waits for: it waits for memory, which others hold only while their calls are under way. */
  async #demanded(position: number, range: PieceEnd): Promise<Buffer> {
    const { demanded } = this.#services.budget
    const units = Math.min(range.end - position, readWindowBytes)
    await demanded.acquire(units, range.signal)
    try {
      return await this.#piece(position, range)
    } finally {
      demanded.release(units)
    }
  }

  async #piece(position: number, range: PieceEnd): Promise<Buffer> {
    const { call, signal } = range
    if (call.reopening === undefined) {
      try {
        return await this.#readAt(position, range)
      } catch (error) {
        if (!isAshlarError(error, 'chunk-missing', 'corrupt', 'changed')) throw error
        call.reopening ??= this.#reopen(error, signal)
      }
    }
    await call.reopening
    return await this.#readAll(position, range)
  }

  /** The file was opened again, and may lie otherwise in chunks now: what was one piece is several. */
  async #readAll(position: number, range: PieceEnd): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let at = position; at < range.end; ) {
      const part = await this.#readAt(at, range)
      parts.push(part)
      at += part.length
    }
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
  }

  async #readAt(
    position: number,
    { end, signal }: { readonly end: number; readonly signal?: AbortSignal | undefined },
  ): Promise<Buffer> {
    const located = await this.#extents.at(position, signal)
    const { extent } = located
    const offset = extent.offset + position - located.position
    return await this.#services.chunks.read(extent, {
      offset,
      length: lengthWithin(located, { position, end, windowBytes: readWindowBytes }),
      signal,
    })
  }

  async #pieceLength(
    position: number,
    {
      end,
      signal,
      windowBytes = readWindowBytes,
    }: { readonly end: number; readonly signal: AbortSignal | undefined; readonly windowBytes?: number },
  ): Promise<number> {
    return lengthWithin(await this.#extents.at(position, signal), { position, end, windowBytes })
  }

  /** @throws {AshlarError} `changed` — the path has another content by now; else `reason` */
  async #reopen(reason: AshlarError, signal: AbortSignal | undefined): Promise<void> {
    const { link } = this.#services
    let opened: Awaited<
      ReturnType<typeof link.call<{ readonly path: string }, ReturnType<typeof openFile.response.decode>>>
    >
    try {
      opened = await link.call(openFile, { path: this.path, ...this.#which }, { signal })
    } catch (error) {
      // Not there any more: the chunks went with the file. What was opened cannot be read, and "not found" would lie about it.
      if (isAshlarError(error, 'not-found', 'is-a-directory', 'not-a-directory')) throw reason
      throw error
    }
    const { content, extentCount, extents } = opened.value
    if (content !== this.#content) {
      throw new AshlarError('changed', `Cannot read ${this.path}: it was replaced while it was read. Open it again`, {
        cause: reason,
      })
    }
    this.#extents = new ExtentList(link, { path: this.path, ...this.#which, content, extentCount, extents })
  }
}

/** A piece lies in one extent and in one aligned window of its chunk. */
function lengthWithin(
  { extent, position: extentStart }: { extent: { offset: number; length: number }; position: number },
  { position, end, windowBytes }: { readonly position: number; readonly end: number; readonly windowBytes: number },
): number {
  const offset = extent.offset + position - extentStart
  return Math.min(end - position, extentStart + extent.length - position, windowBytes - (offset % windowBytes))
}
