/**
 * A mixed load whose every acknowledgement is remembered: writes and overwrites of tiny to large files, appends, renames,
 * deletes and undeletes, by workers that each own their paths.
 * @module
 */
import { type AshlarClient, isAshlarError } from '../../src/client/index.ts'
import { bytesOf, type Content, type History, type State } from './history.ts'

const workers = 12
const pathsPerWorker = 24

export class MixedLoad {
  readonly #client: AshlarClient
  readonly #history: History
  readonly #random: () => number
  readonly #running: Promise<void>[] = []
  #isStopping = false
  /** Of operations that failed though they should not have: unexpected codes. */
  readonly surprises: unknown[] = []
  operations = 0

  constructor(client: AshlarClient, history: History, random: () => number) {
    this.#client = client
    this.#history = history
    this.#random = random
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
      const path = `/load/w${worker}/f${Math.floor(this.#random() * pathsPerWorker)}`
      try {
        await this.#step(path, worker)
        this.operations++
      } catch (error) {
        if (!isAshlarError(error)) this.surprises.push(error)
        // A fault is expected to end operations; what they left is known to the history.
        if (!this.#isStopping) await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  async #step(path: string, worker: number): Promise<void> {
    const chance = this.#random()
    const current = this.#history.current(path)
    if (current === undefined || chance < 0.55) return await this.#write(path)
    if (chance < 0.7) return await this.#append(path, current)
    if (chance < 0.85)
      return await this.#rename(path, `/load/w${worker}/f${Math.floor(this.#random() * pathsPerWorker)}`)
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
    await this.#attempt([[path, content]], () => this.#client.appendFile(path, bytesOf(content), { expectedLength: 0 }))
  }

  async #rename(from: string, to: string): Promise<void> {
    if (from === to) return
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
      if (isAshlarError(error) && error.applied === 'no') for (const [path] of changes) this.#history.refuse(path)
      else await this.#lookLater(changes)
      throw error
    }
  }

  /** The outcome is not known: no further operation on these paths before it is looked up after the restart. */
  async #lookLater(changes: readonly (readonly [string, State])[]): Promise<void> {
    if (this.#isStopping) return
    for (const [path] of changes) {
      const found = await this.#client.exists(path).then(
        async (exists) => (exists ? await this.#client.readFile(path) : undefined),
        () => 'unknown' as const,
      )
      if (found === 'unknown') {
        this.#isStopping = true
        return
      }
      const state = this.#history
        .allowed(path, Number.POSITIVE_INFINITY)
        .find((allowed) =>
          found === undefined ? allowed === undefined : allowed !== undefined && found.equals(bytesOf(allowed)),
        )
      if (found !== undefined && state === undefined) this.surprises.push(new Error(`${path} holds what nobody wrote`))
      this.#history.settle(path, state)
    }
  }

  #content(): Content {
    const chance = this.#random()
    const seed = Math.floor(this.#random() * 2 ** 32)
    if (chance < 0.1) return { seed, length: 0 }
    if (chance < 0.7) return { seed, length: 1 + Math.floor(this.#random() * 20_000) }
    if (chance < 0.95) return { seed, length: 20_000 + Math.floor(this.#random() * 1_500_000) }
    return { seed, length: 1_500_000 + Math.floor(this.#random() * 20_000_000) }
  }
}
