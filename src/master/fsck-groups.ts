/**
 * The half of fsck that looks at groups: each page of each group, the metadata's digest beside those of the members within reach,
 * and chunk by chunk where they differ or where replicas are to be read whole.
 *
 * Each page is judged by lists that members gave *before* the metadata was read; what they lack then is looked for once more
 * *after* it, so that writes and deletes that go on are not taken for damage.
 * @module
 */
import { type ChunkDigest, digestOf, emptyDigest, equalDigests } from '../base/digest.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import { type ChunkVerdict, judgeChunk, type MemberList, replicasOf, straysOf } from '../cluster/judge-replicas.ts'
import type { Group, Member } from '../wire/types/cluster-map.ts'
import type { FsckTally } from './fsck-tally.ts'
import { chunksHeldBy, expectedPages, type GroupPagesOptions, pagesHeldBy } from './group-pages.ts'
import { sumOf } from './member-comparison.ts'

export type FsckOptions = GroupPagesOptions

export interface GroupCheck {
  /** Have every replica read whole. */
  readonly verify: boolean
  readonly tally: FsckTally
  readonly isOver: () => boolean
}

/** Where the check of a group ended, or begins. */
export interface PagePlace {
  readonly page: number
  /** Chunks of the page up to this one are done. */
  readonly after?: ChunkId | undefined
}

/** Read at once, of each member. */
const verifyAtOnceBytes = 32 * 1024 * 1024
const verifyAtOnceChunks = 32

export const lostRemedy = 'put back the metadata or the data folder that held it, or write the file again'

/** A member that answered, with the digests of its pages. */
interface Held {
  readonly member: Member
  readonly digests: ReadonlyMap<number, ChunkDigest>
}

export class FsckGroups {
  readonly #options: FsckOptions

  constructor(options: FsckOptions) {
    this.#options = options
  }

