/**
 * Small durable facts of a server (the highest leader epoch it has seen, the log position it knows to be committed):
 * a file each, with a checksum; a crash leaves the old or the new value.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { Disk } from '../env/disk.ts'
import type { StoreLayout } from './store-layout.ts'

export const factMaxBytes = 4096

export async function readFact(disk: Disk, layout: StoreLayout, name: string): Promise<Buffer | undefined> {
  const path = layout.fact(name)
  try {
    const bytes = await disk.readSmall(path, factMaxBytes + 4)
    if (bytes.length < 4 || crc32(bytes.subarray(4)) !== bytes.readUInt32BE(0)) {
      throw new AshlarError('metadata-corrupt', `Cannot read fact ${path}: it does not match its checksum`)
    }
    return Buffer.from(bytes.subarray(4))
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
}

export async function writeFact(
  disk: Disk,
  layout: StoreLayout,
  fact: { readonly name: string; readonly value: Uint8Array },
): Promise<void> {
  const { name, value } = fact
  const path = layout.fact(name)
  if (value.length > factMaxBytes) {
    throw new AshlarError('too-large', `Cannot keep fact "${name}": ${value.length} bytes, at most ${factMaxBytes}`)
  }
  const bytes = Buffer.alloc(4 + value.length)
  bytes.writeUInt32BE(crc32(value))
  bytes.set(value, 4)
  await disk.writeSmall(path, bytes)
}
