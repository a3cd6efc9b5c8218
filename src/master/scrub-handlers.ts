/**
 * Reading chunks at once, because somebody asks: each replica whole, by its own server, against what the metadata names.
 *
 * What is wrong is set aside by that server and queued for repair here, in case it was missing and nobody had noticed.
 * @module
 */
import type { ChunkFacts } from '../base/digest.ts'
import { toAshlarError } from '../base/errors.ts'
import { type ChunkId, groupOf, pageOf, type ServerId } from '../base/ids.ts'
import { Limiter } from '../env/waiting.ts'
import { type ScrubResult, scrubChunks } from '../wire/methods/scrub-methods.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { HandlerContext } from './handlers.ts'

/** Chunks that are read at once: each on all its members. */
const chunksAtOnce = 8

interface Tally {
  good: number
  bytes: number
  unread: number
  reason: string | undefined
  readonly bad: { readonly chunk: ChunkId; readonly server: ServerId }[]
}

export function answerScrubs(context: HandlerContext, orders: ChunkOrders): void {
  const { service, leader, registry, workers } = context
  service.handle(scrubChunks, async ({ chunks }): Promise<{ readonly value: ScrubResult }> => {
    const known = await liveChunks(context, chunks)
    const tally: Tally = { good: 0, bytes: 0, unread: 0, reason: undefined, bad: [] }
    const slots = new Limiter({ name: 'reads', slots: chunksAtOnce, maxWaiting: chunks.length })
    await Promise.all([...known.values()].map((facts) => slots.run(() => readAll(facts, { context, orders, tally }))))
    if (tally.bad.length > 0) {
      // What was deleted meanwhile is missing for a good reason.
      const live = await liveChunks(
        context,
        tally.bad.map(({ chunk }) => chunk),
      )
      tally.bad.splice(0, tally.bad.length, ...tally.bad.filter(({ chunk }) => live.has(chunk)))
      for (const { chunk, server } of tally.bad) {
        registry.noteDoubt(server, groupOf(chunk))
        await leader.queueRepair(chunk, server)
      }
      workers.wake('repair')
    }
    return { value: { ...tally, chunks: known.size } }
  })
}

async function readAll(
  facts: ChunkFacts,
  { context, orders, tally }: { readonly context: HandlerContext; readonly orders: ChunkOrders; readonly tally: Tally },
): Promise<void> {
  const group = context.map.index.group(groupOf(facts.id))
  // One that is being filled need not have it yet.
  const holders = group?.members.filter(({ state }) => state !== 'filling') ?? []
  await Promise.all(
    holders.map(async ({ server }) => {
      try {
        const isGood = await orders.verify(server, facts)
        tally.bytes += facts.length
        if (isGood) tally.good++
        else tally.bad.push({ chunk: facts.id, server })
      } catch (error) {
        // It says nothing of the replica: nobody could read it.
        tally.unread++
        tally.reason = toAshlarError(error).message.slice(0, 1000)
      }
    }),
  )
}

/** Of these, what the metadata names now. */
async function liveChunks(
  { namespace }: HandlerContext,
  chunks: readonly ChunkId[],
): Promise<ReadonlyMap<ChunkId, ChunkFacts>> {
  const wanted = new Set(chunks)
  const live = new Map<ChunkId, ChunkFacts>()
  for (const alike of Map.groupBy(wanted, (id) => `${groupOf(id)}/${pageOf(id)}`).values()) {
    const [first] = alike as [ChunkId]
    const page = await namespace.pageChunks(groupOf(first), pageOf(first))
    for (const facts of page.chunks) if (wanted.has(facts.id)) live.set(facts.id, facts)
  }
  return live
}
