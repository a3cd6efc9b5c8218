/** What machine a run was made on: no name of it, only what figures depend on. @module */
import { spawnSync } from 'node:child_process'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import type { Machine } from './figures.ts'
import { projectFolder } from './package-copy.ts'

export function machineNow(loadBefore: number): Machine {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: projectFolder, encoding: 'utf8' }).stdout.trim()
  const isDirty = git('status', '--porcelain', '--', 'src') !== ''
  return {
    date: new Date().toISOString(),
    commit: `${git('rev-parse', '--short', 'HEAD')}${isDirty ? ' and changes' : ''}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    system: `${type()} ${release().split('-')[0]}`,
    node: process.versions.node,
    load: [loadBefore, loadNow()],
  }
}

export function loadNow(): number {
  return loadavg()[0] as number
}
