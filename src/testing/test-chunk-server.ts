/**
 * A chunk server under a test's control. Each is a host of its own on a network in memory, with a disk of its own, so that
 * it can be killed, cut off, slowed down and damaged like a machine.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ChunkId, ServerId } from '../base/ids.ts'
import type { ChunkServer } from '../chunkserver/chunk-server.ts'
import type { SpaceUse } from '../store/chunk-store.ts'

/** What a {@link TestChunkServer} is made of; the storage decides what a death loses. */
export interface ServerHost {
  readonly name: string
  start(): Promise<ChunkServer>
  /** Others see a dead process; what was not synced is lost, where the storage can lose it. */
  die(server: ChunkServer): Promise<void>
  setDelay(delayMs: number): void
  partition(): void
  heal(): void
  /** Changes one stored byte of a replica behind the server's back. @throws {AshlarError} `chunk-missing` */
  flipByte(server: ChunkServer, chunk: ChunkId): Promise<void>
}

export class TestChunkServer {
  readonly #host: ServerHost
  #server: ChunkServer | undefined
  /** Before it was filled. */
  #capacityBytes: number | undefined
  readonly #id: ServerId

  constructor(host: ServerHost, server: ChunkServer) {
    this.#host = host
    this.#server = server
    this.#id = server.serverId
  }

  get id(): ServerId {
    return this.#id
  }

  get isRunning(): boolean {
    return this.#server !== undefined
  }

  /** `host:port` of frames; it changes with a restart. */
  get address(): string {
    return this.#running('name the address of').address
  }

  space(): SpaceUse {
    return this.#running('measure').store.space()
  }

  /** Whether a replica is here, as the server believes. */
  async holds(chunk: ChunkId): Promise<boolean> {
    return (await this.#running('look into').store.info(chunk)) !== undefined
  }

  /** Ends the server at once, without a word to anyone. Idempotent. */
  async kill(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server !== undefined) await this.#host.die(server)
  }

  /** Starts it again on what its disk still holds; a running one is killed first. Resolves when the master knows it. */
  async restart(): Promise<void> {
    await this.kill()
    const server = await this.#host.start()
    this.#server = server
    await server.registered
  }

  /** Flips a bit of a stored replica: the next read of it must be served by another server. @throws {AshlarError} `chunk-missing` */
  async corrupt(chunk: ChunkId): Promise<void> {
    await this.#host.flipByte(this.#running('corrupt a chunk of'), chunk)
  }

  /** Declares the server full at what it holds now; a restart keeps it so. */
  async fill(): Promise<void> {
    const { store } = this.#running('fill')
    const { capacityBytes, usedBytes } = store.space()
    this.#capacityBytes ??= capacityBytes
    await store.setCapacity(usedBytes)
  }

  /** Gives it room again: as much as it had before {@link fill}, or `capacityBytes`. */
  async unfill(capacityBytes = this.#capacityBytes): Promise<void> {
    const { store } = this.#running('unfill')
    this.#capacityBytes = undefined
    if (capacityBytes !== undefined) await store.setCapacity(capacityBytes)
  }

  /** Delays everything to and from this server, each way. 0: as before. */
  slow(delayMs: number): void {
    this.#host.setDelay(delayMs)
  }

  /** Cuts it off from the master, the client and the other servers, without an error on either side. */
  partition(): void {
    this.#host.partition()
  }

  heal(): void {
    this.#host.heal()
  }

  /** Ends it in order. */
  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    await server?.close()
  }

  #running(doing: string): ChunkServer {
    if (this.#server !== undefined) return this.#server
    throw new AshlarError('closed', `Cannot ${doing} chunk server ${this.#host.name}: it was killed. Restart it first`)
  }
}
