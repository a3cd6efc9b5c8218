/**
 * The command line as a whole: each verb's file registers itself and loads what it needs when it runs, so that
 * `ashlar ls` does not pay for `ashlar up`.
 * @module
 */
import { Command, CommanderError } from 'commander'
import { registerServerVerbs } from './servers/server-verbs.ts'
import { registerUp } from './up/up-verb.ts'
import { registerVerbs } from './verbs/register.ts'
import { packageVersion } from './version.ts'

export interface ProgramOptions {
  /** Aborts on SIGTERM and Ctrl-C. */
  readonly stop: AbortSignal
}

/** What a verb's file adds itself to. */
export interface VerbRegistry {
  readonly program: Command
  readonly stop: AbortSignal
}

/** @returns the exit code */
export async function runProgram(argv: readonly string[], { stop }: ProgramOptions): Promise<number> {
  const program = buildProgram({ stop })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Commander has printed its message already: help and version are no failure, help without a verb is.
    return error.exitCode === 0 ? 0 : 2
  }
}

export function buildProgram({ stop }: ProgramOptions): Command {
  const program = new Command('ashlar')
  program
    .description('A distributed file and object store that never loses an acknowledged byte, and explains itself.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .showSuggestionAfterError(true)
    .showHelpAfterError('(ashlar help VERB shows what a verb takes)')
    .exitOverride()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .helpCommand('help [verb]', 'show what a verb takes')
  const registry: VerbRegistry = { program, stop }
  registerUp(registry)
  registerServerVerbs(registry)
  registerVerbs(registry)
  return program
}
