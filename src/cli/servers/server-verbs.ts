/** Registers `ashlar master`, `ashlar chunkserver` and `ashlar join`. @module */
import { resolve } from 'node:path'
import { defaultStrategy, strategyNames } from '../../cluster/placement-strategy.ts'
import { createNodeEnv } from '../../env/node-env.ts'
import { confirmOlderMetadata } from '../confirm.ts'
import { logLevel } from '../log-level.ts'
import { createOutput } from '../output.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import type { RawChunkServerOptions } from './chunkserver-process.ts'
import type { RawMasterOptions } from './master-process.ts'
import { ownerOnly } from './server-run.ts'

export function registerServerVerbs({ program, host, exitWith }: VerbRegistry): void {
  program
    .command('master')
    .summary('run a master of its own')
    .description('Runs a master. Its data folder gets cluster.json (for clients) and join.json (for chunk servers).')
    .requiredOption('--data <dir>', 'data folder')
    .option('--listen <host:port>', 'address of frames (default: 127.0.0.1:7600, or the next free port)')
    .option('--advertise <host>', 'host by which others reach this master (default: the one listened on)')
    .option('--http-port <port>', 'port of the HTTP door (default: 7601, or the next free one)')
    .option('--policy <name>', 'replicated-3, replicated-2 or replicated-1; of a new cluster')
    .option('--chunk-size <size>', 'largest chunk; of a new cluster')
    .option('--trash-keep <duration>', 'how long deleted files can be brought back')
    .option('--dead-after <duration>', 'a silent chunk server counts as dead after this')
    .option('--placement <strategy>', `of a new cluster: ${strategyNames.join(', ')} (default: ${defaultStrategy})`)
    .option(
      '--backup-every <duration>',
      'how often the metadata is copied whole to chunk servers, beside its change log; off: neither (default: 1d)',
    )
    .option(
      '--accept-older-metadata',
      'go on with metadata that was put back from an older copy: what came later is given up',
    )
    .option('-y, --yes', 'do not ask')
    .option('--json', 'one line on stdout when it is ready')
    .addHelpText('after', '\nExample:\n  ashlar master --data /srv/ashlar-master --listen 10.0.0.1:7600')
    .action(async (raw: RawMasterOptions) => {
      process.umask(ownerOnly)
      const { runMaster } = await import('./master-process.ts')
      if (raw.acceptOlderMetadata === true) await confirmOlderMetadata(host, raw.yes === true)
      const options = { ...raw, data: resolve(raw.data) }
      await runMaster(options, {
        env: createNodeEnv({ log: logLevel() }),
        output: createOutput({ json: raw.json === true }),
        stop: host.stop,
        exitWith,
      })
    })

  program
    .command('chunkserver')
    .summary('run a chunk server, which joins a cluster')
    .description('Runs a chunk server on one disk. It joins the running cluster by itself.')
    .requiredOption('--data <dir>', 'data folder, on the disk to use')
    .requiredOption('--cluster <joinfile>', 'what "ashlar join" printed on the master\'s machine')
    .option('--capacity <size>', 'chunk bytes that it may hold (default: the free space)')
    .option('--listen <host:port>', 'address of frames (default: 127.0.0.1:7610, or the next free port)')
    .option('--advertise <host>', 'host by which others reach this server (default: the one listened on)')
    .option('--http-port <port>', 'port of plain HTTP (default: the one after that of frames)')
    .option('--disk-rate <size>', 'bytes that the disk does in a second: repair keeps to half (default: measured)')
    .option('--domain <host/rack>', 'failure domain: replicas of a chunk never share one (default: the host name)')
    .option('--json', 'one line on stdout when it is ready')
    .addHelpText(
      'after',
      '\nExample:\n  ashlar chunkserver --data /disk1/ashlar --capacity 4TiB --listen 10.0.0.2:7610 --cluster join.json --domain host2/rack1',
    )
    .action(async (raw: RawChunkServerOptions) => {
      process.umask(ownerOnly)
      const { runChunkServer } = await import('./chunkserver-process.ts')
      const options = { ...raw, data: resolve(raw.data) }
      await runChunkServer(options, {
        env: createNodeEnv({ log: logLevel() }),
        output: createOutput({ json: raw.json === true }),
        stop: host.stop,
        exitWith,
      })
    })

  program
    .command('join')
    .summary('print the join file for chunk servers')
    .description(
      'Prints what a chunk server on this or another machine needs to join. It holds the cluster secret: keep it from clients.',
    )
    .option('--data <dir>', 'data folder of the cluster or its master (default: the default data folder)')
    .option('--json', 'print it as one line')
    .addHelpText('after', '\nExample:\n  ashlar join > join.json && scp join.json host2:')
    .action(async (raw: { readonly data?: string; readonly json?: boolean }) => {
      const { printJoinFile } = await import('./join-verb.ts')
      await printJoinFile(raw, {
        env: createNodeEnv({ log: logLevel() }),
        output: createOutput({ json: raw.json === true }),
      })
    })
}
