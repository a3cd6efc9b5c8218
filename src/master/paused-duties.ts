/**
 * Which duties an operator has paused. A row, so that a restart of the master keeps it.
 * Paused, a duty begins nothing, copies nothing and deletes nothing; what it began stays as it is, and loses nothing.
 * @module
 */
import type { Leader, Namespace } from '../namespace/namespace.ts'
import type { PausableDuty } from '../wire/methods/duty-methods.ts'

const recordName = 'paused-duties'
const duties: readonly PausableDuty[] = ['repair', 'drain', 'rebalance', 'scrub', 'gc']

export class PausedDuties {
  readonly #leader: Leader
  readonly #paused: Set<PausableDuty>

  private constructor(leader: Leader, paused: ReadonlySet<PausableDuty>) {
    this.#leader = leader
    this.#paused = new Set(paused)
  }

  static async load({ namespace, leader }: { readonly namespace: Namespace; readonly leader: Leader }) {
    const names = (await namespace.getRecord(recordName))?.toString().split(',') ?? []
    return new PausedDuties(leader, new Set(duties.filter((duty) => names.includes(duty))))
  }

  has(duty: PausableDuty): boolean {
    return this.#paused.has(duty)
  }

  get names(): readonly PausableDuty[] {
    return duties.filter((duty) => this.#paused.has(duty))
  }

  async set(duty: PausableDuty, isPaused: boolean): Promise<void> {
    const names = duties.filter((each) => (each === duty ? isPaused : this.#paused.has(each)))
    await this.#leader.putRecord(recordName, Buffer.from(names.join()))
    if (isPaused) this.#paused.add(duty)
    else this.#paused.delete(duty)
  }
}
