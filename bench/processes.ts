/** What a process costs, as Linux counts it: CPU time, memory; and bytes written to disks. @module */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'

/** Clock ticks a second in /proc: fixed on Linux. */
const ticksPerSecond = 100

/** CPU seconds since a process began: user and system, all threads. With `children`, also of those that ended and were waited for. */
export function cpuSecondsOf(pid: number, { children = false } = {}): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name in parentheses may hold spaces; what follows it starts with field 3.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const ticks = fields.slice(11, children ? 15 : 13).reduce((sum, value) => sum + value, 0)
  return ticks / ticksPerSecond
}

export interface ProcessMemory {
  /** MiB. Pages that several processes share count in each of them. */
  readonly resident: number
  /** MiB of it that others map too: the program of Node. */
  readonly shared: number
  /** MiB resident at its highest since {@link forgetPeak}. */
  readonly peak: number
}

export function memoryOf(pid: number): ProcessMemory {
  const mib = (file: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'latin1'))?.[1]) / 1024
  return {
    resident: mib('status', 'VmRSS'),
    shared: mib('smaps_rollup', 'Shared_Clean') + mib('smaps_rollup', 'Shared_Dirty'),
    peak: mib('status', 'VmHWM'),
  }
}

/** The highest memory is counted from now on. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Resident memory now and at its highest, in MiB. */
export function memoryMiBOf(pid: number): { readonly now: number; readonly peak: number } {
  const { resident, peak } = memoryOf(pid)
  return { now: Math.round(resident), peak: Math.round(peak) }
}

/**
 * Bytes written to the disk beneath `path`, by all programs. (What Linux counts for a process is larger: a page cache of large folios
 * counts the whole of each that becomes dirty.)
 * @returns undefined: it lies on no disk of its own, as in memory
 */
export function bytesWrittenBeneath(path: string): number | undefined {
  const { dev } = statSync(path)
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)]
  const file = `/sys/dev/block/${major}:${minor}/stat`
  if (!existsSync(file)) return undefined
  const sectorsWritten = Number(readFileSync(file, 'latin1').trim().split(/\s+/)[6])
  return sectorsWritten * 512
}
