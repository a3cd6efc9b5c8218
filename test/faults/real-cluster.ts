/**
 * A cluster of real processes for fault tests: `ashlar up` on a folder, killed and started again.
 * Invariant: only processes that it started are signalled, by their pids.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ownLoopbackAddress } from '../own-loopback-address.ts'

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..')
const readyWithinMs = 30_000

export interface ReadyLine {
  readonly event: 'ready'
  readonly cluster: string
  readonly endpoints: { readonly master: string; readonly http: string }
  readonly processes: readonly {
    readonly role: string
    readonly id?: string
    readonly pid: number
    readonly data: string
  }[]
}

export class RealCluster {
  readonly folder: string
  readonly #args: readonly string[]
  #up: ChildProcess | undefined
  #ready: ReadyLine | undefined
  /** What the processes said on stderr, of all their lives. */
  messages = ''

  constructor(folder: string, args: readonly string[] = []) {
    this.folder = folder
    this.#args = args
  }

  get clusterPath(): string {
    return join(this.folder, 'cluster.json')
  }

  get ready(): ReadyLine {
    if (this.#ready === undefined) throw new Error('the cluster is not started')
    return this.#ready
  }

  /** Resolves with the time it took, when reads and writes succeed. */
  async start(): Promise<number> {
    const startedMs = performance.now()
    const args = ['up', '--data', this.folder, '--host', ownLoopbackAddress, '--json', ...this.#args]
    const up = spawn(join(repository, 'bin/ashlar'), args, {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#up = up
    let output = ''
    up.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.messages += text
    })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not ready within ${readyWithinMs} ms: ${this.messages}`)),
        readyWithinMs,
      )
      up.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (!output.includes('\n')) return
        clearTimeout(timer)
        resolve()
      })
      up.once('exit', (code) => {
        clearTimeout(timer)
        reject(new Error(`ashlar up exited with ${code}: ${this.messages}`))
      })
    })
    this.#ready = JSON.parse(output.slice(0, output.indexOf('\n'))) as ReadyLine
    return performance.now() - startedMs
  }

  /** SIGKILL for every process, `up` first, so that it restarts none. */
  async killAll(): Promise<void> {
    const up = this.#up as ChildProcess
    const exited = new Promise((resolve) => up.once('exit', resolve))
    for (const pid of [up.pid as number, ...this.#children()]) kill(pid)
    await exited
    await this.#allGone()
  }

  kill(role: 'master' | 'chunkserver', index = 0): void {
    const process = this.ready.processes.filter((entry) => entry.role === role)[index]
    if (process === undefined) throw new Error(`no ${role} ${index}`)
    kill(process.pid)
  }

  async stop(): Promise<void> {
    const up = this.#up
    if (up === undefined || up.exitCode !== null || up.signalCode !== null) return
    const exited = new Promise((resolve) => up.once('exit', resolve))
    up.kill('SIGTERM')
    await exited
    await this.#allGone()
  }

  /** The children of `up` as they are now: some may have been restarted since it was ready. */
  #children(): number[] {
    const up = this.#up?.pid
    try {
      return readFileSync(`/proc/${up}/task/${up}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    } catch {
      // It is gone already: then the ones it named are all that can be left.
      return this.ready.processes.map(({ pid }) => pid)
    }
  }

  async #allGone(): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      if (!this.ready.processes.some(({ pid }) => isAlive(pid))) return
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    throw new Error('processes of the cluster are still alive')
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie answers signal 0: only its state tells.
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
