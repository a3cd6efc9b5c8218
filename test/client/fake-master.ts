/** A master that keeps files in a Map: no real tree, but request ids, allocations and receipts as the real one judges them. @module */
import type { AllocationId, ChunkId, InodeId } from '../../src/base/ids.ts'
import { groupOf } from '../../src/base/ids.ts'
import { type Rising, rising } from '../../src/base/rising.ts'
import {
  getExtents,
  listDirectory,
  makeDirectory,
  openFile,
  remove,
  rename,
  stat,
} from '../../src/wire/methods/file-methods.ts'
import {
  endSession,
  fenceRequest,
  getMap,
  getReadTokens,
  keepSession,
  lock,
  openSession,
  unlock,
} from '../../src/wire/methods/session-methods.ts'
import {
  abandonFile,
  addExtents,
  allocate,
  appendFile,
  beginFile,
  commitFile,
  linkAppend,
  linkFile,
  releaseAllocations,
} from '../../src/wire/methods/write-methods.ts'
import type { Attributes, Precondition, RequestId } from '../../src/wire/types/attributes.ts'
import type { Allocation, Extent, Receipt } from '../../src/wire/types/extent.ts'
import type { FakeCluster } from './fake-cluster.ts'
import { HookedService, refuse } from './hooked-service.ts'

interface FakeFile {
  readonly attributes: Attributes
  readonly extents: readonly Extent[]
  readonly content: number
}

interface Proof {
  readonly extents: readonly Extent[]
  readonly receipts: readonly Receipt[]
  readonly allocations: readonly AllocationId[]
}

const pageExtents = 4

export class FakeMaster extends HookedService {
  readonly files = new Map<string, FakeFile>()
  readonly hidden = new Map<InodeId, Extent[]>()
  readonly sessions = new Set<number>()
  readonly allocations = new Map<AllocationId, Allocation>()
  /** Chunks of commits that were applied: a repeated commit finds them. */
  readonly committed = new Map<ChunkId, Attributes>()
  readonly answered = new Map<string, unknown>()
  /** Requests that are not to be applied any more. */
  readonly fenced = new Set<string>()
  readonly locks = new Map<string, number>()
  sessionLifeMs = 60_000
  allocationLifeMs = 600_000
  /** Mutations that changed something, by name. */
  readonly applied: string[] = []
  readonly #cluster: FakeCluster
  #issued = 0
  #nextSequence = 0

  constructor(cluster: FakeCluster) {
    super()
    this.#cluster = cluster
    this.#handleSessions()
    this.#handleReads()
    this.#handleMutations()
    this.#handleWrites()
  }

  #issue(): Rising {
    return rising(1, ++this.#issued)
  }

