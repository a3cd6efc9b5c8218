/**
 * Whether this metadata was found older than chunks that members hold: then it was put back from an older copy, and what
 * it does not know may be what was acknowledged since.
 *
 * The finding is durable, and stays: ids go on to be given out, so the proof fades while the loss does not. From then on
 * nothing is deleted for being absent from the metadata; deletes that tombstones permit go on.
 * @module
 */
import type { ChunkId, ServerId } from '../base/ids.ts'
import type { Log } from '../env/log.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'

const recordName = 'lost-future'

export interface LostFutureOptions {
  readonly namespace: Namespace
  readonly leader: Leader
  readonly log: Log
}

export class LostFuture {
  readonly #options: LostFutureOptions
  #isFound: boolean
  #isKept: boolean

  private constructor(options: LostFutureOptions, isFound: boolean) {
    this.#options = options
    this.#isFound = isFound
    this.#isKept = isFound
  }

  static async load(options: LostFutureOptions): Promise<LostFuture> {
    const proof = await options.namespace.getRecord(recordName)
    if (proof !== undefined) tell(options.log, { chunk: proof.toString() })
    return new LostFuture(options, proof !== undefined)
  }

  get isFound(): boolean {
    return this.#isFound
  }

  /** @param proof a chunk whose id this metadata never gave out */
  async found(chunk: ChunkId, server: ServerId): Promise<void> {
    if (this.#isKept) return
    if (!this.#isFound) tell(this.#options.log, { chunk, server })
    this.#isFound = true
    await this.#options.leader.putRecord(recordName, Buffer.from(chunk))
    this.#isKept = true
  }
}

function tell(log: Log, fields: Readonly<Record<string, unknown>>): void {
  log.error(
    'the metadata is older than what chunk servers hold: restore a newer copy; no unknown chunk is deleted',
    fields,
  )
}
