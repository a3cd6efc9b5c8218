/** What a bad disk, or a person with a shell, does to the files of a stopped chunk server. @module */
import { closeSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Flips bits in chunk files and segments, swaps two chunk files, and throws the index away, so that the next start looks. */
export function rotOneServer(data: string, random: () => number): { readonly flips: number; readonly swaps: number } {
  rmSync(join(data, 'index'), { recursive: true })
  const chunks = filesBelow(join(data, 'chunks'))
  const segments = filesBelow(join(data, 'segments'))
  let flips = 0
  for (const file of [...some(chunks, 3, random), ...some(segments, 2, random)]) if (flipBit(file, random)) flips++
  const [one, other] = some(chunks, 2, random)
  if (one === undefined || other === undefined || one === other) return { flips, swaps: 0 }
  renameSync(one, `${one}-moved`)
  renameSync(other, one)
  renameSync(`${one}-moved`, other)
  return { flips, swaps: 1 }
}

/** @returns false when the file is empty */
export function flipBit(file: string, random: () => number): boolean {
  const { size } = statSync(file)
  if (size === 0) return false
  const fd = openSync(file, 'r+')
  try {
    const at = Math.floor(random() * size)
    const byte = Buffer.alloc(1)
    readSync(fd, byte, 0, 1, at)
    byte[0] = (byte[0] as number) ^ (1 << Math.floor(random() * 8))
    writeSync(fd, byte, 0, 1, at)
    return true
  } finally {
    closeSync(fd)
  }
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function some(files: readonly string[], count: number, random: () => number): string[] {
  if (files.length === 0) return []
  return Array.from({ length: count }, () => files[Math.floor(random() * files.length)] as string)
}
