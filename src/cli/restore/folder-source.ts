/** Backups read where they lie: in the data folder of a chunk server, running or not, or in a file that `backup --to` wrote. @module */
import { basename } from 'node:path'
import { AshlarError } from '../../base/errors.ts'
import { limits } from '../../base/limits.ts'
import { BackupShelf, backupFolderOf } from '../../chunkserver/backup-shelf.ts'
import type { Env } from '../../env/env.ts'
import { blockHeadBytes, blockSizeOf, placeName, placeOf } from '../../master/backup-blocks.ts'
import type { BackupSource } from '../../master/backup-source.ts'
import type { PieceEntry } from '../../wire/types/backup.ts'

/** @param dataFolder of a chunk server */
export function folderSource(env: Env, dataFolder: string): BackupSource {
  const shelf = new BackupShelf({ env, folder: backupFolderOf(dataFolder), refusal: () => undefined })
  return {
    label: basename(dataFolder),
    list: () => shelf.list(),
    read: (name, { offset, manifest }) => shelf.read(name, { offset, manifest, length: limits.framePayloadBytes }),
  }
}

interface Part extends PieceEntry {
  /** Where each run of bytes of the piece lies in the file: its own offset, and that in the file. */
  readonly at: number
  readonly manifestAt?: number
}

/** A file is the blocks of all pieces, one piece after the other: each block says which it is of. */
export async function fileSource(env: Env, path: string): Promise<BackupSource> {
  const file = await env.disk.open(path, { mode: 'read' })
  const parts = new Map<string, { lengthBytes: number; at: number; manifestAt?: number; manifestBytes?: number }>()
  try {
    const fileBytes = await file.lengthBytes()
    const head = Buffer.alloc(blockHeadBytes)
    for (let at = 0; at < fileBytes; ) {
      const read = await file.read(head, at)
      const sizeBytes = blockSizeOf(head.subarray(0, read))
      if (sizeBytes === undefined || at + sizeBytes > fileBytes) break
      const place = placeOf(head)
      const name = placeName(place)
      const part = parts.get(name) ?? { lengthBytes: 0, at }
      parts.set(name, part)
      if (place.kind === 'manifest') Object.assign(part, { manifestAt: at, manifestBytes: sizeBytes })
      else part.lengthBytes += sizeBytes
      at += sizeBytes
    }
  } finally {
    await file.close()
  }
  const entries = new Map<string, Part>([...parts].map(([name, part]) => [name, { name, ...part }]))
  return {
    label: basename(path),
    list: async () =>
      [...entries.values()].map(({ name, lengthBytes, manifestBytes }) => ({ name, lengthBytes, manifestBytes })),
    read: async (name, { offset, manifest }) => {
      const part = entries.get(name)
      const start = manifest ? part?.manifestAt : part?.at
      if (part === undefined || start === undefined) {
        throw new AshlarError('not-found', `Cannot read a backup: ${basename(path)} has no such piece`)
      }
      const length = (manifest ? (part.manifestBytes ?? 0) : part.lengthBytes) - offset
      return await readAt(env, path, {
        at: start + offset,
        length: Math.min(Math.max(0, length), limits.framePayloadBytes),
      })
    },
  }
}

async function readAt(
  env: Env,
  path: string,
  { at, length }: { readonly at: number; readonly length: number },
): Promise<Buffer> {
  const file = await env.disk.open(path, { mode: 'read' })
  try {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, await file.read(bytes, at))
  } finally {
    await file.close()
  }
}
