/**
 * Chunks being written in parts, by connection: `beginChunk` gives a handle, `appendChunk` and `commitChunk` name it.
 *
 * The calls of one handle run one after the other in the order they arrived, though several are in flight.
 * Invariant: a write ends with commit, abort, its first failure, or its connection, and then its reservation is returned.
 * A failed one keeps its handle, so that calls on their way learn of the failure.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import type { ChunkWriter } from '../store/chunk-store.ts'
import type { Peer } from '../wire/peer.ts'
import type { WriteGrant } from './access.ts'

/** Open handles of one connection; a client writes one chunk at a time on each. */
const handlesPerPeer = 16

export interface NewHandle {
  readonly chunk: ChunkId
  /** The epoch and slot that the receipt will name. */
  readonly grant: WriteGrant
  readonly writer: ChunkWriter
}

export class WriteHandle {
  readonly chunk: ChunkId
  readonly grant: WriteGrant
  readonly #writer: ChunkWriter
  #tail: Promise<unknown> = Promise.resolve()
  #appended = 0
  #failure: unknown

  constructor({ chunk, grant, writer }: NewHandle) {
    this.chunk = chunk
    this.grant = grant
    this.#writer = writer
  }

  /** @param release called when nothing reads the bytes any more. Where this rejects, that is so already */
  append(offset: number, bytes: Uint8Array, release: () => void): Promise<void> {
    return this.#next(async () => {
      if (offset !== this.#appended) {
        throw new AshlarError(
          'protocol',
          `Cannot append to chunk ${this.chunk} at ${offset}: it has ${this.#appended} bytes`,
        )
      }
      await this.#writer.append(bytes, release)
      this.#appended += bytes.length
    })
  }

  commit<T>(finish: (writer: ChunkWriter) => Promise<T>): Promise<T> {
    return this.#next(() => finish(this.#writer))
  }

  /** Waits for the call under way, so that no buffer is given back while the disk still reads it. */
  abort(): Promise<void> {
    this.#failure ??= new AshlarError('cancelled', `Cannot go on writing chunk ${this.chunk}: it was aborted`)
    const aborted = this.#tail.then(() => this.#writer.abort())
    this.#tail = aborted.catch(ignoreHere)
    return aborted
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(async () => {
      if (this.#failure !== undefined) throw this.#failure
      try {
        return await work()
      } catch (error) {
        this.#failure = error
        await this.#writer.abort()
        throw error
      }
    })
    this.#tail = result.catch(ignoreHere)
    return result
  }
}

/** The caller of each call handles its rejection; the chain only orders them. */
const ignoreHere = () => undefined

interface PeerHandles {
  readonly open: Map<number, WriteHandle>
  /** Whose writer is being made. */
  starting: number
}

export class WriteHandles {
  readonly #byPeer = new Map<Peer, PeerHandles>()
  #lastNumber = 0

  /**
   * @param start makes the writer; not called when the connection has no room for one more
   * @throws {AshlarError} `busy` — the connection has too many open; `connection-lost` — it closed meanwhile, and the writer ended
   */
  async begin(peer: Peer, start: () => Promise<NewHandle>): Promise<number> {
    const handles = this.#handlesOf(peer)
    if (handles.open.size + handles.starting >= handlesPerPeer) {
      throw new AshlarError('busy', `Cannot begin a chunk: this connection writes ${handlesPerPeer} already`)
    }
    handles.starting += 1
    try {
      const handle = await start()
      if (peer.isClosed) {
        await handle.writer.abort()
        throw closed()
      }
      this.#lastNumber += 1
      handles.open.set(this.#lastNumber, new WriteHandle(handle))
      return this.#lastNumber
    } finally {
      handles.starting -= 1
    }
  }

  find(peer: Peer, number: number): WriteHandle | undefined {
    return this.#byPeer.get(peer)?.open.get(number)
  }

  /** @throws {AshlarError} `protocol` — not open */
  get(peer: Peer, number: number): WriteHandle {
    const handle = this.find(peer, number)
    if (handle === undefined) throw new AshlarError('protocol', `Cannot go on writing: handle ${number} is not open`)
    return handle
  }

  remove(peer: Peer, number: number): void {
    this.#byPeer.get(peer)?.open.delete(number)
  }

  /** Aborts what the connection left open. */
  async abortAll(peer: Peer): Promise<void> {
    const handles = [...(this.#byPeer.get(peer)?.open.values() ?? [])]
    this.#byPeer.delete(peer)
    await Promise.all(handles.map((handle) => handle.abort()))
  }

  #handlesOf(peer: Peer): PeerHandles {
    const known = this.#byPeer.get(peer)
    if (known !== undefined) return known
    if (peer.isClosed) throw closed()
    const handles: PeerHandles = { open: new Map(), starting: 0 }
    this.#byPeer.set(peer, handles)
    return handles
  }
}

function closed(): AshlarError {
  return new AshlarError('connection-lost', 'Cannot begin a chunk: the connection is closed', { applied: 'no' })
}
