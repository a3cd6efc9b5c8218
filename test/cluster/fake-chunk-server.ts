/**
 * A chunk server without a disk: it registers, sends heartbeats and obeys orders as the real one does, over the real
 * wire, with its chunks in a map that outlives its death. Tests look into it and change what it holds.
 * @module
 */
import { crc32 } from '../../src/base/crc.ts'
import { addDigest, type ChunkDigest, digestOf, digestToLanes, emptyDigest } from '../../src/base/digest.ts'
import { AshlarError } from '../../src/base/errors.ts'
import { type ChunkId, type ClusterId, type GroupId, groupOf, pageOf, type ServerId } from '../../src/base/ids.ts'
import type { Rising } from '../../src/base/rising.ts'
import type { Env } from '../../src/env/env.ts'
import { sleep } from '../../src/env/waiting.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import type { Credentials } from '../../src/wire/credentials.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import * as chunkMethods from '../../src/wire/methods/chunk-methods.ts'
import { heartbeat, register, type SpaceReport } from '../../src/wire/methods/cluster-methods.ts'
import { getMap } from '../../src/wire/methods/session-methods.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { signReceipt } from '../../src/wire/receipt.ts'
import { createService, type Service } from '../../src/wire/service.ts'
import type { ClusterMap } from '../../src/wire/types/cluster-map.ts'
import type { Receipt } from '../../src/wire/types/extent.ts'

export interface FakeChunkServerOptions {
  readonly env: Env
  readonly id: ServerId
  readonly clusterId: ClusterId
  readonly secret: Buffer
  readonly masterAddress: string
  readonly domain: string
  readonly capacityBytes: number
  /** All servers of the cluster: sources of copies. */
  readonly others: ReadonlyMap<ServerId, FakeChunkServer>
}

export interface Order {
  readonly name: 'delete' | 'copy' | 'verify'
  readonly leaderEpoch: Rising
  readonly chunks: readonly ChunkId[]
  readonly isUrgent?: boolean
}

export class FakeChunkServer {
  readonly id: ServerId
  readonly chunks = new Map<ChunkId, Buffer>()
  readonly orders: Order[] = []
  /** Chunks that turn out wrong only when they are read whole. */
  readonly rotten = new Set<ChunkId>()
  /** Chunks that the next list leaves out, as one that was taken before they were written. */
  readonly unlisted = new Set<ChunkId>()
  /** Orders that change something fail while this is set. */
  orderFailure: AshlarError | undefined
  /** Copies that it is to make wait until whoever ordered them gives them up. */
  isStuck = false
  /** How long each takes, of the cluster's clock. */
  copyMs = 0
  /** It signs for other bytes than it holds. */
  isLying = false
  leaderEpochSeen = 0 as Rising
  map: ClusterMap | undefined
  /** What the last attempt to register met. */
  registerFailure: unknown
  refusal: string | undefined
  quarantined: ChunkId[] = []
  readonly #options: FakeChunkServerOptions
  #life = new AbortController()
  #peer: Peer | undefined
  #isStuck = false

  constructor(options: FakeChunkServerOptions) {
    this.#options = options
    this.id = options.id
    this.#life.abort()
  }

  get isAlive(): boolean {
    return !this.#life.signal.aborted
  }

  get isRegistered(): boolean {
    return this.#peer !== undefined && !this.#peer.isClosed
  }

  get usedBytes(): number {
    return [...this.chunks.values()].reduce((sum, bytes) => sum + bytes.length, 0)
  }

  /** Starts a new incarnation, which registers until it dies. */
  start(): void {
    this.#life = new AbortController()
    this.#live(this.#life.signal, this.#options.env.random.bytes(8).toString('hex'))
  }

  /** As SIGKILL: its connections break. */
  kill(): void {
    this.#life.abort()
    this.#peer?.close()
    this.#peer = undefined
  }

