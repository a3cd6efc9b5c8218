/**
 * The chunk store against the disk beneath, in one run: large durable chunks next to a raw direct writer, small puts
 * at 64 in flight, small reads. `node bench/store.ts [folder]`; `--json` prints one object.
 * @module
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClusterId, chunkId, type GroupId } from '../src/base/ids.ts'
import { createNodeEnv } from '../src/env/node-env.ts'
import { openDiskStore } from '../src/store/open-disk-store.ts'

const MiB = 1024 * 1024
const streams = 4
const largeBytes = 8 * MiB
const largeChunks = 64
const smallBytes = 4096
const smallChunks = 20_000
const inFlight = 64

const env = createNodeEnv({ log: 'silent' })
const json = process.argv.includes('--json')
const parent = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? tmpdir()
const folder = await mkdtemp(join(parent, 'ashlar-bench-'))

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (
    ((sorted[Math.floor((sorted.length - 1) / 2)] as number) + (sorted[Math.ceil((sorted.length - 1) / 2)] as number)) /
    2
  )
}

/** Runs `work` for 0 … count-1, `width` at a time. */
async function spread(count: number, width: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < count) await work(next++)
    }),
  )
}

/** Made and touched before anything is timed: the raw writer must be a limit, not a handicapped rival. */
const rawBuffers = Array.from({ length: streams }, () =>
  [0, 1].map(() => {
    const buffer = env.disk.alignedBuffer(4 * MiB)
    buffer.fill(7)
    return buffer
  }),
)

/** Direct writes of 4 MiB, two at a time, then a sync: what the disk gives to a program that does nothing else. */
async function rawWrites(round: number): Promise<void> {
  const free = [...rawBuffers]
  await spread(largeChunks, streams, async (index) => {
    const buffers = free.pop() ?? []
    const file = await env.disk.open(join(folder, `raw-${round}-${index}`), { mode: 'create', direct: true })
    await Promise.all(buffers.map((buffer, part) => file.write([buffer], part * 4 * MiB)))
    await file.sync()
    await file.close()
    free.push(buffers)
  })
}

const store = await openDiskStore({
  env,
  path: join(folder, 'store'),
  identity: { cluster: 'c'.repeat(32) as ClusterId },
  create: true,
  capacityBytes: 2 ** 40,
})
const idOf = (group: number, sequence: number) => chunkId({ group: group as GroupId, generation: 1, sequence })
const piece = Buffer.alloc(MiB, 7)

async function largeWrites(group: number): Promise<void> {
  await spread(largeChunks, streams, async (index) => {
    const writer = await store.begin(idOf(group, index), largeBytes)
    for (let at = 0; at < largeBytes; at += MiB) await writer.append(piece)
    await writer.commit({})
  })
}

async function largeReads(group: number): Promise<void> {
  await spread(largeChunks, streams, async (index) => {
    const reader = await store.open(idOf(group, index))
    for (let offset = 0; offset < largeBytes; ) {
      const slice = await reader.read({ offset, length: largeBytes - offset })
      offset += slice.bytes.length
      slice.release()
    }
    await reader.close()
  })
}

try {
  const mib = (largeChunks * largeBytes) / MiB
  const result: Record<string, number> = {}
  // In turns, since the disk and the machine change under us; the first of each warms up and does not count.
  const raw: number[] = []
  const large: number[] = []
  for (let round = 0; round < 5; round++) {
    raw.push(mib / (await seconds(() => rawWrites(round))))
    large.push(mib / (await seconds(() => largeWrites(round + 10))))
  }
  result['rawWriteMiBPerSecond'] = median(raw.slice(1))
  result['largeWriteMiBPerSecond'] = median(large.slice(1))
  result['largeToRawPercent'] = median(large.slice(1).map((rate, index) => (100 * rate) / (raw[index + 1] as number)))
  result['largeReadMiBPerSecond'] = mib / (await seconds(() => largeReads(10)))
  const bytes = Buffer.alloc(smallBytes, 3)
  result['smallPutsPerSecond'] =
    smallChunks /
    (await seconds(() => spread(smallChunks, inFlight, async (i) => void (await store.put(idOf(2, i), bytes, {})))))
  result['smallReadsPerSecond'] =
    smallChunks /
    (await seconds(() =>
      spread(smallChunks, inFlight, async (index) => {
        const reader = await store.open(idOf(2, (index * 7919) % smallChunks))
        const slice = await reader.read({ offset: 0, length: smallBytes })
        slice.release()
        await reader.close()
      }),
    ))
  const ids = Array.from({ length: smallChunks }, (_, index) => idOf(2, index))
  result['smallDeletesPerSecond'] =
    smallChunks /
    (await seconds(async () => {
      for (let at = 0; at < ids.length; at += 512) await store.delete(ids.slice(at, at + 512))
    }))
  if (json) console.log(JSON.stringify(result))
  else for (const [name, value] of Object.entries(result)) console.log(`${name.padEnd(26)}${Math.round(value)}`)
} finally {
  await store.close()
  await rm(folder, { recursive: true })
}
