/**
 * What a fault test needs beside {@link RealCluster}: a folder of its own, an environment for the processes that it starts,
 * single servers started by hand, and reasons to skip.
 * @module
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..')
export const bin = join(repository, 'bin/ashlar')

/** A folder under the temporary one, removed by `using`. */
export class TemporaryFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'ashlar-fault-'))

  at(...names: readonly string[]): string {
    return join(this.path, ...names)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Runs `work` with more variables in the environment, which processes that start meanwhile inherit. */
export async function withEnvironment<T>(variables: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, variables)
  try {
    return await work()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

/** @returns the path of `tools/failing-disk.c`, built into `folder` */
export function buildFailingDisk(folder: string): string {
  const library = join(folder, 'failing-disk.so')
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, join(repository, 'tools/failing-disk.c'), '-ldl'])
  return library
}

export interface Ended {
  readonly exitCode: number | null
  readonly stderr: string
}

/** Runs a server that is expected to refuse its start; one that does not is ended after `withinMs`, with exit code null. */
export function runRefused(args: readonly string[], withinMs = 15_000): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(bin, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs)
    child.once('close', (exitCode) => {
      clearTimeout(timer)
      resolve({ exitCode, stderr })
    })
  })
}

/** @returns a reason to skip, or false when all `commands` are installed */
export function needs(commands: readonly string[], { root = false } = {}): string | false {
  if (process.platform !== 'linux') return 'needs Linux'
  if (root && process.getuid?.() !== 0) return 'needs root, to mount'
  const missing = commands.filter((command) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0)
  return missing.length > 0 && `needs ${missing.join(' and ')}`
}

/** @returns why a test that takes long is left to the long selection, or false there */
export function whyNotLong(): string | false {
  return process.env['FAULTS'] !== 'long' && 'it takes long: npm run test:faults:long'
}
