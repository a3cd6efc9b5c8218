/** Registers `ashlar restore`. @module */
import { resolve } from 'node:path'
import { createNodeEnv } from '../../env/node-env.ts'
import { logLevel } from '../log-level.ts'
import { createOutput } from '../output.ts'
import { ownerOnly } from '../servers/server-run.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import type { RawRestoreOptions } from './restore.ts'

export function registerRestore({ program, host }: VerbRegistry): void {
  program
    .command('restore')
    .summary("rebuild a master's data folder from what the chunk servers keep")
    .description(
      'Rebuilds the metadata of a master whose disk is lost, from the newest backup and the change log that the chunk servers keep, into a new data folder. Changes nothing on the chunk servers. Says what is lost: what was acknowledged after the newest change that they have.',
    )
    .requiredOption(
      '--from-servers <path>',
      'the join file of the chunk servers; or the data folder (or cluster.json) of "ashlar up", which has one',
    )
    .requiredOption('--data <dir>', 'data folder of the new master: new, or empty')
    .option('--plan', 'only say what would be restored, and what is lost')
    .option(
      '--server <host:port>',
      'a running chunk server, may be repeated (default: wait for them at the address of the join file)',
      collected,
    )
    .option(
      '--folder <dir>',
      'data folder of a chunk server on this machine, running or not; may be repeated',
      collected,
    )
    .option('--file <path>', 'a file that "ashlar backup --to" wrote; may be repeated', collected)
    .option('--listen <host:port>', 'where to wait for chunk servers (default: the address of the join file)')
    .option('--wait <duration>', 'how long to wait for them at most (default: 30s)')
    .option('--json', 'the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples:
  ashlar restore --from-servers join.json --data /srv/ashlar-master-2 --plan
  ashlar restore --from-servers join.json --data /srv/ashlar-master-2
  ashlar restore --from-servers ~/.local/share/ashlar --data ~/.local/share/ashlar/master
  ashlar restore --from-servers join.json --folder /disk1/ashlar --folder /disk2/ashlar --data /srv/ashlar-master-2
  ashlar restore --from-servers join.json --file metadata.backup --data /srv/ashlar-master-2`,
    )
    .action(async (raw: RawRestoreOptions) => {
      process.umask(ownerOnly)
      const { runRestore } = await import('./restore.ts')
      await runRestore(
        { ...raw, data: resolve(raw.data), fromServers: resolve(raw.fromServers) },
        {
          env: createNodeEnv({ log: logLevel() }),
          output: createOutput({ json: raw.json === true }),
          signal: host.stop,
        },
      )
    })
}

function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
