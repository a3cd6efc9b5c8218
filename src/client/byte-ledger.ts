/**
 * The byte ledger, from the sums that the master's steps gave: every allocated byte of all data folders, by what it is for.
 *
 * Invariant: the categories add up to `totalBytes`, to the byte; overhead is what no chunk and no quarantine accounts for.
 * How much of the chunks is trash is told by counters: what is shared between files counts as live.
 * @module
 */
import type { ClusterStatus } from '../wire/methods/cluster-methods.ts'
import type { FolderUse, LedgerSums } from '../wire/methods/insight-methods.ts'

export interface PendingReclaim {
  readonly what: 'gc' | 'former-members'
  readonly bytes: number
  /** At the latest, when all servers answer; absent: it cannot be said. */
  readonly withinMs?: number
  readonly why: string
}

/** All in bytes on disks. */
export interface ByteLedger {
  /** As `du -B1` over the data folders. */
  readonly totalBytes: number
  /** Chunks of files in the tree and of their older versions, once each. */
  readonly liveBytes: number
  /** Their further copies. */
  readonly replicaBytes: number
  /** All copies of chunks that only files in trash need. */
  readonly trashBytes: number
  /** The last of it, as of now, is returned after this. */
  readonly trashKeptForMs: number
  /** Chunks that no file names and gc does not know. */
  readonly orphanBytes: number
  /** Declared by, or written for, writes that are under way. */
  readonly reservedBytes: number
  readonly quarantineBytes: number
  readonly pendingReclaimBytes: number
  readonly pendingReclaim: readonly PendingReclaim[]
  readonly overheadBytes: number
  /** Parts of the overhead; `chunkFormats`: what chunk files and segments take beyond the chunks in them. */
  readonly overhead: {
    readonly metadataBytes: number
    readonly indexBytes: number
    readonly chunkFormatBytes: number
    readonly heldForFullDiskBytes: number
    readonly otherBytes: number
  }
  /** Servers that are away: nothing of theirs is counted. */
  readonly unmeasuredServers: number
}

export function byteLedger(sums: LedgerSums, status: ClusterStatus): ByteLedger {
  const { folders, metadata, chunkBytes, namedBytes, orphanBytes, formerBytes, deletingBytes } = sums
  const named = status.lengthBytes + (status.versionBytes ?? 0) + status.trashBytes
  const shared = Math.max(0, named - chunkBytes)
  const trashOnce = Math.min(chunkBytes, Math.max(0, status.trashBytes - shared))
  const trashBytes = chunkBytes === 0 ? 0 : Math.round(namedBytes * (trashOnce / chunkBytes))
  const liveBytes = Math.min(chunkBytes - trashOnce, namedBytes - trashBytes)
  const replicaBytes = namedBytes - trashBytes - liveBytes
  const reservedBytes = sums.reservedBytes + sums.openBytes
  const pendingReclaimBytes = deletingBytes + formerBytes
  const onDisk = namedBytes + orphanBytes + sums.openBytes + pendingReclaimBytes
  const totalBytes = folders.allocatedBytes + metadata.allocatedBytes
  const accounted = onDisk + sums.reservedBytes + folders.quarantineBytes
  return {
    totalBytes,
    liveBytes,
    replicaBytes,
    trashBytes,
    trashKeptForMs: status.trashKeepMs,
    orphanBytes,
    reservedBytes,
    quarantineBytes: folders.quarantineBytes,
    pendingReclaimBytes,
    pendingReclaim: pending(sums, status),
    overheadBytes: totalBytes - accounted,
    overhead: overheadOf(folders, metadata, { onDisk, reservedBytes: sums.reservedBytes }),
    unmeasuredServers: sums.unmeasured,
  }
}

function overheadOf(
  folders: FolderUse,
  metadata: FolderUse,
  { onDisk, reservedBytes }: { readonly onDisk: number; readonly reservedBytes: number },
): ByteLedger['overhead'] {
  const { allocatedBytes, chunkFileBytes, segmentBytes, indexBytes, reserveBytes, quarantineBytes } = folders
  const named = chunkFileBytes + segmentBytes + indexBytes + reserveBytes + quarantineBytes
  return {
    metadataBytes: metadata.allocatedBytes - metadata.reserveBytes,
    indexBytes,
    chunkFormatBytes: chunkFileBytes + segmentBytes - onDisk,
    heldForFullDiskBytes: reserveBytes + metadata.reserveBytes,
    otherBytes: allocatedBytes - named - reservedBytes,
  }
}

/** How often gc and its kin look, and what a confirmed delete takes. */
const soonMs = 10_000

function pending({ deletingBytes, formerBytes }: LedgerSums, status: ClusterStatus): readonly PendingReclaim[] {
  const items: PendingReclaim[] = []
  const isPaused = status.paused?.includes('gc') === true
  const isHeld = isPaused || status.holdOffMs !== undefined
  const held = isPaused
    ? { why: 'gc is paused: nothing is deleted' }
    : { withinMs: status.holdOffMs ?? 0, why: 'many servers fell silent together: nothing is deleted yet' }
  if (deletingBytes > 0) {
    const timed = { withinMs: soonMs, why: 'gc deletes them from the members that answer' }
    items.push({ what: 'gc', bytes: deletingBytes, ...(isHeld ? held : timed) })
  }
  if (formerBytes > 0) {
    const why = 'their servers left the group: dropped when every member was seen to hold all of it'
    items.push({ what: 'former-members', bytes: formerBytes, ...(isHeld ? held : { why }) })
  }
  return items
}
