/** What the process of any server is given, and what it sets for itself. @module */
import type { Env } from '../../env/env.ts'
import type { Output } from '../output.ts'

/** The umask: nothing that a server stores is for other users, the files that SQLite makes included. */
export const ownerOnly = 0o077

export interface ServerRun {
  readonly env: Env
  readonly output: Output
  /** Aborts on SIGTERM and Ctrl-C. */
  readonly stop: AbortSignal
  readonly exitWith: (exitCode: number) => void
}
