/**
 * Other stores, measured in the same rounds: through S3 by the client that loads ours too, or by a client of their own. Nothing of them
 * is here: a program that is on the machine is named by the environment, started on a folder of its own, and stopped; or an endpoint
 * that already runs is.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { S3Access } from '../local-cluster.ts'
import type { FileLoad } from './file-load.ts'
import { garage } from './garage.ts'
import { hdfs } from './hdfs.ts'
import { s3Endpoint } from './s3-endpoint.ts'
import { seaweedfs } from './seaweedfs.ts'

export interface RunningRival extends AsyncDisposable {
  /** Of its servers; empty where they are not ours to see. */
  readonly pids: readonly number[]
}

export interface RunningS3Rival extends RunningRival {
  readonly s3: S3Access
}

/** One that has no S3 door. */
export interface RunningFileRival extends RunningRival {
  readonly files: FileLoad
}

export interface Rival<Running extends RunningRival> {
  readonly name: string
  /** What its acknowledgement means, as it is started here. */
  readonly durability: string
  /** @param folder its data; empty, removed afterwards */
  start(folder: string): Promise<Running>
}

export type S3Rival = Rival<RunningS3Rival>
export type FileRival = Rival<RunningFileRival>

export interface Rivals {
  readonly throughS3: readonly S3Rival[]
  readonly throughFiles: readonly FileRival[]
}

const startPatienceMs = 30_000
const stopPatienceMs = 10_000

/** Those that the environment names. */
export function rivalsOf(environment: Readonly<Record<string, string | undefined>>): Rivals {
  return {
    throughS3: [seaweedfs, garage, s3Endpoint].flatMap((make) => make(environment) ?? []),
    throughFiles: [hdfs].flatMap((make) => make(environment) ?? []),
  }
}

/** A server of a rival: its output goes nowhere, it ends with us. */
export function startServer(program: string, args: readonly string[], { cwd }: { readonly cwd: string }): ChildProcess {
  const child = spawn(program, args, { cwd, stdio: 'ignore' })
  // A program that is not there has no pid: `answering()` says so.
  child.on('error', () => undefined)
  return child
}

/** By SIGTERM, and SIGKILL when it does not end. */
export async function stopServers(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), stopPatienceMs)
      await ended
      clearTimeout(timer)
    }),
  )
}

export interface AnsweringOptions {
  /** Whether it is this answer that was waited for; default: any. */
  readonly until?: (answer: Response) => Promise<boolean>
  readonly patienceMs?: number
}

/** Resolves when an HTTP server answers there. @throws {Error} it does not, or a server of it has ended */
export async function answering(
  endpoint: string,
  children: readonly ChildProcess[] = [],
  { until = async () => true, patienceMs = startPatienceMs }: AnsweringOptions = {},
): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  while (performance.now() < deadlineMs) {
    const dead = children.find(
      ({ exitCode, signalCode, pid }) => pid === undefined || exitCode !== null || signalCode !== null,
    )
    if (dead !== undefined) throw new Error(`Cannot measure a rival: ${dead.spawnfile} did not start or has ended`)
    // Not there yet: it is asked again, until the deadline.
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    const isIt = answer !== undefined && (await until(answer))
    if (answer?.bodyUsed === false) await answer.body?.cancel()
    if (isIt) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Cannot measure a rival: it is not ready at ${endpoint} after ${patienceMs / 1_000} s`)
}
