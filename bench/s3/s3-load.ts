/**
 * Load on an S3 endpoint from a process of its own: `tools/s3bench.go` where there is a Go to build it, since it takes less of the
 * two cores than anything in Node, else its port (`s3-load-process.ts`). Both take the same options and print the same line.
 * @module
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { S3Access } from '../local-cluster.ts'
import { projectFolder } from '../package-copy.ts'

export interface LoadOptions {
  readonly op: 'put' | 'get' | 'head' | 'delete' | 'list' | 'mkbucket'
  readonly bucket: string
  readonly prefix?: string
  readonly sizeBytes?: number
  readonly count?: number
  readonly inFlight?: number
}

export interface LoadOutcome {
  /** Requests a second; of `list` keys. */
  readonly rate: number
}

/** A program, ready to be run many times. */
export interface S3Load {
  readonly name: 'go' | 'node'
  /** @param access undefined signature fields: requests are not signed */
  run(access: Pick<S3Access, 'endpoint'> & Partial<S3Access>, options: LoadOptions): Promise<LoadOutcome>
}

/** @param folder for the program that is built */
export function makeS3Load(folder: string, { go = true } = {}): S3Load {
  const program = go ? buildGo(folder) : undefined
  const command =
    program === undefined
      ? [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 's3-load-process.ts')]
      : [program]
  return { name: program === undefined ? 'node' : 'go', run: (access, options) => run(command, access, options) }
}

function buildGo(folder: string): string | undefined {
  const program = join(folder, 's3bench')
  const { status } = spawnSync('go', ['build', '-o', program, join(projectFolder, 'tools', 's3bench.go')], {
    stdio: 'ignore',
  })
  return status === 0 ? program : undefined
}

/** The line that either program prints. */
interface Line {
  /** Whole. */
  readonly ops_s?: number
  readonly ok?: number
  /** To the hundredth. */
  readonly secs?: number | string
  readonly keys_s?: number
  readonly errors?: number
  readonly first_error?: string
}

async function run(command: readonly string[], access: Partial<S3Access>, options: LoadOptions): Promise<LoadOutcome> {
  const { endpoint = '', accessKeyId, secretAccessKey, region = 'us-east-1' } = access
  const { op, bucket, prefix = 'o/', sizeBytes = 4096, count = 1, inFlight = 1 } = options
  const flags = { endpoint, region, op, bucket, prefix, size: sizeBytes, n: count, c: inFlight }
  const keys = accessKeyId === undefined ? ['--anon'] : [`--ak=${accessKeyId}`, `--sk=${secretAccessKey}`]
  const args = [...Object.entries(flags).map(([name, value]) => `--${name}=${value}`), ...keys]
  const [program, ...before] = command
  const child = spawn(program as string, [...before, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`Cannot measure: the S3 load ended with code ${code}`)
  if (op === 'mkbucket') {
    if (!text.startsWith('200')) throw new Error(`Cannot measure: the bucket was not made: ${text.slice(0, 300)}`)
    return { rate: 0 }
  }
  const line = JSON.parse(text) as Line
  if ((line.errors ?? 0) > 0)
    throw new Error(`Cannot measure S3 ${op}: ${line.errors} failed, the first by ${line.first_error}`)
  const { ops_s: whole = line.keys_s ?? 0, ok = 0, secs } = line
  // Of few large requests the whole number is too coarse, of many small ones the time.
  return { rate: whole < 100 && op !== 'list' ? ok / Number(secs) : whole }
}
