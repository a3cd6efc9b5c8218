/**
 * The CPU profiles that the processes of a run left, by the names of their roles, each with its flame graph. The `.cpuprofile` files open
 * in the tools of Chrome, in VS Code and in speedscope.
 * @module
 */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CpuProfile, flameGraph } from './flame-graph.ts'

/** Named processes by pid. @returns the flame graphs made */
export async function collectProfiles(folder: string, roles: ReadonlyMap<number, string>): Promise<string[]> {
  const made: string[] = []
  for (const file of await readdir(folder)) {
    // CPU.DATE.TIME.PID.THREAD.SEQUENCE.cpuprofile
    const match = /^CPU\.\d+\.\d+\.(\d+)\.(\d+)\.\d+\.cpuprofile$/.exec(file)
    const role = roles.get(Number(match?.[1]))
    if (match === null || role === undefined) continue
    const name = match[2] === '0' ? role : `${role}-thread-${match[2]}`
    await rename(join(folder, file), join(folder, `${name}.cpuprofile`))
    const profile = JSON.parse(await readFile(join(folder, `${name}.cpuprofile`), 'utf8')) as CpuProfile
    await writeFile(join(folder, `${name}.svg`), flameGraph(profile, name))
    made.push(join(folder, `${name}.svg`))
  }
  return made.sort()
}
