import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import { idAt, someBytes } from '../../test/contract/chunk-store.ts'
import { StoreRig } from '../../test/store/store-rig.ts'
import { AshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import { StoreLayout } from '../store/store-layout.ts'
import type { ScrubOrders } from '../wire/types/scrub.ts'
import { Scrub } from './scrub.ts'

const KiB = 1024
const MiB = 1024 * KiB
const layout = new StoreLayout('/store')
const orders: ScrubOrders = { withinMs: 1_000_000, mostBytesPerSecond: MiB, isPaused: false }

/** A store of 20 small chunks and 4 large ones, and what is read of it by whom. */
class ScrubRig {
  readonly rig = new StoreRig()
  readonly clock = new ManualClock()
  readonly reads: { readonly id: ChunkId; readonly atMs: number; readonly length: number }[] = []
  readonly quarantined: ChunkId[] = []
  readonly small = Array.from({ length: 20 }, (_, index) => idAt(index))
  readonly large = Array.from({ length: 4 }, (_, index) => idAt(100 + index))
  /** By how much cluster time is ahead of what has passed. */
  aheadMs = 1_000_000
  scrub: Scrub | undefined
  sweeps = 0
  #underWay = 0

  static async filled(): Promise<ScrubRig> {
    const filled = new ScrubRig()
    const { rig, small, large } = filled
    await rig.open()
    for (const [index, id] of small.entries()) await rig.store.put(id, someBytes(4 * KiB + index, index), {})
    for (const [index, id] of large.entries()) await rig.store.put(id, someBytes(2 * MiB, 50 + index), {})
    await rig.reopen()
    return filled
  }

  get chunks(): readonly ChunkId[] {
    return [...this.small, ...this.large]
  }

  begin(changed: Partial<ScrubOrders> = {}): Scrub {
    const { store } = this.rig
    const counted = <Given extends unknown[], Result>(work: (...given: Given) => Promise<Result>) => {
      return async (...given: Given): Promise<Result> => {
        this.#underWay++
        return await work(...given).finally(() => this.#underWay--)
      }
    }
    const noted = {
      ...({} as ChunkStore),
      list: counted(store.list.bind(store)),
      getFact: counted(store.getFact.bind(store)),
      setFact: counted(store.setFact.bind(store)),
      sweep: counted(async (folder: string | undefined) => {
        this.sweeps++
        return await store.sweep(folder)
      }),
      quarantine: counted(store.quarantine.bind(store)),
      space: () => store.space(),
      onQuarantine: (listener: (id: ChunkId) => void) => store.onQuarantine(listener),
      verify: counted(async (id: ChunkId) => {
        const length = (await store.info(id))?.length ?? 0
        this.reads.push({ id, length, atMs: this.clock.monotonicMs() })
        return await store.verify(id)
      }),
    }
    store.onQuarantine((id) => this.quarantined.push(id))
    const env = { ...this.rig.env, clock: this.clock }
    this.scrub = new Scrub({ env, store: noted, clusterTimeMs: () => this.aheadMs + this.clock.monotonicMs() })
    this.scrub.obey({ ...orders, ...changed })
    this.scrub.start()
    return this.scrub
  }

  /** Time passes, and stands still while the store works; ends early when `condition` holds. */
  async pass(forMs: number, condition: () => boolean = () => false): Promise<boolean> {
    const stepMs = Math.min(forMs / 50, 1_000_000)
    for (const untilMs = this.clock.monotonicMs() + forMs; this.clock.monotonicMs() < untilMs; ) {
      for (let quietTurns = 0; quietTurns < 5; ) {
        await new Promise<void>((resolve) => setImmediate(resolve))
        quietTurns = this.#underWay === 0 ? quietTurns + 1 : 0
      }
      if (condition()) return true
      await this.clock.advance(stepMs)
    }
    return condition()
  }

  async end(): Promise<void> {
    await this.scrub?.close()
    await this.rig.store.close()
  }
}

suite('Scrub', () => {
  test('reads every replica from the medium in half of its time, evenly, and tells how old the oldest reading is', async () => {
    const it = await ScrubRig.filled()
    const scrub = it.begin()
    assert.ok(
      await it.pass(550_000, () => new Set(it.reads.map(({ id }) => id)).size === it.chunks.length),
      'all are read',
    )
    assert.ok(it.clock.monotonicMs() > 250_000, 'it takes its time')
    assert.deepEqual(
      it.reads.slice(0, it.chunks.length).map(({ id }) => id),
      [...it.chunks].sort(),
    )
    const report = scrub.report()
    assert.equal(report?.badChunks, 0)
    assert.ok((report?.scrubbedBytes ?? 0) >= 8 * MiB)
    await it.pass(2_000_000)
    const { oldestUnscrubbedMs = Number.NaN } = scrub.report() ?? {}
    assert.ok(oldestUnscrubbedMs > 20_000 && oldestUnscrubbedMs < 750_000, `${oldestUnscrubbedMs}`)
    await it.end()
  })

  test('reads no more in a second than it may, but for one chunk, and hurries when it is late', async () => {
    const it = await ScrubRig.filled()
    it.begin({ withinMs: 10_000, mostBytesPerSecond: 256 * KiB })
    await it.pass(100_000)
    const bytes = it.reads.reduce((sum, { length }) => sum + length, 0)
    assert.ok(bytes <= 100 * 256 * KiB + 2 * MiB, `${bytes}`)
    assert.ok(bytes >= 100 * 256 * KiB * 0.8, `${bytes}`)
    await it.end()
  })

  test('goes on where it was after a restart', async () => {
    const it = await ScrubRig.filled()
    it.begin({ withinMs: 1_000_000 })
    assert.ok(await it.pass(1_000_000, () => it.reads.length === 22), 'some are read')
    await it.scrub?.close()
    await it.rig.reopen()
    it.reads.length = 0
    it.begin({ withinMs: 1_000_000 })
    assert.ok(await it.pass(1_000_000, () => it.reads.length > 0), 'it goes on')
    assert.equal(it.reads[0]?.id, [...it.chunks].sort()[22])
    await it.end()
  })

  test('reads everything anew when its place is damaged', async () => {
    const it = await ScrubRig.filled()
    await it.rig.store.setFact('scrub', Buffer.from('nonsense'))
    const scrub = it.begin({ withinMs: 1_000_000 })
    assert.ok(await it.pass(10_000, () => it.reads.length > 0), 'it begins')
    assert.ok((scrub.report()?.oldestUnscrubbedMs ?? 0) >= 1_000_000, 'of unknown age')
    await it.end()
  })

  test('reads nothing while it is paused, and nothing before the master told the time', async () => {
    const it = await ScrubRig.filled()
    const scrub = it.begin({ withinMs: 10_000, isPaused: true })
    await it.pass(20_000)
    assert.equal(it.reads.length, 0)
    assert.ok((scrub.report()?.oldestUnscrubbedMs ?? 0) >= 19_000, 'it grows older meanwhile')
    scrub.obey({ ...orders, withinMs: 10_000 })
    assert.ok(await it.pass(20_000, () => it.reads.length > 0), 'it goes on')
    await it.end()
  })

  test('goes on when its clock is back that ran ahead: replicas and folders are due as ever', async () => {
    const it = await ScrubRig.filled()
    it.begin({ withinMs: 100_000 })
    it.aheadMs += 100_000_000
    assert.ok(await it.pass(200_000, () => it.sweeps > 0 && it.reads.length >= it.chunks.length), 'all is read')
    await it.pass(20_000)
    it.aheadMs -= 100_000_000
    it.sweeps = 0
    it.reads.length = 0
    assert.ok(await it.pass(200_000, () => it.sweeps > 0 && it.reads.length >= it.chunks.length), 'all is read again')
    await it.end()
  })

  test('finds flipped bits, short, missing and swapped files, and a segment that is gone; nobody reads them', async () => {
    const it = await ScrubRig.filled()
    const [flipped, short, one, other] = it.large as [ChunkId, ChunkId, ChunkId, ChunkId]
    const { disk } = it.rig
    await it.rig.flip(layout.chunkFile(flipped), 1_500_000)
    const file = await disk.open(layout.chunkFile(short), { mode: 'read-write' })
    await file.truncate(MiB)
    await file.sync()
    await file.close()
    await disk.rename(layout.chunkFile(one), `${layout.temporary}/x`)
    await disk.rename(layout.chunkFile(other), layout.chunkFile(one))
    await disk.rename(`${layout.temporary}/x`, layout.chunkFile(other))
    const [segment] = await it.rig.list('segments')
    const inSegment = (await disk.info(`${layout.segments}/${segment}`)).lengthBytes
    assert.ok(inSegment > 10 * 4 * KiB)
    await disk.remove(`${layout.segments}/${segment}`)

    const scrub = it.begin({ withinMs: 60_000 })
    assert.ok(await it.pass(60_000, () => it.quarantined.length >= 4 + 10), 'they are found')
    await it.pass(60_000)
    const found = new Set(it.quarantined)
    assert.ok(it.large.every((id) => found.has(id)))
    assert.equal(scrub.report()?.badChunks, found.size)
    // What is written afterwards is found again: not in the file that is gone.
    await it.rig.store.put(it.small[0] as ChunkId, someBytes(4 * KiB, 0), {})
    await it.scrub?.close()
    await it.rig.reopen()
    assert.ok((await it.rig.store.verify(it.small[0] as ChunkId)).length > 0)
    const left = it.small.filter((id) => id === it.small[0] || !found.has(id))
    for (const id of left) await it.rig.store.verify(id)
    assert.equal((await it.rig.snapshot()).count, left.length)
    await it.rig.store.close()
  })

  test('a segment that takes new records and is gone takes no more: what comes later outlives a start', async () => {
    const it = await ScrubRig.filled()
    const active = (await it.rig.list('segments')).at(-1)
    await it.rig.disk.remove(`${layout.segments}/${active}`)
    it.begin({ withinMs: 60_000 })
    assert.ok(await it.pass(120_000, () => it.quarantined.length > 0), 'it is found')
    const later = someBytes(4 * KiB, 77)
    await it.rig.store.put(idAt(500), later, {})
    await it.scrub?.close()
    await it.rig.reopen()
    assert.equal((await it.rig.store.verify(idAt(500))).length, later.length)
    await it.rig.store.close()
  })

  test('sets files aside that the store does not know, and keeps them', async () => {
    const it = await ScrubRig.filled()
    const folder = layout.chunkFolder(it.large[0] as ChunkId)
    for (const name of [idAt(999), 'notes.txt']) {
      const file = await it.rig.disk.open(`${folder}/${name}`, { mode: 'create' })
      await file.write([Buffer.from('stray')], 0)
      await file.sync()
      await file.close()
    }
    it.begin({ withinMs: 60_000 })
    await it.pass(120_000)
    assert.equal((await it.rig.list('quarantine')).filter((name) => name.startsWith('stray-')).length, 2)
    assert.deepEqual((await it.rig.disk.list(folder)).sort(), [...it.large].sort())
    assert.deepEqual(it.quarantined, [])
    await it.end()
  })

  test('sets a replica aside that the disk cannot read, and none when the disk reads nothing at all', async () => {
    const it = await ScrubRig.filled()
    const bad = it.large[1] as ChunkId
    const eio = () => new AshlarError('disk-failed', 'Cannot read: EIO', { details: { errno: 'EIO' } })
    it.rig.failWhen((operation, path) => (operation === 'read' && path === layout.chunkFile(bad) ? eio() : undefined))
    it.begin({ withinMs: 60_000 })
    await it.pass(60_000)
    assert.deepEqual(it.quarantined, [], 'once is not enough')
    assert.ok(await it.pass(200_000, () => it.quarantined.length > 0), 'it is found')
    await it.pass(200_000)
    assert.deepEqual(it.quarantined, [bad])
    assert.equal(it.scrub?.report()?.badChunks, 1)
    await it.scrub?.close()

    const isData = (path: string) => path.startsWith(layout.chunks) || path.startsWith(layout.segments)
    it.rig.failWhen((operation, path) => (operation === 'read' && isData(path) ? eio() : undefined))
    it.reads.length = 0
    it.begin({ withinMs: 60_000 })
    await it.pass(1_000_000)
    it.rig.heal()
    assert.ok(it.reads.length > 3 * it.chunks.length, 'each is tried again')
    assert.deepEqual(it.quarantined, [bad])
    await it.end()
  })
})
