/**
 * Compaction: copies what is still needed of a segment into a new one and removes the old.
 *
 * Observe (the segment table) → plan (`planCompaction`) → apply → verify, one segment at a time:
 *  1. live puts and needed deletes are copied, each verified, into a temporary file; it is synced and named (a delete that
 *     stands only against puts of this very segment goes with them);
 *  2. the copy is read back, and each record in it is moved in the index, which is checkpointed;
 *  3. when nobody reads the old segment, it is renamed to `.retired`, its stale puts are struck from the graves that
 *     name it, and it is unlinked.
 * A crash anywhere leaves the old segment, or both, or the new one: the highest sequence wins, and a copy has the
 * sequence of its original. Never: an old copy gone before the new one is synced, verified and indexed.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import type { File } from '../env/disk.ts'
import type { ChunkCommits } from './chunk-commits.ts'
import { CompactionPace, roomyFactor } from './compaction-pace.ts'
import { patientDeadFraction, planCompaction } from './compaction-plan.ts'
import { batchRecords, isAt, NeededRecords, RecordBatch, type RecordItem } from './needed-records.ts'
import { storedFacts } from './recovery.ts'
import { encodeSegmentHeader, recordHeadBytes, segmentHeaderBytes, segmentSeed } from './segment-format.ts'
import { SegmentOutput } from './segment-output.ts'
import { scanSegment } from './segment-scan.ts'
import type { Segment } from './segment-table.ts'
import type { StoreParts } from './store-parts.ts'

const reapEvents = 500

export class Compactor {
  readonly #parts: StoreParts
  readonly #commits: Pick<ChunkCommits, 'quarantine'>
  #running: Promise<void> | undefined
  /** Of a round that is patient. */
  #pace: CompactionPace | undefined
  #isClosed = false

  constructor(parts: StoreParts, commits: Pick<ChunkCommits, 'quarantine'>) {
    this.#parts = parts
    this.#commits = commits
  }

  /** Starts a round, if none runs and there is something to do. */
  kick(): void {
    const { fence, table, env } = this.#parts
    if (this.#isClosed || fence.isUp || this.#running !== undefined) return
    const isPatient = this.#roominess() > roomyFactor
    if (planCompaction(table.all(), leastDeadFraction(isPatient)).length === 0) return
    // Kicked again after the next checkpoint, whatever the end; a failed disk has raised the fence.
    this.#start(isPatient).catch((error: unknown) => {
      env.log.warn('compaction stopped', { error: String(error) })
    })
  }

  /** Compacts until nothing is worth it, however much room there is. @throws {AshlarError} `no-space`, `disk-failed` */
  async run(): Promise<void> {
    // What runs already may leave more to be done; whoever started it hears of its failure.
    while (this.#running !== undefined) {
      this.#pace?.hurry()
      await this.#running.catch(() => undefined)
    }
    await this.#start(false)
  }

  #start(isPatient: boolean): Promise<void> {
    this.#pace = isPatient ? new CompactionPace(this.#parts.env.clock, () => this.#roominess()) : undefined
    this.#running = this.#rounds(leastDeadFraction(isPatient)).finally(() => {
      this.#running = undefined
      this.#pace = undefined
    })
    return this.#running
  }

  /** How many times all segments together would fit into what is free. */
  #roominess(): number {
    let segmentBytes = 0
    for (const { endBytes } of this.#parts.table.all()) segmentBytes += endBytes
    return this.#parts.ledger.roomBytes() / segmentBytes
  }

  /** Ends after the record under way; nothing half done matters. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#pace?.hurry()
    await this.#running?.catch(() => undefined)
  }

  /** Finishes what a crash left: a segment that was renamed but not unlinked. */
  async finishRetired(number: number): Promise<void> {
    const { env, layout } = this.#parts
    await this.#reap(number)
    await env.disk.remove(layout.retiredSegment(number))
  }

  async #rounds(leastDead: number | undefined): Promise<void> {
    const { table, fence, env } = this.#parts
    // Each once: what could not go now waits for the next kick.
    const tried = new Set<number>()
    const next = () => planCompaction(table.all(), leastDead).find((step) => !tried.has(step.segment))
    for (let step = next(); step !== undefined; step = next()) {
      tried.add(step.segment)
      const segment = table.get(step.segment) as Segment
      env.log.debug('segment is compacted', { ...step })
      await fence.guard(() => this.#compact(segment))
    }
  }

  async #compact(old: Segment): Promise<void> {
    const { index, table } = this.#parts
    if (!(await this.#isThere(old))) return await this.#passOver(old)
    const needs = new NeededRecords(old.number, index)
    const copy = await this.#copy(old, needs)
    if (copy !== undefined) await this.#move(copy)
    await index.checkpoint({ freesRoom: true })
    const fate = needs.fate(old.liveBytes)
    if (fate === 'later') return
    if (fate === 'stuck') {
      // The bytes stay: reads and scrubs will find the damage.
      old.stuckAtLiveBytes = old.liveBytes
      this.#parts.env.log.error('segment cannot be compacted whole', { segment: old.number, liveBytes: old.liveBytes })
      return
    }
    while (old.pins > 0) await table.unpinned(old.number)
    table.remove(old.number)
    await this.#retire(old.number)
  }

  async #isThere({ number }: Segment): Promise<boolean> {
    const { env, layout } = this.#parts
    try {
      await env.disk.info(layout.segment(number))
      return true
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return false
      throw error
    }
  }

  /** Its file was taken away: scrubs and reads set aside what was live in it, and then it is forgotten. The others must not wait for it. */
  async #passOver(old: Segment): Promise<void> {
    const { index, table, env } = this.#parts
    const { number, liveBytes } = old
    env.log.error('segment is gone from its folder', { segment: number, liveBytes })
    old.stuckAtLiveBytes = liveBytes
    if (liveBytes !== 0) return
    while (old.pins > 0) await table.unpinned(number)
    table.remove(number)
    await index.forgetSegment(number, [])
  }

  /** Copies what is needed. @returns undefined: nothing was */
  async #copy(old: Segment, needs: NeededRecords): Promise<Segment | undefined> {
    const { env, layout, table, identity, syncs } = this.#parts
    const number = table.takeNumber()
    const temporary = `${layout.temporary}/segment-${number}`
    const source = await env.disk.open(layout.segment(old.number), { mode: 'read' })
    try {
      const target = await env.disk.open(temporary, { mode: 'create' })
      const output = new SegmentOutput(target, segmentSeed({ server: identity.server, number }))
      try {
        await output.write(encodeSegmentHeader({ number, kind: 'compacted', server: identity.server }))
        await this.#copyRecords(old, { source, output, needs })
        await output.flush()
        if (output.endBytes > segmentHeaderBytes) await target.sync()
      } catch (error) {
        await target.close()
        await env.disk.remove(temporary)
        throw await this.#roomFor(error)
      }
      await target.close()
      if (output.endBytes === segmentHeaderBytes) {
        await env.disk.remove(temporary)
        return undefined
      }
      await env.disk.rename(temporary, layout.segment(number))
      await syncs.sync(layout.segments)
      // Not scanned yet: a start-up reads it whole until the moves are in the index.
      return table.add({
        number,
        kind: 'compacted',
        endBytes: output.endBytes,
        isSealed: true,
        unsettled: new Set([0]),
      })
    } finally {
      await source.close()
    }
  }

  async #copyRecords(
    old: Segment,
    { source, ...copy }: { readonly source: File; readonly output: SegmentOutput; readonly needs: NeededRecords },
  ): Promise<void> {
    const { identity, index, quarantine } = this.#parts
    const seed = segmentSeed({ server: identity.server, number: old.number })
    const batch = new RecordBatch()
    for await (const item of scanSegment(source, { seed, from: segmentHeaderBytes, endBytes: old.endBytes })) {
      this.#checkOpen()
      if (item.kind === 'record') {
        if (!batch.hasRoom(item)) {
          await copyNeeded(batch, copy)
          await this.#pace?.rest()
        }
        batch.add(item)
        continue
      }
      const { offset, lengthBytes, record } = item
      await quarantine.copyRange(source, { offset, lengthBytes, name: `segment-${old.number}-at-${offset}` })
      const chunk = record === undefined ? undefined : await index.get(record.id)
      if (chunk !== undefined && record !== undefined && isAt(chunk.location, { segment: old.number, offset })) {
        await this.#commits.quarantine(chunk, 'its record is damaged')
      }
    }
    await copyNeeded(batch, copy)
  }

  /** Reads the copy back and moves each of its records in the index. */
  async #move(copy: Segment): Promise<void> {
    const { env, layout, identity } = this.#parts
    const { number, endBytes } = copy
    const file = await env.disk.open(layout.segment(number), { mode: 'read' })
    try {
      const seed = segmentSeed({ server: identity.server, number })
      let batch: Omit<RecordItem, 'bytes'>[] = []
      for await (const item of scanSegment(file, { seed, from: segmentHeaderBytes, endBytes })) {
        if (item.kind === 'damage') {
          throw new AshlarError('disk-failed', `Cannot compact: segment ${number} does not read back as it was written`)
        }
        batch.push({ record: item.record, offset: item.offset })
        if (batch.length < batchRecords) continue
        await this.#moveRecords(number, batch)
        batch = []
        await this.#pace?.rest()
      }
      await this.#moveRecords(number, batch)
      copy.unsettled.delete(0)
    } finally {
      await file.close()
    }
  }

  async #moveRecords(segment: number, items: readonly Omit<RecordItem, 'bytes'>[]): Promise<void> {
    const { index, locks, keeper } = this.#parts
    const ids = items.map(({ record }) => record.id)
    await keeper.room()
    await locks.runAll(ids, async () => {
      const live = await index.getMany(ids)
      for (const { record, offset } of items) {
        const before = live.get(record.id)
        if (record.kind === 'delete') {
          const { id, sequence } = record
          index.add({ kind: 'delete', id, sequence, segment }, { before, after: before })
          continue
        }
        const chunk = { ...storedFacts(record), location: { kind: 'segment', segment, offset } } as const
        // Deleted meanwhile: then the copy is one more stale put, and the grave has to know of it.
        const after = before?.sequence === record.sequence ? chunk : before
        index.add({ kind: 'put', chunk }, { before, after })
        if (after !== undefined) live.set(record.id, after)
      }
    })
  }

  async #retire(number: number): Promise<void> {
    const { env, layout, syncs, handles } = this.#parts
    handles.forget(layout.segment(number))
    await env.disk.rename(layout.segment(number), layout.retiredSegment(number))
    await syncs.sync(layout.segments)
    await this.finishRetired(number)
  }

  /** Tells the graves of all ids in a retired segment that it is gone: of its deletes, too, since a put may be damaged. */
  async #reap(number: number): Promise<void> {
    const { env, layout, identity, index } = this.#parts
    const file = await env.disk.open(layout.retiredSegment(number), { mode: 'read' })
    try {
      const seed = segmentSeed({ server: identity.server, number })
      let ids: ChunkId[] = []
      const range = { seed, from: segmentHeaderBytes, endBytes: await file.lengthBytes() }
      for await (const item of scanSegment(file, range)) {
        if (item.kind === 'record' && item.record.kind !== 'file') ids.push(item.record.id)
        if (ids.length < reapEvents) continue
        await index.forgetSegment(number, ids)
        ids = []
        await this.#pace?.rest()
      }
      await index.forgetSegment(number, ids)
    } finally {
      await file.close()
    }
  }

  /** A full disk: gives the reserve up, so that the next round has it. */
  async #roomFor(error: unknown): Promise<unknown> {
    if (isAshlarError(error, 'no-space')) await this.#parts.reserve.release()
    return error
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new AshlarError('closed', 'Cannot compact: the store is closing')
  }
}

function leastDeadFraction(isPatient: boolean): number | undefined {
  return isPatient ? patientDeadFraction : undefined
}

async function copyNeeded(
  batch: RecordBatch,
  { output, needs }: { readonly output: SegmentOutput; readonly needs: NeededRecords },
): Promise<void> {
  const areNeeded = await needs.among(batch.items)
  for (const [position, { record, bytes }] of batch.items.entries()) {
    if (areNeeded[position]) await output.copy(record, bytes.subarray(recordHeadBytes(record)))
  }
  batch.clear()
}
