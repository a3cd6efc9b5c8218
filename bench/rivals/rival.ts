/**
 * Other stores, measured by the same client in the same rounds. Nothing of them is here: a program that is on the machine is named
 * by the environment, started on a folder of its own, and stopped; or an endpoint that already runs is.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { S3Access } from '../local-cluster.ts'
import { garage } from './garage.ts'
import { s3Endpoint } from './s3-endpoint.ts'
import { seaweedfs } from './seaweedfs.ts'

export interface RunningRival extends AsyncDisposable {
  readonly s3: S3Access
  /** Empty where they are not ours to see. */
  readonly pids: readonly number[]
}

export interface Rival {
  readonly name: string
  /** What its acknowledgement means, as it is started here. */
  readonly durability: string
  /** @param folder its data; empty, removed afterwards */
  start(folder: string): Promise<RunningRival>
}

const startPatienceMs = 30_000
const stopPatienceMs = 10_000

/** Those that the environment names. */
export function rivalsOf(environment: Readonly<Record<string, string | undefined>>): readonly Rival[] {
  return [seaweedfs, garage, s3Endpoint].flatMap((make) => make(environment) ?? [])
}

/** A server of a rival: its output goes nowhere, it ends with us. */
export function startServer(program: string, args: readonly string[], { cwd }: { readonly cwd: string }): ChildProcess {
  return spawn(program, args, { cwd, stdio: 'ignore' })
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

/** Resolves when an HTTP server answers there, whatever it answers. @throws {Error} it does not, or a server of it has ended */
export async function answering(endpoint: string, children: readonly ChildProcess[] = []): Promise<void> {
  const deadlineMs = performance.now() + startPatienceMs
  while (performance.now() < deadlineMs) {
    const dead = children.find(
      ({ exitCode, signalCode, pid }) => pid === undefined || exitCode !== null || signalCode !== null,
    )
    if (dead !== undefined) throw new Error(`Cannot measure a rival: ${dead.spawnfile} did not start or has ended`)
    // Not there yet: it is asked again, until the deadline.
    const answer = await fetch(endpoint, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
    if (answer !== undefined) {
      await answer.body?.cancel()
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Cannot measure a rival: nothing answers at ${endpoint}`)
}
