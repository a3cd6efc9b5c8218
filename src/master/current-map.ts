/**
 * The cluster map in force: servers and groups as the metadata holds them, with an index over the current version.
 *
 * Changes are made one after the other, each durable before it shows here: what a client or chunk server is told survives
 * a restart of the master. A new server changes nothing about existing groups; their members change one by one, as planned.
 * What the store failed behind a durable change, its groups or the version, is done before the next one: else the index would
 * stay behind for ever, since who asks for the same again is told that it is so already.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { GroupId, ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Rising } from '../base/rising.ts'
import { ClusterMapIndex } from '../cluster/cluster-map.ts'
import { DomainSpread } from '../cluster/domain-spread.ts'
import type { Replacement, Settlement } from '../cluster/member-change.ts'
import { type PlacementStrategy, strategyOf } from '../cluster/placement-strategy.ts'
import type { Env } from '../env/env.ts'
import { Limiter } from '../env/waiting.ts'
import type { Leader, Namespace, ServerDuty } from '../namespace/namespace.ts'
import type { Group, ServerEntry, ServerState } from '../wire/types/cluster-map.ts'
import type { Settings } from './settings.ts'

export interface CurrentMapOptions {
  readonly env: Env
  readonly namespace: Namespace
  readonly leader: Leader
  readonly settings: Settings
  readonly generation: number
  /** See `NamespaceContext.issue`. */
  readonly issue: () => Rising
}

/** Groups written at once: each is a transaction, and the store commits them together. */
const groupsPerWrite = 64

export class CurrentMap {
  readonly #options: CurrentMapOptions
  readonly #changes = new Limiter({ name: 'changes of the cluster map', slots: 1, maxWaiting: limits.chunkServers })
  readonly #servers = new Map<ServerId, ServerEntry>()
  readonly #duties = new Map<ServerId, ServerDuty>()
  readonly #groups = new Map<GroupId, Group>()
  /** Rows changed that the index may not show yet. */
  #isBehind = true
  #index: ClusterMapIndex
  #onGroupsChanged: () => void = () => undefined

  private constructor(options: CurrentMapOptions) {
    this.#options = options
    this.#index = this.#indexAt(0 as Rising)
  }

  static async load(options: CurrentMapOptions): Promise<CurrentMap> {
    const { namespace } = options
    const current = new CurrentMap(options)
    for (let after: ServerId | undefined, more = true; more; ) {
      const records = await namespace.getServers(after === undefined ? {} : { after })
      for (const { server, duty } of records) {
        current.#servers.set(server.id, server)
        if (duty !== undefined) current.#duties.set(server.id, duty)
      }
      after = records.at(-1)?.server.id
      more = after !== undefined
    }
    for (let from = 0 as GroupId, more = true; more; ) {
      const records = await namespace.getGroups({ from })
      for (const { group } of records) current.#groups.set(group.id, group)
      from = ((records.at(-1)?.group.id ?? 0) + 1) as GroupId
      more = records.length > 0
    }
    await current.#refresh()
    // What a crash between a server and its groups left undone.
    await current.#changes.run(() => current.#catchUp())
    return current
  }

  /** Has `listener` called after each change of groups' members, in place of the one before. It must not throw. */
  set onGroupsChanged(listener: () => void) {
    this.#onGroupsChanged = listener
  }

  get index(): ClusterMapIndex {
    return this.#index
  }

