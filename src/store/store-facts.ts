/**
 * Small durable facts of a server (the highest leader epoch it has seen, the log position it knows to be committed), each with
 * a checksum and in two files, of which either suffices: without its facts a server cannot start, and one wrong sector must
 * not keep it away.
 *
 * The first file is written first, so where both are right it is the newer one; a crash leaves the old or the new value. Two
 * damaged files are an error, never an absent fact.
 * @module
 */
import { crc32 } from '../base/crc.ts'
import { AshlarError, isAshlarError } from '../base/errors.ts'
import type { Disk } from '../env/disk.ts'
import type { StoreLayout } from './store-layout.ts'

export const factMaxBytes = 4096

/** @throws {AshlarError} `invalid-argument` — a name that is not short and plain; `too-large` */
export function checkFact(name: string, value: Uint8Array): void {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    throw new AshlarError('invalid-argument', `Cannot keep fact "${name.slice(0, 70)}": use a-z, 0-9 and - only`)
  }
  if (value.length > factMaxBytes) {
    throw new AshlarError('too-large', `Cannot keep fact "${name}": ${value.length} bytes, at most ${factMaxBytes}`)
  }
}

/** @throws {AshlarError} `metadata-corrupt` — both files are damaged, or one is and the other is not there */
export async function readFact(disk: Disk, layout: StoreLayout, name: string): Promise<Buffer | undefined> {
  checkFact(name, Buffer.alloc(0))
  let damage: unknown
  for (const path of layout.factFiles(name)) {
    try {
      const value = await readFile(disk, path)
      if (value !== undefined) return value
    } catch (error) {
      if (!isAshlarError(error, 'metadata-corrupt', 'too-large')) throw error
      damage ??= error
    }
  }
  if (damage === undefined) return undefined
  throw new AshlarError('metadata-corrupt', `Cannot read fact "${name}": neither of its files is right`, {
    cause: damage,
  })
}

async function readFile(disk: Disk, path: string): Promise<Buffer | undefined> {
  try {
    const bytes = await disk.readSmall(path, factMaxBytes + 4)
    if (bytes.length >= 4 && crc32(bytes.subarray(4)) === bytes.readUInt32BE(0)) return Buffer.from(bytes.subarray(4))
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
  throw new AshlarError('metadata-corrupt', `Cannot read fact ${path}: it does not match its checksum`)
}

export async function writeFact(
  disk: Disk,
  layout: StoreLayout,
  fact: { readonly name: string; readonly value: Uint8Array },
): Promise<void> {
  const { name, value } = fact
  checkFact(name, value)
  const bytes = Buffer.alloc(4 + value.length)
  bytes.writeUInt32BE(crc32(value))
  bytes.set(value, 4)
  for (const path of layout.factFiles(name)) await disk.writeSmall(path, bytes)
}
