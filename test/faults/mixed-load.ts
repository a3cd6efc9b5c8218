/**
 * A mixed load whose every acknowledgement is remembered: writes and overwrites of tiny to large files, appends, renames,
 * deletes and undeletes, by workers that each own their paths.
 * @module
 */
import { type AshlarClient, isAshlarError } from '../../src/client/index.ts'
import { bytesOf, type Content, type History, type State } from './history.ts'

const workers = 12
const pathsPerWorker = 24

export interface MixedLoadOptions {
  readonly client: AshlarClient
  readonly history: History
  /** In [0, 1). */
  readonly random: () => number
  /** Of the largest files. */
  readonly maxFileBytes?: number
}

export class MixedLoad {
  readonly #client: AshlarClient
  readonly #history: History
  readonly #random: () => number
  readonly #maxFileBytes: number
  readonly #running: Promise<void>[] = []
  /** Paths whose last operation may yet be applied: nothing more is done to them. */
  readonly #inDoubt = new Set<string>()
  #isStopping = false
  /** Of operations that failed though they should not have: unexpected codes. */
  readonly surprises: unknown[] = []
  operations = 0

  constructor({ client, history, random, maxFileBytes = 20_000_000 }: MixedLoadOptions) {
    this.#client = client
    this.#history = history
    this.#random = random
    this.#maxFileBytes = maxFileBytes
  }

  start(): void {
    for (let worker = 0; worker < workers; worker++) this.#running.push(this.#work(worker))
  }

  /** After the fault: operations under way settle (as failed, mostly) and no more begin. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await Promise.all(this.#running)
  }

  async #work(worker: number): Promise<void> {
    while (!this.#isStopping) {
      const path = this.#pathOf(worker)
      try {
        if (this.#inDoubt.has(path)) {
          await new Promise((resolve) => setTimeout(resolve, 20))
          continue
        }
        await this.#step(path, worker)
        this.operations++
      } catch (error) {
        if (!isAshlarError(error)) this.surprises.push(error)
        // A fault is expected to end operations; what they left is known to the history.
        if (!this.#isStopping) await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  #pathOf(worker: number): string {
    return `/load/w${worker}/f${Math.floor(this.#random() * pathsPerWorker)}`
  }

  async #step(path: string, worker: number): Promise<void> {
    const chance = this.#random()
    const current = this.#history.current(path)
    if (current === undefined || chance < 0.55) return await this.#write(path)
    if (chance < 0.7) return await this.#append(path, current)
    if (chance < 0.85) return await this.#rename(path, this.#pathOf(worker))
    await this.#attempt([[path, undefined]], () => this.#client.rm(path))
    if (chance > 0.93) await this.#attempt([[path, current]], () => this.#client.undelete(path))
  }

  async #write(path: string): Promise<void> {
    const content = this.#content()
    await this.#attempt([[path, content]], () => this.#client.writeFile(path, bytesOf(content), { makeParents: true }))
  }

  async #append(path: string, current: Content): Promise<void> {
    // The whole is made from one seed again, so that it can be checked: only an empty file can be appended to so.
    if (current.length !== 0) return await this.#write(path)
    const content = this.#content()
    const append = () => this.#client.appendFile(path, bytesOf(content), { expectedLength: 0 })
    await this.#attempt([[path, content]], append)
  }

  async #rename(from: string, to: string): Promise<void> {
    if (from === to || this.#inDoubt.has(to)) return
    const moved = this.#history.current(from)
    await this.#attempt(
      [
        [from, undefined],
        [to, moved],
      ],
      () => this.#client.rename(from, to),
    )
  }

  async #attempt(changes: readonly (readonly [string, State])[], act: () => Promise<unknown>): Promise<void> {
    for (const [path, state] of changes) this.#history.begin(path, state)
    try {
      await act()
      for (const [path] of changes) this.#history.acknowledge(path)
    } catch (error) {
      const isRefused = isAshlarError(error) && error.applied === 'no'
      for (const [path] of changes) {
        if (isRefused) this.#history.refuse(path)
        else this.#inDoubt.add(path)
      }
      throw error
    }
  }

  #content(): Content {
    const chance = this.#random()
    const seed = Math.floor(this.#random() * 2 ** 32)
    const below = (bytes: number) => 1 + Math.floor(this.#random() * bytes)
    if (chance < 0.1) return { seed, length: 0 }
    if (chance < 0.7) return { seed, length: below(20_000) }
    if (chance < 0.95) return { seed, length: below(this.#maxFileBytes / 13) }
    return { seed, length: below(this.#maxFileBytes) }
  }
}
