/**
 * The commands of a page, run as a reader would: each `sh` block in a folder of its own cluster, servers in the background. What a
 * page cannot do on one machine (its addresses, its disks, `scp`) is replaced by what means the same here.
 * @module
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const projectFolder = join(import.meta.dirname, '../..')
const commandWithinMs = 30_000

/** The fenced blocks of `language` in a page of the project. */
export function blocksOf(page: string, language: string): string[] {
  const text = readFileSync(join(projectFolder, page), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1] as string,
  )
}

/** Its lines without comments; a line that ends in `\` goes on. */
export function commandsOf(block: string): string[] {
  return block
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/\s+#\s.*$/, '').trim())
    .filter((line) => line !== '')
}

/** A shell that keeps its variables from command to command. */
export class PageShell {
  readonly #cwd: string
  readonly #env: Record<string, string>
  readonly #servers: ChildProcess[] = []
  readonly #exports: string[] = []

  constructor(cwd: string, env: Record<string, string> = {}) {
    this.#cwd = cwd
    this.#env = env
  }

  get servers(): readonly ChildProcess[] {
    return this.#servers
  }

  /** @returns what it printed @throws when it fails, with what it said */
  async run(command: string): Promise<string> {
    const isAssignment = /^(export )?[A-Za-z_]+=\S*$|^[a-z]+=\$\(.*\)$/.test(command)
    const script = [...this.#exports, command].join('\n')
    if (isAssignment) this.#exports.push(command)
    const child = spawn('bash', ['--noprofile', '--norc', '-e', '-c', script], this.#options())
    const { text, exitCode } = await outcomeOf(child)
    if (exitCode !== 0) throw new Error(`"${command}" exited with ${exitCode}: ${text}`)
    return text
  }

  /** Starts a server, and waits until it says that it is ready. */
  async serve(command: string): Promise<ChildProcess> {
    const child = spawn('bash', ['--noprofile', '--norc', '-c', `exec ${command}`], this.#options())
    this.#servers.push(child)
    let text = ''
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`"${command}" is not ready: ${text}`)), commandWithinMs)
      const hear = (part: Buffer) => {
        text += part
        if (!text.includes('ready')) return
        clearTimeout(timer)
        resolve()
      }
      child.stdout?.on('data', hear)
      child.stderr?.on('data', hear)
      child.once('exit', (code) => {
        clearTimeout(timer)
        reject(new Error(`"${command}" exited with ${code}: ${text}`))
      })
    })
    return child
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => end(server)))
  }

  #options(): SpawnOptions {
    return { cwd: this.#cwd, env: { ...process.env, ...this.#env }, stdio: ['ignore', 'pipe', 'pipe'] }
  }
}

export async function end(server: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = new Promise((resolve) => server.once('exit', resolve))
  server.kill(signal)
  await exited
}

/** Output and exit code of a child; one that takes too long is ended. */
export function outcomeOf(child: ChildProcess): Promise<{ readonly text: string; readonly exitCode: number | null }> {
  let text = ''
  child.stdout?.on('data', (part) => {
    text += part
  })
  child.stderr?.on('data', (part) => {
    text += part
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), commandWithinMs)
  return new Promise((resolve) => {
    child.once('close', (exitCode) => {
      clearTimeout(timer)
      resolve({ text, exitCode })
    })
  })
}
