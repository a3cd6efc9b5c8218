/**
 * Whether this metadata was found older than chunks that members hold: then it was put back from an older copy, and what
 * it does not know may be what was acknowledged since.
 *
 * The finding is durable, and stays: ids go on to be given out, so the proof fades while the loss does not. From then on
 * the metadata stands still: clients change nothing, nothing is purged or deleted, and reads go on, until a newer copy is
 * put back or the operator accepts the loss by raising the generation (`--accept-older-metadata`). After that all numbers
 * outrank those of the lost time, and chunks of older generations that no file names stay where they are.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import { type ChunkId, chunkIdParts, type ServerId } from '../base/ids.ts'
import { counterOf, generationOf, type Rising } from '../base/rising.ts'
import type { Log } from '../env/log.ts'
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { Method } from '../wire/method.ts'
import * as files from '../wire/methods/file-methods.ts'
import * as versions from '../wire/methods/version-methods.ts'
import * as writes from '../wire/methods/write-methods.ts'
import type { Service } from '../wire/service.ts'

const recordName = 'lost-future'
const commitPrefix = 'commit-'

export interface LostFutureOptions {
  readonly namespace: Namespace
  readonly leader: Leader
  /** Of the cluster now: a finding of an earlier one was accepted when the generation was raised. */
  readonly generation: number
  readonly log: Log
}

/** A chunk whose id this metadata never gave out, or (by its number) a commit that it does not hold. */
interface Proof {
  readonly chunk: string
  readonly server: string
}

/** What changes files. Sessions, locks, releases and settings go on. */
const refusedMethods: ReadonlySet<number> = new Set(
  [
    writes.allocate,
    writes.commitFile,
    writes.beginFile,
    writes.addExtents,
    writes.linkFile,
    writes.linkAppend,
    writes.appendFile,
    files.makeDirectory,
    files.rename,
    files.remove,
    files.truncate,
    files.concat,
    files.copyFile,
    files.setAttributes,
    files.setXattrs,
    files.undelete,
    files.emptyTrash,
    versions.setVersioning,
    versions.removeObject,
    versions.setObjectLock,
  ].map(({ number }: Pick<Method<never, never>, 'number'>) => number),
)

export class LostFuture {
  readonly #options: LostFutureOptions
  #proof: Proof | undefined
  #isKept: boolean

  private constructor(options: LostFutureOptions, proof: Proof | undefined) {
    this.#options = options
    this.#proof = proof
    this.#isKept = proof !== undefined
  }

  static async load(options: LostFutureOptions): Promise<LostFuture> {
    const { namespace, generation, log } = options
    const record = (await namespace.getRecord(recordName))?.toString()
    const [chunk = '', server = 'unknown', foundIn = generation] = record?.split(' ') ?? []
    if (record === undefined || Number(foundIn) < generation) return new LostFuture(options, undefined)
    tell(log, { chunk, server })
    return new LostFuture(options, { chunk, server })
  }

  get isFound(): boolean {
    return this.#proof !== undefined
  }

  /** What is wrong and what to do, for people; undefined when nothing is. */
  get sentence(): string | undefined {
    if (this.#proof === undefined) return undefined
    const { chunk, server } = this.#proof
    const [, commit] = chunk.split(commitPrefix)
    const proof = commit === undefined ? `chunk ${chunk}` : `change ${commit} of the log`
    return (
      `restore needed: the metadata is older than ${proof} on server ${server.slice(0, 8)}. Files can be read and not ` +
      'changed. Put back a newer copy of the metadata; or give up what was written since by starting with --accept-older-metadata'
    )
  }

  /** @param proof a chunk whose id this metadata never gave out */
  async found(chunk: ChunkId, server: ServerId): Promise<void> {
    if (chunkIdParts(chunk).generation >= this.#options.generation) await this.#keep(chunk, server)
  }

  /** The change log on a server goes on further than this metadata: it lacks also what left no chunk, as renames and deletes do. */
  async foundCommit(position: Rising, server: ServerId): Promise<void> {
    if (generationOf(position) < this.#options.generation) return
    await this.#keep(`${commitPrefix}${counterOf(position)}`, server)
  }

  async #keep(chunk: string, server: ServerId): Promise<void> {
    const { generation, leader, log } = this.#options
    if (this.#isKept) return
    if (this.#proof === undefined) tell(log, { chunk, server })
    this.#proof = { chunk, server }
    await leader.putRecord(recordName, Buffer.from(`${chunk} ${server} ${generation}`))
    this.#isKept = true
  }

  /** A service whose methods that change files are refused (`restore-needed`) once a lost future was found. */
  guard(service: Service): Service {
    return {
      ...service,
      handle: (method, handler) => {
        if (!refusedMethods.has(method.number)) return service.handle(method, handler)
        service.handle(method, async (request, context) => {
          if (this.#proof !== undefined) throw this.#refusal(method.name)
          return await handler(request, context)
        })
      },
    }
  }

  #refusal(doing: string): AshlarError {
    return new AshlarError('restore-needed', `Cannot ${doing}: ${this.sentence}`, { details: { ...this.#proof } })
  }
}

function tell(log: Log, fields: Readonly<Record<string, unknown>>): void {
  log.error('the metadata is older than what chunk servers hold: files can only be read until that is settled', fields)
}
