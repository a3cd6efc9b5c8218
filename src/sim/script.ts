/**
 * What a run of the simulator is made of, as plain JSON: a cluster and the faults that strike it. With the seed it
 * decides everything: the same script gives the same run, event by event.
 *
 * Faults are independent of one another, so that any subset of them is again a legal script: a fault that finds
 * nothing to act on (its host is dead already, nothing is stored) does nothing, and ends as silently.
 * @module
 */
import type { Operation } from './operations.ts'

/** `master`, `chunkserver-1` … `chunkserver-N`, `client-1` … `client-N`. Each is a machine of its own. */
export type HostName = string

export interface SimServer {
  /** `rack-2`, say: the servers of one rack share a failure domain. Default: each has its own. */
  readonly rack?: string
  /** Chunk bytes that it declares. Default 1 GiB. */
  readonly capacityBytes?: number
}

export interface SimCluster {
  readonly servers: readonly SimServer[]
  /** At least 1. */
  readonly clients: number
  readonly policy: 'replicated-1' | 'replicated-2' | 'replicated-3'
  /** 1 to 128 MiB. */
  readonly chunkSizeBytes: number
  readonly trashKeepMs: number
  readonly deadAfterMs: number
  /** The master keeps its backups and its change log on the chunk servers. */
  readonly backups?: boolean
  /** In which every replica is read once. Default: that of production, days. */
  readonly scrubWithinMs?: number
  /** Rare things happen at the sites of `env.buggify`. */
  readonly buggify: boolean
  /** Typical time of a message on its way, and of a disk's sync: each single one is drawn around it. */
  readonly networkDelayMs: number
  readonly syncDelayMs: number
}

/** When a fault begins, in virtual time since the cluster was ready. */
interface Begins {
  readonly id: number
  readonly atMs: number
  /** Waits from then on for the next answer to a change: the moment at which most must be durable. */
  readonly atAnswer?: boolean
  /** Waits from then on for the next write of bytes to begin, and strikes while it is under way. */
  readonly atWrite?: boolean
}

/** It ends by itself, or earlier at `healAll`. */
interface Lasts extends Begins {
  readonly durationMs: number
}

interface OnHost {
  readonly host: HostName
}

/** SIGKILL: nothing that the operating system has taken is lost; others see broken connections. Comes back when it ends. */
export interface KillFault extends Lasts, OnHost {
  readonly kind: 'kill'
}
/** What was not synced is lost but for a legal subset; others see silence. `all`: every server at once. */
export interface PowerLossFault extends Lasts {
  readonly kind: 'power-loss'
  readonly host: HostName | 'all'
}
/** SIGSTOP, then SIGCONT. */
export interface PauseFault extends Lasts, OnHost {
  readonly kind: 'pause'
}
/** Holds back what goes from `from` to `to`, and back unless `oneWay`. */
export interface PartitionFault extends Lasts {
  readonly kind: 'partition'
  readonly from: HostName
  /** `others`: everyone else. */
  readonly to: HostName | 'others'
  readonly oneWay: boolean
}
export interface SlowLinkFault extends Lasts, OnHost {
  readonly kind: 'slow-link'
  /** Added to each message from and to the host. */
  readonly delayMs: number
}
/** Breaks every connection of a host, once. */
export interface DropConnectionsFault extends Begins, OnHost {
  readonly kind: 'drop-connections'
}
/** Wall time jumps; monotonic time does not. */
export interface ClockJumpFault extends Begins, OnHost {
  readonly kind: 'clock-jump'
  readonly jumpMs: number
}
/** Both clocks of a host run so many times as fast. */
export interface ClockRateFault extends Lasts, OnHost {
  readonly kind: 'clock-rate'
  /** Above 0; 1 is right. */
  readonly rate: number
}
/** Operations of these kinds fail with EIO, each with this chance. */
export interface DiskErrorFault extends Lasts, OnHost {
  readonly kind: 'disk-error'
  readonly operations: readonly ('read' | 'write' | 'sync')[]
  /** 0 to 1. */
  readonly chance: number
}
/** No byte more fits on the disk. */
export interface DiskFullFault extends Lasts, OnHost {
  readonly kind: 'disk-full'
}
/** Nothing completes until it ends. */
export interface DiskStallFault extends Lasts, OnHost {
  readonly kind: 'disk-stall'
}
export interface DiskSlowFault extends Lasts, OnHost {
  readonly kind: 'disk-slow'
  /** Times as slow. */
  readonly factor: number
}
/** Syncs answer without doing anything: a promise of the hardware is broken, acknowledged bytes may be lost. */
export interface LyingSyncFault extends Lasts, OnHost {
  readonly kind: 'lying-sync'
}
/** The next sync of chunk bytes fails, once, and what it should have stored goes nowhere; power is lost for a moment when it ends. */
export interface FailedSyncFault extends Lasts, OnHost {
  readonly kind: 'failed-sync'
}
/**
 * The master dies, and its disk is gone; when it ends another one starts on metadata that is rebuilt from the chunk servers.
 * Does nothing while the master does not call its backups current: then the docs promise less than can be checked.
 */
export interface MasterDiskLostFault extends Lasts {
  readonly kind: 'master-disk-lost'
}
/** Flips bits of stored chunk bytes, behind everyone's back. */
export interface BitFlipFault extends Begins, OnHost {
  readonly kind: 'bit-flip'
  readonly flips: number
}
/** The next write of data on the disk lands one page beside where it should. */
export interface MisdirectedWriteFault extends Begins, OnHost {
  readonly kind: 'misdirected-write'
}
/** Transactions of the master conflict, and run again, with this chance. */
export interface MetadataConflictsFault extends Lasts {
  readonly kind: 'metadata-conflicts'
  readonly chance: number
}
/** Commits of the master end without a known result, with this chance; half of them are applied. */
export interface MetadataUnknownFault extends Lasts {
  readonly kind: 'metadata-unknown'
  readonly chance: number
}
/** Reads and commits of the metadata take up to so long. */
export interface MetadataSlowFault extends Lasts {
  readonly kind: 'metadata-slow'
  readonly delayMs: number
}

export type Fault =
  | KillFault
  | PowerLossFault
  | PauseFault
  | PartitionFault
  | SlowLinkFault
  | DropConnectionsFault
  | ClockJumpFault
  | ClockRateFault
  | DiskErrorFault
  | DiskFullFault
  | DiskStallFault
  | DiskSlowFault
  | LyingSyncFault
  | FailedSyncFault
  | MasterDiskLostFault
  | BitFlipFault
  | MisdirectedWriteFault
  | MetadataConflictsFault
  | MetadataUnknownFault
  | MetadataSlowFault

export type FaultKind = Fault['kind']

/** Everything that a run depends on. */
export interface Script {
  /** Unsigned, 32 bits. Of all that the lists below leave open: delays, what a crash keeps, ids. */
  readonly seed: number
  readonly cluster: SimCluster
  /** How long operations and faults go on, in virtual time; then all is healed, and checked. */
  readonly durationMs: number
  readonly operations: readonly Operation[]
  readonly faults: readonly Fault[]
}
