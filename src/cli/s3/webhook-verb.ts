/** `webhook`: whom buckets may tell of changes. Only who holds the root key chooses what the doors call. @module */
import { AshlarError } from '../../base/errors.ts'
import { readClusterFile } from '../../client/cluster-file.ts'
import { webhookArn } from '../../gateway/s3/notify/notification-rules.ts'
import { WebhookTargets } from '../../gateway/s3/notify/webhook-targets.ts'
import { clusterFilePath } from '../command-context.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from '../verbs/verb.ts'

interface WebhookOptions {
  readonly cluster?: string
  readonly allowPrivate?: boolean
}

export function registerWebhook(registry: VerbRegistry): void {
  addVerb<WebhookOptions>(registry, {
    usage: 'webhook <add|list|remove> [name] [url]',
    summary: 'say whom buckets of S3 may tell of changes',
    description:
      'A bucket names a webhook in its notification configuration, by the ARN that "add" prints; what it is sent is signed with the secret that is printed this once. ' +
      'Addresses of private networks and of this machine are reached only with --allow-private, those of cloud metadata never.',
    flags: [['--allow-private', 'add: it may lie in a private network, or on this machine']],
    examples: ['webhook add indexer https://hooks.example.com/s3', 'webhook list', 'webhook remove indexer'],
    run: async ({ env, client, output, signal, options }, action = '', name, url) => {
      const path = clusterFilePath(options)
      const { s3 } = await readClusterFile(env.disk, path)
      if (s3 === undefined) {
        throw new AshlarError(
          'invalid-argument',
          `Cannot change webhooks: ${path} has no root key. Start its master anew`,
        )
      }
      const targets = new WebhookTargets({ env, client, root: s3 })
      if (action === 'list') {
        const all = await targets.list({ signal })
        for (const webhook of all) output.object({ ...webhook, arn: webhookArn(webhook.name) })
        const rows = all.map((one) => [one.name, one.url, one.mayBePrivate ? 'private too' : 'public'])
        return output.line(formatTable(['WEBHOOK', 'URL', 'ADDRESSES'], rows))
      }
      if (name === undefined || !['add', 'remove'].includes(action) || (action === 'add') !== (url !== undefined)) {
        throw new AshlarError(
          'invalid-argument',
          `Cannot do "webhook ${action.slice(0, 40)}": it is add NAME URL, list, or remove NAME`,
        )
      }
      if (url === undefined) {
        await targets.remove(name, { signal })
        output.object({ name, removed: true })
        return output.line(`Webhook ${name} is gone; what waited for it is not sent.`)
      }
      const { secret } = await targets.add(name, { url, mayBePrivate: options.allowPrivate === true, signal })
      output.object({ name, url, arn: webhookArn(name), secret })
      output.line(`arn     ${webhookArn(name)}`)
      output.line(`secret  ${secret}`)
      if (!output.json) output.note('The secret is shown this once.')
    },
  })
}
