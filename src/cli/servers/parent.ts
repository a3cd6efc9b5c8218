/**
 * The tie to `ashlar up`, when it started this server: reports go up, and when the parent is gone the server stops.
 * The operating system closes the channel when the parent dies, however it dies.
 * @module
 */
import type { ChildReport, ParentMessage } from '../up/messages.ts'

export interface Parent {
  report(report: ChildReport): void
  /** Resolves when the parent says where the master is. */
  readonly masterAddress: Promise<string>
  /** Aborts when the parent is gone. */
  readonly gone: AbortSignal
  /** Lets go of the channel, which would keep this process alive. Idempotent. */
  end(): void
}

/** @returns undefined when this process was started by hand */
export function connectToParent(): Parent | undefined {
  if (process.send === undefined) return undefined
  const gone = new AbortController()
  const address = Promise.withResolvers<string>()
  process.once('disconnect', () => gone.abort())
  process.on('message', (message) => address.resolve((message as ParentMessage).masterAddress))
  return {
    gone: gone.signal,
    masterAddress: address.promise,
    end() {
      if (process.connected) process.disconnect?.()
    },
    report(report) {
      // The parent may have died meanwhile: `gone` says so.
      if (process.connected) process.send?.(report, undefined, undefined, () => undefined)
    },
  }
}
