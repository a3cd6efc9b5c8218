/** What a process costs, as Linux counts it: CPU time, memory, bytes written to disks. @module */
import { readFileSync, writeFileSync } from 'node:fs'

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

/** Bytes that a process had sent to disks, its caches' included once they are dirty. */
export function bytesWrittenBy(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1])
}
