/**
 * What users do, through the SDK of one client process: large files written and read, and small files created, looked at,
 * read, listed and deleted at several depths. Each acknowledgement is durable on three chunk servers, as by default.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import type { AshlarClient } from '../src/client/index.ts'
import { secondsOf, spread } from './spread.ts'

const MiB = 1024 * 1024
export const smallBytes = 4096
/** By the number in flight: enough for a second or more. */
const smallCounts = new Map([
  [1, 500],
  [16, 4_000],
  [64, 10_000],
])

export interface Outcome {
  /** `large write, 4 streams`. */
  readonly name: string
  readonly unit: 'MiB/s' | '/s'
  /** MiB, or operations. */
  readonly amount: number
  readonly seconds: number
}

/** Told of the beginning and the end of each workload: costs are taken there. */
export type Measured = (
  name: string,
  options: { readonly unit: Outcome['unit']; readonly amount: number },
  work: () => Promise<unknown>,
) => Promise<void>

export interface WorkloadOptions {
  readonly client: AshlarClient
  readonly measured: Measured
  /** Unused so far in this cluster. */
  readonly directory: string
}

/** Streams of `totalBytes` together, written, then read; then all space is given back. */
export async function largeFiles(
  { client, measured, directory }: WorkloadOptions,
  { streams, totalBytes }: { readonly streams: number; readonly totalBytes: number },
): Promise<void> {
  const pieces = Math.ceil(totalBytes / streams / MiB)
  const amount = pieces * streams
  const paths = Array.from({ length: streams }, (_, stream) => `${directory}/${stream}`)
  const title = `${streams} ${streams === 1 ? 'stream' : 'streams'}`
  await client.mkdir(directory, { recursive: true })
  await measured(`large write, ${title}`, { unit: 'MiB/s', amount }, () =>
    Promise.all(paths.map((path) => client.writeFile(path, randomPieces(pieces)))),
  )
  await measured(`large read, ${title}`, { unit: 'MiB/s', amount }, () =>
    Promise.all(
      paths.map(async (path) => {
        let bytes = 0
        for await (const piece of client.createReadStream(path)) bytes += (piece as Buffer).length
        if (bytes !== pieces * MiB) throw new Error(`Cannot measure: ${path} came back with ${bytes} bytes`)
      }),
    ),
  )
  await client.rm(directory, { recursive: true })
  await giveSpaceBack(client)
}

/** Files of 4 KiB in one directory, `inFlight` calls at a time. */
export async function smallFiles({ client, measured, directory }: WorkloadOptions, inFlight: number): Promise<void> {
  const count = smallCounts.get(inFlight) ?? 2_000
  const bytes = randomFillSync(Buffer.allocUnsafe(smallBytes))
  const pathOf = (index: number) => `${directory}/file-${String(index).padStart(6, '0')}`
  const each = (name: string, work: (index: number) => Promise<unknown>) =>
    measured(`4 KiB ${name}, ${inFlight} in flight`, { unit: '/s', amount: count }, () => spread(count, inFlight, work))
  await client.mkdir(directory, { recursive: true })
  await each('create', (index) => client.writeFile(pathOf(index), bytes))
  await each('stat', (index) => client.stat(pathOf(index)))
  await each('read', async (index) => {
    const { length } = await client.readFile(pathOf(index))
    if (length !== smallBytes) throw new Error(`Cannot measure: ${pathOf(index)} came back with ${length} bytes`)
  })
  if (inFlight > 1) {
    await measured(`list entries, pages of 1000`, { unit: '/s', amount: count }, async () => {
      let entries = 0
      for await (const _ of client.list(directory)) entries++
      if (entries !== count) throw new Error(`Cannot measure: ${directory} lists ${entries} entries`)
    })
  }
  await each('delete', (index) => client.rm(pathOf(index)))
  await giveSpaceBack(client)
}

/** The same MiB of random bytes again and again: neither the disk nor we look for repetition. */
const randomMiB = randomFillSync(Buffer.allocUnsafe(MiB))

async function* randomPieces(count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) yield randomMiB
}

/** Empties the trash and waits, for a while, until the chunk servers are empty: what they do later would count elsewhere. */
async function giveSpaceBack(client: AshlarClient): Promise<void> {
  await client.emptyTrash()
  const seconds = await secondsOf(async () => {
    for (let tries = 0; tries < 120; tries++) {
      const nodes = await client.nodes()
      if (nodes.every(({ usedBytes }) => usedBytes === 0)) return
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  })
  if (seconds > 25) process.stderr.write('space is slow to return\n')
}
