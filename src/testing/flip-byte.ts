/**
 * Damages one stored byte of a replica behind its server's back, wherever the store keeps it.
 * @module
 */
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { ChunkId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { ChunkServer } from '../chunkserver/chunk-server.ts'
import type { Disk, File } from '../env/disk.ts'
import {
  decodeRecordHead,
  decodeSegmentHeader,
  recordHeadBytes,
  recordMagic,
  segmentSeed,
} from '../store/segment-format.ts'
import { StoreLayout } from '../store/store-layout.ts'
import type { Machine } from './machines.ts'

/** Flips a bit of the first byte. @throws {AshlarError} `chunk-missing` */
export function flipStoredByte(machine: Machine): (server: ChunkServer, chunk: ChunkId) => Promise<void> {
  return async ({ store }, chunk) => {
    const { disk } = machine.env()
    const layout = new StoreLayout(machine.storePath)
    if ((await store.info(chunk)) !== undefined) {
      if (await flip(disk, layout.chunkFile(chunk), () => [0])) return
      for (const name of await disk.list(layout.segments)) {
        if (await flip(disk, `${layout.segments}/${name}`, (bytes) => payloadsOf(bytes, chunk))) return
      }
    }
    throw new AshlarError('chunk-missing', `Cannot corrupt chunk ${chunk}: it is not on the disk of ${machine.name}`)
  }
}

/** Where the records of a chunk keep its bytes: after a rewrite there may be several for a while. */
function payloadsOf(segment: Buffer, chunk: ChunkId): number[] {
  const header = decodeSegmentHeader(segment)
  if (header === undefined) return []
  const payloads: number[] = []
  const seed = segmentSeed(header)
  for (let at = segment.indexOf(recordMagic); at >= 0; at = segment.indexOf(recordMagic, at + 1)) {
    const record = decodeRecordHead(segment.subarray(at), { seed, offset: at })
    if (record?.kind === 'put' && record.id === chunk) payloads.push(at + recordHeadBytes(record))
  }
  return payloads
}

/** @returns whether something was flipped; not when there is no such file */
async function flip(disk: Disk, path: string, placesIn: (bytes: Buffer) => readonly number[]): Promise<boolean> {
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
    const places = placesIn(bytes).filter((place) => place < bytes.length)
    for (const place of places) await file.write([Buffer.of((bytes[place] as number) ^ 1)], place)
    await file.sync()
    return places.length > 0
  } finally {
    await file.close()
  }
}
