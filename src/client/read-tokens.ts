/**
 * Capabilities to read, one per group, kept until most of their life is over. Groups that are wanted at the same time
 * are asked for in one request.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { GroupId } from '../base/ids.ts'
import type { Clock } from '../env/clock.ts'
import { abortable } from '../env/waiting.ts'
import { getReadTokens } from '../wire/methods/session-methods.ts'
import type { MasterLink } from './master-link.ts'

const usableFraction = 0.8
const groupsPerRequest = 1024

export class ReadTokens {
  readonly #link: MasterLink
  readonly #clock: Clock
  /** At most one per group of the map. */
  readonly #tokens = new Map<GroupId, { readonly token: Buffer; readonly untilMs: number }>()
  #wanted = new Set<GroupId>()
  #nextFetch: Promise<void> | undefined
  #lastFetch: Promise<void> = Promise.resolve()

  constructor(options: { readonly link: MasterLink; readonly clock: Clock }) {
    this.#link = options.link
    this.#clock = options.clock
  }

  /** Without waiting. */
  known(group: GroupId): Buffer | undefined {
    const entry = this.#tokens.get(group)
    return entry !== undefined && this.#clock.monotonicMs() < entry.untilMs ? entry.token : undefined
  }

  async get(group: GroupId, signal?: AbortSignal): Promise<Buffer> {
    const known = this.known(group)
    if (known !== undefined) return known
    this.#wanted.add(group)
    this.#nextFetch ??= this.#fetchAfter(this.#lastFetch)
    await abortable(this.#nextFetch, signal, 'get a read token')
    const token = this.known(group)
    if (token === undefined)
      throw new AshlarError('chunk-missing', `Cannot read group ${group}: the master does not know it`)
    return token
  }

  /** A server refused it. */
  forget(group: GroupId): void {
    this.#tokens.delete(group)
  }

  #fetchAfter(earlier: Promise<void>): Promise<void> {
    const fetch = earlier.then(
      () => this.#fetch(),
      () => this.#fetch(),
    )
    this.#lastFetch = fetch
    return fetch
  }

  async #fetch(): Promise<void> {
    this.#nextFetch = undefined
    // All of them: whoever waits for this is told that the master does not know what it did not answer.
    const wanted = [...this.#wanted]
    this.#wanted.clear()
    for (let at = 0; at < wanted.length; at += groupsPerRequest) {
      const askedAtMs = this.#clock.monotonicMs()
      const { value } = await this.#link.call(getReadTokens, { groups: wanted.slice(at, at + groupsPerRequest) })
      for (const { group, token, lifeMs } of value.tokens) {
        this.#tokens.set(group, { token, untilMs: askedAtMs + lifeMs * usableFraction })
      }
    }
  }
}
