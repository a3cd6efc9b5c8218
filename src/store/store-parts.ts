/**
 * What the parts of one open disk store share. Built once by `openDiskStore`.
 * @module
 */
import type { ChunkId } from '../base/ids.ts'
import type { RecentMap } from '../base/recent-map.ts'
import type { Env } from '../env/env.ts'
import type { BufferPool } from './buffer-pool.ts'
import type { ChangeCounts } from './change-counts.ts'
import type { ChunkFooter } from './chunk-file-format.ts'
import type { ChunkIndex } from './chunk-index.ts'
import type { DirectRanges } from './direct-ranges.ts'
import type { DirectorySyncs } from './directory-syncs.ts'
import type { Fence } from './fence.ts'
import type { FileHandles } from './file-handles.ts'
import type { IndexKeeper } from './index-keeper.ts'
import type { KeyedLock } from './keyed-lock.ts'
import type { Quarantine } from './quarantine.ts'
import type { SegmentLog } from './segment-log.ts'
import type { SegmentTable } from './segment-table.ts'
import type { SpaceLedger } from './space-ledger.ts'
import type { SpaceReserve } from './space-reserve.ts'
import type { StoreIdentity } from './store-identity.ts'
import type { StoreLayout } from './store-layout.ts'

export interface StoreParts {
  readonly env: Pick<Env, 'clock' | 'disk' | 'log'>
  readonly identity: StoreIdentity
  readonly layout: StoreLayout
  readonly fence: Fence
  readonly syncs: DirectorySyncs
  readonly pool: BufferPool
  readonly handles: FileHandles
  readonly directRanges: DirectRanges
  readonly footers: RecentMap<ChunkId, ChunkFooter>
  readonly table: SegmentTable
  readonly log: SegmentLog
  readonly index: ChunkIndex
  readonly keeper: IndexKeeper
  readonly ledger: SpaceLedger
  readonly reserve: SpaceReserve
  readonly quarantine: Quarantine
  readonly changes: ChangeCounts
  /** Held while an id's chunk is committed, deleted or set aside. */
  readonly locks: KeyedLock<ChunkId>
}
