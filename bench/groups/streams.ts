/**
 * Streams that are long, and streams that are many: memory of the client and of each process, who waits for whom, and what happens when the
 * disks are full. Only where it is asked for (`--only streams`), on clusters of its own; nothing of it has a rival.
 *
 * 1. A stream as large as the servers take (`--large-mib` each), written and read back; then one without an end, which is refused when they are full.
 * 2. A thousand open streams on the one memory of a client. Each begins a new file when its last one is whole: what the quickest has
 *    finished when the slowest has finished its first says whether shares are fair.
 * @module
 */
import { randomFillSync } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { connect, isAshlarError } from '../../src/client/index.ts'
import { type Group, note, type Surroundings, scaled } from '../bench.ts'
import type { Role, Unit } from '../figures.ts'
import { type LocalCluster, startLocalCluster } from '../local-cluster.ts'
import { forgetPeak, memoryOf } from '../processes.ts'
import { secondsOf } from '../spread.ts'

const group = 'streams'
const MiB = 1024 * 1024
const openStreams = 1000
const largeFolder = 'large-stream'
/** Of each file of the thousand streams. */
const fileMiB = 2
const randomMiB = randomFillSync(Buffer.allocUnsafe(MiB))

export const streams: Group = {
  name: group,
  summary: 'one stream as large as the disks take, and 1,000 open streams (only where named)',
  isOnRequest: true,
  alone: async (bench) => {
    await oneLargeStream(bench)
    // The disk may be full of it.
    await rm(join(bench.folder, largeFolder), { recursive: true })
    await manyOpenStreams(bench)
  },
}

async function oneLargeStream(bench: Surroundings): Promise<void> {
  const capacityBytes = bench.settings.largeBytes
  const options = ['--capacity', String(capacityBytes), '--trash-keep', '1s']
  await using cluster = await startLocalCluster(join(bench.folder, largeFolder), { root: bench.root, options })
  await using client = await connect({ cluster: cluster.clusterPath })
  const pieces = Math.floor((0.9 * capacityBytes) / MiB)
  const memory = new Memory(bench, cluster)
  const title = `a stream of ${pieces} MiB`
  const rate = (name: string, seconds: number) => figure(bench, { name, unit: 'MiB/s' }, pieces / seconds)

  memory.begin()
  async function* source() {
    for (let sent = 0; sent < pieces; sent++) {
      if (sent === Math.floor(pieces / 4)) memory.end(`${title}, written: its first quarter`)
      yield randomMiB
    }
  }
  rate(`${title}, written`, await secondsOf(() => client.writeFile('/large', source())))
  memory.end(`${title}, written: the rest`)

  let read = 0
  const readAll = async () => {
    for await (const piece of client.createReadStream('/large')) {
      if (read < (pieces * MiB) / 4 && read + (piece as Buffer).length >= (pieces * MiB) / 4)
        memory.end(`${title}, read: its first quarter`)
      read += (piece as Buffer).length
    }
  }
  rate(`${title}, read`, await secondsOf(readAll))
  memory.end(`${title}, read: the rest`)
  if (read !== pieces * MiB) throw new Error(`Cannot measure: ${read} bytes came back`)

  let offered = 0
  async function* endless() {
    for (;;) {
      offered += MiB
      yield randomMiB
    }
  }
  const refused = await client.writeFile('/endless', endless()).then(
    () => 'nothing',
    (error: unknown) => (isAshlarError(error) ? error.code : String(error)),
  )
  bench.tell(
    `a stream without an end: ${refused} after ${offered / MiB} MiB; there: ${await client.exists('/endless')}`,
  )
  memory.end('a stream without an end, until it is refused')
  await client.rm('/large')
  const again = () => client.writeFile('/after', randomMiB)
  figure(
    bench,
    { name: 'a full cluster, from the delete to a file again', unit: 'ms' },
    1000 * (await secondsOf(() => until(again))),
  )
}

async function manyOpenStreams(bench: Surroundings): Promise<void> {
  const count = scaled(bench, openStreams, 20)
  await using cluster = await startLocalCluster(join(bench.folder, 'open-streams'), {
    root: bench.root,
    options: ['--trash-keep', '1s'],
  })
  await using client = await connect({ cluster: cluster.clusterPath })
  const memory = new Memory(bench, cluster)
  memory.begin()
  await fairly(bench, { count, what: 'written' }, async (index) => {
    await client.writeFile(`/streams/${index}`, filePieces(), { makeParents: true })
  })
  memory.end(`${count} open streams, written`)
  await fairly(bench, { count, what: 'read' }, async (index) => {
    let bytes = 0
    for await (const piece of client.createReadStream(`/streams/${index}`)) bytes += (piece as Buffer).length
    if (bytes !== fileMiB * MiB) throw new Error(`Cannot measure: stream ${index} came back with ${bytes} bytes`)
  })
  memory.end(`${count} open streams, read`)
}

/** Each begins anew when it is done, until all were done once. */
async function fairly(
  bench: Surroundings,
  { count, what }: { readonly count: number; readonly what: string },
  stream: (index: number) => Promise<void>,
): Promise<void> {
  const finished = new Array<number>(count).fill(0)
  let left = count
  let most = 0
  const seconds = await secondsOf(() =>
    Promise.all(
      finished.map(async (_, index) => {
        for (let round = 0; left > 0; round++) {
          await stream(index)
          finished[index] = round + 1
          if (round === 0 && --left === 0) most = Math.max(...finished)
        }
      }),
    ),
  )
  const sum = finished.reduce((total, each) => total + each, 0)
  figure(bench, { name: `${count} open streams, ${what}`, unit: 'MiB/s' }, (sum * fileMiB) / seconds)
  figure(
    bench,
    { name: `${count} open streams, ${what}: most that one finished before each had once`, unit: 'ratio' },
    most,
  )
}

async function* filePieces(): AsyncGenerator<Buffer> {
  for (let sent = 0; sent < fileMiB * 4; sent++) {
    await new Promise((resolve) => setImmediate(resolve))
    yield randomMiB.subarray(0, MiB / 4)
  }
}

/** Space returns when trash is over and its chunks are gone: tried until then, for a minute. */
async function until(work: () => Promise<unknown>): Promise<void> {
  const endMs = performance.now() + 60_000
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (!isAshlarError(error, 'no-space') || performance.now() > endMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}

/** The highest memory of each role between two moments; this process is the client. */
class Memory {
  readonly #bench: Surroundings
  readonly #processes: readonly { readonly role: Role; readonly pid: number }[]

  constructor(bench: Surroundings, { processes }: LocalCluster) {
    this.#bench = bench
    this.#processes = [{ role: 'client', pid: process.pid }, ...processes]
  }

  begin(): void {
    for (const { pid } of this.#processes) forgetPeak(pid)
  }

  /** What it was since the last time. */
  end(when: string): void {
    for (const role of ['client', 'master', 'chunkserver'] as const) {
      const peaks = this.#processes.filter((one) => one.role === role).map(({ pid }) => memoryOf(pid).peak)
      figure(this.#bench, { name: `${when}: highest memory of a ${role}`, unit: 'MiB' }, Math.max(...peaks))
    }
    this.begin()
  }
}

function figure(
  bench: Surroundings,
  { name, unit }: { readonly name: string; readonly unit: Unit },
  value: number,
): void {
  note(bench, { group, name, unit }, value)
}
