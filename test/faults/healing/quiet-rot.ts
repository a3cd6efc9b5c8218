/**
 * Fifty replicas rot on running servers, in every way a disk and a person can: bits flip, files are cut, deleted, and change places.
 * First while nobody reads: scrubbing alone must find all. Then fifty more under constant reading: no wrong byte may be served.
 * @module
 */
import { readFileSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { basename, join } from 'node:path'
import { limits } from '../../../src/base/limits.ts'
import type { ChunkReport } from '../../../src/client/index.ts'
import { seededRandom } from '../../../src/env/seeded-random.ts'
import type { ServerName } from '../hand-cluster.ts'
import { filesBelow, flipBit } from '../rot.ts'
import { headerOf, type Version } from './contents.ts'
import type { Ended } from './deaths.ts'
import { Foreground, type Latency } from './foreground.ts'
import { isQuiet, isWhole, Stage, type StageOptions } from './stage.ts'

export interface RotResult extends Ended {
  readonly flips: number
  readonly cuts: number
  readonly deletes: number
  readonly swaps: number
  /** Bits flipped in records of segments. */
  readonly recordFlips: number
  readonly foundByScrubbing: number
  /** From the last damage until all was found, and until all was repaired. */
  readonly foundMs: number
  readonly repairedMs: number
  readonly readUnderRot: Latency
  readonly repairedUnderReadingMs: number
}

/** Of a cluster that has so many chunk files. */
const damages = { many: 50, few: 18 }
const inSegments = 12

export async function runRot(options: StageOptions): Promise<RotResult> {
  await using stage = await Stage.open(options, { servers: 6 })
  // A replica that a move leaves behind would be dropped, not found.
  await stage.until('the beginning', isQuiet)
  const { client } = stage
  await client.duties.pause('scrub')
  const rot = new Rot(stage)
  const startMs = performance.now()
  // One of each chunk: a second one could be found when it is to be the source of the first one's repair.
  const bad = rot.strike(await chunksOf(stage), { mostOfChunk: 1 })
  stage.say(`${bad} replicas are bad: ${JSON.stringify(rot.counts)}`)
  await client.setSetting('scrub-rate', '1GiB')
  await client.setSetting('scrub-within', '5s')
  await client.duties.resume('scrub')
  await stage.until('scrubbing to find all', async () => (await foundByScrubbing(stage)) >= bad)
  const foundMs = performance.now() - startMs
  const found = await foundByScrubbing(stage)
  if (found !== bad) stage.tell(`scrubbing found ${found} bad replicas where ${bad} are`)
  await stage.until('all replicas', isWhole)
  const repairedMs = performance.now() - startMs
  stage.say('repaired: every replica is read')
  await stage.fsck({ verify: true })

  const load = new Foreground(stage)
  await load.start()
  const againMs = performance.now()
  rot.strike(await chunksOf(stage), { mostOfChunk: 2 })
  stage.say('as many again, under reading and writing')
  // The count of what is found starts anew at each read that finds it first.
  await stage.until('all replicas', (status) => isWhole(status) && rot.areGone())
  const repairedUnderReadingMs = performance.now() - againMs
  await load.stop()
  await stage.until('what was written last', isWhole)
  await stage.fsck({ verify: true })
  await stage.readAll()
  return {
    ...{ scenario: 'rot', files: stage.files.size, bytes: options.bytes, violations: stage.violations },
    ...rot.counts,
    foundByScrubbing: found,
    foundMs: Math.round(foundMs),
    repairedMs: Math.round(repairedMs),
    readUnderRot: load.latency(againMs, againMs + repairedUnderReadingMs),
    repairedUnderReadingMs: Math.round(repairedUnderReadingMs),
  }
}

async function foundByScrubbing({ client }: Stage): Promise<number> {
  return (await client.nodes()).reduce((sum, { badChunksScrubbed = 0 }) => sum + badChunksScrubbed, 0)
}

interface KnownChunk {
  readonly report: ChunkReport
  /** Of which it is all. */
  readonly file: Version
}

/** Chunks of some files, large ones and small ones. */
async function chunksOf(stage: Stage): Promise<readonly KnownChunk[]> {
  const files = [...stage.files.values()]
  const large = files.filter(({ length }) => length >= limits.chunkFileMinBytes).slice(0, 200)
  const small = files.filter(({ length }) => length > 1000 && length < limits.chunkFileMinBytes).slice(0, 60)
  const chunks: KnownChunk[] = []
  for (const file of [...large, ...small]) {
    for await (const report of stage.client.describeChunks(file.path)) chunks.push({ report, file })
  }
  return chunks
}

class Rot {
  readonly #stage: Stage
  readonly #random
  readonly #damaged = new Map<string, number>()
  /** Chunk files that were damaged, with the inode of what lies there now; undefined: nothing does. */
  readonly #files = new Map<string, number | undefined>()
  #mostOfChunk = 1
  readonly counts = { flips: 0, cuts: 0, deletes: 0, swaps: 0, recordFlips: 0 }

  constructor(stage: Stage) {
    this.#stage = stage
    this.#random = seededRandom(stage.options.seed ?? 1)
  }

  /** @returns how many replicas it damaged */
  strike(chunks: readonly KnownChunk[], { mostOfChunk }: { readonly mostOfChunk: number }): number {
    this.#mostOfChunk = mostOfChunk
    this.#damaged.clear()
    this.#files.clear()
    const nameOf = new Map(
      this.#stage.cluster.chunkServers.map((name) => [this.#stage.cluster.id(name) as string, name]),
    )
    let bad = 0
    for (const { report, file } of chunks.filter(
      ({ report: { chunkLength } }) => chunkLength < limits.chunkFileMinBytes,
    )) {
      if (bad === inSegments) break
      const server = nameOf.get(report.replicas[this.#random.below(report.replicas.length)]?.serverId ?? '')
      if (server === undefined || !this.#flipRecord(server, file)) continue
      bad++
    }
    const replicas = this.#replicaFiles(chunks, nameOf)
    const wanted = this.#stage.options.files >= 2_000 ? damages.many : damages.few
    while (bad < wanted && replicas.length > 0) bad += this.#damage(replicas)
    if (bad < wanted) this.#stage.tell(`only ${bad} replicas could be damaged`)
    return bad
  }

  /** Whether another file lies in the place of each that was damaged. */
  areGone(): boolean {
    return [...this.#files].every(([path, bad]) => {
      const inode = inodeOf(path)
      return inode !== undefined && inode !== bad
    })
  }

  /** In no order: the files of the chunks on their members. What a former member has left of them is nobody's replica. */
  #replicaFiles(chunks: readonly KnownChunk[], nameOf: ReadonlyMap<string, ServerName>): string[] {
    const members = new Map(chunks.map(({ report }) => [report.chunkId as string, report.replicas]))
    const found = [...nameOf].flatMap(([id, name]) =>
      filesBelow(join(this.#stage.cluster.data(name), 'chunks')).filter(
        (file) => members.get(basename(file))?.some(({ serverId }) => serverId === id) === true,
      ),
    )
    return found
      .map((file) => ({ file, at: this.#random.fraction() }))
      .sort((a, b) => a.at - b.at)
      .map(({ file }) => file)
  }

  /** Damages the next one, or two. @returns how many are bad by it */
  #damage(replicas: string[]): number {
    const touched: string[] = []
    const bad = this.#strikeNext(replicas, touched)
    for (const file of touched) this.#files.set(file, inodeOf(file))
    return bad
  }

  #strikeNext(replicas: string[], touched: string[]): number {
    const take = () => {
      for (;;) {
        const file = replicas.pop()
        if (file === undefined) return undefined
        const count = (this.#damaged.get(basename(file)) ?? 0) + 1
        if (count > this.#mostOfChunk) continue
        this.#damaged.set(basename(file), count)
        touched.push(file)
        return file
      }
    }
    const file = take()
    if (file === undefined) return 0
    const kind = this.#random.below(4)
    if (kind === 0) {
      flipBit(file, () => this.#random.fraction())
      this.counts.flips++
      return 1
    }
    if (kind === 1) {
      truncateSync(file, this.#random.below(statSync(file).size))
      this.counts.cuts++
      return 1
    }
    const other = kind === 2 ? undefined : take()
    if (other === undefined) {
      rmSync(file)
      this.counts.deletes++
      return 1
    }
    const between = join(this.#stage.cluster.folder, 'between')
    renameSync(file, between)
    renameSync(other, file)
    renameSync(between, other)
    this.counts.swaps++
    return 2
  }

  /**
   * Flips a bit of a small file's content where it lies in a segment: in the last record, since a server that lost a group and got it
   * again has a dead one before it. @returns false where it is not found
   */
  #flipRecord(server: ServerName, file: Version): boolean {
    const header = headerOf(file)
    for (const segment of filesBelow(join(this.#stage.cluster.data(server), 'segments')).reverse()) {
      const bytes = readFileSync(segment)
      const at = bytes.lastIndexOf(header)
      if (at === -1) continue
      const inContent = at + header.length + this.#random.below(file.length - header.length)
      flipBit(segment, () => inContent / bytes.length)
      this.counts.recordFlips++
      return true
    }
    return false
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino
}
