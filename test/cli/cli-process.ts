/**
 * The command line as people run it: `bin/ashlar` in processes of its own, and clusters of `ashlar up`.
 * Invariant: only processes that were started here are signalled, by their pids.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ownLoopbackAddress } from '../own-loopback-address.ts'

export const binary = join(import.meta.dirname, '..', '..', 'bin', 'ashlar')

/** So that nothing outlives a test that failed. */
const hangsAfterMs = 150_000
/** A slow machine may take long; nothing here takes longer unless it hangs. */
const startWithinMs = 60_000

export interface RunOptions {
  readonly cluster?: string | undefined
  readonly input?: string | Uint8Array
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface RunResult {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts a command; stdin is a pipe. */
export function start(args: readonly string[], { cluster, cwd, env = {} }: RunOptions = {}): ChildProcess {
  return spawn(binary, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: hangsAfterMs,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...process.env, ...(cluster === undefined ? {} : { ASHLAR_CLUSTER: cluster }), ...env },
  })
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = start(args, options)
  const result = collect(child)
  // A command that does not read its stdin may be gone before all is written.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.input ?? '')
  return await result
}

export async function collect(child: ChildProcess): Promise<RunResult> {
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [exitCode] = (await once(child, 'close')) as [number | null]
  return { exitCode, stdout, stderr }
}

interface Ready {
  readonly event: string
  readonly cluster: string
  readonly endpoints: { readonly master: string; readonly http: string }
  readonly processes: readonly {
    readonly role: string
    readonly id?: string
    readonly pid: number
    readonly data: string
  }[]
}

/** A server that says in one line when it is ready. */
export class ServerProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly ready: Ready
  messages = ''

  private constructor(child: ChildProcess, ready: Ready) {
    this.child = child
    this.ready = ready
  }

  /** `args` as of `up`, `master` or `chunkserver`; `--json` is added, and a host of which this process has every port. */
  static async start(args: readonly string[], options: RunOptions = {}): Promise<ServerProcess> {
    const host = args[0] === 'up' ? ['--host', ownLoopbackAddress] : []
    const child = start([...args, ...host, '--json'], options)
    let stdout = ''
    let stderr = ''
    let server: ServerProcess | undefined
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      if (server !== undefined) server.messages = stderr
    })
    const line = await new Promise<string>((resolve, reject) => {
      const failed = () => reject(new Error(`ashlar ${args[0]} is not ready: ${stderr}`))
      const timer = setTimeout(failed, startWithinMs)
      child.once('close', () => {
        clearTimeout(timer)
        failed()
      })
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
        if (!stdout.includes('\n')) return
        clearTimeout(timer)
        resolve(stdout.slice(0, stdout.indexOf('\n')))
      })
    })
    server = new ServerProcess(child, JSON.parse(line) as Ready)
    return server
  }

  get cluster(): string {
    return this.ready.cluster
  }

  pidsOf(role: string): number[] {
    return this.ready.processes.filter((entry) => entry.role === role).map(({ pid }) => pid)
  }

  /** @returns the exit code; null: by a signal */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal)
      await once(this.child, 'close')
    }
    return this.child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** `ashlar up --temp`. */
export function upTemp(args: readonly string[] = []): Promise<ServerProcess> {
  return ServerProcess.start(['up', '--temp', ...args])
}

export class TemporaryFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(join(tmpdir(), 'ashlar-cli-')))
  }

  in(...names: string[]): string {
    return join(this.path, ...names)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}

/** Waits until it holds, and fails with `what` when it does not come to hold. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`never came to hold: ${what}`)
}

/** A zombie is dead. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

export function dataFolderOf(cluster: string): string {
  return dirname(cluster)
}
