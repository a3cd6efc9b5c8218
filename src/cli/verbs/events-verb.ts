/** `events`: what the cluster decided, and why. @module */
import { AshlarError } from '../../base/errors.ts'
import type { ClusterEvent } from '../../client/index.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { addVerb } from './verb.ts'

export function registerEventsVerb(registry: VerbRegistry): void {
  addVerb<{ readonly follow?: boolean; readonly since?: string }>(registry, {
    usage: 'events',
    summary: 'show what the cluster decided and what happened to it, and why',
    description:
      'Shows events in order, one line each: the last 100, or those after a number. Reading on after the last number seen misses nothing.',
    flags: [
      ['--follow', 'go on as they happen, until Ctrl-C'],
      ['--since <number>', 'those after this one; 0: all that are kept'],
    ],
    examples: ['events', 'events --follow', 'events --since 1200 --json'],
    run: async ({ client, output, options, signal }) => {
      const after = options.since === undefined ? undefined : numberOf(options.since)
      const follow = options.follow === true
      try {
        for await (const event of client.insight.events({ after, follow, signal })) {
          output.object(event)
          output.line(describe(event))
        }
      } catch (error) {
        // Ctrl-C is how following ends.
        if (!follow || !signal.aborted) throw error
      }
    },
  })
}

function describe({ number, atMs, kind, what, reason }: ClusterEvent): string {
  const time = new Date(atMs).toISOString().slice(0, 19).replace('T', ' ')
  return `${number}  ${time}  ${kind.padEnd(16)}  ${what}${reason === undefined ? '' : ` (${reason})`}`
}

function numberOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new AshlarError(
    'invalid-argument',
    `Cannot show events since "${text.slice(0, 40)}": give the number of an event`,
  )
}
