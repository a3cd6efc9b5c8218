/** `rewind` and `lifecycle`: buckets as they were, and what their rules are about to do. @module */
import { AshlarError } from '../../base/errors.ts'
import { confirm } from '../confirm.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from './verb.ts'

export function registerVersionVerbs(registry: VerbRegistry): void {
  addVerb<{ readonly to?: string; readonly plan?: boolean; readonly yes?: boolean }>(registry, {
    usage: 'rewind <bucket>',
    summary: 'put the objects of a bucket, or below a prefix, back as they were',
    description:
      'Restores from the versions that the bucket keeps, and from trash. What came later is removed as by any removal, so a rewind can be rewound. A removed directory comes back by undelete.',
    flags: [
      ['--to <time>', 'the moment, as 2026-11-21T17:00:00Z'],
      ['--plan', 'only say what would be done'],
      ['-y, --yes', 'do it without asking'],
    ],
    examples: ['rewind s3://photos/2026/ --to 2026-11-21T17:00:00Z --plan', 'rewind s3://photos --to 2026-11-21 --yes'],
    run: async ({ client, host, output, signal, options }, given = '') => {
      const { bucket, prefix } = bucketOf(given)
      const toMs = Date.parse(options.to ?? '')
      if (!Number.isFinite(toMs)) {
        throw new AshlarError('invalid-argument', `Cannot rewind ${given}: say to when, as --to 2026-11-21T17:00:00Z`)
      }
      const isPlan = options.plan === true
      if (!isPlan) {
        const question = `Put ${given} back as it was at ${new Date(toMs).toISOString()}?`
        await confirm(host, { question, yes: options.yes === true })
      }
      const counts = { restored: 0, removed: 0, changedMeanwhile: 0 }
      for await (const step of client.versions.planRewind(bucket, { toMs, prefix, signal })) {
        const { key, action, madeMs, why } = step
        const isDone = isPlan || (await client.versions.rewind(bucket, step, { signal }))
        if (!isDone) counts.changedMeanwhile++
        else if (action === 'restore') counts.restored++
        else counts.removed++
        output.object({ key, action, madeMs, why, done: !isPlan && isDone })
        output.line(`${isDone ? action : 'changed meanwhile'}  ${key}  (${new Date(madeMs).toISOString()}: ${why})`)
      }
      const { restored, removed, changedMeanwhile } = counts
      const [verb, other] = isPlan ? ['Would restore', 'remove'] : ['Restored', 'removed']
      output.line(`${verb} ${restored}, ${other} ${removed} objects.`)
      if (changedMeanwhile > 0) output.line(`${changedMeanwhile} were changed meanwhile and left: rewind again.`)
    },
  })

  addVerb(registry, {
    usage: 'lifecycle <plan> <bucket>',
    summary: 'say what the lifecycle rules of a bucket remove next, and by which rule',
    examples: ['lifecycle plan photos'],
    run: async ({ client, output, signal }, action, given = '') => {
      if (action !== 'plan') {
        throw new AshlarError('invalid-argument', `Cannot ${action} the lifecycle: it is "lifecycle plan BUCKET"`)
      }
      const { steps, isWhole } = await client.versions.planLifecycle(bucketOf(given).bucket, { signal })
      for (const step of steps) output.object({ ...step })
      const rows = steps.map(({ key, kind, objectVersion, ruleId }) => [kind, String(objectVersion), ruleId, key])
      if (rows.length === 0) output.line('Nothing is due.')
      else output.line(formatTable(['WHAT', 'VERSION', 'RULE', 'KEY'], rows))
      if (!isWhole) output.line('There is more.')
    },
  })
}

/** Of `s3://bucket/prefix`, or a bucket's name. */
function bucketOf(given: string): { readonly bucket: string; readonly prefix: string } {
  const [, bucket = '', prefix = ''] = /^(?:s3:\/\/)?([^/]*)\/?(.*)$/s.exec(given) ?? []
  if (bucket !== '') return { bucket, prefix }
  throw new AshlarError('invalid-argument', `Cannot use "${given}" as a bucket: it is s3://BUCKET/PREFIX`)
}
