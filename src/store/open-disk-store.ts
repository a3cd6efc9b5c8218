/**
 * Opens a store's folder: identity, lock, index, recovery; then hands out the store.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import type { ChunkId, ClusterId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { RecentMap } from '../base/recent-map.ts'
import type { Env } from '../env/env.ts'
import { openSqliteKV } from '../kv/sqlite-kv.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import { BufferPool } from './buffer-pool.ts'
import { ChangeCounts } from './change-counts.ts'
import { ChunkCommits } from './chunk-commits.ts'
import type { ChunkFooter } from './chunk-file-format.ts'
import { ChunkIndex } from './chunk-index.ts'
import type { ChunkStore } from './chunk-store.ts'
import { Compactor } from './compactor.ts'
import { DirectRanges } from './direct-ranges.ts'
import { DirectorySyncs } from './directory-syncs.ts'
import { DiskStore } from './disk-store.ts'
import { Fence } from './fence.ts'
import { FileHandles } from './file-handles.ts'
import { IndexKeeper } from './index-keeper.ts'
import { markOpening, watchIndex } from './index-trust.ts'
import { KeyedLock } from './keyed-lock.ts'
import { Quarantine } from './quarantine.ts'
import { type RecoveryOptions, recover } from './recovery.ts'
import { SegmentLog } from './segment-log.ts'
import { SegmentTable } from './segment-table.ts'
import { SpaceGauge } from './space-gauge.ts'
import { type DiskMark, SpaceLedger } from './space-ledger.ts'
import { SpaceReserve } from './space-reserve.ts'
import {
  badStore,
  checkIdentity,
  createStoreFolder,
  missingIdentity,
  prepareStoreFolder,
  readIdentity,
  type StoreIdentity,
} from './store-identity.ts'
import { StoreLayout } from './store-layout.ts'
import type { StoreParts } from './store-parts.ts'

/** Opens the engine of the index: an empty one the first time, and whatever was there later. */
export type IndexEngine = (options: {
  /** Folder that is the index's alone. */
  readonly folder: string
  /** To be called when the engine can no longer be trusted. */
  readonly onFatal: (error: Error) => void
}) => Promise<TxnKV>

export interface OpenDiskStoreOptions {
  readonly env: Pick<Env, 'clock' | 'disk' | 'log' | 'random'> & Partial<Pick<Env, 'buggify'>>
  /** Absolute path of the store's folder. */
  readonly path: string
  /** Whose store is expected. With `create`, what a new one becomes; a server id is drawn if there is none. */
  readonly identity: { readonly cluster: ClusterId; readonly server?: ServerId | undefined }
  /** How whoever is refused meanwhile gets to know this process. */
  readonly holder?: string
  /** The first time: makes the store if the folder is empty or missing. Without it an empty folder is refused. */
  readonly create?: boolean
  /** Declared for a new store: chunk bytes. Undefined: a share of what the disk has free. */
  readonly capacityBytes?: number | undefined
  /** How many servers share the disk equally, when no capacity is declared. Default 1. */
  readonly shareOf?: number
  /** Default: SQLite in `index/`. */
  readonly index?: IndexEngine
  /** From where on writes are refused. Default: `diskMarks.write`. */
  readonly mark?: DiskMark
  /** Held back for deletes on a full disk. Default 4 MiB. */
  readonly reserveBytes?: number
  readonly segmentBytes?: number
  /** Shared by all stores of a process. Default: one of its own. */
  readonly pool?: BufferPool
}

export interface OpenedStore extends ChunkStore {
  readonly identity: StoreIdentity
  /** Compacts now what is worth it; it happens by itself after checkpoints. */
  compact(): Promise<void>
}

const defaultReserveBytes = 4 * 1024 * 1024
/** Short, since a store keeps it on its disk for good: of 16 MiB, 100,000 small files took 90 bytes each. */
const indexLogBytes = 512 * 1024

/**
 * Opens the store in a folder, for this process alone.
 * @throws {AshlarError} `bad-store` — no store there (is the disk mounted?), read-only, or damaged; `wrong-cluster`;
 *   `in-use` — another process has it; `version-unsupported`; `disk-failed`
 */
