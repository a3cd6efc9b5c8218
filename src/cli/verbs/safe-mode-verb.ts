/** `safe-mode`: what deletes and repairs wait for, after a start of the master or when many servers fell silent. @module */
import { formatCount } from '../../base/sizes.ts'
import type { SafeMode } from '../../client/index.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { describeHoldOff } from './describe-status.ts'
import { addVerb } from './verb.ts'

export function registerSafeModeVerb(registry: VerbRegistry): void {
  addVerb(registry, {
    usage: 'safe-mode',
    summary: 'show what deletes and repairs wait for',
    description:
      'After a start of the master nothing is deleted for being absent from the metadata until every chunk server of every group was compared with it, or is dead: metadata that is older than the chunks would show there. When many servers fall silent together, what can wait is not repaired before the hold-off is over, and nothing is deleted either. This shows which servers are waited for.',
    examples: ['safe-mode', 'safe-mode --json'],
    run: async ({ client, output, signal }) => {
      const report = await client.duties.safeMode({ signal })
      const { groups, comparedGroups, waitsFor, massLoss } = report
      output.object({ isOn: comparedGroups < groups, groups, comparedGroups, waitsFor, massLoss })
      for (const line of describe(report)) output.line(line)
    },
  })
}

const whyAwaited: Readonly<Record<string, string>> = {
  suspect: 'its return, or that it counts as dead',
  up: 'its comparison with the metadata, which is under way',
}

function describe({ groups, comparedGroups, waitsFor, massLoss }: SafeMode): readonly string[] {
  const lines =
    comparedGroups === groups
      ? [`safe mode is off: all ${formatCount(groups, 'group')} were compared with what their servers hold`]
      : [
          `safe mode: ${groups - comparedGroups} of ${formatCount(groups, 'group')} were not compared yet with what their servers hold; nothing is deleted for being absent`,
          formatTable(
            ['ID', 'DOMAIN', 'STATE', 'GROUPS', 'WAITS FOR'],
            waitsFor.map(({ server, domain, state, groups: count }) => [
              server.slice(0, 8),
              domain,
              state,
              String(count),
              whyAwaited[state] ?? 'its comparison with the metadata',
            ]),
          ),
        ]
  if (massLoss !== undefined) {
    lines.push(`hold-off: ${massLoss.silent} of ${massLoss.servers}: ${describeHoldOff(massLoss.leftMs)}`)
  }
  return lines
}