  /** As SIGSTOP: connections stay, heartbeats stop. */
  setStuck(isStuck: boolean): void {
    this.#isStuck = isStuck
  }

  /** What a client's write does. */
  put(chunk: ChunkId, bytes: Buffer, { epoch, slot }: { readonly epoch: Rising; readonly slot: number }): Receipt {
    if (!this.isAlive) throw new AshlarError('unavailable', `Cannot write chunk ${chunk}: the server is down`)
    if (bytes.length > this.#space().freeBytes) throw new AshlarError('no-space', `Cannot write chunk ${chunk}: full`)
    this.chunks.set(chunk, bytes)
    return this.#receipt(chunk, { epoch, slot })
  }

  #live(signal: AbortSignal, incarnation: string): void {
    const { clock } = this.#options.env
    let sequence = 0
    const beat = async () => {
      try {
        if (this.#isStuck || signal.aborted) return
        if (this.#peer === undefined || this.#peer.isClosed) {
          sequence = 0
          await this.#register(incarnation, signal)
        } else {
          const request = { server: this.id, incarnation, sequence: ++sequence, ...this.#report() }
          const { value } = await this.#peer.call(heartbeat, { ...request, quarantined: this.quarantined.splice(0) })
          this.#heed(value.leaderEpoch)
          if (value.mapVersion !== this.map?.version) this.map = (await this.#peer.call(getMap, {})).value.map
        }
        this.registerFailure = undefined
      } catch (error) {
        this.registerFailure = error
      } finally {
        if (!signal.aborted) clock.after(500, () => void beat())
      }
    }
    void beat()
  }

  async #register(incarnation: string, signal: AbortSignal): Promise<void> {
    const { env, masterAddress, domain } = this.#options
    const peer = await connectPeer({
      env,
      address: masterAddress,
      credentials: this.#credentials(),
      service: this.#service(signal),
    })
    const { value } = await peer.call(register, {
      server: this.id,
      incarnation,
      address: `${domain}:1`,
      httpAddress: `${domain}:2`,
      domain,
      leaderEpochSeen: this.leaderEpochSeen,
      version: 'fake',
      ...this.#report(),
    })
    if (signal.aborted) return peer.close()
    this.#heed(value.leaderEpoch)
    this.map = value.map
    this.#peer = peer
  }

  #service(signal: AbortSignal): Service {
    const service = createService()
    service.handle(chunkMethods.deleteChunks, async ({ leaderEpoch, chunks, group }) => {
      this.#obey({ name: 'delete', leaderEpoch, chunks })
      const deleted = chunks.filter((chunk) => this.chunks.delete(chunk)).length
      return { value: { deleted, space: this.#space(), digest: this.#digest(group) } }
    })
    service.handle(
      chunkMethods.replicateChunk,
      async ({ leaderEpoch, facts, source, epoch, isUrgent = false }, { signal }) => {
        this.#obey({ name: 'copy', leaderEpoch, chunks: [facts.id], isUrgent })
        if (this.isStuck) await new Promise((_, reject) => signal.addEventListener('abort', reject, { once: true }))
        if (this.copyMs > 0) await sleep(this.#options.env.clock, this.copyMs, signal)
        const from = this.#options.others.get(source)
        const bytes = from?.isAlive === true ? from.chunks.get(facts.id) : undefined
        if (bytes === undefined || bytes.length !== facts.length || crc32(bytes) !== facts.crc) {
          throw new AshlarError('chunk-missing', `Cannot copy chunk ${facts.id}: the source does not hold it`)
        }
        const held = this.chunks.get(facts.id)
        if (held !== undefined && !held.equals(bytes)) {
          throw new AshlarError('chunk-conflict', `Cannot copy chunk ${facts.id}: it is here with other bytes`)
        }
        this.chunks.set(facts.id, bytes)
        return { value: { receipt: this.#receipt(facts.id, { epoch, slot: this.#slotIn(groupOf(facts.id)) }) } }
      },
    )
    service.handle(chunkMethods.verifyReplica, async ({ leaderEpoch, facts }) => {
      this.#obey({ name: 'verify', leaderEpoch, chunks: [facts.id] })
      const bytes = this.chunks.get(facts.id)
      const ok =
        !this.rotten.delete(facts.id) &&
        bytes !== undefined &&
        bytes.length === facts.length &&
        crc32(bytes) === facts.crc
      if (!ok) this.chunks.delete(facts.id)
      return { value: { ok } }
    })
    service.handle(chunkMethods.getPageDigests, async ({ group }) => {
      const pages = new Map<number, ChunkDigest>()
      for (const [id, bytes] of this.chunks) {
        if (groupOf(id) !== group) continue
        const digest = digestOf({ id, length: bytes.length, crc: crc32(bytes) })
        pages.set(pageOf(id), addDigest(pages.get(pageOf(id)) ?? emptyDigest, digest))
      }
      const sorted = [...pages].sort(([a], [b]) => a - b)
      return { value: { pages: sorted.map(([page, digest]) => ({ page, lanes: digestToLanes(digest) })), more: false } }
    })
    service.handle(chunkMethods.listPage, async ({ group, page }) => {
      const ids = [...this.chunks.keys()].filter((id) => groupOf(id) === group && pageOf(id) === page).sort()
      const listed = ids.filter((id) => !this.unlisted.delete(id))
      return { value: { chunks: listed.map((id) => this.#facts(id)) } }
    })
    signal.addEventListener('abort', () => this.#peer?.close(), { once: true })
    return service
  }

  #obey(order: Order): void {
    if (order.leaderEpoch < this.leaderEpochSeen) {
      throw new AshlarError('stale-leader', 'Cannot obey: a later leader is known')
    }
    if (this.orderFailure !== undefined) throw this.orderFailure
    this.orders.push(order)
  }

  #heed(leaderEpoch: Rising): void {
    if (leaderEpoch > this.leaderEpochSeen) this.leaderEpochSeen = leaderEpoch
  }

  #report() {
    const groups = new Set([...this.chunks.keys()].map(groupOf))
    for (const group of this.map?.groups ?? []) groups.add(group.id)
    return { space: this.#space(), digests: [...groups].map((group) => this.#digest(group)) }
  }

  #digest(group: GroupId) {
    let digest = emptyDigest
    for (const id of this.chunks.keys())
      if (groupOf(id) === group) digest = addDigest(digest, digestOf(this.#facts(id)))
    return { group, lanes: digestToLanes(digest) }
  }

  #facts(id: ChunkId) {
    const bytes = this.chunks.get(id) as Buffer
    return { id, length: bytes.length, crc: crc32(bytes) }
  }

  #space(): SpaceReport {
    const { capacityBytes } = this.#options
    return {
      capacityBytes,
      usedBytes: this.usedBytes,
      reservedBytes: 0,
      freeBytes: capacityBytes - this.usedBytes,
      chunks: this.chunks.size,
      quarantinedChunks: 0,
      quarantinedBytes: 0,
      refusal: this.refusal,
    }
  }

  #receipt(chunk: ChunkId, { epoch, slot }: { readonly epoch: Rising; readonly slot: number }): Receipt {
    const { length, crc: found } = this.#facts(chunk)
    const crc = this.isLying ? (found ^ 1) >>> 0 : found
    return signReceipt(deriveKeys(this.#options.secret).receipt, { chunk, length, crc, server: this.id, epoch, slot })
  }

  #slotIn(group: GroupId): number {
    const members = this.map?.groups.find(({ id }) => id === group)?.members
    return members?.find(({ server }) => server === this.id)?.slot ?? 0
  }

  #credentials(): Credentials {
    const { clusterId, secret } = this.#options
    return { role: 'chunkserver', clusterId, serverId: this.id, keys: deriveKeys(secret) }
  }
}
