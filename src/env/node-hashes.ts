/**
 * Hashes in threads of their own: as many as there are cores beside the one that serves, started when the first long content comes, and
 * shared by the process.
 *
 * Each content stays with one thread, the one with the fewest. Its bytes are gathered in blocks of shared memory, one message a block;
 * a block is free again once it was hashed. Who finds none waits: that is the bound, and the back-pressure towards the sender.
 * Blocks that are not full yet are then hashed as they are, so nobody waits for a network but the content that comes by it.
 * A thread that ends takes its contents with it, and the next content starts another.
 *
 * Measured on 2 cores, busy: 64 MiB cost the calling thread 107 ms of CPU inline, and 18–28 ms this way. Contents up to
 * `inlineBytes` are hashed at once: 224 µs at most, where the ways to a thread and back cost 70 to 90 µs more than they save.
 * @module
 */
import { availableParallelism } from 'node:os'
import type { Worker } from 'node:worker_threads'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { HashOrder, HashReply, HashThreadData } from './hash-thread.ts'
import { type Hashes, type HashName, inlineHashes, type RunningHash } from './hashes.ts'

const inlineBytes = 128 * 1024
const { hashBlockBytes, hashBlocksPerThread, hashThreads } = limits
/** The thread's file has the ending of this one: `.ts`, or where it was built `.js` or `.cjs`. */
const threadFile = new URL(`./hash-thread${/\.c?[jt]s$/.exec(import.meta.url)?.[0]}`, import.meta.url)

export function createNodeHashes(): Hashes {
  return {
    start: (names, { expectedBytes = Number.POSITIVE_INFINITY } = {}) =>
      expectedBytes <= inlineBytes ? inlineHashes.start(names) : new ThreadHash(leastBusy(), names),
  }
}

const threads = new Set<HashThread>()

function leastBusy(): HashThread {
  let chosen: HashThread | undefined
  for (const thread of threads) {
    if (thread.contents === 0) return thread
    if (chosen === undefined || thread.contents < chosen.contents) chosen = thread
  }
  if (chosen !== undefined && threads.size >= Math.min(hashThreads, Math.max(1, availableParallelism() - 1)))
    return chosen
  const thread = new HashThread(() => threads.delete(thread))
  threads.add(thread)
  return thread
}

class HashThread {
  readonly #worker: Worker
  readonly #memory = new SharedArrayBuffer(hashBlockBytes * hashBlocksPerThread)
  readonly #freeBlocks = Array.from({ length: hashBlocksPerThread }, (_, index) => index)
  /** Blocks that have room, by content. */
  readonly #filling = new Map<number, { readonly block: number; filledBytes: number }>()
  /** Contents that wait for a block, each once. */
  readonly #waiting: PromiseWithResolvers<void>[] = []
  readonly #digests = new Map<number, PromiseWithResolvers<readonly string[]>>()
  #lastId = 0
  #failure: AshlarError | undefined
  contents = 0

  constructor(onEnd: () => void) {
    const data: HashThreadData = { memory: this.#memory, blockBytes: hashBlockBytes }
    this.#worker = new (workerThreads().Worker)(threadFile, { workerData: data, execArgv: [] })
    this.#worker.on('message', (reply: HashReply) => this.#take(reply))
    this.#worker.on('error', (cause) => this.#fail(cause, onEnd))
    this.#worker.on('exit', () => this.#fail(undefined, onEnd))
  }

  /** Only while it has contents does a thread keep the process alive. */
  begin(names: readonly HashName[]): number {
    if (this.contents++ === 0) this.#worker.ref()
    const id = ++this.#lastId
    this.#send({ id, names })
    return id
  }

  /** @returns how many bytes were taken: not all while no block is free */
  give(id: number, bytes: Uint8Array): number {
    if (this.#failure !== undefined) throw this.#failure
    let taken = 0
    while (taken < bytes.length) {
      const filling = this.#filling.get(id) ?? this.#nextBlock(id)
      if (filling === undefined) break
      const length = Math.min(bytes.length - taken, hashBlockBytes - filling.filledBytes)
      const target = new Uint8Array(this.#memory, filling.block * hashBlockBytes + filling.filledBytes, length)
      target.set(bytes.subarray(taken, taken + length))
      filling.filledBytes += length
      taken += length
      if (filling.filledBytes === hashBlockBytes) this.#hash(id)
    }
    return taken
  }

  async freeBlock(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    const waiter = Promise.withResolvers<void>()
    this.#waiting.push(waiter)
    await waiter.promise
  }

  async digest(id: number): Promise<readonly string[]> {
    if (this.#failure !== undefined) throw this.#failure
    const waiter = Promise.withResolvers<readonly string[]>()
    this.#digests.set(id, waiter)
    this.#hash(id)
    this.#send({ id, end: 'digest' })
    return await waiter.promise
  }

  /** @param mustTell the thread still knows it */
  end(id: number, { mustTell }: { readonly mustTell: boolean }): void {
    this.#hash(id)
    if (mustTell) this.#send({ id, end: 'drop' })
    if (--this.contents === 0) this.#worker.unref()
  }

  #nextBlock(id: number): { readonly block: number; filledBytes: number } | undefined {
    const block = this.#freeBlocks.pop()
    if (block === undefined) {
      for (const other of this.#filling.keys()) this.#hash(other)
      return undefined
    }
    const filling = { block, filledBytes: 0 }
    this.#filling.set(id, filling)
    return filling
  }

  /** What the content's block holds so far. */
  #hash(id: number): void {
    const filling = this.#filling.get(id)
    if (filling === undefined) return
    this.#filling.delete(id)
    this.#send({ id, block: filling.block, length: filling.filledBytes })
  }

  #send(order: HashOrder): void {
    this.#worker.postMessage(order)
  }

  #take(reply: HashReply): void {
    if ('block' in reply) {
      this.#freeBlocks.push(reply.block)
      this.#waiting.shift()?.resolve()
      return
    }
    this.#digests.get(reply.id)?.resolve(reply.digests)
    this.#digests.delete(reply.id)
  }

  #fail(cause: unknown, onEnd: () => void): void {
    onEnd()
    this.#failure ??= new AshlarError('internal', 'Cannot hash: the thread that did it has ended', { cause })
    for (const waiter of [...this.#waiting.splice(0), ...this.#digests.values()]) waiter.reject(this.#failure)
    this.#digests.clear()
  }
}

/** Not imported: most processes hash nothing long, and would pay 2 ms of CPU for it at their start. */
function workerThreads(): typeof import('node:worker_threads') {
  return process.getBuiltinModule('node:worker_threads')
}

class ThreadHash implements RunningHash {
  readonly #thread: HashThread
  readonly #id: number
  #isOver = false

  constructor(thread: HashThread, names: readonly HashName[]) {
    this.#thread = thread
    this.#id = thread.begin(names)
  }

  update(bytes: Uint8Array): Promise<void> | undefined {
    const taken = this.#thread.give(this.#id, bytes)
    return taken === bytes.length ? undefined : this.#giveRest(bytes.subarray(taken))
  }

  async digest(): Promise<readonly string[]> {
    try {
      return await this.#thread.digest(this.#id)
    } finally {
      this.#end({ mustTell: false })
    }
  }

  drop(): void {
    this.#end({ mustTell: true })
  }

  async #giveRest(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0; ) {
      const taken = this.#thread.give(this.#id, rest)
      if (taken === 0) await this.#thread.freeBlock()
      rest = rest.subarray(taken)
    }
  }

  #end(options: { readonly mustTell: boolean }): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#thread.end(this.#id, options)
  }
}
