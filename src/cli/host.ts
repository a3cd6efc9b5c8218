/**
 * Where verbs run: in a process of their own (`ashlar VERB`), or in the shell, which keeps one client and reads commands
 * from stdin itself.
 * @module
 */
import type { Readable } from 'node:stream'
import type { AshlarClient } from '../client/filesystem.ts'

export interface Host {
  /** Aborts on Ctrl-C and SIGTERM; in the shell on Ctrl-C, for the command under way. */
  readonly stop: AbortSignal
  /** What `-` reads. Absent in the shell. */
  readonly stdin?: Readable | undefined
  /** Kept over many commands (shell). Absent: each verb connects, and closes. */
  readonly client?: AshlarClient | undefined
  /** Asks a person. Absent where nobody can be asked: no terminal, a script. */
  readonly ask?: ((question: string) => Promise<string>) | undefined
}

/** The host of `ashlar VERB`. */
export function processHost(stop: AbortSignal): Host {
  return {
    stop,
    get stdin() {
      isStdinUsed = true
      return process.stdin
    },
    // Looked at when it is needed: Node makes a stream then.
    get ask() {
      return process.stdin.isTTY === true && process.stderr.isTTY === true ? askOnTerminal : undefined
    },
  }
}

let isStdinUsed = false

/** Lets the process end though whoever writes to its stdin has not ended. */
export function releaseStdin(): void {
  if (isStdinUsed) process.stdin.destroy()
}

async function askOnTerminal(question: string): Promise<string> {
  // Not imported: each start would pay for a question that hardly any command asks.
  const { createInterface } = process.getBuiltinModule('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}
