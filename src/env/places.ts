/** Folders that the operating system names. @module */
import { mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

export function homeFolder(): string {
  return homedir()
}

/** Makes a new, empty folder whose name begins so. Whoever asked removes it with {@link removeTemporaryFolder}. */
export async function makeTemporaryFolder(namePrefix: string): Promise<string> {
  return await mkdtemp(join(tmpdir(), namePrefix))
}

export async function removeTemporaryFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
}
