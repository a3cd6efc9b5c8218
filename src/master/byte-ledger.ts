/**
 * The byte ledger: what every byte in the data folders is for; in bounded steps, each answering a client that adds them up.
 *
 * Folders are measured by their servers, as `du` would. What members hold is compared with the metadata by digests, so that
 * chunks are listed only in pages that differ. Nothing is estimated here: on a quiet cluster all of it is exact. A server that is
 * away is left out whole, its folder and its chunks, and counted.
 * @module
 */
import { choice, field, hex, type Infer, id, optional, struct, text } from '../base/codec.ts'
import { emptyDigest, equalDigests } from '../base/digest.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import {
  type FolderMeter,
  type FolderUse,
  type LedgerSums,
  type ledgerStep,
  measureFolder,
} from '../wire/methods/insight-methods.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import { chunksHeldBy, expectedPages, type GroupPagesOptions, pagesHeldBy } from './group-pages.ts'

export interface ByteLedgerOptions extends GroupPagesOptions {
  /** Of the metadata's own folder. */
  readonly measureOwn: FolderMeter | undefined
}

type Sums = { -readonly [Name in keyof LedgerSums]: LedgerSums[Name] }

const ledgerCursor = struct('ledger cursor', 1, {
  phase: field(1, choice('servers', 'groups', 'metadata')),
  /** Done up to this one; with `folder`: in the middle of it. */
  server: optional(2, hex<ServerId>(16)),
  folder: optional(3, text(1024)),
  group: optional(4, id<GroupId>()),
})
type LedgerCursor = Infer<typeof ledgerCursor>

const stepMs = 1_000
export const nothingUsed: FolderUse = {
  allocatedBytes: 0,
  chunkFileBytes: 0,
  segmentBytes: 0,
  indexBytes: 0,
  reserveBytes: 0,
  quarantineBytes: 0,
}

export class ByteLedger {
  readonly #options: ByteLedgerOptions

  constructor(options: ByteLedgerOptions) {
    this.#options = options
  }

  async step({ cursor }: Infer<typeof ledgerStep.request>): Promise<Infer<typeof ledgerStep.response>> {
    const { clock } = this.#options.env
    const untilMs = clock.monotonicMs() + stepMs
    const sums: Sums = {
      folders: nothingUsed,
      metadata: nothingUsed,
      chunkBytes: 0,
      namedBytes: 0,
      deletingBytes: 0,
      formerBytes: 0,
      openBytes: 0,
      orphanBytes: 0,
      reservedBytes: 0,
      unmeasured: 0,
    }
    let at: LedgerCursor | undefined = cursor === undefined ? { phase: 'servers' } : ledgerCursor.decode(cursor)
    do {
      at = await this.#part(at, sums)
    } while (at !== undefined && clock.monotonicMs() < untilMs)
    return { sums, cursor: at === undefined ? undefined : ledgerCursor.encode(at) }
  }

  async #part(at: LedgerCursor, sums: Sums): Promise<LedgerCursor | undefined> {
    if (at.phase === 'servers') return await this.#measureServer(at, sums)
    if (at.phase === 'groups') return await this.#addGroup(at, sums)
    return await this.#measureOwn(at, sums)
  }

  async #measureServer({ server: last, folder }: LedgerCursor, sums: Sums): Promise<LedgerCursor> {
    const { map, registry } = this.#options
    const servers = map.index.map.servers.map(({ id: server }) => server).sort()
    const server = folder === undefined ? servers.find((each) => last === undefined || each > last) : last
    if (server === undefined) return { phase: 'groups' }
    const peer = registry.peerOf(server)
    if (peer === undefined) {
      sums.unmeasured++
      return { phase: 'servers', server }
    }
    const { part } = (await peer.call(measureFolder, { cursor: folder }, { timeoutMs: 60_000 })).value
    sums.folders = addUse(sums.folders, part.use)
    if (part.cursor !== undefined) return { phase: 'servers', server, folder: part.cursor }
    sums.reservedBytes += registry.get(server)?.space.reservedBytes ?? 0
    return { phase: 'servers', server }
  }

  async #addGroup({ group: last }: LedgerCursor, sums: Sums): Promise<LedgerCursor> {
    const group = this.#options.map.index.map.groups.find((each) => last === undefined || each.id > last)
    if (group === undefined) return { phase: 'metadata' }
    const expected = await expectedPages(this.#options, group.id)
    for (const { sizeBytes } of expected.values()) sums.chunkBytes += sizeBytes
    const isMember = new Set(group.members.map(({ server }) => server))
    for (const server of [...isMember, ...this.#options.registry.holdersOf(group)]) {
      const held = await pagesHeldBy(this.#options, server, group)
      for (const [page, digest] of held ?? []) {
        const known = expected.get(page)
        if (isMember.has(server) && known !== undefined && equalDigests(known.digest, digest)) {
          sums.namedBytes += known.sizeBytes
        } else if (!equalDigests(digest, emptyDigest)) {
          await this.#addPage({ server, group, page, isMember: isMember.has(server) }, sums)
        }
      }
    }
    return { phase: 'groups', group: group.id }
  }

  /** Chunk by chunk. */
  async #addPage(
    {
      server,
      group,
      page,
      isMember,
    }: { readonly server: ServerId; readonly group: Group; readonly page: number; readonly isMember: boolean },
    sums: Sums,
  ): Promise<void> {
    const held = await chunksHeldBy(this.#options, server, { group: group.id, page })
    const verdicts = await this.#options.namespace.judgeStrays([...held.keys()])
    for (const [chunk, { length }] of held) {
      const verdict = verdicts.get(chunk)
      if (verdict === 'open') sums.openBytes += length
      else if (verdict === 'pending-delete') sums.deletingBytes += length
      else if (verdict === 'orphan') sums.orphanBytes += length
      else if (isMember) sums.namedBytes += length
      else sums.formerBytes += length
    }
  }

  async #measureOwn({ folder }: LedgerCursor, sums: Sums): Promise<LedgerCursor | undefined> {
    const part = await this.#options.measureOwn?.(folder)
    if (part === undefined) return undefined
    sums.metadata = addUse(sums.metadata, part.use)
    return part.cursor === undefined ? undefined : { phase: 'metadata', folder: part.cursor }
  }
}

export function addUse(one: FolderUse, other: FolderUse): FolderUse {
  const sums = Object.entries(one).map(([name, count]) => [name, count + other[name as keyof FolderUse]])
  return Object.fromEntries(sums) as FolderUse
}
