/**
 * What all verbs that talk to a cluster share: the common options, a connected client, and its end.
 * @module
 */
import type { Command } from 'commander'
import type { AshlarClient } from '../../client/filesystem.ts'
import { type CommandContext, type CommonOptions, createContext } from '../command-context.ts'
import type { VerbRegistry } from '../program.ts'

export interface VerbRun<Options> extends CommandContext {
  readonly client: AshlarClient
  readonly options: Options
}

export interface Verb<Options> {
  /** Name and arguments, as commander writes them: `mv <from> <to>`. */
  readonly usage: string
  readonly summary: string
  readonly description?: string
  /** Flags and what they do. */
  readonly flags?: readonly (readonly [string, string])[]
  /** Command lines without the `ashlar` before them. */
  readonly examples: readonly string[]
  readonly run: (run: VerbRun<Options>, ...args: string[]) => Promise<void>
}

/** Adds a verb to the program. */
export function addVerb<Options>({ program, stop }: VerbRegistry, verb: Verb<Options>): Command {
  const command = program.command(verb.usage).summary(verb.summary)
  command.description(verb.description ?? `${verb.summary[0]?.toUpperCase()}${verb.summary.slice(1)}.`)
  for (const [flags, text] of verb.flags ?? []) command.option(flags, text)
  return command
    .option('--json', 'results as JSON on stdout, one object or one per line')
    .option('--cluster <path>', 'cluster.json of the cluster (default: ASHLAR_CLUSTER, or the default data folder)')
    .option('--timeout <duration>', 'give up after this (default: 10s)')
    .addHelpText('after', `\nExamples:\n${verb.examples.map((example) => `  ashlar ${example}`).join('\n')}`)
    .action(async (...received: unknown[]) => {
      // Commander hands over the arguments, then the options, then the command itself.
      const options = received.at(-2) as Options & CommonOptions
      const args = received.slice(0, -2).flat() as string[]
      const context = createContext(options, { signal: stop })
      await using client = await context.connect()
      await verb.run({ ...context, client, options }, ...args)
    })
}
