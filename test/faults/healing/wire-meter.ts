/**
 * How many bytes reach the sockets of a process, by the count that the kernel keeps for each. A socket that closes takes with it what
 * came since the last look, a tenth of a second at most. Linux, with `ss`.
 * @module
 */
import { execFile } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const lookEveryMs = 100

export class WireMeter {
  readonly #pid: number
  readonly #stop = new AbortController()
  /** By both ends of a connection. */
  readonly #received = new Map<string, number>()
  #running: Promise<void> = Promise.resolve()

  constructor(pid: number) {
    this.#pid = pid
  }

  start(): void {
    this.#running = this.#watch()
  }

  /** @returns all bytes that came since the sockets were opened */
  async stop(): Promise<number> {
    this.#stop.abort()
    await this.#running
    return [...this.#received.values()].reduce((sum, bytes) => sum + bytes, 0)
  }

  async #watch(): Promise<void> {
    for (;;) {
      const isLast = this.#stop.signal.aborted
      await this.#look()
      if (isLast) return
      await wait(lookEveryMs)
    }
  }

  async #look(): Promise<void> {
    // One line a socket: state, queues, both ends, its process, its counts.
    const { stdout } = await run('ss', ['-tinpOH', 'state', 'established'], { maxBuffer: 2 ** 24 })
    for (const line of stdout.split('\n')) {
      if (!line.includes(`pid=${this.#pid},`)) continue
      const ends = line.trim().split(/\s+/).slice(2, 4).join(' ')
      const bytes = Number(/bytes_received:(\d+)/.exec(line)?.[1] ?? 0)
      this.#received.set(ends, Math.max(bytes, this.#received.get(ends) ?? 0))
    }
  }
}
