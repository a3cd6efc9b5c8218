/**
 * What backups there are on the chunk servers that answer, and which of them nothing can need any more.
 *
 * Removal goes by positive knowledge: an older base goes only when enough newer ones are complete, each on enough servers; a log only
 * when the one after it begins before the oldest base that is kept. What is newer than this master knows of is never touched.
 * While the log has a gap and base after base fails, what the earlier of them left goes, too: no restore could get to it.
 * @module
 */
import { toAshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { counterOf, type Rising } from '../base/rising.ts'
import type { Log } from '../env/log.ts'
import type { BackupEntry } from '../wire/methods/backup-methods.ts'
import { type PieceEntry, type PieceId, parsePieceName, pieceName } from '../wire/types/backup.ts'
import type { BlockSeal } from './backup-blocks.ts'
import { type Manifest, manifest } from './backup-records.ts'
import type { BackupShelves } from './backup-shelves.ts'
import { BackupSources } from './backup-source.ts'
import { lastCommitOf } from './restore.ts'

export interface Holding {
  readonly server: ServerId
  readonly pieces: readonly PieceEntry[]
}

export class BackupCatalog {
  readonly #shelves: Pick<BackupShelves, 'up' | 'list' | 'read' | 'remove'>
  readonly #seal: BlockSeal
  readonly #log: Log
  readonly #manifests = new Map<string, Manifest>()

  constructor({
    shelves,
    seal,
    log,
  }: {
    readonly shelves: Pick<BackupShelves, 'up' | 'list' | 'read' | 'remove'>
    readonly seal: BlockSeal
    readonly log: Log
  }) {
    this.#shelves = shelves
    this.#seal = seal
    this.#log = log
  }

  /** Of each server that answers. */
  async holdings(): Promise<readonly Holding[]> {
    const servers = this.#shelves.up()
    const lists = await Promise.allSettled(servers.map((server) => this.#shelves.list(server)))
    return lists.flatMap((list, at) =>
      list.status === 'fulfilled' ? [{ server: servers[at] as ServerId, pieces: list.value }] : [],
    )
  }

  /** Complete bases, the newest first. */
  async backups(holdings: readonly Holding[]): Promise<readonly BackupEntry[]> {
    const entries: BackupEntry[] = []
    for (const [name, servers] of completeBases(holdings)) {
      const about = await this.#manifestOf(name, servers)
      if (about === undefined) continue
      const { atMs, generation, start: position, rows, lengthBytes: sizeBytes } = about
      entries.push({ name, atMs, generation, position, rows, sizeBytes, servers })
    }
    return entries.sort((a, b) => b.position - a.position || b.name.localeCompare(a.name))
  }

  /** Has every server that answers remove what nothing needs. @param enough copies that make a base count */
  async removeOld(leaderEpoch: Rising, enough: number): Promise<void> {
    const holdings = await this.holdings()
    await this.#remove(holdings, removable(holdings, { leaderEpoch, enough }))
  }

  /** Has them remove what attempts to make a base left behind. @see vain */
  async removeVain(attempts: VainAttempts): Promise<void> {
    const holdings = await this.holdings()
    await this.#remove(holdings, vain(holdings, attempts))
  }

  async #remove(holdings: readonly Holding[], names: ReadonlySet<string>): Promise<void> {
    for (const { server, pieces } of holdings) {
      const some = pieces.map(({ name }) => name).filter((name) => names.has(name))
      if (some.length === 0) continue
      try {
        await this.#shelves.remove(server, some)
      } catch (error) {
        // They only take room there; the next time is soon enough.
        this.#log.warn('old backups could not be removed', { server, error: toAshlarError(error).message })
      }
    }
    for (const name of names) this.#manifests.delete(name)
  }

  async #manifestOf(name: string, servers: readonly ServerId[]): Promise<Manifest | undefined> {
    const known = this.#manifests.get(name)
    if (known !== undefined) return known
    for (const server of servers) {
      try {
        const opened = this.#seal.open(await this.#shelves.read(server, { name, offset: 0, manifest: true }))
        if (opened === undefined || opened.place.kind !== 'manifest') continue
        const about = manifest.decode(opened.text)
        this.#manifests.set(name, about)
        return about
      } catch (error) {
        this.#log.warn('the manifest of a backup cannot be read', { server, name, error: toAshlarError(error).message })
      }
    }
    return undefined
  }
}

/** Names of bases that have a manifest somewhere, with the servers that have one. */
export function completeBases(holdings: readonly Holding[]): ReadonlyMap<string, readonly ServerId[]> {
  const bases = new Map<string, ServerId[]>()
  for (const { server, pieces } of holdings) {
    for (const { name, manifestBytes } of pieces) {
      if (manifestBytes === undefined || parsePieceName(name)?.kind !== 'base') continue
      const servers = bases.get(name)
      if (servers === undefined) bases.set(name, [server])
      else servers.push(server)
    }
  }
  return bases
}

/** Pure: the names of pieces that no restore can need. */
export function removable(
  holdings: readonly Holding[],
  { leaderEpoch, enough }: { readonly leaderEpoch: Rising; readonly enough: number },
): ReadonlySet<string> {
  const all = new Map<string, PieceId>()
  for (const { pieces } of holdings) {
    for (const { name } of pieces) {
      const id = parsePieceName(name)
      // Of a later leader: it knows more than this one.
      if (id !== undefined && id.leaderEpoch <= leaderEpoch) all.set(name, id)
    }
  }
  const safe = [...completeBases(holdings)]
    .filter(([name, servers]) => all.has(name) && servers.length >= enough)
    .map(([name]) => all.get(name) as PieceId)
    .sort((a, b) => b.start - a.start || b.leaderEpoch - a.leaderEpoch)
  const oldest = safe[limits.backupBases - 1]
  if (oldest === undefined) return new Set()
  const isBefore = (id: PieceId) =>
    id.start < oldest.start || (id.start === oldest.start && id.leaderEpoch < oldest.leaderEpoch)
  const names = new Set<string>()
  const logs = [...all].filter(([, { kind }]) => kind === 'log').sort(([, a], [, b]) => a.start - b.start)
  for (const [name, id] of all) if (id.kind === 'base' && isBefore(id)) names.add(name)
  for (const [at, [name]] of logs.entries()) {
    const next = logs[at + 1]?.[1]
    if (next !== undefined && next.start <= oldest.start) names.add(name)
  }
  return names
}

/** Attempts of one leader to make a base, since its log has a gap: those that began at `from` or later, and before `before`. */
export interface VainAttempts {
  readonly leaderEpoch: Rising
  readonly from: Rising
  readonly before: Rising
}

/** Pure: the names of their pieces, but for the newest base that some server has whole all the same, and its log. */
export function vain(holdings: readonly Holding[], { leaderEpoch, from, before }: VainAttempts): ReadonlySet<string> {
  const isOne = (id: PieceId | undefined): id is PieceId =>
    id !== undefined && id.leaderEpoch === leaderEpoch && id.start >= from && id.start < before
  const whole = [...completeBases(holdings).keys()].map((name) => parsePieceName(name)).filter(isOne)
  const kept = Math.max(-1, ...whole.map(({ start }) => start))
  const names = holdings.flatMap(({ pieces }) => pieces.map(({ name }) => name))
  return new Set(
    names.filter((name) => {
      const id = parsePieceName(name)
      return isOne(id) && id.start !== kept
    }),
  )
}

/** The last commit in the newest log of all, and a server that has it; undefined: there is no log. */
export async function endOfLog(
  holdings: readonly Holding[],
  {
    shelves,
    seal,
    log,
  }: { readonly shelves: Pick<BackupShelves, 'read'>; readonly seal: BlockSeal; readonly log: Log },
): Promise<{ readonly position: Rising; readonly server: ServerId } | undefined> {
  const sources = await BackupSources.open(
    holdings.map(({ server, pieces }) => ({
      label: server,
      list: async () => pieces,
      read: (name, range) => shelves.read(server, { name, ...range }),
    })),
    { seal, log },
  )
  const logs = sources.pieces().filter(({ kind }) => kind === 'log')
  const newest = logs.sort((a, b) => a.start - b.start || a.leaderEpoch - b.leaderEpoch).at(-1)
  if (newest === undefined) return undefined
  const position = (await lastCommitOf(sources, newest)) ?? newest.start
  return { position, server: sources.holdersOf(pieceName(newest))[0] as ServerId }
}

/** The newest base, and the logs from its start on: what a restore reads. */
export function neededPieces(holdings: readonly Holding[], newest: BackupEntry | undefined): readonly PieceEntry[] {
  if (newest === undefined) return []
  const longest = new Map<string, PieceEntry>()
  for (const { pieces } of holdings) {
    for (const piece of pieces) {
      if ((longest.get(piece.name)?.lengthBytes ?? -1) < piece.lengthBytes) longest.set(piece.name, piece)
    }
  }
  const logs = [...longest.values()]
    .filter(({ name }) => parsePieceName(name)?.kind === 'log')
    .sort((a, b) => startOf(a) - startOf(b))
  const first = logs.findLastIndex((log) => counterOf(startOf(log)) <= counterOf(newest.position))
  const base = [...longest.values()].filter(({ name }) => name === newest.name)
  return [...base, ...logs.slice(Math.max(0, first))]
}

function startOf({ name }: PieceEntry): Rising {
  return (parsePieceName(name)?.start ?? 0) as Rising
}
