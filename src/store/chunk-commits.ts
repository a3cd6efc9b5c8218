/**
 * Changes of a store: a chunk comes, goes, or is set aside. Each is one record in the log plus, for chunk files, one
 * rename or unlink; each holds the id's lock from the look at what is there to the event in the index.
 *
 * The order that makes any crash harmless, for a chunk file: record durable and data synced (side by side), then
 * rename, then sync of the folder, then acknowledged. A record without its file counts for nothing; a file never has
 * its name without a record. For a delete: record durable, then unlink, and the record is settled (may be skipped by
 * the next start-up) only after the unlink is durable.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { type ChunkId, groupOf } from '../base/ids.ts'
import type { File } from '../env/disk.ts'
import type { ChunkFileWriter } from './chunk-file-writer.ts'
import type { LiveChunk, RecordPlace } from './chunk-state.ts'
import type { CommitRequest, ReplicaInfo } from './chunk-store.ts'
import { readBackFile, readBackRecord } from './read-back.ts'
import { storedFacts } from './recovery.ts'
import { deleteRecord, putBytes, putRecord, type SegmentRecord } from './segment-format.ts'
import type { Appended } from './segment-log.ts'
import type { Reservation } from './space-ledger.ts'
import type { StoreParts } from './store-parts.ts'

export interface CommitOptions extends CommitRequest {
  /** Used when the chunk came; the caller releases it in any case. */
  readonly reservation: Reservation
  /** The info of the replica that is there already. */
  readonly infoOf: (chunk: LiveChunk) => Promise<ReplicaInfo>
}

export class ChunkCommits {
  readonly #parts: StoreParts

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  /** Stores a small chunk, whose length the caller has reserved. */
  async putSmall(id: ChunkId, bytes: Uint8Array, options: CommitOptions): Promise<ReplicaInfo> {
    const { log, index, locks } = this.#parts
    // Summed before the lock is taken; the sequence is set when the record joins the log.
    const draft = putRecord(id, { bytes, sequence: 0 })
    checkCrc(id, draft.crc, options.expectedCrc)
    const info = { id, length: draft.length, crc: draft.crc, blockCrcs: draft.blockCrcs }
    const existing = await locks.run(id, async () => {
      const found = index.find(id)
      const there = found instanceof Promise ? await found : found
      if (there !== undefined) return there
      const record = { ...draft, sequence: log.takeSequence() }
      const appended = await log.append(record, { payload: bytes })
      const { segment, offset } = appended
      if (options.readBack === true) await this.#proveRecord(record, appended)
      options.reservation.use()
      this.#came({ ...storedFacts(record), location: { kind: 'segment', segment, offset } }, appended)
      return undefined
    })
    return existing === undefined ? info : await this.#same(existing, info, options)
  }

