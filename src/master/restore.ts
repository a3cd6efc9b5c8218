/**
 * Rebuilds metadata from backups: the newest base that is whole, and every commit of the logs that follows it without a gap.
 *
 * Invariants:
 * - A base is used only if the logs reach the commit from which on its rows are of one moment.
 * - Commits are applied whole, in order, and each directly after the one before it.
 * - A restore before this one left a branch: what it lost is not mixed with what came after it.
 * - Nothing is changed where it is read from.
 *
 * What is applied are final values, so reading begins a little early and harms nothing.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf, generationOf, type Rising } from '../base/rising.ts'
import type { CommittedBatch } from '../kv/change-feed.ts'
import { decodeChanges } from '../kv/changes.ts'
import type { TxnKV } from '../kv/txn-kv.ts'
import { type PieceId, pieceName } from '../wire/types/backup.ts'
import { CommitReader, type Manifest } from './backup-records.ts'
import type { BackupSources } from './backup-source.ts'

/** What a restore would bring back. */
export interface RestorePlan {
  readonly base: PieceId
  readonly manifest: Manifest
  readonly logs: readonly PieceId[]
  /** The newest commit that it reaches. */
  readonly position: Rising
  /** Wall clock of that commit. */
  readonly changedMs: number
  /** Commits after the base. */
  readonly commits: number
  /** Which sources have the base, and which the log that ends last. */
  readonly baseHolders: readonly string[]
  readonly logHolders: readonly string[]
  /** Bases that were passed over, newer ones first, with why. */
  readonly passedOver: readonly { readonly name: string; readonly why: string }[]
  /** For the rebuilt cluster: above all that any source has seen. */
  readonly generation: number
}

/** @throws {AshlarError} `not-found` — no base can be used; `wrong-cluster`; `forbidden` — sealed under another secret */
export async function planRestore(sources: BackupSources, clusterId: ClusterId): Promise<RestorePlan> {
  const pieces = sources.pieces()
  const { onTheWay, leftBehind } = basesIn(pieces)
  const bases = [...onTheWay, ...leftBehind]
  const lost = leftBehind.map((each) => ({ name: pieceName(each), why: 'an earlier restore went on from before it' }))
  const passedOver: { name: string; why: string }[] = []
  for (const base of bases) {
    const name = pieceName(base)
    const manifest = await sources.manifestOf(base)
    if (manifest === undefined) {
      passedOver.push({ name, why: 'it was not completed' })
      continue
    }
    if (manifest.clusterId !== clusterId) {
      throw new AshlarError('wrong-cluster', `Cannot restore: the backup is of cluster ${manifest.clusterId}`)
    }
    const logs = logsAfter(pieces, manifest.start)
    let last: CommittedBatch | undefined
    let commits = 0
    for await (const batch of commitsOf(sources, { logs, after: manifest.start })) {
      last = batch
      commits++
    }
    const position = last?.position ?? manifest.start
    if (counterOf(position) < counterOf(manifest.consistentAt)) {
      passedOver.push({ name, why: 'the change log does not reach the end of its making' })
      continue
    }
    const generations = pieces.flatMap(({ leaderEpoch, start }) => [generationOf(leaderEpoch), generationOf(start)])
    return {
      base,
      manifest,
      logs,
      position,
      changedMs: last?.atMs ?? manifest.atMs,
      commits,
      baseHolders: sources.holdersOf(name),
      logHolders: logs.length === 0 ? [] : sources.holdersOf(pieceName(logs.at(-1) as PieceId)),
      passedOver: onTheWay.includes(base) ? [...lost, ...passedOver] : passedOver,
      generation: Math.max(manifest.generation, ...generations) + 1,
    }
  }
  const found = bases.length === 0 ? 'none of them has a backup' : `${passedOver[0]?.name}: ${passedOver[0]?.why}`
  throw new AshlarError('not-found', `Cannot restore from ${sources.labels.join(', ') || 'no server'}: ${found}`)
}

/**
 * Bases, the newest first. One of what an earlier restore has lost is newer than what that restore began with, and yet the last
 * resort: with it, all that came after that restore would be lost.
 */
function basesIn(pieces: readonly PieceId[]): Record<'onTheWay' | 'leftBehind', readonly PieceId[]> {
  const bases = pieces
    .filter(({ kind }) => kind === 'base')
    .sort((a, b) => b.start - a.start || b.leaderEpoch - a.leaderEpoch)
  const logs = pieces.filter(({ kind }) => kind === 'log')
  const { onTheWay = [], leftBehind = [] } = Object.groupBy(bases, (base) =>
    counterOf(base.start) > branchAfter(base, logs) ? 'leftBehind' : 'onTheWay',
  )
  return { onTheWay, leftBehind }
}

