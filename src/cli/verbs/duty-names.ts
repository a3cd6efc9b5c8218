/** Duties and chunk servers, as people name them. @module */
import { AshlarError } from '../../base/errors.ts'
import type { AshlarClient, MemberDuty, NodeStatus } from '../../client/index.ts'

/** Those that change the members of groups. */
export const memberDuties: readonly MemberDuty[] = ['repair', 'drain', 'rebalance']

/** @throws {AshlarError} `invalid-argument` — no such duty */
export function dutyOf<Duty extends string = MemberDuty>(
  name: string | undefined,
  known = memberDuties as readonly string[] as readonly Duty[],
): Duty {
  const duty = known.find((each) => each === name)
  if (duty !== undefined) return duty
  throw new AshlarError('invalid-argument', `Cannot find duty "${name}": the duties are ${known.join(', ')}`)
}

/**
 * By its id, the beginning of it, its address or its domain.
 * @throws {AshlarError} `not-found`; `invalid-argument` — several have the name
 */
export async function findServer(client: AshlarClient, name = '', signal?: AbortSignal): Promise<NodeStatus> {
  const nodes = await client.nodes({ ...(signal === undefined ? {} : { signal }) })
  const found = nodes.filter(({ id, address, domain }) => id === name || address === name || domain === name)
  const matching = found.length > 0 || name.length < 4 ? found : nodes.filter(({ id }) => id.startsWith(name))
  const [node] = matching
  if (node !== undefined && matching.length === 1) return node
  if (node === undefined) throw new AshlarError('not-found', `Cannot find chunk server "${name}": see "ashlar nodes"`)
  throw new AshlarError('invalid-argument', `Cannot choose chunk server "${name}": ${matching.length} have this name`)
}
