/**
 * Makes a base: reads every row of the metadata, in order of keys and in bounded transactions, and writes them sealed to several
 * chunk servers at once, while everything goes on.
 *
 * Rows are of different moments. What makes them the state of one is the log: its segment begins before the first row is read, and
 * holds the final value of all that changed since. So a base counts only when the log is on enough servers up to what was
 * committed when the last row was read; and when each server has read its copy back.
 *
 * Nothing is kept in memory but a block. A server that fails is left out, as long as enough remain.
 * Each row's checksum is verified by the engine as it is read: a damaged one ends the backup, it is not copied.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import type { Env } from '../env/env.ts'
import { sleep, throwIfCancelled } from '../env/waiting.ts'
import type { ChangeFeed } from '../kv/change-feed.ts'
import { encodeChanges } from '../kv/changes.ts'
import type { KeyValue, TxnKV } from '../kv/txn-kv.ts'
import { type PieceId, pieceName } from '../wire/types/backup.ts'
import type { BlockSeal } from './backup-blocks.ts'
import { type Attachment, type Manifest, manifest } from './backup-records.ts'
import type { BackupShelves } from './backup-shelves.ts'

export interface BaseBackupOptions {
  readonly env: Env
  readonly kv: TxnKV
  readonly feed: ChangeFeed
  readonly seal: BlockSeal
  readonly shelves: Pick<BackupShelves, 'append' | 'finish'>
  /** See `LogShipper.whenShipped`. */
  readonly whenShipped: (position: Rising, signal: AbortSignal) => Promise<void>
}

export interface BaseRequest {
  readonly leaderEpoch: Rising
  /** Where the log's segment begins. */
  readonly start: Rising
  readonly servers: readonly ServerId[]
  /** Fewer is a failure. */
  readonly needed: number
  readonly about: Pick<Manifest, 'clusterId' | 'generation'>
  readonly attachments: readonly Attachment[]
  readonly signal: AbortSignal
}

export interface FinishedBase {
  readonly name: string
  readonly manifest: Manifest
  readonly servers: readonly ServerId[]
}

/** A row is about 150 bytes: some milliseconds of work. */
const rowsPerTransaction = 512
/** After each of them: a backup may take long, and must not be felt. */
const pauseMs = 2
const firstKey = Buffer.from([0])
/** Keys begin with a letter. */
const endKey = Buffer.from([0xff])

export class BaseBackup {
  readonly #options: BaseBackupOptions

  constructor(options: BaseBackupOptions) {
    this.#options = options
  }

  /** @throws {AshlarError} `unavailable` — too few servers took it; `metadata-corrupt`; `cancelled`; `stale-leader` */
  async make(request: BaseRequest): Promise<FinishedBase> {
    const { env, feed, seal, whenShipped } = this.#options
    const { leaderEpoch, start, signal } = request
    const id: PieceId = { kind: 'base', leaderEpoch, start }
    const copies = new Copies(request, { ...this.#options, name: pieceName(id) })
    let index = 0
    let rows = 0
    const write = async (pairs: readonly KeyValue[]) => {
      const text = encodeChanges(pairs.map(({ key, value }) => [key, value] as const))
      await copies.append(seal.seal({ ...id, kind: 'base', index: index++ }, text))
      rows += pairs.length
    }
    for await (const pairs of this.#blocksOfRows(signal)) await write(pairs)
    const consistentAt = feed.position
    await whenShipped(consistentAt, signal)
    const about: Manifest = {
      ...request.about,
      leaderEpoch,
      start,
      consistentAt,
      atMs: Math.floor(env.clock.wallMs()),
      rows,
      lengthBytes: copies.lengthBytes,
      crc: copies.crc,
      attachments: request.attachments,
    }
    const servers = await copies.finish(seal.seal({ ...id, kind: 'manifest', index: 0 }, manifest.encode(about)))
    return { name: copies.name, manifest: about, servers }
  }

  /** All rows in order, about a block at a time. */
  async *#blocksOfRows(signal: AbortSignal): AsyncGenerator<readonly KeyValue[], void, undefined> {
    const { kv, env } = this.#options
    let gathered: KeyValue[] = []
    let sizeBytes = 0
    for (let start: Uint8Array = firstKey, more = true; more; ) {
      throwIfCancelled(signal, 'make a backup')
      const from = start
      const rows = await kv.transact((tx) => tx.range({ start: from, end: endKey, limit: rowsPerTransaction }))
      for (const row of rows) {
        const rowBytes = row.key.length + row.value.length + rowOverheadBytes
        if (sizeBytes + rowBytes > limits.backupBlockBytes && gathered.length > 0) {
          yield gathered
          gathered = []
          sizeBytes = 0
        }
        gathered.push(row)
        sizeBytes += rowBytes
      }
      more = rows.length === rowsPerTransaction
      const last = rows.at(-1)
      if (last !== undefined) start = Buffer.concat([last.key, Buffer.from([0])])
      // Whoever waits for the metadata goes first.
      if (more) await sleep(env.clock, pauseMs, signal)
    }
    if (gathered.length > 0) yield gathered
  }
}

/** Two lengths as varints. */
const rowOverheadBytes = 8

/** The copies of a base that is being written: those that have taken everything so far. */
class Copies {
  readonly name: string
  lengthBytes = 0
  crc = 0
  readonly #env: Env
  readonly #shelves: Pick<BackupShelves, 'append' | 'finish'>
  readonly #needed: number
  #servers: readonly ServerId[]
  #failure: unknown

  constructor(
    { servers, needed }: Pick<BaseRequest, 'servers' | 'needed'>,
    { env, shelves, name }: Pick<BaseBackupOptions, 'env' | 'shelves'> & { readonly name: string },
  ) {
    this.name = name
    this.#env = env
    this.#shelves = shelves
    this.#needed = needed
    this.#servers = servers
  }

  async append(bytes: Buffer): Promise<void> {
    const piece = { name: this.name, offset: this.lengthBytes, bytes }
    await this.#each((server) => this.#shelves.append(server, piece))
    this.lengthBytes += bytes.length
    this.crc = crc32(bytes, this.crc) >>> 0
  }

  /** @returns the servers that have it */
  async finish(sealed: Buffer): Promise<readonly ServerId[]> {
    const { name, lengthBytes, crc } = this
    await this.#each((server) => this.#shelves.finish(server, { name, lengthBytes, crc, manifest: sealed }))
    return this.#servers
  }

  async #each(work: (server: ServerId) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(this.#servers.map(work))
    const failed = new Set<ServerId>()
    for (const [at, result] of results.entries()) {
      if (result.status === 'fulfilled') continue
      const server = this.#servers[at] as ServerId
      failed.add(server)
      this.#failure = result.reason
      this.#env.log.warn('a server did not take a backup', { server, error: result.reason })
    }
    this.#servers = this.#servers.filter((server) => !failed.has(server))
    if (this.#servers.length >= this.#needed) return
    const state = `${this.#servers.length} servers take it, and ${this.#needed} are needed`
    throw new AshlarError('unavailable', `Cannot make a backup: ${state}`, { cause: this.#failure })
  }
}
