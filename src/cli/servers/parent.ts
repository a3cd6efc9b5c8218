/**
 * The tie to `ashlar up`, when it started this server: reports go up, and when the parent is gone the server stops.
 * The operating system closes the channel when the parent dies, however it dies.
 * @module
 */
import { errorTable } from '../../base/error-table.ts'
import { AshlarError } from '../../base/errors.ts'
import type { Env } from '../../env/env.ts'
import type { ChildReport, ParentMessage } from '../up/messages.ts'
import { orphanGuard } from './serve-until.ts'

export interface Parent {
  report(report: ChildReport): void
  /** Resolves when the parent says where the master is. */
  readonly masterAddress: Promise<string>
  /** Aborts when the parent is gone. */
  readonly gone: AbortSignal
}

/**
 * Runs a server, under its parent if it has one. Why it cannot go on is told to the parent then, which prints it, once.
 * @param work is given no parent when this process was started by hand
 */
export async function runUnderParent(
  {
    env,
    supervised,
    exitWith,
  }: { readonly env: Env; readonly supervised: boolean; readonly exitWith: (exitCode: number) => void },
  work: (parent: Parent | undefined) => Promise<void>,
): Promise<void> {
  const parent = supervised ? connectToParent() : undefined
  orphanGuard(parent?.gone, env)
  try {
    await work(parent)
  } catch (error) {
    if (parent === undefined || !(error instanceof AshlarError)) throw error
    await send({ event: 'failed', code: error.code, message: error.message })
    exitWith(errorTable[error.code].exit)
  } finally {
    // Listened to, the channel would keep the process.
    if (parent !== undefined && process.connected) process.disconnect?.()
  }
}

function connectToParent(): Parent | undefined {
  if (process.send === undefined) return undefined
  const gone = new AbortController()
  const address = Promise.withResolvers<string>()
  process.once('disconnect', () => gone.abort())
  process.on('message', (message) => address.resolve((message as ParentMessage).masterAddress))
  return { gone: gone.signal, masterAddress: address.promise, report: (report) => void send(report) }
}

/** The parent may have died meanwhile: `gone` says so. */
function send(report: ChildReport): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send !== undefined) process.send(report, undefined, undefined, () => resolve())
    else resolve()
  })
}
