/** How the copies of the metadata stand, for people. @module */
import { formatCount, formatDuration } from '../../base/sizes.ts'
import type { BackupStatus } from '../../client/index.ts'

/** In one sentence: what a lost disk of the master would cost now. */
export function describeBackup({ state, ageMs, lagMs, servers, problem }: BackupStatus): string {
  if (state === 'off') return 'none are kept'
  const age = ageMs === undefined ? 'none by this master yet' : `the last ${formatDuration(ageMs)} ago`
  if (state === 'current')
    return `${age}, and the log of changes on ${formatCount(servers, 'server')}, ${formatDuration(lagMs)} behind`
  const exposed = `changes of the last ${formatDuration(lagMs)} are on the master's disk alone`
  return state === 'making' ? `${age}, one is being made; ${exposed}` : `BEHIND: ${exposed}: ${problem ?? 'unknown'}`
}
