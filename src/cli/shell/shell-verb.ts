/** Registers `ashlar shell`. @module */
import { createContext } from '../command-context.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addClusterOptions, examplesText } from '../verbs/verb.ts'

interface ShellOptions {
  readonly cluster?: string
  readonly timeout?: string
  readonly json?: boolean
}

export function registerShell({ program, host, exitWith }: VerbRegistry): void {
  const command = program
    .command('shell')
    .summary('a prompt that keeps one connection: history, completion, the verbs without "ashlar"')
    .description(
      'A prompt with history and completion that keeps one connection. It takes the verbs of clients without "ashlar", and "delete" beside "rm". ' +
        'There, "put TEXT /path" stores TEXT itself when it holds no / and names no local file. ' +
        'In a pipe it reads commands line by line, goes on after errors, and exits with the code of the last one that failed.',
    )
    .option('--json', 'every command with --json')
  addClusterOptions(command)
    .addHelpText('after', examplesText(['shell', "printf 'ls /\\nnodes\\n' | ashlar shell"]))
    .action(async (options: ShellOptions) => {
      const { runShell } = await import('./shell.ts')
      const context = createContext(options, host)
      await using client = await context.connect()
      exitWith(await runShell({ client, stop: host.stop, isJson: options.json === true }))
    })
}
