/** Registers `ashlar s3 serve` and `ashlar s3 env`. @module */
import { AshlarError } from '../../base/errors.ts'
import { readClusterFile } from '../../client/cluster-file.ts'
import { createNodeEnv } from '../../env/node-env.ts'
import { clusterFilePath } from '../command-context.ts'
import { logLevel } from '../log-level.ts'
import { createOutput } from '../output.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { examplesText } from '../verbs/verb.ts'
import type { RawS3Options } from './s3-process.ts'

interface RawOptions extends Omit<RawS3Options, 'cluster'> {
  readonly cluster?: string
  readonly endpoint?: string
}

export function registerS3({ program, host, exitWith }: VerbRegistry): void {
  program
    .command('s3 <serve|env|explain-deny> [request-id]')
    .summary('serve S3, say how clients reach it, or why a request was refused')
    .description(
      '"serve" runs a further S3 door of a cluster ("ashlar up" starts one). "env" prints the lines that point AWS clients at it: they hold the root key. ' +
        '"explain-deny" says which rule refused a request, by the id in its answer (x-amz-request-id); each door keeps its own last refusals, in memory.',
    )
    .option('--cluster <path>', 'cluster.json of the cluster (default: ASHLAR_CLUSTER, or the default data folder)')
    .option('--listen <host:port>', 'serve: address (default: 127.0.0.1:7602, or the next free port)')
    .option(
      '--metrics-listen <host:port>',
      'serve: address of /metrics (default: 127.0.0.1:7603, or the next free port)',
    )
    .option('--region <name>', 'serve: the region that buckets are in (default: us-east-1)')
    .option('--domain <host...>', 'serve: hosts that carry buckets in front of them, as in BUCKET.s3.example.com')
    .option('--trusted-proxy <range...>', 'serve: addresses of proxies whose X-Forwarded-For and -Proto are believed')
    .option(
      '--kms-key <name...>',
      'serve: names of keys for aws:kms, derived from the key of the cluster (default: none)',
    )
    .option(
      '--open-buckets',
      'serve: buckets that were told nothing take ACLs and public policies from their owners; each door has this of its own (default: they refuse both)',
    )
    .option('--endpoint <url>', 'explain-deny: the door that refused (default: the one of cluster.json)')
    .option('--json', 'results as JSON on stdout')
    .addHelpText(
      'after',
      examplesText([
        'eval "$(ashlar s3 env)" && aws s3 ls',
        's3 serve --listen 0.0.0.0:9000',
        's3 explain-deny 9F3B02C1D4E5F607',
      ]),
    )
    .action(async (action: string, requestId: string | undefined, raw: RawOptions) => {
      const options = { ...raw, cluster: clusterFilePath(raw) }
      const env = createNodeEnv({ log: logLevel() })
      const output = createOutput({ json: raw.json === true })
      if (action === 'serve') {
        const { runS3Gateway } = await import('./s3-process.ts')
        await runS3Gateway(options, { env, output, stop: host.stop, exitWith })
        return
      }
      if (action === 'explain-deny') {
        const { explainDeny } = await import('./explain-deny.ts')
        await explainDeny(requestId, { ...options, env, output, stop: host.stop })
        return
      }
      if (action !== 'env') {
        throw new AshlarError(
          'invalid-argument',
          `Cannot do "s3 ${action}": it is "s3 serve", "s3 env" or "s3 explain-deny"`,
        )
      }
      const { s3 } = await readClusterFile(env.disk, options.cluster)
      if (s3?.endpoint === undefined) {
        throw new AshlarError(
          'unavailable',
          `Cannot tell the S3 endpoint: ${options.cluster} names none. Start "ashlar s3 serve"`,
        )
      }
      const { endpoint, accessKeyId, secretAccessKey } = s3
      output.object({ endpoint, accessKeyId, secretAccessKey, region: 'us-east-1' })
      output.line(`export AWS_ENDPOINT_URL=${endpoint}`)
      output.line(`export AWS_ACCESS_KEY_ID=${accessKeyId}`)
      output.line(`export AWS_SECRET_ACCESS_KEY=${secretAccessKey}`)
      output.line('export AWS_DEFAULT_REGION=us-east-1')
      output.line('export AWS_REGION=us-east-1')
    })
}