  /** Stores a chunk file whose bytes were all appended, and whose length the caller has reserved. The writer is ended in any case. */
  async putFile(id: ChunkId, writer: ChunkFileWriter, options: CommitOptions): Promise<ReplicaInfo> {
    const { log, index, locks } = this.#parts
    let isNamed = false
    try {
      const { crc, blockCrcs } = writer.finishSums()
      checkCrc(id, crc, options.expectedCrc)
      const length = writer.appendedBytes
      const info = { id, length, crc, blockCrcs }
      const existing = await locks.run(id, async () => {
        const there = await index.find(id)
        if (there !== undefined) return there
        const sequence = log.takeSequence()
        const chunk = { id, sequence, slot: 0, length, crc, storedLength: length, storedCrc: crc }
        const [announced, written] = await Promise.allSettled([
          log.append({ ...chunk, kind: 'file', blockCrcs: new Uint32Array(0) }),
          writer.finish({ ...chunk, blockCrcs }),
        ])
        try {
          if (announced.status === 'rejected') throw announced.reason
          if (written.status === 'rejected') throw written.reason
          if (options.readBack === true) await readBackFile(this.#parts, writer.path, { ...chunk, blockCrcs })
          await this.#name(id, writer.path, () => {
            isNamed = true
          })
        } catch (error) {
          // With its name given it may be there after a crash: then the next start-up must read its record again.
          if (announced.status === 'fulfilled' && !isNamed) announced.value.settle()
          throw error
        }
        options.reservation.use()
        this.#came({ ...chunk, location: { kind: 'file' } }, announced.value)
        return undefined
      })
      return existing === undefined ? info : await this.#same(existing, info, options)
    } finally {
      if (!isNamed) await writer.discard()
    }
  }

  /** @returns how many were there */
  async delete(ids: readonly ChunkId[]): Promise<number> {
    const { locks, index } = this.#parts
    return await locks.runAll(ids, async () => {
      const found: LiveChunk[] = []
      for (const id of new Set(ids)) {
        const chunk = await index.get(id)
        if (chunk !== undefined) found.push(chunk)
      }
      await this.#deleteAll(found)
      return found.length
    })
  }

  /** Sets a damaged replica aside and reports it, unless that was done meanwhile. */
  async quarantine(chunk: LiveChunk, what: string): Promise<void> {
    const { locks, index, quarantine, fence } = this.#parts
    // A fenced disk is not written to; the replica stays where it is and fails again when it is read again.
    if (fence.isUp) return
    const isSetAside = await locks.run(chunk.id, async () => {
      const current = await index.get(chunk.id)
      if (current?.sequence !== chunk.sequence) return false
      if (!isSamePlace(current, chunk)) return false
      await fence.guard(() => this.#setAside(current))
      return true
    })
    if (isSetAside) quarantine.report(chunk.id, what)
  }

  /** Outside the id's lock, since a replica that turns out damaged is set aside under it. */
  async #same(existing: LiveChunk, info: ReplicaInfo, { infoOf }: CommitOptions): Promise<ReplicaInfo> {
    if (existing.length === info.length && existing.crc === info.crc) {
      const there = await infoOf(existing)
      if (there.blockCrcs.every((crc, index) => crc === info.blockCrcs[index])) return there
    }
    throw new AshlarError('chunk-conflict', `Cannot store chunk ${info.id}: it exists with other bytes`)
  }

  /** A record that is not what was written is taken back by a delete: a start-up must not find it right after all. */
  async #proveRecord(record: SegmentRecord, appended: Appended): Promise<void> {
    try {
      await readBackRecord(this.#parts, appended, record)
    } catch (error) {
      const { log } = this.#parts
      const takenBack = await log.append(deleteRecord(record.id, log.takeSequence()), { freesRoom: true })
      appended.settle()
      takenBack.settle()
      throw error
    }
  }

  /** Gives a written file its name, durably. */
  async #name(id: ChunkId, path: string, named: () => void): Promise<void> {
    const { env, layout, fence, syncs } = this.#parts
    const folder = layout.chunkFolder(id)
    await syncs.ensure(layout.chunks, folder)
    await fence.guard(() => env.disk.rename(path, layout.chunkFile(id)))
    named()
    await syncs.sync(folder)
  }

  #came(chunk: LiveChunk, appended: Appended): void {
    const { index, changes, keeper } = this.#parts
    index.add({ kind: 'put', chunk }, { before: undefined, after: chunk })
    appended.settle()
    changes.note(chunk.id, 1)
    keeper.noteEvents()
  }

  async #deleteAll(chunks: readonly LiveChunk[]): Promise<void> {
    const { fence, log } = this.#parts
    fence.check()
    const records = chunks.map((chunk) => deleteRecord(chunk.id, log.takeSequence()))
    const results = await Promise.allSettled(records.map((record) => log.append(record, { freesRoom: true })))
    const files: { readonly chunk: LiveChunk; readonly appended: Appended }[] = []
    let failure: unknown
    results.forEach((result, position) => {
      const chunk = chunks[position] as LiveChunk
      const record = records[position] as SegmentRecord
      if (result.status === 'rejected') {
        failure ??= result.reason
        return
      }
      this.#went(chunk, result.value, record.sequence)
      if (chunk.location.kind === 'file') files.push({ chunk, appended: result.value })
      else result.value.settle()
    })
    await this.#unlinkAll(files)
    if (failure !== undefined) throw failure
  }

  #went(chunk: LiveChunk, { segment }: Appended, sequence: number): void {
    const { index, ledger, changes, keeper, footers } = this.#parts
    index.add({ kind: 'delete', id: chunk.id, sequence, segment }, { before: chunk, after: undefined })
    footers.delete(chunk.id)
    ledger.free(chunk.storedLength)
    changes.note(chunk.id, -1)
    keeper.noteEvents()
  }

  async #unlinkAll(files: readonly { readonly chunk: LiveChunk; readonly appended: Appended }[]): Promise<void> {
    const { env, layout, fence, syncs, handles } = this.#parts
    const folders = new Set<string>()
    await fence.guard(async () => {
      for (const { chunk } of files) {
        const path = layout.chunkFile(chunk.id)
        handles.forget(path)
        try {
          await env.disk.remove(path)
        } catch (error) {
          // Gone already: whoever took it did what is asked for.
          if (!isAshlarError(error, 'not-found')) throw error
        }
        folders.add(layout.chunkFolder(chunk.id))
      }
    })
    for (const folder of folders) await syncs.sync(folder)
    for (const { appended } of files) appended.settle()
  }

  async #setAside(chunk: LiveChunk): Promise<void> {
    const { layout, log, quarantine, syncs, handles } = this.#parts
    const { id, sequence, location } = chunk
    const name = `${id}-${sequence}`
    if (location.kind === 'file') {
      handles.forget(layout.chunkFile(id))
      if (await quarantine.moveFile(layout.chunkFile(id), name)) await syncs.sync(layout.chunkFolder(id))
    } else {
      await this.#copyAside(location, { lengthBytes: putBytes(chunk), name })
    }
    const deleteSequence = log.takeSequence()
    const appended = await log.append(deleteRecord(id, deleteSequence), { freesRoom: true })
    this.#went(chunk, appended, deleteSequence)
    appended.settle()
  }

  async #copyAside(
    { segment, offset }: RecordPlace,
    record: { readonly lengthBytes: number; readonly name: string },
  ): Promise<void> {
    const { env, layout, log, quarantine, handles } = this.#parts
    const path = layout.segment(segment)
    let file: File
    try {
      file = await env.disk.open(path, { mode: 'read' })
    } catch (error) {
      if (!isAshlarError(error, 'not-found')) throw error
      // Somebody took the whole segment away: there is nothing to keep, and what is open of it ends with this process.
      handles.forget(path)
      log.leave(segment)
      return
    }
    try {
      await quarantine.copyRange(file, { offset, ...record })
    } finally {
      await file.close()
    }
  }
}

/** @throws {AshlarError} `corrupt` */
export function checkCrc(id: ChunkId, crc: number, expected: number | undefined): void {
  if (expected === undefined || crc === expected) return
  throw new AshlarError('corrupt', `Cannot store chunk ${id}: its bytes do not have the expected checksum`, {
    details: { group: groupOf(id), crc, expected },
  })
}

function isSamePlace(a: LiveChunk, b: LiveChunk): boolean {
  if (a.location.kind === 'file' || b.location.kind === 'file') return a.location.kind === b.location.kind
  return a.location.segment === b.location.segment && a.location.offset === b.location.offset
}
