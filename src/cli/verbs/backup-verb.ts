/** `backup`: a copy of the metadata on the chunk servers now, or in a file; `backup list`: those there are. @module */
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { AshlarError } from '../../base/errors.ts'
import { formatCount, formatSize } from '../../base/sizes.ts'
import type { AshlarClient, BackupEntry, BackupStatus } from '../../client/index.ts'
import { formatTable } from '../table.ts'
import type { VerbRegistry } from '../verb-registry.ts'
import { describeBackup } from './describe-backup.ts'
import { addVerb } from './verb.ts'

export function registerBackupVerb(registry: VerbRegistry): void {
  addVerb<{ readonly to?: string }>(registry, {
    usage: 'backup [what]',
    summary: 'copy the metadata to the chunk servers now; "backup list": the copies there are',
    description:
      'Copies all metadata to three chunk servers (or as many as there are), read back there, while everything goes on. This happens by itself too, and the log of changes follows within half a second: "ashlar status" says how they stand. "ashlar restore" rebuilds a lost master from them.',
    flags: [['--to <file>', 'also fetch it into a file: sealed, it can be read only with the join file']],
    examples: ['backup', 'backup list', 'backup --to /mnt/elsewhere/metadata.backup', 'backup list --json'],
    run: async ({ client, output, options, signal }, what) => {
      if (what === 'list') {
        const { backups, status } = await client.backups.list({ signal })
        output.object({ backups, status })
        for (const line of describeList(backups, status)) output.line(line)
        return
      }
      if (what !== undefined) {
        throw new AshlarError('invalid-argument', `Cannot do "backup ${what}": there are "backup" and "backup list"`)
      }
      const backup = await client.backups.make({ signal })
      const file = options.to === undefined ? undefined : resolve(options.to)
      if (file !== undefined) await fetchTo(client, file, signal)
      output.object({ ...backup, file })
      const servers = formatCount(backup.servers.length, 'chunk server')
      output.line(
        `${formatCount(backup.rows, 'row')}, ${formatSize(backup.sizeBytes)}, are on ${servers}, read back there`,
      )
      if (file !== undefined) output.line(`and in ${file}: keep it with a copy of the join file, which opens it`)
    },
  })
}

/** Under another name until it is whole and synced. */
async function fetchTo(client: AshlarClient, file: string, signal: AbortSignal): Promise<void> {
  const partial = `${file}.partial`
  try {
    const target = createWriteStream(partial, { mode: 0o600, flags: 'wx', flush: true })
    await pipeline(client.backups.download({ signal }), target)
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}

function describeList(backups: readonly BackupEntry[], status: BackupStatus): readonly string[] {
  const rows = backups.map(({ atMs, generation, rows: rowCount, sizeBytes, servers }) => [
    new Date(atMs).toISOString(),
    String(generation),
    String(rowCount),
    formatSize(sizeBytes),
    servers.map((server) => server.slice(0, 8)).join(' '),
  ])
  return [
    ...(rows.length === 0 ? [] : [formatTable(['COMPLETE AT', 'GENERATION', 'ROWS', 'SIZE', 'ON'], rows)]),
    describeBackup(status),
  ]
}
