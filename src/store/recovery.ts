/**
 * Start-up of a store: brings the index to what the disk says.
 *
 * Normally only the tails of the segments are read, from where the index stopped. If the index is missing, damaged,
 * of another store or from a backup, it is emptied and everything is read: the footers of all chunk files, then all
 * segments; every delete is kept until all puts were seen. Memory stays bounded: events go to the index in batches.
 *
 * What a dead process left in the page cache looks like what is durable. So everything that is believed is synced
 * first: otherwise a later power cut would take back what was served.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import { parseChunkId } from '../base/ids.ts'
import { type Disk, type File, pageBytes } from '../env/disk.ts'
import type { Log } from '../env/log.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { BufferPool } from './buffer-pool.ts'
import { type ChunkFooter, decodeFooter, footerLengthIn } from './chunk-file-format.ts'
import type { ChunkEvent } from './chunk-state.ts'
import { applyToIndex, type IndexBatch } from './index-batch.ts'
import { type IndexMarks, indexPrefix } from './index-rows.ts'
import { clearIndex, gravesFrom, readIndexHead } from './index-trust.ts'
import type { Quarantine } from './quarantine.ts'
import { decodeSegmentHeader, type SegmentRecord, segmentHeaderBytes, segmentSeed } from './segment-format.ts'
import { isBlank, type ScanItem, scanSegment } from './segment-scan.ts'
import type { Segment, SegmentTable } from './segment-table.ts'
import { parseSegmentName, type StoreLayout } from './store-layout.ts'

export interface RecoveryOptions {
  readonly disk: Disk
  readonly log: Log
  readonly layout: StoreLayout
  readonly server: ServerId
  readonly kv: TxnKV
  readonly pool: BufferPool
  readonly table: SegmentTable
  readonly quarantine: Quarantine
  /** Of this store as its folder tells; an index that was not there at the last opening is not believed. */
  readonly opening: number
  /** The index was found damaged while the store was open. */
  readonly isDistrusted: boolean
}

export interface Recovered {
  readonly marks: IndexMarks
  /** The log to go on with, if there is one. */
  readonly tail: Segment | undefined
  /** Numbers of segments that only wait to be unlinked. */
  readonly retired: readonly number[]
  readonly wasRebuilt: boolean
}

const batchEvents = 500

export async function recover(options: RecoveryOptions): Promise<Recovered> {
  return await new Recovery(options).run()
}

class Recovery {
  readonly #options: RecoveryOptions
  #events: ChunkEvent[] = []
  #sequence = 0
  #marks: IndexMarks = { opening: 0, sequence: 0, usedBytes: 0, chunks: 0 }
  #wasRebuilt = false
  /** Bounded by the pages that the tail of the log names. */
  readonly #syncedFolders = new Set<string>()

  constructor(options: RecoveryOptions) {
    this.#options = options
  }

  async run(): Promise<Recovered> {
    const { table, log } = this.#options
    await this.#removeTemporaries()
    const retired = await this.#findSegments()
    const distrust = await this.#loadIndex(retired)
    if (distrust !== undefined) {
      log.info('index is rebuilt from the disk', { because: distrust })
      this.#wasRebuilt = true
      await clearIndex(this.#options.kv)
      for (const segment of table.all()) Object.assign(segment, { scannedBytes: 0, liveBytes: 0 })
      await this.#scanChunkFiles()
    }
    const segments = [...table.all()].sort((a, b) => a.number - b.number)
    const tail = segments.findLast((segment) => segment.kind === 'log')
    for (const segment of segments) {
      if (segment.scannedBytes < segment.endBytes) await this.#scanSegment(segment, segment === tail)
      if (segment !== tail) segment.isSealed = true
    }
    await this.#flush()
    if (this.#wasRebuilt) await this.#dropNeedlessGraves()
    return { marks: this.#marks, tail, retired, wasRebuilt: this.#wasRebuilt }
  }

  /** Nothing in `tmp/` was ever acknowledged. */
  async #removeTemporaries(): Promise<void> {
    const { disk, layout } = this.#options
    for (const name of await disk.list(layout.temporary)) await disk.remove(`${layout.temporary}/${name}`)
  }

  async #findSegments(): Promise<number[]> {
    const { disk, layout, server, table, quarantine } = this.#options
    const retired: number[] = []
    await disk.syncDirectory(layout.segments)
    for (const name of await disk.list(layout.segments)) {
      const parsed = parseSegmentName(name)
      if (parsed === undefined) continue
      const { number, isRetired } = parsed
      table.noteNumber(number)
      if (isRetired) {
        retired.push(number)
        continue
      }
      const path = layout.segment(number)
      const { header, endBytes } = await this.#readSegmentHeader(path)
      if (header !== undefined && header.server !== server) {
        throw new AshlarError('bad-store', `Cannot open store ${layout.root}: segment ${name} belongs to another store`)
      }
      if (header?.number !== number) {
        // A segment gets its name with a whole header, so this is rot (or swapped files): its records still scan.
        if (header !== undefined) await quarantine.moveFile(path, `swapped-${name}`)
        else table.add({ number, kind: 'compacted', endBytes, isSealed: true })
        continue
      }
      table.add({ number, kind: header.kind, endBytes, isSealed: false })
    }
    return retired
  }

  async #readSegmentHeader(path: string) {
    const file = await this.#options.disk.open(path, { mode: 'read' })
    try {
      const bytes = Buffer.alloc(segmentHeaderBytes)
      const count = await file.read(bytes, 0)
      return { header: decodeSegmentHeader(bytes.subarray(0, count)), endBytes: await file.lengthBytes() }
    } finally {
      await file.close()
    }
  }

