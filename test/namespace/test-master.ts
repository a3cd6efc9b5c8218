/**
 * A master in miniature around the namespace, for its tests: one group of three members that always hold what is
 * written, a clock that stands until it is moved, and clients whose chunks exist only as ids.
 * @module
 */

import type { Infer } from '../../src/base/codec.ts'
import { AshlarError } from '../../src/base/errors.ts'
import { chunkId, type GroupId, type InodeId, type ServerId } from '../../src/base/ids.ts'
import { type Rising, rising } from '../../src/base/rising.ts'
import { createNodeClock } from '../../src/env/node-clock.ts'
import { seededRandom } from '../../src/env/seeded-random.ts'
import { createMemoryKV, type MemoryFaults, type MemoryKV } from '../../src/kv/memory-kv.ts'
import type { TxnKV } from '../../src/kv/txn-kv.ts'
import type { NamespaceContext, ReceiptCase } from '../../src/namespace/context.ts'
import { createNamespace, type Leader, type Namespace } from '../../src/namespace/namespace.ts'
import type { commitFile } from '../../src/wire/methods/write-methods.ts'
import type { Attributes, RequestId } from '../../src/wire/types/attributes.ts'
import type { Group, Policy } from '../../src/wire/types/cluster-map.ts'
import type { Allocation, Extent, Receipt } from '../../src/wire/types/extent.ts'

export const testPolicy: Policy = {
  name: 'replicated-3',
  kind: 'replicated',
  replicas: 3,
  minReplicas: 2,
  chunkSizeBytes: 1 << 20,
}
export const otherPolicy: Policy = { ...testPolicy, name: 'replicated-2', replicas: 2 }
export const testGroup = 7 as GroupId
export const servers = ['a', 'b', 'c'].map((letter) => letter.repeat(32) as ServerId)

export function memoryKV(seed = 1, faults: Partial<MemoryFaults> = {}): MemoryKV {
  return createMemoryKV({ clock: createNodeClock(), random: seededRandom(seed), faults })
}

export class TestMaster {
  readonly context: NamespaceContext
  readonly namespace: Namespace
  /** Cluster time, moved by tests. */
  timeMs = 1_000
  /** Members that are known to be down: they may be missing from receipts. */
  readonly down = new Set<ServerId>()
  trashKeepMs = 60_000
  leader!: Leader
  #next = 0
  #end = 0

  private constructor(kv: TxnKV) {
    this.context = {
      kv,
      generation: 1,
      issue: () => this.#issue(),
      clusterTime: () => rising(1, this.timeMs),
      wallMs: () => 1_700_000_000_000 + this.timeMs,
      policy: (name) => [testPolicy, otherPolicy].find((policy) => policy.name === name),
      defaultPolicy: () => testPolicy.name,
      trashKeepMs: () => this.trashKeepMs,
      judgeReceipts: (receiptCase) => this.#judge(receiptCase),
    }
    this.namespace = createNamespace(this.context)
  }

  static async start(kv: TxnKV = memoryKV(), epoch = 1): Promise<TestMaster> {
    const master = new TestMaster(kv)
    const { first, end } = await master.namespace.reserveIssueBlock(10_000_000)
    master.#next = first
    master.#end = end
    await master.namespace.initialize()
    master.leader = await master.namespace.becomeLeader()
    await master.putGroup(epoch)
    return master
  }

  async putGroup(epoch: number): Promise<void> {
    const members = servers.map((server, slot) => ({ server, slot, state: 'in' as const }))
    const group: Group = { id: testGroup, epoch: rising(1, epoch), policy: testPolicy.name, members }
    await this.leader.putGroup({ group })
  }

  async client(): Promise<TestClient> {
    const { session } = await this.namespace.openSession({})
    return new TestClient(this, session)
  }

  /** Takes everything that is due to its end: the chunks of what was purged are deleted by all members. */
  async purgeAll(): Promise<void> {
    while ((await this.leader.purgeDue(8)).more);
    await this.collect()
  }

