/** The package as users install it, in a folder of its own: what the bench starts, unless it is told to start the sources. @module */
import { cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { bundle } from '../tools/bundle.ts'

export const projectFolder = join(import.meta.dirname, '..')

/** @returns the folder */
export async function makePackage(folder: string): Promise<string> {
  await mkdir(folder)
  await bundle(join(folder, 'dist'))
  for (const name of ['package.json', 'bin'])
    await cp(join(projectFolder, name), join(folder, name), { recursive: true })
  await symlink(join(projectFolder, 'node_modules'), join(folder, 'node_modules'))
  return folder
}
