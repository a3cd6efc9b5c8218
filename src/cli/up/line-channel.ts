/**
 * What `ashlar up` and a server of it say to each other: messages, each a line of JSON, on a pipe between the two.
 *
 * Node's own channel for this (`ipc`) loads `node:child_process` in every child: 5 ms of CPU at each start of each server.
 * Invariant: `onClosed` is called once, after the last message, however the other side ends: then the operating system closes the pipe.
 * @module
 */
import type { Duplex } from 'node:stream'

/** The descriptor of the pipe in the server's process. */
export const channelFd = 3
/** Of one message; they are a few hundred bytes. */
const longestLine = 64 * 1024

export interface LineChannel {
  /** Resolves when the pipe has it, or is closed. Never rejects: who hears nothing more is told by `onClosed`. */
  send(message: object): Promise<void>
  /** A listener would keep the process. */
  close(): void
}

export function openLineChannel(
  pipe: Duplex,
  { onMessage, onClosed }: { readonly onMessage: (message: unknown) => void; readonly onClosed?: () => void },
): LineChannel {
  let begun = ''
  pipe.setEncoding('utf8')
  pipe.on('data', (text: string) => {
    const lines = (begun + text).split('\n')
    begun = lines.pop() as string
    if (begun.length > longestLine) pipe.destroy()
    for (const line of lines) onMessage(JSON.parse(line))
  })
  // The other side is gone: `close` follows.
  pipe.on('error', () => undefined)
  pipe.once('close', () => onClosed?.())
  return {
    send: (message) =>
      new Promise((resolve) => {
        if (pipe.writable) pipe.write(`${JSON.stringify(message)}\n`, () => resolve())
        else resolve()
      }),
    close: () => void pipe.destroy(),
  }
}
