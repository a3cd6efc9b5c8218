/** The digests of a group's pages, as the metadata has them and as servers say: what fsck and the byte ledger begin with. @module */
import type { ChunkDigest, ChunkFacts } from '../base/digest.ts'
import { toAshlarError } from '../base/errors.ts'
import type { ChunkId, GroupId, ServerId } from '../base/ids.ts'
import type { Env } from '../env/env.ts'
import type { Namespace, PageDigest } from '../namespace/namespace.ts'
import type { Group } from '../wire/types/cluster-map.ts'
import type { ChunkOrders } from './chunk-orders.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'

export interface GroupPagesOptions {
  readonly env: Env
  readonly namespace: Namespace
  readonly map: CurrentMap
  readonly registry: ServerRegistry
  readonly orders: ChunkOrders
}

const digestsPerRead = 1024

/** From `E`. */
export async function expectedPages(
  { namespace }: Pick<GroupPagesOptions, 'namespace'>,
  group: GroupId,
): Promise<ReadonlyMap<number, PageDigest>> {
  const expected = new Map<number, PageDigest>()
  for (let fromPage = 0, more = true; more; ) {
    const pages = await namespace.pageDigests(group, { fromPage, limit: digestsPerRead })
    for (const page of pages) expected.set(page.page, page)
    more = pages.length === digestsPerRead
    fromPage = (pages.at(-1)?.page ?? 0) + 1
  }
  return expected
}

/** Undefined: the server is away, or cannot say what it holds, which is as good as away. */
export async function pagesHeldBy(
  { registry, orders, env }: GroupPagesOptions,
  server: ServerId,
  group: Group,
): Promise<ReadonlyMap<number, ChunkDigest> | undefined> {
  if (registry.peerOf(server) === undefined) return undefined
  try {
    return await orders.pageDigests(server, group)
  } catch (error) {
    env.log.warn('a member did not say what it holds', { server, error: toAshlarError(error).message })
    return undefined
  }
}

export async function chunksHeldBy(
  { orders }: Pick<GroupPagesOptions, 'orders'>,
  server: ServerId,
  page: { readonly group: GroupId; readonly page: number },
): Promise<ReadonlyMap<ChunkId, ChunkFacts>> {
  return new Map((await orders.listPage(server, page)).map((facts) => [facts.id, facts]))
}
