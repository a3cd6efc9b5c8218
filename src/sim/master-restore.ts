/**
 * What an operator does when the master's disk is gone: builds its metadata anew from what lies on the disks of the chunk
 * servers, whether these run or not, by the code of `ashlar restore`.
 * @module
 */
import type { ClusterId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import { BackupShelf, backupFolderOf } from '../chunkserver/backup-shelf.ts'
import type { Disk } from '../env/disk.ts'
import type { Env } from '../env/env.ts'
import { withTimeout } from '../env/waiting.ts'
import type { MemoryImage } from '../kv/memory-image.ts'
import { createMemoryKV } from '../kv/memory-kv.ts'
import { BlockSeal } from '../master/backup-blocks.ts'
import { type BackupSource, BackupSources } from '../master/backup-source.ts'
import { loadMetadata, planRestore } from '../master/restore.ts'
import { noteRestored } from '../master/restored-note.ts'
import { deriveBackupKey } from '../wire/keys.ts'

/** Of a simulated chunk server. */
export const backupFolder = backupFolderOf('')

export interface ServerDisk {
  readonly label: string
  readonly disk: Disk
}

export interface RestoreOptions {
  readonly clusterId: ClusterId
  readonly secret: Buffer
  /** The highest that the servers have seen. */
  readonly generationSeen: number
  /** To be filled. */
  readonly image: MemoryImage
}

/** @throws {AshlarError} `not-found` — the servers hold no backup that can be used */
export async function restoreMetadata(
  env: Env,
  disks: readonly ServerDisk[],
  { clusterId, secret, generationSeen, image }: RestoreOptions,
): Promise<{ readonly generation: number; readonly position: number }> {
  const seal = new BlockSeal(deriveBackupKey(secret), env.random)
  const sources = await BackupSources.open(
    disks.map((disk) => sourceOf(env, disk)),
    { seal, log: env.log },
  )
  const plan = await planRestore(sources, clusterId)
  const generation = Math.max(plan.generation, generationSeen + 1)
  const kv = createMemoryKV({ clock: env.clock, random: env.random, image })
  await loadMetadata(sources, plan, kv)
  await noteRestored(kv, { generation, changedMs: plan.changedMs, position: plan.position })
  await kv.close()
  return { generation, position: plan.position }
}

/** A disk that answers nothing, or whose server was ended in the middle of a read, is passed over as one that cannot be read. */
function sourceOf({ clock }: Env, { label, disk }: ServerDisk): BackupSource {
  const inTime = <T>(work: Promise<T>) =>
    withTimeout(clock, limits.requestTimeoutMs, `read the backup on ${label}`, work)
  const shelf = new BackupShelf({ env: { disk }, folder: backupFolder, refusal: () => undefined })
  return {
    label,
    list: () => inTime(shelf.list()),
    read: (name, { offset, manifest }) =>
      inTime(shelf.read(name, { offset, manifest, length: limits.framePayloadBytes })),
  }
}