  /** How members and groups are chosen. */
  get strategy(): PlacementStrategy {
    return strategyOf(this.#options.settings.values.placement)
  }

  get version(): Rising {
    return this.#index.map.version
  }

  /**
   * Adds a server, or changes what is known of it. A new one gets groups of its own.
   * @throws {AshlarError} `invalid-argument` — its new domain is that of another member of one of its groups
   */
  async putServer(entry: ServerEntry): Promise<void> {
    await this.#inTurn(() => this.#put(entry))
  }

  async setState(id: ServerId, state: ServerState): Promise<void> {
    await this.#inTurn(async () => {
      // Looked up in its turn: a registration before it may have brought a new address.
      const known = this.#servers.get(id)
      if (known !== undefined) await this.#put({ ...known, state })
    })
  }

  /** What was asked of a server. */
  dutyOf(id: ServerId): ServerDuty {
    return this.#duties.get(id) ?? serving
  }

  /** @throws {AshlarError} `not-found` — no such server */
  async setDuty(id: ServerId, duty: ServerDuty): Promise<void> {
    await this.#inTurn(async () => {
      const server = this.#servers.get(id)
      if (server === undefined) throw new AshlarError('not-found', `Cannot change server ${id}: it is not in the map`)
      await this.#options.leader.putServer({ server, duty })
      this.#duties.set(id, duty)
      await this.#formGroups()
      await this.#refresh()
    })
  }

  /** @returns the groups that changed, and why others did not: their plan was made on an older epoch */
  async replaceMembers(replacements: readonly Replacement[]): Promise<GroupChanges> {
    return await this.#changeGroups(replacements, (each) => this.#options.leader.replaceMember(each))
  }

  /** As {@link replaceMembers}. A group whose filling member still owes a replica stays as it is. */
  async settleMembers(settlements: readonly Settlement[]): Promise<GroupChanges> {
    return await this.#changeGroups(settlements, (each) => this.#options.leader.settleMember(each))
  }

  async #changeGroups<T extends { readonly group: GroupId }>(
    changes: readonly T[],
    change: (each: T) => Promise<Group | undefined>,
  ): Promise<GroupChanges> {
    if (changes.length === 0) return { changed: [], refused: [] }
    return await this.#inTurn(async () => {
      const changed: Group[] = []
      const refused: AshlarError[] = []
      const doubtful: GroupId[] = []
      let failure: { readonly error: unknown } | undefined
      for (let at = 0; at < changes.length && failure === undefined; at += groupsPerWrite) {
        const batch = changes.slice(at, at + groupsPerWrite)
        const results = await Promise.allSettled(batch.map(change))
        for (const [position, result] of results.entries()) {
          if (result.status === 'fulfilled') {
            if (result.value !== undefined) changed.push(result.value)
            continue
          }
          doubtful.push((batch[position] as T).group)
          if (isAshlarError(result.reason, 'stale-epoch', 'invalid-argument')) refused.push(result.reason)
          else failure ??= { error: result.reason }
        }
      }
      for (const group of changed) this.#groups.set(group.id, group)
      // Refused, or perhaps done without a word: the row knows.
      for (const id of doubtful) await this.#readAgain(id)
      if (changed.length + doubtful.length > 0) {
        await this.#refresh()
        this.#onGroupsChanged()
      }
      if (failure !== undefined) throw failure.error
      return { changed, refused }
    })
  }

  async #readAgain(id: GroupId): Promise<void> {
    const [record] = await this.#options.namespace.getGroups({ from: id, limit: 1 })
    if (record?.group.id === id) this.#groups.set(id, record.group)
    else this.#groups.delete(id)
  }

  async #put(entry: ServerEntry): Promise<void> {
    const known = this.#servers.get(entry.id)
    if (known !== undefined && sameEntry(known, entry)) return
    if (known !== undefined && known.domain !== entry.domain) this.#requireFreeDomain(entry)
    await this.#options.leader.putServer({ server: entry, duty: this.#duties.get(entry.id) })
    this.#servers.set(entry.id, entry)
    // One that returns after all its groups went to others is as good as new.
    const isNew = known === undefined || this.#index.groupsOfServer(entry.id).length === 0
    if (isNew && entry.state === 'up') await this.#formGroups()
    await this.#refresh()
  }

  /** Makes the groups of a policy that is used for the first time. */
  async ensureGroups(policyName: string): Promise<void> {
    if (this.#index.groupsOfPolicy(policyName).length > 0) return
    await this.#inTurn(async () => {
      if (this.#index.groupsOfPolicy(policyName).length > 0) return
      if ((await this.#formGroupsOf(policyName)) > 0) await this.#refresh()
    })
  }

  /** After a change of what the map holds besides servers and groups: policies. */
  async raiseVersion(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#options.leader.raiseMapVersion()
      await this.#refresh()
    })
  }

  /** Of the policies in use: the default one, and those that have groups. */
  async #formGroups(): Promise<void> {
    const used = new Set([...this.#groups.values()].map((group) => group.policy))
    used.add(this.#options.settings.values.defaultPolicy)
    for (const name of used) await this.#formGroupsOf(name)
  }

  async #formGroupsOf(policyName: string): Promise<number> {
    const { env, leader, settings, issue } = this.#options
    const policy = settings.policy(policyName)
    if (policy === undefined) return 0
    const groups = [...this.#groups.values()].filter((group) => group.policy === policyName)
    let nextId = Math.max(0, ...this.#groups.keys()) + 1
    const planned = this.strategy.planGroups(
      {
        candidates: [...this.#servers.values()]
          .filter((server) => this.#mayJoin(server, groups))
          .map(({ id, domain }) => ({ id, domain })),
        existing: groups.map((group) => group.members.map(({ server }) => server)),
        replicas: policy.replicas,
        spread: this.#spread(),
        firstId: nextId as GroupId,
      },
      env.random,
    )
    for (let at = 0; at < planned.length; at += groupsPerWrite) {
      const made = planned.slice(at, at + groupsPerWrite).map(
        (members): Group => ({
          id: nextId++ as GroupId,
          epoch: issue(),
          policy: policyName,
          members: members.map((server, slot) => ({ server, slot, state: 'in' })),
        }),
      )
      await Promise.all(made.map((group) => leader.putGroup({ group })))
      for (const group of made) this.#groups.set(group.id, group)
    }
    if (planned.length > 0) env.log.info('formed groups', { policy: policyName, groups: planned.length })
    return planned.length
  }

  /** Not one that is away and has no group any more: it was replaced, and is as good as new when it returns. */
  #mayJoin({ id, state }: ServerEntry, groups: readonly Group[]): boolean {
    if (state === 'dead' || this.dutyOf(id).drainingMs !== undefined) return false
    return state === 'up' || groups.some(({ members }) => members.some(({ server }) => server === id))
  }

  #requireFreeDomain(entry: ServerEntry): void {
    const spread = this.#spread(entry)
    for (const group of this.#index.groupsOfServer(entry.id)) {
      const others = group.members.flatMap(({ server }) =>
        server === entry.id ? [] : (this.#servers.get(server)?.domain ?? []),
      )
      if (spread.admits(entry.domain, others, others.length + 1)) continue
      throw new AshlarError(
        'invalid-argument',
        `Cannot move server ${entry.id} to domain "${entry.domain}": other members of group ${group.id} are there`,
      )
    }
  }

  /** @param changed as it will be */
  #spread(changed?: ServerEntry): DomainSpread {
    const staying = [...this.#servers.values()].filter(({ id }) => this.dutyOf(id).leftMs === undefined)
    return new DomainSpread(
      changed === undefined ? staying : [...staying.filter(({ id }) => id !== changed.id), changed],
    )
  }

  /** Makes one change after the other, and shows each. */
  async #inTurn<T>(change: () => Promise<T>): Promise<T> {
    return await this.#changes.run(async () => {
      if (this.#isBehind) await this.#catchUp()
      this.#isBehind = true
      const result = await change()
      this.#isBehind = false
      return result
    })
  }

  async #catchUp(): Promise<void> {
    await this.#formGroups()
    await this.#refresh()
    this.#isBehind = false
  }

  async #refresh(): Promise<void> {
    this.#index = this.#indexAt(await this.#options.namespace.mapVersion())
  }

  #indexAt(version: Rising): ClusterMapIndex {
    const { settings, generation } = this.#options
    return new ClusterMapIndex({
      version,
      generation,
      servers: [...this.#servers.values()],
      groups: [...this.#groups.values()],
      policies: settings.policies,
      defaultPolicy: settings.values.defaultPolicy,
    })
  }
}

export interface GroupChanges {
  readonly changed: readonly Group[]
  readonly refused: readonly AshlarError[]
}

const serving: ServerDuty = {}

function sameEntry(a: ServerEntry, b: ServerEntry): boolean {
  return a.address === b.address && a.httpAddress === b.httpAddress && a.domain === b.domain && a.state === b.state
}
