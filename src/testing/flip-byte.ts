/**
 * Damages one stored byte of a replica behind its server's back, wherever the store keeps it.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkServer } from '../chunkserver/chunk-server.ts'
import type { Disk, File } from '../env/disk.ts'
import { StoreLayout } from '../store/store-layout.ts'
import type { Machine } from './machines.ts'

/** Enough of a replica to be found in a segment, among others. */
const probeBytes = 4096

export function flipStoredByte(machine: Machine): (server: ChunkServer, chunk: ChunkId) => Promise<void> {
  return async ({ store }, chunk) => {
    const reader = await store.open(chunk)
    let probe: Buffer
    try {
      const slice = await reader.read({ offset: 0, length: Math.min(probeBytes, reader.info.length) })
      probe = Buffer.from(slice.bytes.subarray(0, Math.min(probeBytes, reader.info.length)))
      slice.release()
    } finally {
      await reader.close()
    }
    const { disk } = machine.env()
    const layout = new StoreLayout(machine.storePath)
    if (await flipFirst(disk, layout.chunkFile(chunk), probe)) return
    for (const name of await disk.list(layout.segments)) {
      if (await flipFirst(disk, `${layout.segments}/${name}`, probe)) return
    }
    throw new AshlarError(
      'chunk-missing',
      `Cannot corrupt chunk ${chunk}: it was not found on the disk of ${machine.name}`,
    )
  }
}

/** @returns false when the file is not there, or does not hold `probe` */
async function flipFirst(disk: Disk, path: string, probe: Buffer): Promise<boolean> {
  let file: File
  try {
    file = await disk.open(path, { mode: 'read-write' })
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return false
    throw error
  }
  try {
    const bytes = Buffer.alloc(Math.min(await file.lengthBytes(), limits.chunkSizeMaxBytes))
    await file.read(bytes, 0)
    const at = bytes.indexOf(probe)
    if (at < 0) return false
    await file.write([Buffer.from([(bytes[at] as number) ^ 1])], at)
    await file.sync()
    return true
  } finally {
    await file.close()
  }
}