  #handleSessions(): void {
    this.handle(getMap, async () => ({ value: { map: this.#cluster.map, clusterTime: rising(1, 1) } }))
    this.handle(openSession, async () => {
      const session = this.#issue()
      this.sessions.add(session)
      return { value: { session, lifeMs: this.sessionLifeMs } }
    })
    this.handle(keepSession, async ({ session }) => {
      this.#checkSession(session)
      return { value: { lifeMs: this.sessionLifeMs, mapVersion: this.#cluster.map.version } }
    })
    this.handle(endSession, async ({ session }) => {
      this.sessions.delete(session)
      return { value: {} }
    })
    this.handle(getReadTokens, async ({ groups }) => ({
      value: { tokens: groups.map((group) => ({ group, token: Buffer.alloc(8), lifeMs: 60_000 })) },
    }))
    this.handle(lock, async ({ request, name }) => ({
      value: this.#once(request, 'lock', () => {
        const holder = this.locks.get(name)
        if (holder !== undefined && this.sessions.has(holder)) refuse('locked')
        this.locks.set(name, request.session)
        return { fencingToken: this.#issue() }
      }),
    }))
    this.handle(unlock, async ({ request, name }) => ({
      value: { released: this.locks.get(name) === request.session && this.locks.delete(name) },
    }))
    this.handle(fenceRequest, async ({ request, allocations }) => {
      this.#checkSession(request.session)
      this.fenced.add(keyOf(request))
      for (const allocation of allocations) this.allocations.delete(allocation)
      return { value: {} }
    })
  }

  #handleReads(): void {
    this.handle(stat, async ({ path }) => ({ value: { attributes: this.#file(path).attributes } }))
    this.handle(openFile, async ({ path }) => {
      const { attributes, extents, content } = this.#file(path)
      return {
        value: {
          attributes,
          extents: extents.slice(0, pageExtents),
          extentCount: extents.length,
          content,
          mapVersion: this.#cluster.map.version,
        },
      }
    })
    this.handle(getExtents, async ({ path, content, from }) => {
      const file = this.#file(path)
      if (file.content !== content) refuse('changed')
      return { value: { extents: file.extents.slice(from, from + pageExtents) } }
    })
    this.handle(listDirectory, async ({ path, after, limit }) => {
      const prefix = path === '/' ? '/' : `${path}/`
      const names = [...this.files]
        .filter(
          ([name]) =>
            name.startsWith(prefix) && name.length > prefix.length && !name.slice(prefix.length).includes('/'),
        )
        .map(([name, { attributes }]) => ({
          key: name.slice(prefix.length) + (attributes.kind === 'directory' ? '/' : ''),
          attributes,
        }))
        .filter(({ key }) => key > after)
        .sort((a, b) => (a.key < b.key ? -1 : 1))
      const entries = names.slice(0, limit).map(({ key, attributes }) => ({ name: key.replace(/\/$/, ''), attributes }))
      return { value: { entries, more: names.length > limit } }
    })
  }

  #handleMutations(): void {
    this.handle(makeDirectory, async ({ request, path }) => ({
      value: this.#once(request, 'makeDirectory', () => {
        const known = this.files.get(path)
        if (known !== undefined) return { attributes: known.attributes, made: false }
        const attributes = this.#attributes({ kind: 'directory', length: 0 })
        this.files.set(path, { attributes, extents: [], content: 0 })
        return { attributes, made: true }
      }),
    }))
    this.handle(rename, async ({ request, from, to }) => ({
      value: this.#once(request, 'rename', () => {
        const file = this.#file(from)
        this.files.delete(from)
        this.files.set(to, file)
        return { attributes: file.attributes }
      }),
    }))
    this.handle(remove, async ({ request, path }) => ({
      value: this.#once(request, 'remove', () => {
        this.#file(path)
        this.files.delete(path)
        return { trash: this.#issue() }
      }),
    }))
  }

  #handleWrites(): void {
    this.handle(allocate, async ({ session, count, avoid }) => {
      this.#checkSession(session)
      const { groups, policies } = this.#cluster.map
      const group = groups.find(({ id }) => !avoid.includes(id)) ?? groups[0] ?? refuse('no-space')
      const allocation: Allocation = {
        allocation: this.#issue() as number as AllocationId,
        group: group.id,
        generation: 1,
        firstSequence: this.#nextSequence,
        count: Math.min(count, 64),
        epoch: group.epoch,
        policy: 'replicated-3',
        chunkSizeBytes: policies[0]?.chunkSizeBytes ?? 0,
        token: Buffer.alloc(8),
        lifeMs: this.allocationLifeMs,
      }
      this.#nextSequence += allocation.count
      this.allocations.set(allocation.allocation, allocation)
      return { value: { allocation } }
    })
    this.handle(releaseAllocations, async ({ allocations }) => {
      for (const { allocation } of allocations) this.allocations.delete(allocation)
      return { value: {} }
    })
    this.handle(commitFile, async ({ request, path, precondition, crc, ...proof }) => {
      const known = this.#known(proof)
      if (known !== undefined) return { value: { attributes: known } }
      const attributes = this.#once(request, 'commitFile', () => {
        this.#checkPrecondition(path, precondition)
        return this.#place(path, this.#judge(proof), crc)
      })
      return { value: { attributes } }
    })
    this.handle(beginFile, async ({ request, path, precondition }) => ({
      value: this.#once(request, 'beginFile', () => {
        this.#checkPrecondition(path, precondition)
        const inode = this.#issue() as number as InodeId
        this.hidden.set(inode, [])
        return { inode }
      }),
    }))
    this.handle(addExtents, async ({ request, inode, expectedLength, ...proof }) => {
      const extents = this.hidden.get(inode) ?? refuse('not-found', 'no such hidden inode')
      if (this.#known(proof) !== undefined) return { value: { length: lengthOf(extents) } }
      this.#checkSession(request.session)
      if (lengthOf(extents) !== expectedLength) refuse('changed')
      extents.push(...this.#judge(proof))
      this.#commit(proof, this.#attributes({ kind: 'file', length: lengthOf(extents) }))
      return { value: { length: lengthOf(extents) } }
    })
    this.handle(linkFile, async ({ request, inode, path, precondition, length, crc }) => ({
      value: this.#once(request, 'linkFile', () => {
        const extents = this.hidden.get(inode) ?? refuse('not-found')
        if (lengthOf(extents) !== length) refuse('changed', 'not the length that was added')
        this.#checkPrecondition(path, precondition)
        this.hidden.delete(inode)
        return { attributes: this.#place(path, extents, crc) }
      }),
    }))
    this.handle(linkAppend, async ({ request, inode, path, expectedLength, length }) => ({
      value: this.#once(request, 'linkAppend', () => {
        const added = this.hidden.get(inode) ?? refuse('not-found')
        if (lengthOf(added) !== length) refuse('changed', 'not the length that was added')
        const file = this.#file(path)
        if (file.attributes.length !== expectedLength) refuse('changed')
        this.hidden.delete(inode)
        const extents = [...file.extents, ...added]
        const attributes = this.#attributes({ kind: 'file', length: lengthOf(extents) })
        this.files.set(path, { ...file, extents, attributes })
        return { attributes }
      }),
    }))
    this.handle(abandonFile, async ({ inode }) => {
      this.hidden.delete(inode)
      return { value: {} }
    })
    this.handle(appendFile, async ({ request, path, expectedLength, ...proof }) => {
      const known = this.#known(proof)
      if (known !== undefined) return { value: { attributes: known } }
      this.#checkSession(request.session)
      const file = this.#file(path)
      if (file.attributes.length !== expectedLength) refuse('changed')
      const extents = [...file.extents, ...this.#judge(proof)]
      const attributes = this.#attributes({ kind: 'file', length: lengthOf(extents) })
      this.files.set(path, { ...file, extents, attributes })
      this.#commit(proof, attributes)
      return { value: { attributes } }
    })
  }

  /** Applies a mutation once; repeated, it answers as before. */
  #once<T>(request: RequestId, name: string, apply: () => T): T {
    this.#checkSession(request.session)
    const key = keyOf(request)
    if (this.answered.has(key)) return this.answered.get(key) as T
    if (this.fenced.has(key)) refuse('invalid-argument', 'the request was given up')
    const result = apply()
    this.applied.push(name)
    this.answered.set(key, result)
    return result
  }

  #known({ extents }: Proof): Attributes | undefined {
    return extents[0] && this.committed.get(extents[0].chunk)
  }

  #commit({ extents }: Pick<Proof, 'extents'>, attributes: Attributes): void {
    for (const { chunk } of extents) this.committed.set(chunk, attributes)
  }

  /** Receipts of all members, or of `minReplicas` when the others are known to be down; of open allocations. */
  #judge({ extents, receipts, allocations }: Proof): readonly Extent[] {
    for (const allocation of allocations) if (!this.allocations.has(allocation)) refuse('allocation-closed')
    const { map, options } = this.#cluster
    for (const { chunk, crc, chunkLength } of extents) {
      const group = map.groups.find(({ id }) => id === groupOf(chunk)) ?? refuse('receipts-rejected')
      const own = receipts.filter(
        (receipt) => receipt.chunk === chunk && receipt.crc === crc && receipt.length === chunkLength,
      )
      const holders = new Set(own.map(({ server }) => server))
      const missing = group.members.filter(({ server }) => !holders.has(server))
      const areDown = missing.every(({ server }) => map.servers.find(({ id }) => id === server)?.state !== 'up')
      if (missing.length > 0 && (!areDown || holders.size < options.minReplicas)) refuse('receipts-rejected')
    }
    return extents
  }

  #place(path: string, extents: readonly Extent[], crc: number | undefined): Attributes {
    const attributes = { ...this.#attributes({ kind: 'file', length: lengthOf(extents) }), crc }
    this.files.set(path, { attributes, extents, content: this.#issue() })
    this.#commit({ extents }, attributes)
    return attributes
  }

  #attributes({ kind, length }: Pick<Attributes, 'kind' | 'length'>): Attributes {
    return { kind, length, version: this.#issue(), modifiedMs: 1, createdMs: 1, mode: 0o644 }
  }

  #checkPrecondition(path: string, { ifAbsent, ifVersion }: Precondition): void {
    const known = this.files.get(path)
    if (ifAbsent === true && known !== undefined) refuse('already-exists')
    if (ifVersion !== undefined && known?.attributes.version !== ifVersion) refuse('changed')
  }

  #checkSession(session: number): void {
    if (!this.sessions.has(session)) refuse('session-ended')
  }

  #file(path: string): FakeFile {
    return this.files.get(path) ?? refuse('not-found')
  }
}

function keyOf({ session, sequence }: RequestId): string {
  return `${session} ${sequence}`
}

function lengthOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0)
}
