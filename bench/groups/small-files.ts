/**
 * Small files through the SDK: created, looked at, read, listed and deleted at several sizes and depths, each acknowledgement
 * durable on three chunk servers.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { type Bench, type Group, measure, measureLimit, scaled } from '../bench.ts'
import type { LimitShare } from '../figures.ts'
import { loopbackRates } from '../limits/loopback.ts'
import { syncRate } from '../limits/machine-limits.ts'
import { spread } from '../spread.ts'
import { giveSpaceBack } from './space.ts'

const KiB = 1024
const loopbackMs = 500
const syncsPerWriter = 1_000
const depths = [1, 16, 64] as const

interface Size {
  readonly title: string
  readonly sizeBytes: number
  /** Files by the number in flight: enough for half a second or more. */
  readonly counts: Readonly<Record<(typeof depths)[number], number>>
}

const sizes: readonly [Size, ...Size[]] = [
  { title: '4 KiB', sizeBytes: 4 * KiB, counts: { 1: 500, 16: 4_000, 64: 10_000 } },
  { title: '64 KiB', sizeBytes: 64 * KiB, counts: { 1: 200, 16: 1_000, 64: 2_000 } },
  { title: '1 MiB', sizeBytes: 1024 * KiB, counts: { 1: 50, 16: 150, 64: 200 } },
]

export const smallFiles: Group = {
  name: 'small',
  summary: 'files of 4 KiB, 64 KiB and 1 MiB through the SDK, 1, 16 and 64 in flight',
  // The five processes compile their code in it, which costs as much again as the first 20,000 to 30,000 files.
  warmUp: async (bench) => {
    const quiet = { ...bench, tell: () => undefined }
    for (const size of [sizes[0], sizes[0], ...sizes]) await files(quiet, { size, inFlight: 64, warming: true })
  },
  round: async (bench) => {
    for (const writers of [1, 3]) {
      const name = `append + fdatasync, ${writers} ${writers === 1 ? 'writer' : 'writers'}`
      await measureLimit(bench, { name, unit: '/s' }, () => syncRate(bench.folder, { writers, count: syncsPerWriter }))
    }
    const { streamMiB, roundTrips } = await loopbackRates(depths, loopbackMs)
    await measureLimit(bench, { name: 'loopback stream', unit: 'MiB/s' }, async () => streamMiB)
    for (const [depth, rate] of roundTrips) {
      await measureLimit(bench, { name: `loopback round trips, ${depth} in flight`, unit: '/s' }, async () => rate)
    }
    for (const size of sizes) for (const inFlight of depths) await files(bench, { size, inFlight })
  },
}

interface FilesOptions {
  readonly size: Size
  readonly inFlight: (typeof depths)[number]
  /** Nothing counts. */
  readonly warming?: boolean
}

async function files(bench: Bench, { size, inFlight, warming = false }: FilesOptions): Promise<void> {
  const { client } = bench
  const { title, sizeBytes } = size
  const count = scaled(bench, size.counts[inFlight], 20)
  const directory = `/small-${warming ? 'warm' : bench.round}-${sizeBytes}-${inFlight}`
  const bytes = randomFillSync(Buffer.allocUnsafe(sizeBytes))
  const pathOf = (index: number) => `${directory}/file-${String(index).padStart(6, '0')}`
  const run = async (name: string, limit: LimitShare | undefined, work: () => Promise<unknown>) => {
    if (warming) await work()
    else await measure(bench, { name, unit: '/s', amount: count, limit }, work)
  }
  const each = (verb: string, limit: LimitShare | undefined, work: (index: number) => Promise<unknown>) =>
    run(`${title} ${verb}, ${inFlight} in flight`, limit, () => spread(count, inFlight, work))
  const isSmallest = size === sizes[0]
  const syncs = { name: `append + fdatasync, ${inFlight === 1 ? '1 writer' : '3 writers'}`, share: 1 }
  const trips = (share: number) => ({ name: `loopback round trips, ${inFlight} in flight`, share })

  await client.mkdir(directory, { recursive: true })
  await each('create', isSmallest ? syncs : undefined, (index) => client.writeFile(pathOf(index), bytes))
  if (isSmallest) await each('stat', trips(1), (index) => client.stat(pathOf(index)))
  // An open, then a read.
  await each('read', isSmallest ? trips(1 / 2) : undefined, async (index) => {
    const { length } = await client.readFile(pathOf(index))
    if (length !== sizeBytes) throw new Error(`Cannot measure: ${pathOf(index)} came back with ${length} bytes`)
  })
  if (isSmallest && inFlight === 64) {
    await run('list entries, pages of 1,000', undefined, async () => {
      let entries = 0
      for await (const _ of client.list(directory)) entries++
      if (entries !== count) throw new Error(`Cannot measure: ${directory} lists ${entries} entries`)
    })
  }
  await each('delete', isSmallest ? syncs : undefined, (index) => client.rm(pathOf(index)))
  if (!(await giveSpaceBack(client))) bench.tell('space is slow to return')
}
