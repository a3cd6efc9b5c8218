/**
 * What this master knows of one chunk server from its heartbeats: health, room, digests, and which of its groups were
 * compared with the metadata since it registered. None of it is stored: a restart asks again.
 * @module
 */
import type { GroupId, ServerId } from '../base/ids.ts'
import type { Rising } from '../base/rising.ts'
import type { Watch } from '../cluster/failure-detector.ts'
import { type Steadiness, steady } from '../cluster/flap-damping.ts'
import type { GroupDigest, SpaceReport } from '../wire/methods/cluster-methods.ts'
import type { Peer } from '../wire/peer.ts'
import type { ScrubReport } from '../wire/types/scrub.ts'

/** The result of comparing what a member holds of a group with the metadata. */
export interface Comparison {
  readonly comparedMs: number
  /** Of the group, when the comparison began. */
  readonly epoch: Rising
  /** Nothing that files name is missing there. */
  readonly isSynced: boolean
}

export class ServerRecord {
  readonly id: ServerId
  watch: Watch
  /** Over all its lives that this master saw. */
  steadiness: Steadiness = steady
  space: SpaceReport = emptySpace
  /** Bytes of chunks committed since the last report: placement counts them as used already. */
  writtenBytes = 0
  /** What its disk does, as it measured or was told. */
  diskBytesPerSecond: number | undefined
  /** Of this incarnation. */
  scrub: ScrubReport | undefined
  peer: Peer | undefined
  incarnation = ''
  /** Of the last heartbeat of this incarnation: an older one says nothing new. */
  sequence = 0
  readonly digests = new Map<GroupId, Buffer>()
  readonly comparisons = new Map<GroupId, Comparison>()
  /** Groups of which it lacks a chunk that it had no room for when it was told to copy it. */
  readonly cramped = new Set<GroupId>()

  constructor(id: ServerId, watch: Watch) {
    this.id = id
    this.watch = watch
  }

  /** A new start of the server, or a new connection of it: all that was believed of its chunks is to be proven again. */
  begin(start: { readonly peer: Peer; readonly incarnation: string; readonly watch: Watch }): void {
    this.peer = start.peer
    this.incarnation = start.incarnation
    this.watch = start.watch
    this.sequence = 0
    this.scrub = undefined
    this.digests.clear()
    this.comparisons.clear()
    this.cramped.clear()
  }

  report(space: SpaceReport, digests: readonly GroupDigest[]): void {
    this.space = space
    this.writtenBytes = 0
    for (const { group, lanes } of digests) this.digests.set(group, lanes)
  }
}

const emptySpace: SpaceReport = {
  capacityBytes: 0,
  usedBytes: 0,
  reservedBytes: 0,
  freeBytes: 0,
  chunks: 0,
  quarantinedChunks: 0,
  quarantinedBytes: 0,
}
