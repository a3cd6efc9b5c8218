/**
 * The cluster map as this client knows it: all of it, one version at a time, replaced whole.
 * Refreshes are shared: however many callers find it stale, one request is under way.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { ClusterMapIndex } from '../cluster/cluster-map.ts'
import { abortable } from '../env/waiting.ts'
import { getMap } from '../wire/methods/session-methods.ts'
import type { ClusterMap, Group, ServerEntry } from '../wire/types/cluster-map.ts'
import type { MasterLink } from './master-link.ts'

export class MapCache {
  readonly #link: MasterLink
  #index: ClusterMapIndex | undefined
  #refreshing: Promise<ClusterMapIndex> | undefined

  constructor(link: MasterLink) {
    this.#link = link
  }

  /** 0 before the first one came. */
  get version(): number {
    return this.#index?.map.version ?? 0
  }

  /** The map in hand, or the first one. */
  async current(signal?: AbortSignal): Promise<ClusterMapIndex> {
    return this.#index ?? (await this.refresh(signal))
  }

  /** What is known now, without asking. */
  get known(): ClusterMapIndex | undefined {
    return this.#index
  }

  /** Asks the master for a newer map. */
  async refresh(signal?: AbortSignal): Promise<ClusterMapIndex> {
    this.#refreshing ??= this.#fetch().finally(() => {
      this.#refreshing = undefined
    })
    return await abortable(this.#refreshing, signal, 'fetch the cluster map')
  }

  /** A group of the map; asks once for a newer one when it is not there. @throws {AshlarError} `stale-epoch` — the master does not know it either */
  async group(id: GroupId, signal?: AbortSignal): Promise<Group> {
    const group = this.#index?.group(id) ?? (await this.refresh(signal)).group(id)
    if (group === undefined)
      throw new AshlarError('stale-epoch', `Cannot find group ${id}: the cluster map does not hold it`)
    return group
  }

  /** @throws {AshlarError} `unavailable` — the map does not hold it */
  server(id: ServerId): ServerEntry {
    const entry = this.#index?.server(id)
    if (entry === undefined)
      throw new AshlarError('unavailable', `Cannot reach server ${id}: the cluster map does not hold it`)
    return entry
  }

  /** Whether every member that should take writes is up, as far as is known. */
  isWhole(group: Group): boolean {
    for (const { server, state } of group.members) {
      if (state !== 'leaving' && !isReachable(this.#index?.server(server))) return false
    }
    return true
  }

  async #fetch(): Promise<ClusterMapIndex> {
    const knownVersion = this.#index?.map.version
    const { value } = await this.#link.call(getMap, knownVersion === undefined ? {} : { knownVersion })
    if (value.map !== undefined) this.#take(value.map)
    if (this.#index === undefined)
      throw new AshlarError('protocol', 'Cannot fetch the cluster map: the answer holds none')
    return this.#index
  }

  #take(map: ClusterMap): void {
    if (map.version >= this.version) this.#index = new ClusterMapIndex(map)
  }
}

/** Whether the master believes that a server answers. */
export function isReachable(server: ServerEntry | undefined): boolean {
  return server !== undefined && server.state !== 'suspect' && server.state !== 'dead' && server.state !== 'left'
}
