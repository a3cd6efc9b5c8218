/** Replicas that were corrupt or missing when this client asked: tried last for a while. Bounded. @module */
import type { ChunkId, ServerId } from '../base/ids.ts'
import type { Clock } from '../env/clock.ts'

const rememberedMs = 60_000
const replicasKept = 4_096

export class BadReplicas {
  readonly #clock: Clock
  readonly #untilMs = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  has(chunk: ChunkId, server: ServerId): boolean {
    if (this.#untilMs.size === 0) return false
    const untilMs = this.#untilMs.get(`${chunk} ${server}`)
    return untilMs !== undefined && this.#clock.monotonicMs() < untilMs
  }

  add(chunk: ChunkId, server: ServerId): void {
    const key = `${chunk} ${server}`
    this.#untilMs.delete(key)
    this.#untilMs.set(key, this.#clock.monotonicMs() + rememberedMs)
    for (const oldest of this.#untilMs.keys()) {
      if (this.#untilMs.size <= replicasKept) break
      this.#untilMs.delete(oldest)
    }
  }
}
