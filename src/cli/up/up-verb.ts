/** Registers `ashlar up`. @module */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { defaultDataFolder } from '../../client/cluster-file.ts'
import { defaultStrategy, strategyNames } from '../../cluster/placement-strategy.ts'
import { createNodeEnv } from '../../env/node-env.ts'
import { confirm, confirmOlderMetadata } from '../confirm.ts'
import { logLevel } from '../log-level.ts'
import { createOutput } from '../output.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { checkUpOptions, type RawUpOptions } from './up-options.ts'

export function registerUp({ program, host }: VerbRegistry): void {
  program
    .command('up')
    .summary('start a cluster on this machine')
    .description('Starts a master and chunk servers on this machine, each a process of its own, and watches over them.')
    .option('--data <dir>', `data folder (default: ${defaultDataFolder()})`)
    .option('--chunk-servers <n>', 'how many (default: 3); later starts can only add')
    .option('--capacity <size[,size…]>', 'bytes that each chunk server may hold (default: a share of the free space)')
    .option('--host <host>', 'address to listen on; others reach it only if it is not loopback (default: 127.0.0.1)')
    .option('--port <port>', 'port of the HTTP door; 0 takes any (default: 7601, or the next free one)')
    .option('--s3-port <port>', 'port of the S3 door; 0 takes any (default: 7602, or the next free one)')
    .option(
      '--open-buckets',
      'S3 buckets that were told nothing take ACLs and public policies from their owners; for this start alone (default: they refuse both)',
    )
    .option('--chunk-size <size>', 'largest chunk, 1 byte to 128MiB (default: 8MiB)')
    .option('--policy <name>', 'replicated-3, replicated-2 or replicated-1 (default: replicated-3)')
    .option('--trash-keep <duration>', 'how long deleted files can be brought back (default: 7d)')
    .option('--dead-after <duration>', 'a silent chunk server counts as dead after this (default: 30s)')
    .option('--placement <strategy>', `of a new cluster: ${strategyNames.join(', ')} (default: ${defaultStrategy})`)
    .option(
      '--backup-every <duration>',
      'how often the metadata is copied whole to chunk servers, beside its change log; off: neither (default: 1d; with --temp: off)',
    )
    .option('--no-restart', 'report a server that dies, and do not start it again')
    .option(
      '--replace-chunk-server <n[,n…]>',
      'start new, empty servers in place of those whose folders are gone for good',
    )
    .option(
      '--accept-older-metadata',
      'go on with metadata that was put back from an older copy: what came later is given up',
    )
    .option('-y, --yes', 'do not ask')
    .option('--temp', 'free ports, and data that is deleted at the end', false)
    .option('--json', 'one line on stdout when it is ready')
    .addHelpText(
      'after',
      `
Examples:
  ashlar up
  ashlar up --data /srv/ashlar --chunk-servers 4 --capacity 100GiB
  ashlar up --temp --json`,
    )
    .action(async (raw: RawUpOptions & { readonly json?: boolean }) => {
      const asked = checkUpOptions(raw)
      const dataFolder = raw.temp ? await mkdtemp(join(tmpdir(), 'ashlar-')) : resolve(raw.data ?? defaultDataFolder())
      const { runUp } = await import('./up.ts')
      if (raw.acceptOlderMetadata === true) await confirmOlderMetadata(host, raw.yes === true)
      try {
        await runUp({
          env: createNodeEnv({ log: logLevel() }),
          output: createOutput({ json: raw.json === true }),
          dataFolder,
          asked: raw.temp ? { httpPort: 0, s3Port: 0, backupEveryMs: 0, ...asked } : asked,
          restart: raw.restart,
          acceptOlderMetadata: raw.acceptOlderMetadata === true,
          confirm: (question) => confirm(host, { question, yes: raw.yes === true }),
          isTemporary: raw.temp === true,
          stop: host.stop,
        })
      } finally {
        if (raw.temp) await rm(dataFolder, { recursive: true, force: true })
      }
    })
}
