/** `ashlar completion bash|zsh|fish`, and the hidden verb that its scripts call. @module */
import { AshlarError } from '../../base/errors.ts'
import type { AshlarClient } from '../../client/filesystem.ts'
import { type CommonOptions, createContext } from '../command-context.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { examplesText } from '../verbs/verb.ts'
import { candidates } from './candidates.ts'
import { completionScripts } from './scripts.ts'

/** A person waits for it at each press of the key. */
const patience = '1500ms'

export function registerCompletion({ program, host }: VerbRegistry): void {
  program
    .command('completion <bash|zsh|fish>')
    .summary('print a script that completes verbs, options and remote paths')
    .description('Prints a script for the shell that you use: it completes verbs, options and remote paths.')
    .addHelpText(
      'after',
      examplesText([
        'source <(ashlar completion bash)      # in ~/.bashrc',
        'source <(ashlar completion zsh)       # in ~/.zshrc, after compinit',
        'ashlar completion fish > ~/.config/fish/completions/ashlar.fish',
      ]),
    )
    .action((shell: string) => {
      const script = completionScripts[shell]
      if (script === undefined) {
        throw new AshlarError(
          'invalid-argument',
          `Cannot complete in ${shell}: there are scripts for ${Object.keys(completionScripts).join(', ')}`,
        )
      }
      process.stdout.write(script)
    })

  program
    .command('__complete [words...]', { hidden: true })
    .allowUnknownOption()
    .action(async (words: readonly string[]) => {
      const before = words.slice(0, -1)
      const context = createContext({ timeout: patience, ...clusterOf(before) }, host)
      await using opened = new AsyncDisposableStack()
      let client: AshlarClient | undefined
      const found = await candidates({
        program,
        before,
        partial: words.at(-1) ?? '',
        client: async () => {
          client ??= opened.use(await context.connect())
          return client
        },
        signal: host.stop,
      })
      if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`)
    })
}

/** The line may name a cluster before the word under the cursor. */
function clusterOf(words: readonly string[]): CommonOptions {
  const cluster = words[words.lastIndexOf('--cluster') + 1]
  return words.includes('--cluster') && cluster !== undefined ? { cluster } : {}
}
