/** What safe mode and the hold-off wait for, as people ask it. @module */
import type { ServerId } from '../base/ids.ts'
import type { MassLoss } from '../cluster/mass-loss.ts'
import type { SafeMode } from '../wire/methods/duty-methods.ts'
import type { CurrentMap } from './current-map.ts'
import type { ServerRegistry } from './server-registry.ts'

export interface SafeModeOptions {
  readonly map: CurrentMap
  readonly registry: Pick<ServerRegistry, 'isAwaited' | 'standingOf'>
  readonly massLoss: MassLoss | undefined
}

export function safeModeReport({ map, registry, massLoss }: SafeModeOptions): SafeMode {
  const { groups, servers } = map.index.map
  const awaited = new Map<ServerId, number>()
  let comparedGroups = 0
  for (const group of groups) {
    const members = group.members.filter((member) => registry.isAwaited(group, member))
    for (const { server } of members) awaited.set(server, (awaited.get(server) ?? 0) + 1)
    if (members.length === 0) comparedGroups++
  }
  const waitsFor = servers.flatMap(({ id, domain }) => {
    const count = awaited.get(id)
    return count === undefined ? [] : [{ server: id, domain, state: registry.standingOf(id).state, groups: count }]
  })
  return { groups: groups.length, comparedGroups, waitsFor, massLoss }
}
