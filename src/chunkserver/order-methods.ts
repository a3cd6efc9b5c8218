/**
 * Obeys the leader: deletes, copies, comparisons. Each order carries the leader's epoch; one from a deposed master is
 * refused. Nothing is deleted here but by name and by order: this server never infers that a chunk is not needed.
 * @module
 */
import { type ChunkFacts, digestToLanes } from '../base/digest.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { type GroupId, groupOf, pageBounds, type ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import { deleteChunks, getPageDigests, listPage, replicateChunk, verifyReplica } from '../wire/methods/chunk-methods.ts'
import { type FolderMeter, type FolderPart, measureFolder } from '../wire/methods/insight-methods.ts'
import { signReceipt } from '../wire/receipt.ts'
import type { Service } from '../wire/service.ts'
import type { Access } from './access.ts'
import { DeletesUnderWay } from './deletes-under-way.ts'
import { groupDigestOf } from './group-digests.ts'
import type { MapView } from './map-view.ts'
import type { Replicator } from './replicator.ts'
import { spaceReportOf } from './space-report.ts'

const pagesPerAnswer = 8192

export interface OrderMethodsOptions {
  readonly service: Service
  readonly store: ChunkStore
  readonly view: MapView
  readonly access: Access
  readonly replicator: Replicator
  readonly serverId: ServerId
  readonly receiptKey: Buffer
  /** Of the data folder; a store in memory has none. */
  readonly measure: FolderMeter | undefined
}

export function serveOrders({
  service,
  store,
  view,
  access,
  replicator,
  serverId,
  receiptKey,
  measure,
}: OrderMethodsOptions): void {
  const deletes = new DeletesUnderWay()

  service.handle(deleteChunks, async ({ leaderEpoch, group, epoch, chunks }) => {
    await view.admitLeader(leaderEpoch)
    const known = await access.groupAt(group, epoch)
    if (known !== undefined && epoch < known.epoch) {
      throw new AshlarError(
        'stale-epoch',
        `Cannot delete in group ${group}: the order has epoch ${epoch}, this server ${known.epoch}`,
      )
    }
    for (const chunk of chunks) {
      if (groupOf(chunk) !== group)
        throw new AshlarError('protocol', `Cannot delete chunk ${chunk}: it is not of group ${group}`)
    }
    const deleted = await deletes.of(group, store.delete(chunks))
    return { value: { deleted, space: spaceReportOf(store.space()), digest: await groupDigestOf(store, group) } }
  })

  service.handle(
    replicateChunk,
    async ({ leaderEpoch, epoch, facts, source, sourceAddress, readToken, isUrgent = false }, { signal }) => {
      await view.admitLeader(leaderEpoch)
      const grant = await access.grantEpoch({ chunk: facts.id, epoch })
      await deletes.ended(groupOf(facts.id), signal)
      const copied = await replicator.copy(facts, { source, sourceAddress, readToken }, { isUrgent, signal })
      // A repair counts only after the new copy was read back (promise P4); one that is here already is read now.
      const info = copied ?? (await store.verify(facts.id))
      if (!isSameChunk(info, facts)) {
        throw new AshlarError('corrupt', `Cannot vouch for the copy of chunk ${facts.id}: other bytes were read back`)
      }
      return {
        value: {
          receipt: signReceipt(receiptKey, {
            chunk: info.id,
            length: info.length,
            crc: info.crc,
            server: serverId,
            ...grant,
          }),
        },
      }
    },
  )

  service.handle(getPageDigests, async ({ group, fromPage, epoch }, { signal }) => {
    if (epoch !== undefined) await access.groupAt(group, epoch)
    await deletes.ended(group, signal)
    const all = (await store.digests(group)).filter(({ page }) => page >= fromPage)
    const pages = all.slice(0, pagesPerAnswer).map(({ page, digest }) => ({ page, lanes: digestToLanes(digest) }))
    return { value: { pages, more: all.length > pages.length } }
  })

  service.handle(listPage, async ({ group, page }, { signal }) => {
    await deletes.ended(group, signal)
    return { value: { chunks: await store.list({ ...pageBounds(group as GroupId, page), limit: limits.pageIds }) } }
  })

  service.handle(measureFolder, async ({ cursor }) => {
    return { value: { part: measure === undefined ? inMemory(store) : await measure(cursor) } }
  })

  service.handle(verifyReplica, async ({ leaderEpoch, facts }) => {
    await view.admitLeader(leaderEpoch)
    try {
      const ok = isSameChunk(await store.verify(facts.id), facts)
      // It agrees only with itself: left where it is, it would be served again and refuse its own repair.
      if (!ok) await store.quarantine(facts.id, 'its bytes are not those that the metadata names')
      return { value: { ok } }
    } catch (error) {
      // Both are the answer to the question; any other failure says nothing about the replica.
      if (isAshlarError(error, 'corrupt', 'chunk-missing')) return { value: { ok: false } }
      throw error
    }
  })
}

/** What a store without a folder occupies: its chunks. */
function inMemory(store: ChunkStore): FolderPart {
  const { usedBytes, quarantinedBytes } = store.space()
  const nothing = { chunkFileBytes: usedBytes, segmentBytes: 0, indexBytes: 0, reserveBytes: 0 }
  return { use: { ...nothing, allocatedBytes: usedBytes + quarantinedBytes, quarantineBytes: quarantinedBytes } }
}

function isSameChunk(found: ChunkFacts, named: ChunkFacts): boolean {
  return found.length === named.length && found.crc === named.crc
}
