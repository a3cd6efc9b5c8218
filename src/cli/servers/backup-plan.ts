/** What a master's process keeps on the chunk servers: its metadata, and the small files of its folder. @module */
import { join } from 'node:path'
import { limits } from '../../base/limits.ts'
import type { Env } from '../../env/env.ts'
import { ChangeFeed } from '../../kv/change-feed.ts'
import type { Attachment } from '../../master/backup-records.ts'
import type { BackupPlan } from '../../master/backups.ts'
import type { MasterFolder } from '../../master/data-folder.ts'
import { positionKey } from '../../namespace/keys.ts'
import { parseBackupEvery } from '../up/up-options.ts'

/** Made anew at each start, or no part of a backup: the secret stays where it is, and is what opens the backup. */
const leftOut = /^(lock.*|secret|identity\.json.*|metadata\.db.*|cluster\.json.*|join\.json.*|restoring)$/
const attachmentName = /^[a-z0-9][a-z0-9.-]{0,63}$/
const attachmentsMost = 16

/** @param every as of `--backup-every`. @returns undefined: none are kept */
export function backupPlan(env: Env, folder: MasterFolder, every: string | undefined): BackupPlan | undefined {
  const everyMs = every === undefined ? undefined : parseBackupEvery(every)
  if (everyMs === 0) return undefined
  const { clock } = env
  const feed = new ChangeFeed({
    positionKey,
    generation: folder.generation,
    wallMs: () => clock.wallMs(),
    maxBytes: limits.backupFeedBytes,
  })
  return { feed, everyMs, attachments: () => smallFiles(env, folder.path) }
}

/** Keys of doors, and the like. */
async function smallFiles({ disk }: Env, path: string): Promise<readonly Attachment[]> {
  const found: Attachment[] = []
  for (const name of (await disk.list(path)).sort()) {
    if (leftOut.test(name) || !attachmentName.test(name) || found.length >= attachmentsMost) continue
    const info = await disk.info(join(path, name))
    if (info.kind !== 'file' || info.lengthBytes > limits.backupAttachmentBytes) continue
    found.push({ name, bytes: await disk.readSmall(join(path, name), limits.backupAttachmentBytes) })
  }
  return found
}
