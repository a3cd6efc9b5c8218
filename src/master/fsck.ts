/**
 * fsck: compares the metadata with what chunk servers hold, and files with chunks; in bounded steps, each answering a client.
 *
 * Nothing is kept between steps: a cursor says where the next one goes on, so a check survives a restart of the master. Groups
 * come first: their members are asked for digests, and chunks are looked at one by one only in pages whose digest differs (or all
 * of them, when replicas are to be read whole). Then every list of extents is compared with the chunks it names.
 * Invariants: it changes nothing and orders nothing but reading; what goes on meanwhile is not taken for damage: an absence counts
 * when a second look, after the metadata was read, finds it again, and a replica is an orphan only when no write can commit it.
 * @module
 */

import type { Infer } from '../base/codec.ts'
import { bytes, choice, field, hex, id, optional, struct, uint } from '../base/codec.ts'
import type { ChunkId, GroupId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { fsckStep } from '../wire/methods/insight-methods.ts'
import { FsckGroups, type FsckOptions, type GroupCheck, lostRemedy, shortId } from './fsck-groups.ts'
import { FsckTally } from './fsck-tally.ts'

type FsckRequest = Infer<typeof fsckStep.request>
type FsckResponse = Infer<typeof fsckStep.response>

const fsckCursor = struct('fsck cursor', 1, {
  phase: field(1, choice('groups', 'files')),
  group: field(2, id<GroupId>()),
  page: field(3, uint),
  /** Chunks of the page up to this one are done. */
  after: optional(4, hex<ChunkId>(16)),
  survey: optional(5, bytes(limits.keyBytes + 32)),
})
type FsckCursor = Infer<typeof fsckCursor>

/** A step ends soon after so long. */
const stepMs = 1_000
const start: FsckCursor = { phase: 'groups', group: 0 as GroupId, page: 0 }

export class Fsck {
  readonly #options: FsckOptions
  readonly #groups: FsckGroups

  constructor(options: FsckOptions) {
    this.#options = options
    this.#groups = new FsckGroups(options)
  }

  async step({ cursor, verify, suspects }: FsckRequest): Promise<FsckResponse> {
    const { clock } = this.#options.env
    const untilMs = clock.monotonicMs() + stepMs
    const isOver = () => clock.monotonicMs() >= untilMs
    const tally = new FsckTally()
    if (cursor === undefined) this.#countServers(tally)
    let at: FsckCursor | undefined = cursor === undefined ? start : fsckCursor.decode(cursor)
    do {
      at =
        at.phase === 'groups'
          ? await this.#checkGroup(at, { verify, tally, isOver })
          : await this.#checkFiles(at, { suspects, tally })
    } while (at !== undefined && !isOver() && tally.findings.length < limits.fsckFindings / 2)
    const { counts, findings } = tally
    return { counts, findings, cursor: at === undefined ? undefined : fsckCursor.encode(at) }
  }

  /** What is known of each server as a whole. */
  #countServers(tally: FsckTally): void {
    const { registry, map } = this.#options
    for (const { id: server, quarantinedChunks } of registry.nodes()) {
      tally.add('quarantined', quarantinedChunks)
      const unknown = [...(registry.get(server)?.digests.keys() ?? [])].filter(
        (group) => map.index.group(group) === undefined,
      )
      for (const group of unknown) {
        const count = registry.heldBy(group, server)
        if (count > 0) {
          const what = `server ${shortId(server)} holds ${count} chunks of group ${group}, which does not exist`
          tally.add('orphans', count, {
            kind: 'orphan',
            what,
            remedy: 'they are kept: look at them by hand',
            group,
            server,
          })
        }
      }
    }
  }

  async #checkGroup(at: FsckCursor, check: GroupCheck): Promise<FsckCursor> {
    const { map, registry } = this.#options
    const group = map.index.map.groups.find(({ id: known }) => known >= at.group)
    if (group === undefined) return { ...start, phase: 'files' }
    const from = group.id === at.group ? { page: at.page, after: at.after } : { page: 0 }
    if (from.page === 0 && from.after === undefined) {
      for (const holder of registry.holdersOf(group)) check.tally.add('surplus', registry.heldBy(group.id, holder))
    }
    const next = await this.#groups.check(group, from, check)
    if (next === undefined) return { ...start, group: (group.id + 1) as GroupId }
    return { ...start, group: group.id, ...next }
  }

  async #checkFiles(
    at: FsckCursor,
    { suspects, tally }: { readonly suspects: readonly ChunkId[]; readonly tally: FsckTally },
  ): Promise<FsckCursor | undefined> {
    const survey = await this.#options.namespace.surveyFiles({ cursor: at.survey, suspects: new Set(suspects) })
    tally.counts.files += survey.files
    tally.add('trashedFiles', survey.trashedFiles)
    for (const { path, chunk, damage } of survey.damaged) {
      const base = { path, chunk }
      if (damage === 'suspect')
        tally.note({
          ...base,
          kind: 'affected-file',
          what: `${path} needs chunk ${chunk}`,
          remedy: 'see that chunk',
          count: 1,
        })
      else if (damage === 'unknown-chunk') {
        tally.add('missing', 1, {
          ...base,
          kind: 'missing',
          what: `${path} names chunk ${chunk}, which the metadata does not know`,
          remedy: lostRemedy,
        })
      } else {
        const what = `${path} and the metadata of chunk ${chunk} name different bytes`
        tally.add('corrupt', 1, { ...base, kind: 'corrupt', what, remedy: lostRemedy })
      }
    }
    return survey.cursor === undefined ? undefined : { ...start, phase: 'files', survey: survey.cursor }
  }
}