  /** @returns where to go on; undefined: the group is done */
  async check(group: Group, from: PagePlace, check: GroupCheck): Promise<PagePlace | undefined> {
    const { tally, verify, isOver } = check
    const [expected, held] = await Promise.all([expectedPages(this.#options, group.id), this.#heldDigests(group)])
    const present = held.map(({ member }) => member)
    const pages = new Set([expected, ...held.map(({ digests }) => digests)].flatMap((digests) => [...digests.keys()]))
    const short = { chunks: 0, lost: 0 }
    let next: PagePlace | undefined
    for (const page of [...pages].sort((a, b) => a - b)) {
      if (page < from.page) continue
      if (page > from.page && isOver()) next = { page }
      if (next !== undefined) break
      const digest = expected.get(page)?.digest ?? emptyDigest
      const isEqual = held.every(({ digests }) => equalDigests(digests.get(page) ?? emptyDigest, digest))
      if (verify || !isEqual) {
        const after = page === from.page ? from.after : undefined
        next = await this.#checkPage({ group, present, page, after }, check)
        continue
      }
      const count = Number(digest.count)
      tally.add('chunks', count)
      if (present.length === 0) short.lost += count
      else if (replicasOf(present) < this.#replicas(group)) short.chunks += count
    }
    this.#noteAway(group, short, tally)
    return next
  }

  /** Chunks that are short only because members are away: one finding for all of them. */
  #noteAway(
    group: Group,
    { lost, chunks }: { readonly lost: number; readonly chunks: number },
    tally: FsckTally,
  ): void {
    const away = this.#away(group)
    const base = { group: group.id, remedy: this.#remedyFor(group) }
    if (lost > 0)
      tally.add('missing', lost, {
        ...base,
        kind: 'missing',
        what: `no member of group ${group.id} is within reach: ${away}`,
      })
    if (chunks > 0)
      tally.add('underReplicated', chunks, {
        ...base,
        kind: 'under-replicated',
        what: `group ${group.id} lacks a member: ${away}`,
      })
  }

  async #checkPage({ group, present, page, after }: PageRequest, check: GroupCheck): Promise<PagePlace | undefined> {
    const { verify, tally, isOver } = check
    const { namespace } = this.#options
    const lists = await this.#listAll(group, present, page)
    const scan = await namespace.pageChunks(group.id, page)
    const expected = new Set(scan.chunks.map(({ id: chunk }) => chunk))
    if (after === undefined) {
      await this.#countStrays(group, straysOf(lists, expected), tally)
      if (!equalDigests(sumOf(scan.chunks.map(digestOf)), scan.digest)) {
        const what = `the digest of page ${page} of group ${group.id} is not that of its chunks`
        tally.add('corrupt', 1, {
          kind: 'corrupt',
          what,
          remedy: 'nothing is deleted by it; restore the metadata from a copy',
          group: group.id,
        })
      }
    }
    let verdicts = scan.chunks
      .filter(({ id: chunk }) => after === undefined || chunk > after)
      .map((facts) => judgeChunk(facts, lists))
    if (verdicts.some(({ absent }) => absent.length > 0)) {
      // What was committed after the lists were taken is on the second ones; what was removed meanwhile is not in the second scan.
      const again = await this.#listAll(group, present, page)
      const live = new Set((await namespace.pageChunks(group.id, page)).chunks.map(({ id: chunk }) => chunk))
      verdicts = verdicts.filter(({ facts }) => live.has(facts.id)).map(({ facts }) => judgeChunk(facts, again))
    }
    for (let begun = 0; begun < verdicts.length; ) {
      const batch = verify ? nextBatch(verdicts, begun) : verdicts
      begun += batch.length
      const last = batch.at(-1)?.facts.id
      for (const verdict of verify ? await this.#verify(batch, tally) : batch) this.#count(group, verdict, tally)
      if (begun < verdicts.length && isOver() && last !== undefined) return { page, after: last }
    }
    return undefined
  }

  #count(group: Group, { facts, good, wrong }: ChunkVerdict, tally: FsckTally): void {
    const chunk = facts.id
    const base = { chunk, group: group.id }
    tally.add('chunks', 1)
    for (const server of wrong) {
      const what = `server ${shortId(server)} holds other bytes of chunk ${chunk} than the metadata names`
      tally.add('corrupt', 1, { ...base, kind: 'corrupt', what, remedy: 'it is set aside and copied anew', server })
    }
    const replicas = replicasOf(good)
    if (replicas >= this.#replicas(group)) return
    const remedy = this.#remedyFor(group)
    if (replicas === 0) {
      const what = `no good replica of chunk ${chunk} is within reach${this.#awayClause(group)}`
      tally.add('missing', 1, {
        ...base,
        kind: 'missing',
        what,
        remedy: this.#away(group) === '' ? lostRemedy : remedy,
      })
    } else {
      const what = `${replicas} of ${this.#replicas(group)} replicas of chunk ${chunk} are there and right${this.#awayClause(group)}`
      tally.add('underReplicated', 1, { ...base, kind: 'under-replicated', what, remedy })
    }
  }

  /** Has the good replicas read whole; those that turn out wrong are good no more. */
  async #verify(batch: readonly ChunkVerdict[], tally: FsckTally): Promise<readonly ChunkVerdict[]> {
    return await Promise.all(
      batch.map(async ({ facts, good, wrong, absent }) => {
        const right = await Promise.all(good.map(({ server }) => this.#options.orders.verify(server, facts)))
        tally.add('verified', good.length)
        const bad = good.filter((_, index) => right[index] !== true).map(({ server }) => server)
        return { facts, absent, good: good.filter((_, index) => right[index] === true), wrong: [...wrong, ...bad] }
      }),
    )
  }

  async #countStrays(
    group: Group,
    strays: readonly { readonly chunk: ChunkId; readonly server: ServerId }[],
    tally: FsckTally,
  ): Promise<void> {
    if (strays.length === 0) return
    const verdicts = await this.#options.namespace.judgeStrays([...new Set(strays.map(({ chunk }) => chunk))])
    for (const { chunk, server } of strays) {
      if (verdicts.get(chunk) !== 'orphan') continue
      const what = `server ${shortId(server)} holds chunk ${chunk}, which no file names`
      tally.add('orphans', 1, {
        kind: 'orphan',
        what,
        remedy: 'gc removes it once every member was compared',
        chunk,
        group: group.id,
        server,
      })
    }
  }

  async #heldDigests(group: Group): Promise<readonly Held[]> {
    const held = await Promise.all(
      group.members.map(async (member) => ({
        member,
        digests: await pagesHeldBy(this.#options, member.server, group),
      })),
    )
    return held.flatMap(({ member, digests }) => (digests === undefined ? [] : [{ member, digests }]))
  }

  async #listAll(group: Group, present: readonly Member[], page: number): Promise<readonly MemberList[]> {
    return await Promise.all(
      present.map(async ({ server, slot }) => {
        return { server, slot, held: await chunksHeldBy(this.#options, server, { group: group.id, page }) }
      }),
    )
  }

  #replicas(group: Group): number {
    return this.#options.map.index.policy(group.policy)?.replicas ?? replicasOf(group.members)
  }

  /** Members that cannot be asked, with their state; empty: all can. */
  #away(group: Group): string {
    const { registry } = this.#options
    const away = group.members.filter(({ server }) => registry.peerOf(server) === undefined)
    return away.map(({ server }) => `${shortId(server)} is ${registry.stateOf(server)}`).join(', ')
  }

  #awayClause(group: Group): string {
    const away = this.#away(group)
    return away === '' ? '' : ` (${away})`
  }

  #remedyFor(group: Group): string {
    if (this.#away(group) === '') return 'repair copies it from a good replica'
    return 'it is whole again when the server returns, or when it counts as dead and repair has copied to another one'
  }
}

interface PageRequest extends PagePlace {
  readonly group: Group
  readonly present: readonly Member[]
}

function nextBatch(verdicts: readonly ChunkVerdict[], from: number): readonly ChunkVerdict[] {
  let sizeBytes = 0
  let end = from
  while (end < verdicts.length && end - from < verifyAtOnceChunks && sizeBytes < verifyAtOnceBytes) {
    sizeBytes += (verdicts[end] as ChunkVerdict).facts.length
    end++
  }
  return verdicts.slice(from, end)
}

export function shortId(server: ServerId): string {
  return server.slice(0, 8)
}
