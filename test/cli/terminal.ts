/**
 * A command on a pseudo terminal, as a person has it: what it draws, and keys that are typed. By `script` of bsdutils.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { eventually } from './cli-process.ts'

/** So that nothing outlives a test that failed. */
const hangsAfterMs = 100_000

/** Why a test that needs a command is skipped; false: it is there. */
export function isMissing(command: string): string | false {
  const { status } = spawnSync('sh', ['-c', `command -v ${command}`])
  return status === 0 ? false : `${command} is not installed`
}

export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess
  #drawn = ''
  #seenUpTo = 0

  /** Runs a line of `sh`. */
  constructor(
    line: string,
    { env, columns = 80 }: { readonly env: Readonly<Record<string, string>>; readonly columns?: number },
  ) {
    this.#child = spawn('script', ['-qec', `stty cols ${columns} rows 24; ${line}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: hangsAfterMs,
      killSignal: 'SIGKILL',
      env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env },
    })
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#drawn += text
    })
    // Keys for a command that is gone already are nobody's.
    this.#child.stdin?.on('error', () => undefined)
  }

  /** All that was drawn, escape sequences included. */
  get drawn(): string {
    return this.#drawn
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  /** Waits until something is drawn behind what was waited for before. */
  async shows(pattern: RegExp): Promise<void> {
    await eventually(`the terminal shows ${pattern}`, () => {
      const match = pattern.exec(this.#drawn.slice(this.#seenUpTo))
      if (match === null) return false
      this.#seenUpTo += match.index + match[0].length
      return true
    }).catch((error: unknown) => {
      throw new Error(`not shown in ${JSON.stringify(this.#drawn.slice(this.#seenUpTo))}`, { cause: error })
    })
  }

  /** Waits for the end of the command. @returns its exit code */
  async ended(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'close')
    return this.#child.exitCode
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    // The hang-up of the terminal ends what runs on it.
    this.#child.kill('SIGKILL')
    await once(this.#child, 'close')
  }
}
