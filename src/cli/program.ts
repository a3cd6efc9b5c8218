/**
 * A command line over a set of verbs, and one run of it: arguments in, exit code out. Usage errors are printed here; what a
 * verb throws is the caller's to print.
 * @module
 */
import { Command, CommanderError } from 'commander'
import { AshlarError } from '../base/errors.ts'
import type { Host } from './host.ts'
import type { VerbRegistry } from './verb-registry.ts'

export interface ProgramOptions {
  readonly host: Host
  /** Adds the verbs. */
  readonly register: (registry: VerbRegistry) => void
}

/** @returns the exit code */
export async function runProgram(argv: readonly string[], { host, register }: ProgramOptions): Promise<number> {
  let exitCode = 0
  const exitWith = (code: number) => {
    exitCode = code
  }
  const isJson = argv.includes('--json')
  const program = buildProgram({ host, register, isJson, exitWith })
  try {
    await program.parseAsync(withoutVainHelp(argv, program), { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    // Help and version are no failure; help without a verb is.
    if (error.exitCode === 0) return 0
    if (isJson) throw new AshlarError('invalid-argument', error.message.replace(/^error: /, ''), { cause: error })
    return 2
  }
}

export function buildProgram({
  host,
  register,
  isJson = false,
  exitWith = () => undefined,
}: ProgramOptions & { readonly isJson?: boolean; readonly exitWith?: VerbRegistry['exitWith'] }): Command {
  const program = new Command('ashlar')
  const prefix = host.client === undefined ? 'ashlar ' : ''
  program
    .description('A distributed file and object store that never loses an acknowledged byte, and explains itself.')
    .usage('VERB …')
    .showSuggestionAfterError(true)
    .showHelpAfterError(`(${prefix}help VERB shows what a verb takes)`)
    .addHelpText('after', `\n${prefix}help VERB shows what a verb takes, with examples.`)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => {
        if (!isJson) write(text.replace(/^error: /, 'ashlar: '))
      },
      ...(isJson ? { writeErr: () => undefined } : {}),
    })
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false, subcommandTerm: (command) => termOf(command) })
    .helpCommand('help [verb]', 'show what a verb takes')
  register({ program, host, exitWith })
  for (const verb of program.commands) verb.showHelpAfterError(`(${prefix}help ${verb.name()} shows what it takes)`)
  return program
}

/** As in "rm, delete": what a verb takes is shown by its own help. */
function termOf(command: Command): string {
  return [command.name(), ...command.aliases()].join(', ')
}

/** Help on a verb that does not exist is refused as the verb itself is: by name, with the nearest one. */
function withoutVainHelp(argv: readonly string[], { commands }: Command): readonly string[] {
  const [first, verb] = argv
  if (first !== 'help' || verb === undefined || verb.startsWith('-')) return argv
  const isKnown = verb === 'help' || commands.some((each) => each.name() === verb || each.aliases().includes(verb))
  return isKnown ? argv : argv.slice(1)
}
