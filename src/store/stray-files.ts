/**
 * Looks for chunk files that the index does not know: moved there by hand, or left where a delete or a move of the disk went
 * wrong. They would take room that nobody counts, and a rebuilt index would believe them.
 *
 * Invariant: a file is judged under the lock of its id, so one that is just being committed or deleted is never taken for
 * a stray. Strays are set aside, not deleted.
 * @module
 */
import { isAshlarError } from '../base/errors.ts'
import { type ChunkId, parseChunkId } from '../base/ids.ts'
import type { SweptFolder } from './chunk-store.ts'
import type { StoreParts } from './store-parts.ts'

/** Looks through the first folder of chunk files after `after`, in order of their names (`group/page`). @returns undefined: there is none */
export async function sweepFolder(parts: StoreParts, after: string | undefined): Promise<SweptFolder | undefined> {
  const { env, layout } = parts
  const folder = await nextFolder(parts, after)
  if (folder === undefined) return undefined
  const path = `${layout.chunks}/${folder}`
  const names = await env.disk.list(path)
  let setAside = 0
  for (const name of names) if (await sweepFile(parts, path, name)) setAside++
  if (setAside > 0) await parts.syncs.sync(path)
  return { folder, files: names.length, setAside }
}

async function nextFolder({ env, layout }: StoreParts, after = ''): Promise<string | undefined> {
  const [afterGroup = ''] = after.split('/')
  for (const group of (await env.disk.list(layout.chunks)).sort()) {
    if (group < afterGroup) continue
    const folders = (await env.disk.list(`${layout.chunks}/${group}`)).map((page) => `${group}/${page}`)
    const next = folders.sort().find((folder) => folder > after)
    if (next !== undefined) return next
  }
  return undefined
}

/** @returns whether it was set aside */
async function sweepFile(parts: StoreParts, folder: string, name: string): Promise<boolean> {
  const { index, locks, fence, quarantine, log, env } = parts
  const path = `${folder}/${name}`
  const id = idOfFile(parts, path, name)
  if (id !== undefined && (await index.get(id))?.location.kind === 'file') return false
  const setAside = async () => {
    if (id !== undefined && (await index.get(id))?.location.kind === 'file') return false
    return await fence.guard(() => quarantine.moveFile(path, `stray-${log.takeSequence()}-${name}`))
  }
  const isSetAside = id === undefined ? await setAside() : await locks.run(id, setAside)
  if (isSetAside) env.log.warn('a chunk file that the store does not know was set aside', { file: name })
  return isSetAside
}

/** Undefined: it is no chunk's file, or lies where that chunk's does not. */
function idOfFile({ layout }: StoreParts, path: string, name: string): ChunkId | undefined {
  try {
    const id = parseChunkId(name)
    return layout.chunkFile(id) === path ? id : undefined
  } catch (error) {
    if (isAshlarError(error, 'protocol')) return undefined
    throw error
  }
}
