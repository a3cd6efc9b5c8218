/**
 * A whole cluster in one thread on virtual time: a master, chunk servers and clients of production, each on a simulated
 * machine of its own, and the faults that strike them. A world is a pure function of its cluster and seed, and of when
 * its controls are called in virtual time.
 * @module
 */
import type { ChunkId, ServerId } from '../base/ids.ts'
import type { AshlarClient } from '../client/index.ts'
import type { Clock } from '../env/clock.ts'
import type { SeededRandom } from '../env/seeded-random.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import type { Master } from '../master/master.ts'
import type { OpenedStore } from '../store/open-disk-store.ts'
import type { Chronicle } from './chronicle.ts'
import type { Fault, HostName, SimCluster } from './script.ts'

/** `running` → `paused` → `running`; `running` → `dead` (or `off`: without power) → `starting` → `running`. */
export type HostState = 'running' | 'paused' | 'dead' | 'off' | 'starting'

/** What the oracles may look at, past every interface. */
export interface WorldFacts {
  readonly master: {
    readonly state: HostState
    /** Undefined unless it runs. */
    readonly master: Master | undefined
    /** The metadata as they are, durable or not; undefined while the master is dead. Transactions on it move virtual time. */
    readonly kv: TxnKV | undefined
    /** Of the metadata: each restore raises it. */
    readonly generation: number
  }
  readonly servers: readonly {
    readonly name: HostName
    readonly state: HostState
    /** Undefined unless it runs. */
    readonly store: OpenedStore | undefined
    /** What it registered with; undefined before its first start. */
    readonly serverId: string | undefined
    readonly domain: string
    /** What it ever put into quarantine. */
    readonly setAside: ReadonlySet<ChunkId>
    /** Bytes in files on its disk, in whole pages. */
    readonly diskUsedBytes: number
  }[]
}

export interface World {
  /** Of the observer: true virtual time, which no fault touches. 0 is when the cluster was ready. */
  readonly clock: Clock
  /** A stream of its own for whoever drives the world. */
  readonly random: SeededRandom
  /** The client `index` (from 0); undefined while its host is dead. After a restart it is another one. */
  client(index: number): AshlarClient | undefined
  /** Begins a fault now, whatever its `atMs`, and ends it after its duration. */
  apply(fault: Fault): void
  /** Ends all faults and starts every dead host; resolves when all hosts run (within a virtual bound). */
  healAll(): Promise<void>
  /** As an operator does whose disk is beyond use. Ends the chunk server; it must be started. @returns the server that it was */
  replaceDisk(host: HostName): ServerId | undefined
  facts(): WorldFacts
  runFor(durationMs: number): Promise<void>
  /** Runs until `condition` holds, asked between events. @returns whether it did within `boundMs` */
  runUntil(condition: () => boolean, boundMs: number): Promise<boolean>
  /** Runs until `work` settles. @throws what it rejects with; `timeout` after `boundMs` of virtual time */
  runWhile<T>(work: Promise<T>, boundMs: number): Promise<T>
  /** 16 hex digits over everything that has happened. */
  traceHash(): string
  /** Events run so far. */
  readonly events: number
  /** Ends everything where it stands; nothing of it runs afterwards. Idempotent. */
  close(): Promise<void>
}

export interface MetadataLoss {
  /** What was acknowledged after that may be lost. */
  readonly sinceMs: number
  /** Live chunks, as the lost metadata had them, with the version that their commit answered. */
  readonly chunks: readonly { readonly id: ChunkId; readonly version: number }[]
}

export interface WorldOptions {
  readonly cluster: SimCluster
  /** Unsigned, 32 bits. */
  readonly seed: number
  /** Takes down what the metadata's engine does. */
  readonly chronicle?: Chronicle
  /** Sees each line that a process logs. */
  readonly onLog?: (line: LogLine) => void
  /** The master's disk is gone. */
  readonly onLoss?: (loss: MetadataLoss) => void
  /** Sees each fault begin and end, each death and each start. */
  readonly onStory?: (line: StoryLine) => void
}

export interface LogLine {
  /** By the observer's clock. */
  readonly atMs: number
  readonly host: HostName
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface StoryLine {
  readonly atMs: number
  readonly host: HostName
  readonly what: string
  /** The one that begins. */
  readonly fault?: Fault
}
