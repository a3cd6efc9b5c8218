/**
 * The tie to `ashlar up`, when it started this server: reports go up, and when the parent is gone the server stops.
 * The operating system closes the channel when the parent dies, however it dies.
 * @module
 */
import { Socket } from 'node:net'
import { errorTable } from '../../base/error-table.ts'
import { AshlarError } from '../../base/errors.ts'
import type { Env } from '../../env/env.ts'
import { channelFd, openLineChannel } from '../up/line-channel.ts'
import type { ChildReport, ParentMessage } from '../up/messages.ts'
import { orphanGuard } from './serve-until.ts'

export interface Parent {
  report(report: ChildReport): void
  /** Resolves when it is on its way. */
  reportFailure(error: AshlarError): Promise<void>
  /** Resolves when the parent says where the master is. */
  readonly masterAddress: Promise<string>
  /** Aborts when the parent is gone. */
  readonly gone: AbortSignal
  /** Listened to, the channel would keep the process. */
  close(): void
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
    await parent.reportFailure(error)
    exitWith(errorTable[error.code].exit)
  } finally {
    parent?.close()
  }
}

function connectToParent(): Parent {
  const gone = new AbortController()
  const address = Promise.withResolvers<string>()
  const channel = openLineChannel(new Socket({ fd: channelFd, readable: true, writable: true }), {
    onMessage: (message) => address.resolve((message as ParentMessage).masterAddress),
    onClosed: () => gone.abort(),
  })
  return {
    gone: gone.signal,
    masterAddress: address.promise,
    // It never rejects, and a parent that is gone is told by `gone`.
    report: (report) => void channel.send(report),
    reportFailure: ({ code, message }) => channel.send({ event: 'failed', code, message } satisfies ChildReport),
    close: () => channel.close(),
  }
}
