/**
 * Writes that found no place, each with an id that its error carries, so that "why" can be asked afterwards.
 * In memory, the last `limits.refusalsKept`: a client that tries again and again gets the id it had, while nothing else was
 * refused in between.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Rejection } from '../cluster/placement.ts'
import type { Clock } from '../env/clock.ts'
import type { RefusalRecord } from '../wire/methods/insight-methods.ts'

export interface RefusedWrite {
  readonly path: string
  readonly policy: string
  readonly chunkBytes: number
}

const shownServers = 256

export class Refusals {
  readonly #clock: Clock
  /** Of this master, so that ids of two are not confused. */
  readonly #prefix: string
  readonly #records = new Map<string, RefusalRecord>()
  #last: RefusalRecord | undefined
  #count = 0

  constructor({ clock, prefix }: { readonly clock: Clock; readonly prefix: string }) {
    this.#clock = clock
    this.#prefix = prefix
  }

  /** @throws {AshlarError} `not-found` */
  find(id: string): RefusalRecord {
    const record = this.#records.get(id)
    if (record !== undefined) return record
    throw new AshlarError(
      'not-found',
      `Cannot explain refusal ${id.slice(0, 64)}: it is not one of the last ${limits.refusalsKept} of this master`,
    )
  }

  /** The error to throw instead of one that found no place; any other as it is. */
  named(error: unknown, write: RefusedWrite): unknown {
    if (!isAshlarError(error, 'no-space', 'unavailable')) return error
    // Those that could take it are told when it is asked why: the error names those that could not.
    const { stranded = [], ...details } = error.details
    const { reasons } = details
    if (!Array.isArray(reasons) || !Array.isArray(stranded)) return error
    const { id } = this.#record(error, write, [...reasons, ...stranded] as readonly Rejection[])
    const { code, retry, applied } = error
    const message = `${error.message} (refusal ${id})`
    return new AshlarError(code, message, { cause: error, retry, applied, details: { ...details, refusal: id } })
  }

  #record(
    error: AshlarError,
    { path, policy, chunkBytes }: RefusedWrite,
    reasons: readonly Rejection[],
  ): RefusalRecord {
    const last = this.#last
    if (last !== undefined && last.what === error.message && last.path === path) {
      return this.#keep({ ...last, repeated: last.repeated + 1 })
    }
    const shown = reasons.slice(0, shownServers)
    return this.#keep({
      id: `${this.#prefix}-${++this.#count}`,
      atMs: Math.floor(this.#clock.wallMs()),
      code: error.code,
      what: error.message.slice(0, 2000),
      path,
      policy,
      chunkBytes,
      passedOver: shown.map(({ server, domain, reason }) => ({ server, domain, reason: reason.slice(0, 200) })),
      passedOverCount: reasons.length,
      repeated: 0,
    })
  }

  #keep(record: RefusalRecord): RefusalRecord {
    this.#records.set(record.id, record)
    this.#last = record
    const oldest = this.#records.keys().next().value
    if (this.#records.size > limits.refusalsKept && oldest !== undefined) this.#records.delete(oldest)
    return record
  }
}
