/**
 * Beside the data folder of a chunk server, and of a master, lies a trace of what was made in it: when the folder is empty later, its
 * disk is not mounted, or it is lost. A new store in the bare mount point would fill the wrong disk; a new cluster there would look as
 * if every file had gone.
 * @module
 */
import { basename, dirname, join } from 'node:path'
import { isAshlarError } from '../../base/errors.ts'
import type { Disk } from '../../env/disk.ts'
import type { Env } from '../../env/env.ts'

/** Where the trace of a data folder lies. */
export function tracePath(dataFolder: string): string {
  return join(dirname(dataFolder), `.${basename(dataFolder)}.ashlar`)
}

/** The id of the server, or of the cluster, that was made in the folder, if there is a trace of one. */
export async function readTrace(disk: Disk, dataFolder: string): Promise<string | undefined> {
  try {
    const text = (await disk.readSmall(tracePath(dataFolder), 256)).toString('utf8').trim()
    return /^[0-9a-f]{32}$/.test(text) ? text : undefined
  } catch (error) {
    if (isAshlarError(error, 'not-found')) return undefined
    throw error
  }
}

export async function leaveTrace({ disk, log }: Env, dataFolder: string, id: string): Promise<void> {
  try {
    await disk.writeSmall(tracePath(dataFolder), Buffer.from(`${id}\n`))
  } catch (error) {
    // A data folder at the root of a file system of its own has no writable parent: then only its own identity guards it.
    log.warn('cannot leave a trace beside a data folder', { error })
  }
}

/** The store is known to be gone for good: another one may be made in its place. */
export async function removeTrace(disk: Disk, dataFolder: string): Promise<void> {
  try {
    await disk.remove(tracePath(dataFolder))
  } catch (error) {
    if (!isAshlarError(error, 'not-found')) throw error
  }
}
