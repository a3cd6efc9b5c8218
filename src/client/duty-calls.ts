/** What an operator asks of the cluster's duties: drain, maintenance, plans, scrubs. @module */
import type { ServerId } from '../base/ids.ts'
import {
  applySteps,
  type CancelledDuty,
  cancelDuty,
  changeDuty,
  type DutyPlan,
  type PausableDuty,
  type PlannedStep,
  pauseDuty,
  planDuty,
  type SafeMode,
  safeMode,
} from '../wire/methods/duty-methods.ts'
import type { MemberDuty } from '../wire/types/cluster-map.ts'
import type { ClientCore } from './client-core.ts'
import type { CallOptions } from './options.ts'
import { type FileTree, type ScrubbedFiles, type ScrubOptions, scrubPath } from './scrub-calls.ts'

/** Duties of the master that move chunks: `repair`, `drain`, `rebalance`. */
export interface Duties {
  /** The server gives its groups to others, and has `left` when nothing depends on it. @throws {AshlarError} `not-found` */
  drain(server: ServerId, options?: CallOptions): Promise<void>
  /** It keeps what it still has, and serves on. At any time, also when it has left. */
  cancelDrain(server: ServerId, options?: CallOptions): Promise<void>
  /** Its absence is expected for so long: nothing is repaired for it. */
  beginMaintenance(server: ServerId, options: CallOptions & { readonly forMs: number }): Promise<void>
  endMaintenance(server: ServerId, options?: CallOptions): Promise<void>
  /** What a duty would begin now, each step with its reason. Changes nothing. @param options `server`: a drain as if it were asked for */
  plan(duty: MemberDuty, options?: CallOptions & { readonly server?: ServerId }): Promise<DutyPlan>
  /**
   * Begins steps of a plan; those made on an older epoch of their group are refused, and those of a drain that was not asked for.
   * What was begun for a duty that is `paused` is filled when it is resumed.
   */
  apply(
    steps: readonly PlannedStep[],
    options?: CallOptions,
  ): Promise<{
    readonly begun: number
    readonly refused: readonly string[]
    readonly paused?: readonly MemberDuty[] | undefined
  }>
  /** Paused, a duty begins, copies and deletes nothing (`gc`: trash whose time is over stays, too). Kept over restarts of the master. */
  pause(duty: PausableDuty, options?: CallOptions): Promise<void>
  resume(duty: PausableDuty, options?: CallOptions): Promise<void>
  /**
   * Pauses a duty (a drain: takes it back, of every server) and gives what it has under way back to the members that were to go,
   * where those still answer. Resume it to begin anew.
   */
  cancel(duty: MemberDuty, options?: CallOptions): Promise<CancelledDuty>
  /** What keeps deletes, and repairs that can wait, from being done: see `ashlar safe-mode`. */
  safeMode(options?: CallOptions): Promise<SafeMode>
  /**
   * Has every replica of a file, or of all files below a directory, read whole by its server now. What is missing or wrong is set
   * aside there, and copied anew.
   */
  scrub(path: string, options?: ScrubOptions): Promise<ScrubbedFiles>
}

export class DutyCalls implements Duties {
  readonly #core: ClientCore
  readonly #namespace: FileTree

  constructor(core: ClientCore, namespace: FileTree) {
    this.#core = core
    this.#namespace = namespace
  }

  async drain(server: ServerId, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.link.call(changeDuty, { server, change: 'drain' }, { signal })
  }

  async cancelDrain(server: ServerId, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.link.call(changeDuty, { server, change: 'cancel-drain' }, { signal })
  }

  async beginMaintenance(server: ServerId, { forMs, signal }: CallOptions & { readonly forMs: number }): Promise<void> {
    await this.#core.link.call(changeDuty, { server, change: 'begin-maintenance', forMs }, { signal })
  }

  async endMaintenance(server: ServerId, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.link.call(changeDuty, { server, change: 'end-maintenance' }, { signal })
  }

  async plan(
    duty: MemberDuty,
    { server, signal }: CallOptions & { readonly server?: ServerId } = {},
  ): Promise<DutyPlan> {
    return (await this.#core.link.call(planDuty, { duty, server }, { signal })).value
  }

  async apply(steps: readonly PlannedStep[], { signal }: CallOptions = {}) {
    return (await this.#core.link.call(applySteps, { steps }, { signal })).value
  }

  async pause(duty: PausableDuty, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.link.call(pauseDuty, { duty, paused: true }, { signal })
  }

  async resume(duty: PausableDuty, { signal }: CallOptions = {}): Promise<void> {
    await this.#core.link.call(pauseDuty, { duty, paused: false }, { signal })
  }

  async cancel(duty: MemberDuty, { signal }: CallOptions = {}): Promise<CancelledDuty> {
    return (await this.#core.link.call(cancelDuty, { duty }, { signal })).value
  }

  async safeMode({ signal }: CallOptions = {}): Promise<SafeMode> {
    return (await this.#core.link.call(safeMode, {}, { signal })).value
  }

  async scrub(path: string, options?: ScrubOptions): Promise<ScrubbedFiles> {
    return await scrubPath({ core: this.#core, namespace: this.#namespace }, path, options)
  }
}
