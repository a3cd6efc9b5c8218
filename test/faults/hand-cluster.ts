/**
 * A cluster whose master and chunk servers are each started by hand, as on machines of their own: so each can be ended, stopped,
 * put on a disk or in a network of its own, and started again, alone.
 * Invariant: only processes that it started are signalled, by their pids.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bin } from './preloaded.ts'

const readyWithinMs = 90_000

export const master = 'master'
export type ServerName = typeof master | `chunkserver-${number}`

/** Where a server runs: what its command begins with, the host it listens on, what its environment holds. */
export interface Place {
  readonly command?: readonly string[]
  readonly host?: string
  readonly variables?: Readonly<Record<string, string>>
  /** Of a chunk server: the join file that it starts with. Default: the master's. */
  readonly joinFile?: string
  /** Of a chunk server: what fails with it. Default: its name. */
  readonly domain?: string
}

export interface HandClusterOptions {
  readonly chunkServers?: number
  /** Options of the master. */
  readonly masterArgs?: readonly string[]
  /** Options of every chunk server. */
  readonly serverArgs?: readonly string[]
  readonly capacity?: string
  readonly place?: (name: ServerName) => Place
}

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<void>
}

export class HandCluster {
  readonly folder: string
  readonly names: readonly ServerName[]
  readonly #options: HandClusterOptions
  readonly #running = new Map<ServerName, Running>()
  /** Kept from the first start on, so that a server is found where it was. */
  readonly #addresses = new Map<ServerName, string>()
  readonly #httpPorts = new Map<ServerName, string>()
  readonly #ids = new Map<ServerName, string>()
  readonly #host = ownLoopbackAddress()
  /** What the processes said on stderr, of all their lives. */
  messages = ''

  constructor(folder: string, options: HandClusterOptions = {}) {
    this.folder = folder
    this.#options = options
    const servers = Array.from({ length: options.chunkServers ?? 3 }, (_, index) => `chunkserver-${index + 1}` as const)
    this.names = [master, ...servers]
  }

  get chunkServers(): readonly ServerName[] {
    return this.names.slice(1)
  }

  get clusterPath(): string {
    return join(this.folder, master, 'cluster.json')
  }

  get joinFile(): string {
    return join(this.folder, master, 'join.json')
  }

  data(name: ServerName): string {
    return join(this.folder, name)
  }

  /** The chunk server's id, once it was started. */
  id(name: ServerName): string {
    return this.#ids.get(name) as string
  }

  /** `host:port`, once it was started. */
  address(name: ServerName): string {
    return this.#addresses.get(name) as string
  }

  isRunning(name: ServerName): boolean {
    const child = this.#running.get(name)?.child
    return child !== undefined && child.exitCode === null && child.signalCode === null
  }

  /** Starts what is not running. Resolves with the time it took, when all are ready. */
  async start(): Promise<number> {
    const startedMs = performance.now()
    await this.startOne(master)
    await Promise.all(this.chunkServers.map((name) => this.startOne(name)))
    return performance.now() - startedMs
  }

  async startOne(name: ServerName): Promise<void> {
    if (this.isRunning(name)) return
    const { command = [], variables = {} } = this.#options.place?.(name) ?? {}
    mkdirSync(this.data(name), { recursive: true })
    const [program, ...args] = [...command, bin, ...this.#args(name)] as [string, ...string[]]
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...variables } })
    this.#running.set(name, { child, exited: new Promise((resolve) => child.once('close', () => resolve())) })
    const said = await this.#readyLine(name, child)
    this.#addresses.set(name, said.address ?? (said.endpoints?.master as string))
    this.#httpPorts.set(name, new URL(said.http ?? (said.endpoints?.http as string)).port)
    if (said.id !== undefined) this.#ids.set(name, said.id)
  }

  /** Of a running one. */
  pid(name: ServerName): number {
    return this.#running.get(name)?.child.pid as number
  }

  signal(name: ServerName, signal: NodeJS.Signals): void {
    this.#running.get(name)?.child.kill(signal)
  }

  /** Resolves when its process is gone. */
  async end(name: ServerName, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const running = this.#running.get(name)
    if (running === undefined || !this.isRunning(name)) return
    // One that is stopped takes no SIGTERM.
    if (signal === 'SIGTERM') running.child.kill('SIGCONT')
    running.child.kill(signal)
    await running.exited
  }

  /** Resolves when it ended by itself; rejects after `withinMs`. */
  async ended(name: ServerName, withinMs: number): Promise<void> {
    const late = new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error(`${name} still runs after ${withinMs} ms`)), withinMs).unref(),
    )
    await Promise.race([this.#running.get(name)?.exited, late])
  }

  /** All at once. */
  async killAll(): Promise<void> {
    await Promise.all(this.names.map((name) => this.end(name, 'SIGKILL')))
  }

  async stop(): Promise<void> {
    await Promise.all(this.chunkServers.map((name) => this.end(name, 'SIGTERM')))
    await this.end(master, 'SIGTERM')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll()
  }

  #args(name: ServerName): readonly string[] {
    const { host = this.#host, joinFile = this.joinFile, domain = name } = this.#options.place?.(name) ?? {}
    const common = [
      ...['--data', this.data(name), '--json'],
      ...['--listen', this.#addresses.get(name) ?? `${host}:0`],
      ...['--http-port', this.#httpPorts.get(name) ?? '0'],
    ]
    if (name === master) return ['master', ...common, ...(this.#options.masterArgs ?? [])]
    const capacity = ['--capacity', this.#options.capacity ?? '1GiB']
    return [
      'chunkserver',
      ...common,
      '--cluster',
      joinFile,
      '--domain',
      domain,
      ...capacity,
      ...(this.#options.serverArgs ?? []),
    ]
  }

  #readyLine(name: ServerName, child: ChildProcess): Promise<ReadyLine> {
    let output = ''
    let errors = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors += text
      this.messages += text
    })
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${name} is not ready within ${readyWithinMs} ms: ${errors}`)),
        readyWithinMs,
      )
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        output += text
        if (!output.includes('\n')) return
        clearTimeout(timer)
        resolve(JSON.parse(output.slice(0, output.indexOf('\n'))) as ReadyLine)
      })
      child.once('close', (code) => {
        clearTimeout(timer)
        reject(new Error(`${name} exited with ${code}: ${errors}`))
      })
    })
  }
}

let clusters = 0

/** So that nobody takes the ports of servers that are down for a while. */
function ownLoopbackAddress(): string {
  if (process.platform !== 'linux') return '127.0.0.1'
  clusters++
  return `127.${64 + (process.pid % 128)}.${Math.floor(process.pid / 128) % 256}.${clusters % 256}`
}

interface ReadyLine {
  readonly id?: string
  readonly address?: string
  readonly http?: string
  readonly endpoints?: { readonly master: string; readonly http: string }
}

/** The client key's file of a stopped cluster tells whose stores to expect. */
export function clusterIdOf(cluster: HandCluster): string {
  return (JSON.parse(readFileSync(cluster.clusterPath, 'utf8')) as { readonly clusterId: string }).clusterId
}
