/**
 * What all verbs that talk to a cluster share: the common options, a connected client, and its end.
 * @module
 */
import type { Command } from 'commander'
import type { AshlarClient } from '../../client/filesystem.ts'
import { type CommandContext, type CommonOptions, createContext } from '../command-context.ts'
import type { VerbRegistry } from '../verb-registry.ts'

export interface VerbRun<Options> extends CommandContext {
  readonly client: AshlarClient
  readonly options: Options
  /** The exit code of this command, where it is not the verb's to judge. */
  readonly exitWith: (exitCode: number) => void
}

export interface Verb<Options> {
  /** Name and arguments, as commander writes them: `mv <from> <to>`. */
  readonly usage: string
  readonly alias?: string
  readonly summary: string
  readonly description?: string
  /** Flags and what they do. */
  readonly flags?: readonly (readonly [string, string])[]
  /** Command lines without the `ashlar` before them. */
  readonly examples: readonly string[]
  readonly run: (run: VerbRun<Options>, ...args: string[]) => Promise<void>
}

/** Adds a verb to the program. */
export function addVerb<Options>({ program, host, exitWith }: VerbRegistry, verb: Verb<Options>): Command {
  const command = program.command(verb.usage).summary(verb.summary)
  if (verb.alias !== undefined) command.alias(verb.alias)
  command.description(verb.description ?? `${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}.`)
  for (const [flags, text] of verb.flags ?? []) command.option(flags, text)
  command.option('--json', 'results as JSON on stdout, one object or one per line')
  if (host.client === undefined) addClusterOptions(command)
  return command
    .addHelpText('after', examplesText(verb.examples, { prefix: host.client === undefined ? 'ashlar ' : '' }))
    .action(async (...received: unknown[]) => {
      // Commander hands over the arguments, then the options, then the command itself.
      const options = received.at(-2) as Options & CommonOptions
      const args = received.slice(0, -2).flat() as string[]
      const context = createContext(options, host)
      if (host.client !== undefined) {
        await verb.run({ ...context, client: host.client, options, exitWith }, ...args)
        return
      }
      await using client = await context.connect()
      await verb.run({ ...context, client, options, exitWith }, ...args)
    })
}

/** Which cluster, and how long to wait for it. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--cluster <path>', 'cluster.json of the cluster (default: ASHLAR_CLUSTER, or the default data folder)')
    .option('--timeout <duration>', 'give up when no master answers for so long (default: 8s)')
}

/** Lines that begin with a pipe's left side name `ashlar` themselves. */
export function examplesText(examples: readonly string[], { prefix = 'ashlar ' } = {}): string {
  const lines = examples.map((example) => `  ${example.includes('ashlar ') ? example : `${prefix}${example}`}`)
  return `\nExamples:\n${lines.join('\n')}`
}