  /** @returns why the index is not to be believed, if it is not */
  async #loadIndex(retired: readonly number[]): Promise<string | undefined> {
    const { kv, table, opening, isDistrusted } = this.#options
    if (isDistrusted) return 'it was found damaged'
    try {
      const head = await readIndexHead(kv)
      if (head === undefined) return 'it is empty'
      if (head.marks.opening < opening) return 'it is older than the last opening'
      for (const [number, row] of head.segments) {
        if (retired.includes(number)) continue
        const segment = table.get(number)
        if (segment === undefined) return `it names segment ${number}, which is not there`
        if (row.scannedBytes > segment.endBytes) return `it knows more of segment ${number} than there is`
        Object.assign(segment, row)
      }
      this.#marks = head.marks
      this.#sequence = head.marks.sequence
      return undefined
    } catch (error) {
      if (isAshlarError(error, 'metadata-corrupt')) return error.message
      throw error
    }
  }

  async #scanChunkFiles(): Promise<void> {
    const { disk, layout } = this.#options
    for (const group of await disk.list(layout.chunks)) {
      for (const page of await disk.list(`${layout.chunks}/${group}`)) {
        const folder = `${layout.chunks}/${group}/${page}`
        await disk.syncDirectory(folder)
        for (const name of await disk.list(folder)) await this.#scanChunkFile(folder, name)
      }
    }
  }

  async #scanChunkFile(folder: string, name: string): Promise<void> {
    const { layout } = this.#options
    const id = idOfName(name)
    const path = `${folder}/${name}`
    const footer = id !== undefined && path === layout.chunkFile(id) ? await this.#footerOf(path) : undefined
    if (id === undefined || footer === undefined || footer.id !== id) {
      await this.#setAside(path, { name, id, what: 'its footer is damaged, or names another chunk' })
      return
    }
    await this.#add({ kind: 'put', chunk: { ...footer, location: { kind: 'file' } } })
  }

  async #setAside(
    path: string,
    { name, id, what }: { readonly name: string; readonly id: ChunkId | undefined; readonly what: string },
  ): Promise<void> {
    const { disk, quarantine } = this.#options
    await quarantine.moveFile(path, `${name}-at-start-${this.#options.opening}`)
    await disk.syncDirectory(path.slice(0, path.lastIndexOf('/')))
    if (id === undefined) return
    await this.#add({ kind: 'file-lost', id })
    quarantine.report(id, what)
  }

  /** The footer of a chunk file of unknown length; undefined: damaged. @throws {AshlarError} `not-found` */
  async #footerOf(path: string): Promise<ChunkFooter | undefined> {
    const { disk, pool } = this.#options
    const file = await disk.open(path, { mode: 'read' })
    try {
      const fileBytes = await file.lengthBytes()
      if (fileBytes < pageBytes || fileBytes % pageBytes !== 0) return undefined
      const lease = await pool.lease(pageBytes)
      try {
        await file.read(lease.bytes, fileBytes - pageBytes)
        const length = footerLengthIn(lease.bytes)
        if (length === undefined || length > fileBytes) return undefined
        if (length === pageBytes) return decodeFooter(lease.bytes)
        const whole = Buffer.alloc(length)
        await file.read(whole, fileBytes - length)
        return decodeFooter(whole)
      } finally {
        lease.release()
      }
    } finally {
      await file.close()
    }
  }

  async #scanSegment(segment: Segment, isTail: boolean): Promise<void> {
    const { disk, layout, server } = this.#options
    const file = await disk.open(layout.segment(segment.number), { mode: isTail ? 'read-write' : 'read' })
    try {
      const seed = segmentSeed({ server, number: segment.number })
      const from = Math.max(segmentHeaderBytes, segment.scannedBytes)
      if (isTail) await file.sync()
      for await (const item of scanSegment(file, { seed, from, endBytes: segment.endBytes })) {
        if (item.kind === 'record') await this.#replay(item, segment)
        else if (isTail && item.offset + item.lengthBytes === segment.endBytes) await this.#cutTail(file, segment, item)
        else await this.#setRangeAside(file, segment, item)
      }
    } finally {
      await file.close()
    }
    await this.#flush(new Map([[segment.number, segment.endBytes]]))
  }

  async #replay({ record, offset }: ScanItem & { kind: 'record' }, segment: Segment): Promise<void> {
    this.#sequence = Math.max(this.#sequence, record.sequence)
    const { kind, id, sequence } = record
    if (kind === 'put') {
      const location = { kind: 'segment', segment: segment.number, offset } as const
      await this.#add({ kind: 'put', chunk: { ...storedFacts(record), location } })
    } else if (kind === 'delete') {
      await this.#add({ kind: 'delete', id, sequence, segment: segment.number })
      await this.#finishDelete(id, sequence)
    } else if (!this.#wasRebuilt) {
      await this.#replayFile(record)
    }
  }

  /** A record that announced a chunk file: it counts only if that very file got its name. */
  async #replayFile(record: SegmentRecord): Promise<void> {
    const path = this.#options.layout.chunkFile(record.id)
    try {
      const footer = await this.#footerOf(path)
      if (footer === undefined || footer.id !== record.id) {
        await this.#setAside(path, { name: record.id, id: record.id, what: 'its footer is damaged' })
      } else if (footer.sequence === record.sequence) {
        await this.#syncFolder(this.#options.layout.chunkFolder(record.id))
        await this.#add({ kind: 'put', chunk: { ...footer, location: { kind: 'file' } } })
      }
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
  }

  /** The name may still be only in memory: it was given just before the process died. */
  async #syncFolder(path: string): Promise<void> {
    if (this.#syncedFolders.has(path)) return
    await this.#options.disk.syncDirectory(path)
    this.#syncedFolders.add(path)
  }

  /** Unlinks the chunk file that a delete left when the power went. */
  async #finishDelete(id: ChunkId, sequence: number): Promise<void> {
    const { disk, layout } = this.#options
    const path = layout.chunkFile(id)
    try {
      const footer = await this.#footerOf(path)
      if (footer !== undefined && footer.sequence > sequence) return
      // Without a footer it cannot be told: then it stays, and a scrub or rebuild sets it aside.
      if (footer === undefined || footer.id !== id) return
      await disk.remove(path)
      await disk.syncDirectory(layout.chunkFolder(id))
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
    }
  }

  /** Room that was made ahead, or the write that was under way when the power went: nothing in it was acknowledged. */
  async #cutTail(
    file: File,
    segment: Segment,
    { offset, lengthBytes }: { readonly offset: number; readonly lengthBytes: number },
  ): Promise<void> {
    if (!(await isBlank(file, { offset, lengthBytes }))) {
      this.#options.log.info('torn tail of a segment is cut off', { segment: segment.number, offset, lengthBytes })
    }
    await file.truncate(offset)
    await file.sync()
    segment.endBytes = offset
  }

  async #setRangeAside(file: File, segment: Segment, item: ScanItem & { kind: 'damage' }): Promise<void> {
    const { quarantine, log } = this.#options
    const { offset, lengthBytes, record } = item
    log.warn('damaged part of a segment is set aside', { segment: segment.number, offset, lengthBytes })
    await quarantine.copyRange(file, { offset, lengthBytes, name: `segment-${segment.number}-at-${offset}` })
    if (record?.kind === 'put') quarantine.report(record.id, 'its record is damaged')
  }

  async #add(event: ChunkEvent): Promise<void> {
    if (event.kind === 'put') this.#sequence = Math.max(this.#sequence, event.chunk.sequence)
    this.#events.push(event)
    if (this.#events.length >= batchEvents) await this.#flush()
  }

  async #flush(scanned: ReadonlyMap<number, number> = new Map()): Promise<void> {
    if (this.#events.length === 0 && scanned.size === 0 && !this.#wasRebuilt) return
    const events = this.#events
    this.#events = []
    const batch = { events, scanned, sequence: this.#sequence, keepsGraves: this.#wasRebuilt }
    await this.#apply(batch)
  }

  async #dropNeedlessGraves(): Promise<void> {
    let start: Buffer | undefined = indexPrefix.grave
    while (start !== undefined) {
      const page = await gravesFrom(this.#options.kv, start)
      const events = page.ids.map((id) => ({ kind: 'rebuilt', id }) as const)
      await this.#apply({ events, sequence: this.#sequence })
      start = page.next
    }
  }

  async #apply(batch: IndexBatch): Promise<void> {
    const { kv, table } = this.#options
    const result = await applyToIndex(kv, batch, { freesRoom: true })
    this.#marks = result.marks
    for (const [number, row] of result.segments) Object.assign(table.get(number) ?? {}, row)
  }
}

/** What a record says of its chunk, without what belongs to the record. */
export function storedFacts({ id, sequence, slot, length, crc, storedLength, storedCrc }: SegmentRecord) {
  return { id, sequence, slot, length, crc, storedLength, storedCrc }
}

function idOfName(name: string): ChunkId | undefined {
  try {
    return parseChunkId(name)
  } catch (error) {
    if (isAshlarError(error, 'protocol')) return undefined
    throw error
  }
}
