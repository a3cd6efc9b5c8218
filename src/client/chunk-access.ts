/**
 * The way to one chunk by plain HTTP, for people and simple clients: who holds it, and a token that opens it there.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, type GroupId, groupOf, type ServerId } from '../base/ids.ts'
import { getDeleteOrder, getReadTokens } from '../wire/methods/session-methods.ts'
import type { ServerState } from '../wire/types/cluster-map.ts'
import type { ClientCore } from './client-core.ts'
import type { CallOptions } from './options.ts'

export interface ChunkAccess {
  readonly chunk: ChunkId
  readonly group: GroupId
  /** For `Authorization: Bearer`, in base64url. */
  readonly token: string
  readonly lifeMs: number
  /** Members of the group: whether one holds the chunk, it says itself. */
  readonly servers: readonly { readonly id: ServerId; readonly state: ServerState; readonly httpAddress: string }[]
}

export interface ChunkAccessOptions extends CallOptions {
  /** An order of the leader to delete the chunk, instead of the right to read it. Default false. */
  readonly forDelete?: boolean
}

export async function chunkAccess(
  { link, maps }: Pick<ClientCore, 'link' | 'maps'>,
  chunk: ChunkId,
  { forDelete = false, signal }: ChunkAccessOptions,
): Promise<ChunkAccess> {
  const id = groupOf(chunk)
  const map = await maps.refresh(signal)
  const group = map.group(id)
  if (group === undefined) {
    throw new AshlarError('not-found', `Cannot find chunk ${chunk}: the cluster has no group ${id}`)
  }
  const granted = forDelete
    ? (await link.call(getDeleteOrder, { chunk }, { signal })).value
    : (await link.call(getReadTokens, { groups: [id] }, { signal })).value.tokens[0]
  if (granted === undefined) throw new AshlarError('protocol', `Cannot open chunk ${chunk}: the master gave no token`)
  const servers = group.members.flatMap(({ server }) => {
    const entry = map.server(server)
    return entry === undefined ? [] : [{ id: server, state: entry.state, httpAddress: entry.httpAddress }]
  })
  return { chunk, group: id, token: granted.token.toString('base64url'), lifeMs: granted.lifeMs, servers }
}
