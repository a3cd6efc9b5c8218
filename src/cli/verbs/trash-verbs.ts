/** `undelete` and `trash`: what was deleted or replaced, and how it comes back. @module */
import { AshlarError } from '../../base/errors.ts'
import { formatCount, formatDuration, formatSize } from '../../base/sizes.ts'
import { confirm } from '../confirm.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { withoutSlash } from './remote-glob.ts'
import { addVerb } from './verb.ts'

export function registerTrashVerbs(registry: VerbRegistry): void {
  addVerb<{ readonly to?: string; readonly id?: string; readonly dryRun?: boolean }>(registry, {
    usage: 'undelete <paths...>',
    summary: 'bring back what was deleted or replaced',
    flags: [
      ['--to <path>', 'under another path'],
      ['--id <id>', 'not the newest, but this one of "ashlar trash list"'],
      ['--dry-run', 'only say what would come back'],
    ],
    examples: ['undelete /report.txt', 'undelete /report.txt --to /report-old.txt'],
    run: async ({ client, output, signal, options }, ...paths) => {
      for (const path of paths.map(withoutSlash)) {
        const trashId = options.id === undefined ? undefined : Number(options.id)
        if (options.dryRun) {
          for await (const entry of client.listTrash(path, { signal })) {
            if (entry.path !== path || (trashId !== undefined && entry.trashId !== trashId)) continue
            output.object({ path: options.to ?? path, trashId: entry.trashId, dryRun: true })
            output.line(`would bring back ${options.to ?? path}, deleted ${new Date(entry.deletedMs).toISOString()}`)
            break
          }
          continue
        }
        const back = await client.undelete(path, { trashId, to: options.to, signal })
        output.object({ path: back.path, kind: back.stats.kind, size: back.stats.size, version: back.stats.version })
        output.line(`${back.path} is back`)
      }
    },
  })

  addVerb<{ readonly yes?: boolean; readonly id?: string; readonly dryRun?: boolean }>(registry, {
    usage: 'trash <list|empty> [path]',
    summary: 'list the trash, or return its space',
    description:
      'Lists what is in trash at or below a path, or empties it: the space is returned within seconds, and nothing brings it back.',
    flags: [
      ['-y, --yes', 'empty without asking'],
      ['--id <id>', 'only this one'],
      ['--dry-run', 'only say what would be emptied'],
    ],
    examples: ['trash list', 'trash list /logs', 'trash empty --yes'],
    run: async ({ client, host, output, signal, options }, action, given = '/') => {
      const path = withoutSlash(given)
      const trashId = options.id === undefined ? undefined : Number(options.id)
      const isEmpty = action === 'empty'
      if (action !== 'list' && !isEmpty) throw unknownAction(action)
      if (!isEmpty || options.dryRun) {
        const rows: string[][] = []
        for await (const entry of client.listTrash(path, { signal })) {
          if (trashId !== undefined && entry.trashId !== trashId) continue
          const { trashId: id, path: was, deletedMs, keptForMs, reason, stats } = entry
          output.object({ trashId: id, path: was, kind: stats.kind, size: stats.size, deletedMs, keptForMs, reason })
          const kept = keptForMs === 0 ? 'due' : formatDuration(keptForMs)
          rows.push([
            String(id),
            new Date(deletedMs).toISOString().slice(0, 19),
            reason,
            kept,
            // What a directory held is not counted when it goes.
            stats.kind === 'directory' ? '-' : formatSize(stats.size),
            was,
          ])
        }
        if (rows.length === 0) output.line(nothingThere(path))
        else output.line(formatTable(['ID', 'DELETED (UTC)', 'WHY', 'KEPT FOR', 'SIZE', 'PATH'], rows))
        return
      }
      await confirm(host, { question: `Empty the trash at ${path}? It cannot be undone.`, yes: options.yes === true })
      const { entries, lengthBytes } = await client.emptyTrash(path, { trashId, signal })
      output.object({ path, entries, lengthBytes })
      const what = `${formatCount(entries, 'entry', 'entries')}, ${formatSize(lengthBytes)}`
      output.line(entries === 0 ? nothingThere(path) : `Emptied: ${what}. The space returns within seconds.`)
    },
  })
}

function nothingThere(path: string): string {
  return path === '/' ? 'The trash is empty.' : `Nothing of ${path} is in trash.`
}

function unknownAction(action: string | undefined): AshlarError {
  return new AshlarError('invalid-argument', `Cannot ${action} the trash: it is "trash list" or "trash empty"`)
}
