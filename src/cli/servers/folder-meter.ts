/**
 * What a data folder occupies on its disk, to the byte as `du -B1` counts it: every file and folder in it, the folder itself too,
 * a name with several links once. In bounded parts, since a folder may hold millions of files.
 *
 * Files come and go meanwhile: one that vanished between its name and its size counts for nothing.
 * @module
 */
import { join } from 'node:path'
import { isAshlarError } from '../../base/errors.ts'
import type { FileInfo } from '../../env/disk.ts'
import type { Env } from '../../env/env.ts'
import type { FolderMeter, FolderPart, FolderUse } from '../../wire/methods/insight-methods.ts'

type Kind = Exclude<keyof FolderUse, 'allocatedBytes'>

/** By the first name below the data folder: of a chunk server and of a master. */
const kinds: readonly (readonly [RegExp, Kind])[] = [
  [/^chunks$/, 'chunkFileBytes'],
  [/^segments$/, 'segmentBytes'],
  [/^index/, 'indexBytes'],
  [/reserve$/, 'reserveBytes'],
  [/^quarantine$/, 'quarantineBytes'],
]
/** Folders whose parts are measured one at a time. */
const largeFolders: ReadonlySet<string> = new Set(['chunks'])
const partMs = 500
const infosAtOnce = 32

type MutableUse = { -readonly [Name in keyof FolderUse]: number }

/** @param root a data folder, absolute */
export function folderMeter({ disk, clock }: Pick<Env, 'disk' | 'clock'>, root: string): FolderMeter {
  return async (cursor) => {
    const use: MutableUse = {
      allocatedBytes: 0,
      chunkFileBytes: 0,
      segmentBytes: 0,
      indexBytes: 0,
      reserveBytes: 0,
      quarantineBytes: 0,
    }
    const untilMs = clock.monotonicMs() + partMs
    const walk = new Walk(disk)
    if (cursor === undefined) use.allocatedBytes += (await disk.info(root)).allocatedBytes
    for (const unit of await units(disk, root)) {
      if (cursor !== undefined && unit <= cursor) continue
      const isWhole = !largeFolders.has(unit)
      const { own, below } = await walk.allocatedBytes(join(root, unit), isWhole)
      const kind = kinds.find(([pattern]) => pattern.test(unit.split('/')[0] as string))?.[1]
      use.allocatedBytes += own + below
      // A folder that is there though it holds nothing is no use of its kind.
      if (kind !== undefined) use[kind] += below
      if (clock.monotonicMs() >= untilMs) return { use, cursor: unit } satisfies FolderPart
    }
    return { use } satisfies FolderPart
  }
}

/** In order: each name, and each name in a large folder. */
async function units(disk: Env['disk'], root: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of await disk.list(root)) {
    found.push(name)
    if (!largeFolders.has(name)) continue
    for (const inner of await disk.list(join(root, name))) found.push(`${name}/${inner}`)
  }
  return found.sort()
}

class Walk {
  readonly #disk: Env['disk']
  readonly #seen = new Set<string>()

  constructor(disk: Env['disk']) {
    this.#disk = disk
  }

  /** @param isWhole with all that is below, where it is a folder. @returns `own`: of the folder itself; a file is all `below` */
  async allocatedBytes(path: string, isWhole: boolean): Promise<{ readonly own: number; readonly below: number }> {
    const info = await this.#infoOf(path)
    if (info === undefined) return { own: 0, below: 0 }
    if (info.kind !== 'directory') return { own: 0, below: info.allocatedBytes }
    const names = isWhole ? await this.#namesIn(path) : []
    let below = 0
    for (let at = 0; at < names.length; at += infosAtOnce) {
      const some = names.slice(at, at + infosAtOnce)
      const inner = await Promise.all(some.map((name) => this.allocatedBytes(join(path, name), true)))
      for (const use of inner) below += use.own + use.below
    }
    return { own: info.allocatedBytes, below }
  }

  /** Undefined: it is gone, or was counted by another name. */
  async #infoOf(path: string): Promise<FileInfo | undefined> {
    try {
      const info = await this.#disk.info(path)
      if (info.kind === 'directory') return info
      const name = `${info.device}:${info.inode}`
      if (this.#seen.has(name)) return undefined
      if (info.kind === 'file') this.#seen.add(name)
      return info
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return undefined
      throw error
    }
  }

  async #namesIn(path: string): Promise<readonly string[]> {
    try {
      return await this.#disk.list(path)
    } catch (error) {
      if (isAshlarError(error, 'not-found')) return []
      throw error
    }
  }
}