export async function openDiskStore(options: OpenDiskStoreOptions): Promise<OpenedStore> {
  const { env, path } = options
  const layout = new StoreLayout(path)
  try {
    await checkFolder(options, layout)
    const lock = await env.disk.lock(layout.lock, options.holder ?? 'a chunk server')
    try {
      const identity = await settleIdentity(options, layout)
      return await openLocked(options, { layout, identity, unlock: () => lock.release() })
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (error) {
    if (isAshlarError(error, 'read-only')) throw badStore(path, 'its folder cannot be written', error)
    throw error
  }
}

/** Before the lock, whose file would be the first thing in a bare mount point. */
async function checkFolder(options: OpenDiskStoreOptions, layout: StoreLayout): Promise<void> {
  const { env, path, identity, create = false } = options
  try {
    checkIdentity(path, await readIdentity(env.disk, layout), identity)
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
    if (!create) throw missingIdentity(path, error)
    await prepareStoreFolder({ env, path })
  }
}

/** Under the lock, so that of two that make one store the second finds the identity of the first. */
async function settleIdentity(options: OpenDiskStoreOptions, layout: StoreLayout): Promise<StoreIdentity> {
  const { env, path, identity, capacityBytes } = options
  try {
    const found = await readIdentity(env.disk, layout)
    checkIdentity(path, found, identity)
    return found
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
    const server = identity.server ?? (env.random.bytes(16).toString('hex') as ServerId)
    await createStoreFolder({ env, path, identity: { cluster: identity.cluster, server, capacityBytes } })
    return await readIdentity(env.disk, layout)
  }
}

interface Folder {
  readonly layout: StoreLayout
  readonly identity: StoreIdentity
  readonly unlock: () => Promise<void>
}

async function openLocked(options: OpenDiskStoreOptions, { layout, identity, unlock }: Folder): Promise<OpenedStore> {
  const { env } = options
  const { disk, clock, buggify = () => false } = env
  for (const folder of layout.folders) await disk.makeDirectory(folder)
  await disk.syncDirectory(layout.root)
  const log = env.log.child({ store: identity.server })
  const fence = new Fence(log)
  const syncs = new DirectorySyncs(disk, fence)
  const pool = options.pool ?? new BufferPool(disk)
  const quarantine = new Quarantine({ disk, layout, log })
  await quarantine.load()
  const known = await readOpening(env, layout)
  const opening = known ?? 0
  const isMarked = await exists(env, layout.indexDistrust)
  // Without the count of openings it cannot be told whether the index was there at the last one.
  const isDistrusted = isMarked || known === undefined
  if (isDistrusted) await discardIndex(env, layout)
  const { kv, table, recovered } = await openRecovered(options, {
    ...{ layout, fence, pool, quarantine, opening, isDistrusted },
    server: identity.server,
  })
  try {
    await markOpening(kv, opening + 1)
    await disk.writeSmall(layout.opening, Buffer.from(String(opening + 1)))
    if (isMarked) await disk.remove(layout.indexDistrust)

    const reserve = new SpaceReserve(disk, {
      path: layout.reserve,
      sizeBytes: options.reserveBytes ?? defaultReserveBytes,
      fence,
    })
    const ledger = new SpaceLedger({
      capacityBytes: identity.capacityBytes,
      shareOf: options.shareOf ?? 1,
      ...(options.mark && { mark: options.mark }),
    })
    ledger.startWith(recovered.marks.usedBytes)
    const gauge = new SpaceGauge({ clock, disk, log, path: layout.root, ledger, reserve })
    await gauge.refresh()
    const onIndexCorrupt = async (error: unknown) => {
      fence.raise(error)
      await disk.writeSmall(layout.indexDistrust, Buffer.alloc(0))
    }
    const segmentLog = new SegmentLog({
      ...{ disk, layout, table, fence, syncs, reserve },
      server: identity.server,
      segmentBytes: options.segmentBytes ?? limits.segmentBytes,
      sequence: recovered.marks.sequence,
    })
    if (recovered.tail !== undefined) await segmentLog.resume(recovered.tail)
    const index = new ChunkIndex({ kv: watchIndex(kv, onIndexCorrupt), table, sequence: () => segmentLog.sequence })
    const keeper = new IndexKeeper({
      ...{ clock, log, index, fence, reserve, buggify },
      afterCheckpoint: () => compactor.kick(),
    })
    const handles = new FileHandles(disk, { maxIdle: limits.storeIdleFiles })
    const parts: StoreParts = {
      ...{ env: { clock, disk, log }, identity, layout, fence, syncs, pool, handles, table, index, keeper, ledger },
      ...{ reserve, quarantine, directRanges: new DirectRanges(disk) },
      log: segmentLog,
      footers: new RecentMap<ChunkId, ChunkFooter>(limits.storeFooters),
      changes: new ChangeCounts(recovered.marks.chunks),
      locks: new KeyedLock<ChunkId>(),
    }
    const commits = new ChunkCommits(parts)
    const compactor: Compactor = new Compactor(parts, commits)
    for (const number of recovered.retired) await compactor.finishRetired(number)
    const shutDown = async () => {
      await compactor.close()
      await segmentLog.close()
      try {
        await keeper.close()
      } finally {
        await handles.close()
        await index.close()
        await unlock()
      }
    }
    return new DiskStore(parts, { gauge, commits, compactor, shutDown })
  } catch (error) {
    await kv.close()
    throw error
  }
}

/** A file of numbers that only rise, against an index from a backup. @returns undefined: it is damaged */
async function readOpening({ disk }: Pick<Env, 'disk'>, layout: StoreLayout): Promise<number | undefined> {
  try {
    const text = (await disk.readSmall(layout.opening, 64)).toString('latin1')
    const opening = Number(text)
    return /^\d+$/.test(text) && Number.isSafeInteger(opening) ? opening : undefined
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return 0
    if (isAshlarError(error, 'too-large')) return undefined
    throw error
  }
}

async function exists({ disk }: Pick<Env, 'disk'>, path: string): Promise<boolean> {
  try {
    await disk.info(path)
    return true
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return false
    throw error
  }
}

interface RecoveryPlace
  extends Pick<RecoveryOptions, 'layout' | 'pool' | 'quarantine' | 'opening' | 'isDistrusted' | 'server'> {
  readonly fence: Fence
}

/** Opens the index and brings it up to date; one that is damaged is thrown away: it holds nothing that the store does not. */
async function openRecovered(options: OpenDiskStoreOptions, place: RecoveryPlace) {
  const { env } = options
  const { fence, ...common } = place
  const attempt = async () => {
    const kv = await openIndex(options, place)
    try {
      const table = new SegmentTable()
      return { kv, table, recovered: await recover({ disk: env.disk, log: env.log, kv, table, ...common }) }
    } catch (error) {
      await kv.close()
      throw error
    }
  }
  try {
    return await attempt()
  } catch (error) {
    if (!isAshlarError(error, 'metadata-corrupt', 'version-unsupported')) throw error
    env.log.warn('index is damaged and is made anew', { error: String(error) })
    await discardIndex(env, place.layout)
    return await attempt()
  }
}

async function discardIndex({ disk }: Pick<Env, 'disk'>, layout: StoreLayout): Promise<void> {
  await disk.removeTree(layout.index)
  await disk.makeDirectory(layout.index)
}

async function openIndex(
  options: OpenDiskStoreOptions,
  { layout, fence }: { readonly layout: StoreLayout; readonly fence: Fence },
): Promise<TxnKV> {
  const { clock, log, disk } = options.env
  const engine: IndexEngine =
    options.index ??
    (({ folder, onFatal }) =>
      openSqliteKV({
        path: `${folder}/chunks.sqlite`,
        ...{ clock, log, disk, onFatal },
        reserveBytes: 0,
        logBytes: indexLogBytes,
      }))
  return await engine({ folder: layout.index, onFatal: (error) => fence.raise(error) })
}
