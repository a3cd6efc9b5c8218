/** What the file of a verb adds itself to. @module */
import type { Command } from 'commander'
import type { Host } from './host.ts'

export interface VerbRegistry {
  readonly program: Command
  readonly host: Host
  /** Of a verb that did its work, and whose exit code is another's: `ashlar lock`. */
  readonly exitWith: (exitCode: number) => void
}
