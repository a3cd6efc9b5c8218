/** An S3 gateway as a process of its own, which can be killed, and comes back where it was. @module */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { S3Client, type S3Credentials } from '../compat/s3/s3-client.ts'
import { bin } from './preloaded.ts'

const readyWithinMs = 90_000

export class GatewayProcess {
  readonly #clusterPath: string
  #listen = '127.0.0.1:0'
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  /** What it said on stderr, in all its lives. */
  messages = ''

  constructor(clusterPath: string) {
    this.#clusterPath = clusterPath
  }

  /** A client with the key of the root account. */
  get client(): S3Client {
    return new S3Client(`http://${this.#listen}`, this.#credentials())
  }

  get pid(): number {
    return this.#child?.pid as number
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves when it is ready; at once where it runs. */
  async start(): Promise<void> {
    if (this.isRunning) return
    const args = ['s3', 'serve', '--cluster', this.#clusterPath, '--listen', this.#listen, '--json']
    const child = spawn(bin, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.messages += text
    })
    this.#exited = new Promise((resolve) => child.once('close', () => resolve()))
    this.#listen = new URL(await readyEndpoint(child)).host
  }

  /** Resolves when it is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!this.isRunning) return
    this.#child?.kill(signal)
    await this.#exited
  }

  #credentials(): S3Credentials {
    const { s3 } = JSON.parse(readFileSync(this.#clusterPath, 'utf8')) as { readonly s3: S3Credentials }
    return s3
  }
}

function readyEndpoint(child: ChildProcess): Promise<string> {
  let output = ''
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4096)
  })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the gateway is not ready: ${errors}`)), readyWithinMs)
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (!output.includes('\n')) return
      clearTimeout(timer)
      const ready = JSON.parse(output.slice(0, output.indexOf('\n'))) as { endpoints: { s3: string } }
      resolve(ready.endpoints.s3)
    })
    child.once('close', (code) => {
      clearTimeout(timer)
      reject(new Error(`the gateway exited with ${code}: ${errors}`))
    })
  })
}