  async collect(): Promise<void> {
    for (const group of await this.leader.groupsWithDeletes({ limit: 16 })) {
      const due = await this.leader.dueDeletes(group, { limit: 10_000 })
      for (let at = 0; at < due.length; at += 512) {
        const chunks = due.slice(at, at + 512).map(({ id }) => id)
        await this.leader.confirmDeleted({ group, chunks, servers, absent: [] })
      }
    }
  }

  #issue(): Rising {
    if (this.#next >= this.#end) throw new Error('the test issues more numbers than it reserved')
    return this.#next++ as Rising
  }

  #judge({ group, receipts }: ReceiptCase): readonly ServerId[] {
    const missing = group.members
      .map(({ server }) => server)
      .filter((server) => !receipts.some((receipt) => receipt.server === server))
    if (receipts.some(({ epoch }) => epoch !== group.epoch))
      throw new AshlarError('stale-epoch', 'Cannot judge: another epoch')
    if (missing.length > 1 || missing.some((server) => !this.down.has(server))) {
      throw new AshlarError('receipts-rejected', 'Cannot judge: a receipt is missing')
    }
    return missing
  }
}

/** Chunks that were written, as a commit names them. */
export type Written = Pick<Infer<typeof commitFile.request>, 'extents' | 'receipts' | 'allocations'>

export const nothingWritten: Written = { extents: [], receipts: [], allocations: [] }

export class TestClient {
  readonly master: TestMaster
  readonly session: number
  #sequence = 0
  #allocation: Omit<Allocation, 'token'> | undefined
  #allocatedMs = 0
  #used = 0

  constructor(master: TestMaster, session: number) {
    this.master = master
    this.session = session
  }

  get namespace(): Namespace {
    return this.master.namespace
  }

