/**
 * One server of `ashlar up` as a process of its own.
 *
 *     starting → ready → (exits) → waiting → starting …
 *
 * Parent and child share a pipe: the child reports on it, and when the parent dies, however it dies, the operating
 * system closes it and the child ends. Invariant: only processes started here are ever signalled, by their pid.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { extname, join } from 'node:path'
import { Duplex } from 'node:stream'
import type { Clock, Timer } from '../../env/clock.ts'
import { channelFd, type LineChannel, openLineChannel } from './line-channel.ts'
import type { ChildReport, ParentMessage } from './messages.ts'

const firstBackoffMs = 200
const longestBackoffMs = 10_000
/** A child that lived so long starts over with the first back-off. */
const steadyAfterMs = 30_000

export interface SupervisedOptions {
  /** For messages: "chunk server 2". */
  readonly name: string
  readonly clock: Clock
  /** The role of the process: `<role>-child` beside this file is what it runs. */
  readonly role: 'master' | 'gateway' | 'chunkserver'
  /** Made anew at each start, since ports become known. */
  readonly options: () => object
  /** Whether one that ends now is started again. */
  readonly restart: () => boolean
  readonly onReport: (report: ChildReport) => void
  /** `willRestartMs` is absent when it stays down. */
  readonly onExit: (exit: { readonly reason: string; readonly willRestartMs?: number }) => void
}

export class SupervisedProcess {
  readonly #options: SupervisedOptions
  #child: ChildProcess | undefined
  #channel: LineChannel | undefined
  #timer: Timer | undefined
  #backoffMs = firstBackoffMs
  #isStopping = false
  #lastMessage: ParentMessage | undefined

  constructor(options: SupervisedOptions) {
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  start(): void {
    const { clock, role, options, onReport } = this.#options
    const startedMs = clock.monotonicMs()
    const child = spawn(process.execPath, [...process.execArgv, programOf(role), JSON.stringify(options())], {
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    })
    this.#child = child
    const pipe: unknown = child.stdio?.[channelFd]
    // There is none when the process could not be started.
    this.#channel =
      pipe instanceof Duplex
        ? openLineChannel(pipe, { onMessage: (report) => onReport(report as ChildReport) })
        : undefined
    child.once('error', (error) => this.#ended(child, { reason: `could not be started: ${error.message}`, startedMs }))
    // Not `exit`: its last report is read first.
    child.once('close', (code, signal) => {
      this.#ended(child, { reason: signal === null ? `exited with code ${code}` : `was ended by ${signal}`, startedMs })
    })
    if (this.#lastMessage !== undefined) this.tell(this.#lastMessage)
  }

  /** Also repeated to each later incarnation. */
  tell(message: ParentMessage): void {
    this.#lastMessage = message
    // A child that has just died cannot be told; its exit is reported, and the next one is told at its start.
    void this.#channel?.send(message)
  }

  /** SIGTERM, and SIGKILL when it has not ended after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    this.#timer?.cancel()
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const { promise, resolve } = Promise.withResolvers<void>()
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
    const timer = this.#options.clock.after(graceMs, () => child.kill('SIGKILL'))
    await promise
    timer.cancel()
  }

  #ended(child: ChildProcess, { reason, startedMs }: { readonly reason: string; readonly startedMs: number }): void {
    if (this.#child !== child) return
    this.#child = undefined
    if (this.#isStopping) return
    const { clock, restart, onExit } = this.#options
    if (!restart()) {
      onExit({ reason })
      return
    }
    if (clock.monotonicMs() - startedMs > steadyAfterMs) this.#backoffMs = firstBackoffMs
    onExit({ reason, willRestartMs: this.#backoffMs })
    this.#timer = clock.after(this.#backoffMs, () => this.start())
    this.#backoffMs = Math.min(this.#backoffMs * 2, longestBackoffMs)
  }
}

/** TypeScript in a checkout, in the package what `tools/bundle.ts` makes of it. */
function programOf(role: SupervisedOptions['role']): string {
  const ending = extname(import.meta.filename) === '.ts' ? '.ts' : '.cjs'
  return join(import.meta.dirname, `${role}-child${ending}`)
}
