/** `apply-config`: makes users, keys, buckets and their settings as a file declares them; what it does not name stays. @module */

import { AshlarError } from '../../../base/errors.ts'
import { readClusterFile } from '../../../client/cluster-file.ts'
import { clusterFilePath } from '../../command-context.ts'
import type { VerbRegistry } from '../../verb-registry.ts'
import { addVerb } from '../../verbs/verb.ts'
import { accountsOf } from '../account-verbs.ts'
import { SignedRequests } from '../signed-request.ts'
import { parseSetup } from './declared-setup.ts'
import { planSetup } from './plan-setup.ts'

interface ApplyOptions {
  readonly cluster?: string
  readonly plan?: boolean
  readonly endpoint?: string
}

const configMaxBytes = 4 * 1024 * 1024
const secretMaxBytes = 4096

export function registerApplyConfig(registry: VerbRegistry): void {
  addVerb<ApplyOptions>(registry, {
    usage: 'apply-config <file>',
    summary: 'make users, keys, buckets and their settings as a file declares them',
    description:
      'Compares a JSON file with the cluster, and does what differs; a second time there is nothing to do. What the file does not name stays as it is. ' +
      'It is checked as a whole before anything is changed. docs/s3.md describes it. It needs cluster.json with the root key, and a running S3 door.',
    flags: [
      ['--plan', 'show the steps, and take none'],
      ['--endpoint <url>', 'the S3 door to go through (default: the one of cluster.json)'],
    ],
    examples: ['apply-config s3.json --plan', 'apply-config s3.json'],
    run: async (run, file = '') => {
      const { env, output, signal, options } = run
      const cluster = clusterFilePath(options)
      const { s3 } = await readClusterFile(env.disk, cluster)
      const endpoint = options.endpoint ?? s3?.endpoint
      if (s3 === undefined || endpoint === undefined) {
        throw new AshlarError('unavailable', `Cannot reach an S3 door: ${cluster} names none. Start "ashlar s3 serve"`)
      }
      const read = async (path: string, maxBytes: number) => (await env.disk.readSmall(path, maxBytes)).toString('utf8')
      const setup = await parseSetup(await read(file, configMaxBytes), {
        environment: (name) => process.env[name],
        file: (path) => read(path, secretMaxBytes),
      })
      const target = {
        accounts: await accountsOf(run),
        door: new SignedRequests({ env, endpoint, key: s3, stop: signal }),
        signal,
      }
      const steps = await planSetup(setup, target)
      for (const { action, what, path, apply } of steps) {
        if (options.plan !== true) await apply()
        output.object({ action, what, path, done: options.plan !== true })
        output.line(`${action.padEnd(6)}  ${what}  (${path})`)
      }
      if (steps.length === 0) output.line('Everything is as declared.')
      else if (options.plan === true) output.line(`${steps.length} steps; none was taken.`)
    },
  })
}
