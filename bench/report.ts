/** The results as text, and as one JSON object. @module */
import { type ClusterProcess, memoryMiBOf } from './local-cluster.ts'
import { grouped, percent, type Results } from './results.ts'

export interface Memory {
  readonly role: ClusterProcess['role'] | 'client'
  /** MiB, resident. */
  readonly now: number
  readonly peak: number
}

export function memoryOf(processes: readonly ClusterProcess[]): Memory[] {
  return [
    { role: 'client', ...memoryMiBOf(process.pid) },
    ...processes.map(({ role, pid }) => ({ role, ...memoryMiBOf(pid) })),
  ]
}

/** What a workload waits for, as profiles showed. By how its name begins. */
const boundBy: readonly (readonly [start: string, reason: string])[] = [
  ['large write', 'the disk, and the two cores: bytes are copied and summed in the client and in each chunk server'],
  ['large read', 'CPU: copies through four sockets, and checksums at both ends'],
  ['4 KiB create, 1 ', 'two syncs one after the other: chunk, then metadata'],
  ['4 KiB create', 'CPU of the client, the master and three chunk servers on two cores'],
  ['4 KiB delete, 1 ', 'one sync of the metadata'],
  ['4 KiB delete', "CPU of the master's transactions"],
  ['4 KiB read', 'CPU of the client and the master: an open, then a read'],
  ['4 KiB stat', 'CPU of the client and the master'],
  ['list', 'CPU of client and master: decoding of entries'],
]

export function printText(results: Results, memory: readonly Memory[]): void {
  console.log('\nLimits (median of the rounds)')
  for (const { name, rate } of results.limits()) console.log(`  ${name.padEnd(40)}${grouped(rate).padStart(12)}`)
  console.log(
    `\n${'Ours'.padEnd(32)}${'rate'.padStart(14)}${'limit'.padStart(12)}${'ratio'.padStart(8)}   CPU µs each: client, master, chunk servers`,
  )
  for (const { name, unit, rate, limit, cpuUs } of results.lines()) {
    const cpu = [cpuUs.client, cpuUs.master, cpuUs.chunkServers].map((value) => grouped(value).padStart(7)).join('')
    const besides =
      limit === undefined ? ''.padEnd(20) : `${grouped(limit.rate).padStart(12)}${percent(limit.ratio).padStart(8)}`
    console.log(`${name.padEnd(32)}${`${grouped(rate)} ${unit}`.padStart(14)}${besides}${cpu}   ${limit?.name ?? ''}`)
    const reason = boundBy.find(([start]) => name.startsWith(start))?.[1]
    if (reason !== undefined) console.log(`  limited by ${reason}`)
  }
  console.log('\nFloors')
  for (const { name, isMet, finding } of results.floors())
    console.log(`  ${isMet ? 'met    ' : 'NOT MET'} ${name}: ${finding}`)
  console.log('\nResident memory, MiB (now, highest)')
  for (const { role, now, peak } of memory)
    console.log(`  ${role.padEnd(12)}${String(now).padStart(6)}${String(peak).padStart(6)}`)
}

export function printJson(
  results: Results,
  facts: { readonly memory: readonly Memory[]; readonly readyMs: number },
): void {
  console.log(JSON.stringify({ limits: results.limits(), lines: results.lines(), floors: results.floors(), ...facts }))
}