/** The last commit that is whole in a log; undefined: there is none. */
export async function lastCommitOf(sources: BackupSources, log: PieceId): Promise<Rising | undefined> {
  const reader = new CommitReader()
  let last: Rising | undefined
  for await (const text of sources.blocks(log)) for (const { position } of reader.read(text)) last = position
  return last
}

/**
 * Loads what was planned into an empty engine. @returns rows of the base
 * @throws {AshlarError} `corrupt` — a block of the base is nowhere whole
 */
export async function loadMetadata(sources: BackupSources, plan: RestorePlan, kv: TxnKV): Promise<number> {
  const loader = new Loader(kv)
  let rows = 0
  for await (const text of sources.blocks(plan.base)) {
    for (const [key, value] of decodeChanges(text)) {
      await loader.add(key, value)
      rows++
    }
  }
  if (rows !== plan.manifest.rows) {
    throw new AshlarError('corrupt', `Cannot restore: ${rows} of ${plan.manifest.rows} rows of the base can be read`)
  }
  for await (const { changes } of commitsOf(sources, { logs: plan.logs, after: plan.manifest.start })) {
    for (const [key, value] of decodeChanges(changes)) await loader.add(key, value)
  }
  await loader.flush()
  return rows
}

/** Logs in order, from the one that holds the commit after `start` on. */
function logsAfter(pieces: readonly PieceId[], start: Rising): readonly PieceId[] {
  const logs = pieces
    .filter(({ kind }) => kind === 'log')
    .sort((a, b) => a.start - b.start || a.leaderEpoch - b.leaderEpoch)
  const first = logs.findLastIndex((log) => log.start <= start)
  return logs.slice(Math.max(0, first))
}

/**
 * Commits that follow each other without a gap, from the one after `after` on. Into another generation it goes only where that
 * one's log says that it begins exactly here: beyond such a place lies what a restore has lost.
 */
async function* commitsOf(
  sources: BackupSources,
  { logs, after }: { readonly logs: readonly PieceId[]; readonly after: Rising },
): AsyncGenerator<CommittedBatch, void, undefined> {
  let at = after
  for (const log of logs) {
    const end = branchAfter(log, logs)
    const reader = new CommitReader()
    for await (const text of sources.blocks(log)) {
      for (const batch of reader.read(text)) {
        const counter = counterOf(batch.position)
        if (counter <= counterOf(at)) continue
        const isNext = counter === counterOf(at) + 1 && counter <= end
        const isSameHistory = generationOf(batch.position) === generationOf(at) || at === log.start
        if (!isNext || !isSameHistory) break
        at = batch.position
        yield batch
      }
    }
  }
}

/** The last commit of a piece's generation that a later generation goes on from. */
function branchAfter(piece: PieceId, logs: readonly PieceId[]): number {
  const generation = generationOf(piece.leaderEpoch)
  const later = logs.filter(
    ({ start, leaderEpoch }) => generationOf(leaderEpoch) > generation && generationOf(start) === generation,
  )
  return Math.min(...later.map(({ start }) => counterOf(start)), Number.POSITIVE_INFINITY)
}

/** Writes rows in transactions as large as they may be. */
class Loader {
  readonly #kv: TxnKV
  #changes: (readonly [key: Buffer, value: Buffer | undefined])[] = []
  #sizeBytes = 0

  constructor(kv: TxnKV) {
    this.#kv = kv
  }

  async add(key: Buffer, value: Buffer | undefined): Promise<void> {
    const sizeBytes = key.length + (value?.length ?? 0)
    const isFull = this.#sizeBytes + sizeBytes > limits.transactionBytes / 2
    if (isFull || this.#changes.length >= limits.transactionKeys / 2) await this.flush()
    this.#changes.push([key, value])
    this.#sizeBytes += sizeBytes
  }

  async flush(): Promise<void> {
    const changes = this.#changes
    this.#changes = []
    this.#sizeBytes = 0
    if (changes.length === 0) return
    await this.#kv.transact(async (tx) => {
      for (const [key, value] of changes) {
        if (value === undefined) tx.del(key)
        else tx.put(key, value)
      }
    })
  }
}
