/**
 * Large files through the SDK: streams of random bytes written, then read, each acknowledgement durable on three chunk servers.
 * The disk's and a bare writer's rates are taken between them.
 *
 * What was just written went past the page cache, so the first read is one of the disk. Then the same is read from the page cache:
 * by a stream, whose pieces are the consumer's for good, and by `pieces()`, which uses their memory again.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import type { AshlarClient } from '../../src/client/index.ts'
import { type Bench, type Group, measure, measureLimit } from '../bench.ts'
import { diskReadRate, diskWriteRate, memoryCopyRate, threeCopyRate } from '../limits/machine-limits.ts'
import { giveSpaceBack } from './space.ts'

const MiB = 1024 * 1024
/** The same MiB of random bytes again and again: neither the disk nor we look for repetition. */
const randomMiB = randomFillSync(Buffer.allocUnsafe(MiB))

export const largeFiles: Group = {
  name: 'large',
  summary: 'large files through the SDK, 1 and 4 streams',
  warmUp: async (bench) => {
    await writeStreams(bench.client, { directory: '/warm-large', streams: 4, pieces: 16 })
    await readStreams(bench.client, { directory: '/warm-large', streams: 4, pieces: 16 })
    await bench.client.rm('/warm-large', { recursive: true })
  },
  round: async (bench) => {
    const { folder, settings } = bench
    const totalBytes = settings.largeBytes
    const limit = (name: string, rate: () => Promise<number>) => measureLimit(bench, { name, unit: 'MiB/s' }, rate)
    await limit('memory copy', async () => memoryCopyRate())
    await limit('disk write, 1 stream', () => diskWriteRate(folder, { streams: 1, totalBytes }))
    await limit('bare three-copy writer', () => threeCopyRate(folder, { totalBytes }))
    await streams(bench, { count: 1, disk: '1 stream' })
    await limit('disk write, 3 streams', () => diskWriteRate(folder, { streams: 3, totalBytes }))
    await limit('disk read, 1 stream', () => diskReadRate(folder, { streams: 1, totalBytes }))
    await streams(bench, { count: 4, disk: '3 streams' })
    await limit('disk read, 3 streams', () => diskReadRate(folder, { streams: 3, totalBytes }))
  },
}

/** Streams of `largeBytes` together, written, then read; then all space is given back. */
async function streams(
  bench: Bench,
  { count, disk }: { readonly count: number; readonly disk: string },
): Promise<void> {
  const pieces = Math.ceil(bench.settings.largeBytes / count / MiB)
  const what = { directory: `/large-${bench.round}-${count}`, streams: count, pieces }
  const options = { unit: 'MiB/s', amount: pieces * count } as const
  const title = `${count} ${count === 1 ? 'stream' : 'streams'}`
  const write = { ...options, name: `large write, ${title}`, limit: { name: `disk write, ${disk}`, share: 1 / 3 } }
  await measure(bench, write, () => writeStreams(bench.client, what))
  const read = { ...options, name: `large read, ${title}`, limit: { name: `disk read, ${disk}`, share: 1 } }
  await measure(bench, read, () => readStreams(bench.client, what))
  await measure(bench, { ...options, name: `large read again, ${title}` }, () => readStreams(bench.client, what))
  const passing = { ...options, name: `large read again, ${title}, memory used again` }
  await measure(bench, passing, () => readPassing(bench.client, what))
  await bench.client.rm(what.directory, { recursive: true })
  if (!(await giveSpaceBack(bench.client))) bench.tell('space is slow to return')
}

interface Streams {
  readonly directory: string
  readonly streams: number
  /** MiB of each. */
  readonly pieces: number
}

const pathsOf = ({ directory, streams }: Streams) =>
  Array.from({ length: streams }, (_, index) => `${directory}/${index}`)

export async function writeStreams(client: AshlarClient, what: Streams): Promise<void> {
  await client.mkdir(what.directory, { recursive: true })
  await Promise.all(pathsOf(what).map((path) => client.writeFile(path, randomPieces(what.pieces))))
}

export async function readStreams(client: AshlarClient, what: Streams): Promise<void> {
  await Promise.all(
    pathsOf(what).map(async (path) => {
      let bytes = 0
      for await (const piece of client.createReadStream(path)) bytes += (piece as Buffer).length
      checkLength(path, { bytes, what })
    }),
  )
}

/** As {@link readStreams}, by `pieces()`. */
async function readPassing(client: AshlarClient, what: Streams): Promise<void> {
  await Promise.all(
    pathsOf(what).map(async (path) => {
      await using handle = await client.open(path)
      let bytes = 0
      for await (const piece of handle.pieces()) bytes += piece.length
      checkLength(path, { bytes, what })
    }),
  )
}

function checkLength(path: string, { bytes, what }: { readonly bytes: number; readonly what: Streams }): void {
  if (bytes !== what.pieces * MiB) throw new Error(`Cannot measure: ${path} came back with ${bytes} bytes`)
}

async function* randomPieces(count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index++) yield randomMiB
}