  request(acknowledged = 0): RequestId {
    return { session: this.session, sequence: ++this.#sequence, acknowledged }
  }

  /** Writes chunks of these lengths to all members that are up. */
  async write(...lengths: number[]): Promise<Written> {
    const extents: Extent[] = []
    const receipts: Receipt[] = []
    const allocations = new Set<Allocation['allocation']>()
    for (const length of lengths) {
      const { allocation, group, generation, firstSequence, epoch } = await this.#room()
      const sequence = firstSequence + this.#used++
      const chunk = chunkId({ group, generation, sequence })
      const crc = (sequence * 2_654_435_761) >>> 0
      extents.push({ chunk, offset: 0, length, chunkLength: length, crc })
      allocations.add(allocation)
      for (const [slot, server] of servers.entries()) {
        if (this.master.down.has(server)) continue
        receipts.push({ chunk, length, crc, server, epoch, slot, mac: Buffer.alloc(16) })
      }
    }
    return { extents, receipts, allocations: [...allocations] }
  }

  commitRequest(
    path: string,
    written: Written,
    more: Partial<Infer<typeof commitFile.request>> = {},
  ): Infer<typeof commitFile.request> {
    return { request: this.request(), path, precondition: {}, attributes: {}, makeParents: false, ...written, ...more }
  }

  async put(path: string, ...lengths: number[]): Promise<Attributes> {
    const request = this.commitRequest(path, await this.write(...lengths))
    return (await this.namespace.commitFile(request)).attributes
  }

  async append(path: string, expectedLength: number, ...lengths: number[]): Promise<Attributes> {
    const written = await this.write(...lengths)
    return (await this.namespace.appendFile({ request: this.request(), path, expectedLength, ...written })).attributes
  }

  /** A file of many chunks, by way of a hidden inode. */
  async putLarge(path: string, chunkCount: number, length = 10): Promise<Attributes> {
    const hidden = await this.stage(path, chunkCount, length)
    const link = { request: this.request(), ...hidden, path, precondition: {}, attributes: {}, makeParents: false }
    return (await this.namespace.linkFile(link)).attributes
  }

  /** An append of many chunks. */
  async appendLarge(path: string, expectedLength: number, chunkCount: number): Promise<Attributes> {
    const hidden = await this.stage(path, chunkCount)
    const link = { request: this.request(), ...hidden, path, expectedLength }
    return (await this.namespace.linkAppend(link)).attributes
  }

  /** A hidden inode with so many chunks. */
  async stage(path: string, chunkCount: number, length = 10): Promise<{ inode: InodeId; length: number }> {
    const { inode } = await this.namespace.beginFile({
      request: this.request(),
      path,
      precondition: {},
      makeParents: false,
    })
    let reached = 0
    for (let done = 0; done < chunkCount; ) {
      const count = Math.min(256, chunkCount - done)
      const written = await this.write(...new Array<number>(count).fill(length))
      const added = await this.namespace.addExtents({
        request: this.request(),
        inode,
        expectedLength: reached,
        ...written,
      })
      reached = added.length
      done += count
    }
    return { inode, length: reached }
  }

  async makeDirectory(path: string, recursive = false): Promise<Attributes> {
    return (await this.namespace.makeDirectory({ request: this.request(), path, recursive })).attributes
  }

  async rename(from: string, to: string, { replace = true, makeParents = false } = {}): Promise<Attributes> {
    const request = { request: this.request(), from, to, replace, makeParents, precondition: {} }
    return (await this.namespace.rename(request)).attributes
  }

  async remove(path: string, recursive = false): Promise<Rising> {
    return (await this.namespace.remove({ request: this.request(), path, recursive, precondition: {} })).trash
  }

  async undelete(path: string, more: { readonly to?: string; readonly trash?: Rising } = {}): Promise<Attributes> {
    return (await this.namespace.undelete({ request: this.request(), path, ...more })).attributes
  }

  async truncate(path: string, length: number): Promise<Attributes> {
    return (await this.namespace.truncate({ request: this.request(), path, length, precondition: {} })).attributes
  }

  async concat(path: string, ...sources: string[]): Promise<Attributes> {
    return (await this.namespace.concat({ request: this.request(), path, sources })).attributes
  }

  /** Takes all the steps. */
  async copy(from: string, to: string): Promise<Attributes> {
    const request = { request: this.request(), from, to, precondition: {}, makeParents: false, attributes: {} }
    for (;;) {
      const { attributes, done } = await this.namespace.copyFile(request)
      if (done) return attributes as Attributes
    }
  }

  async names(path: string): Promise<string[]> {
    const names: string[] = []
    for (let after = '', more = true; more; ) {
      const page = await this.namespace.listDirectory({ path, after, limit: 100 })
      for (const { name, attributes } of page.entries) {
        names.push(attributes.kind === 'directory' ? `${name}/` : name)
      }
      more = page.more
      after = page.next ?? ''
    }
    return names
  }

  /** All extents of a file, page by page. */
  async extents(path: string): Promise<Extent[]> {
    const { extents, extentCount, content } = await this.namespace.openFile({ path })
    const all = [...extents]
    while (all.length < extentCount) {
      all.push(...(await this.namespace.getExtents({ path, content, from: all.length })).extents)
    }
    return all
  }

  async #room(): Promise<Omit<Allocation, 'token'>> {
    const { timeMs } = this.master
    const isOpen = this.#allocation !== undefined && timeMs < this.#allocatedMs + this.#allocation.lifeMs
    if (this.#allocation !== undefined && isOpen && this.#used < this.#allocation.count) return this.#allocation
    this.#used = 0
    this.#allocatedMs = timeMs
    this.#allocation = await this.master.namespace.insertAllocation({
      session: this.session,
      group: testGroup,
      policy: testPolicy,
      count: 64,
    })
    return this.#allocation
  }

  /** The next write takes a new allocation. */
  forgetAllocation(): Omit<Allocation, 'token'> | undefined {
    const allocation = this.#allocation
    this.#allocation = undefined
    return allocation
  }
}
