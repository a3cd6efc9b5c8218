/** Rot of every kind on real files, found by scrubbing and repaired, while nobody or everybody reads. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { ChunkReport } from '../../src/client/index.ts'
import { seededRandom } from '../../src/env/seeded-random.ts'
import { startCluster, type TestCluster } from '../../src/testing/index.ts'
import { filesBelow, flipBit } from '../faults/rot.ts'

const MiB = 1024 * 1024
const largeFiles = 8
const smallFiles = 100
/** Three and a rest of each large file, but for the first, which has none. */
const chunksOfAll = 4 * largeFiles - 1 + smallFiles
const random = seededRandom(20)

let folder: string
let cluster: TestCluster

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ashlar-scrub-'))
  const usual = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  try {
    cluster = await startCluster({ chunkServers: 5, storage: 'disk', policy: 'replicated-3', chunkSizeBytes: MiB })
  } finally {
    if (usual === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = usual
  }
  await Promise.all(contents().map(({ path, bytes }) => cluster.client.writeFile(path, bytes)))
  // A copy that a move left behind is dropped, damaged or not: scrubbing would be waited for in vain.
  await cluster.client.duties.pause('rebalance')
  await eventually('no move is under way, and none has left a copy', async () => {
    const { work = [] } = await cluster.client.status()
    const chunks = cluster.chunkServers.reduce((sum, each) => sum + each.space().chunks, 0)
    return work.every(({ groupsUnderWay }) => groupsUnderWay === 0) && chunks === 3 * chunksOfAll
  })
})

after(async () => {
  await cluster.close()
  rmSync(folder, { recursive: true, force: true })
})

function contents(): readonly { readonly path: string; readonly bytes: Buffer }[] {
  const large = Array.from({ length: largeFiles }, (_, index) => ({ path: `/large-${index}`, length: 3 * MiB + index }))
  const small = Array.from({ length: smallFiles }, (_, index) => ({ path: `/small-${index}`, length: 5000 + index }))
  return [...large, ...small].map(({ path, length }, index) => ({ path, bytes: seededRandom(index).bytes(length) }))
}

/** The data folder of each chunk server, by its place in `cluster.chunkServers`. */
function stores(): readonly string[] {
  const [root] = readdirSync(folder)
  return cluster.chunkServers.map((_, index) => join(folder, root as string, `chunkserver-${index + 1}`, 'store'))
}

/** Damages 50 replicas in every way, at most so many of one chunk. @returns how many replicas are bad now */
async function rot({ mostOfChunk }: { readonly mostOfChunk: number }): Promise<number> {
  const damaged = new Map<string, number>()
  /** Whether one more replica of the chunk may be damaged. */
  const mayDamage = (chunk: string) => {
    const count = (damaged.get(chunk) ?? 0) + 1
    if (count <= mostOfChunk) damaged.set(chunk, count)
    return count <= mostOfChunk
  }
  const files = stores().map((store) => filesBelow(join(store, 'chunks')))
  const isUntouched = new Set(files.flat())
  const take = (server: number) => {
    const left = (files[server] as string[]).filter((file) => isUntouched.has(file))
    if (left.length === 0) return undefined
    const file = left[random.below(left.length)] as string
    return mayDamage(file.slice(file.lastIndexOf('/') + 1)) && isUntouched.delete(file) ? file : undefined
  }
  let bad = 0
  for (let tries = 0; bad < 20; tries++) {
    assert.ok(tries < 10_000, `only ${bad} replicas can be damaged`)
    const server = random.below(5)
    const file = take(server)
    if (file === undefined) continue
    const kind = random.below(4)
    if (kind === 0) assert.ok(flipBit(file, () => random.fraction()))
    else if (kind === 1) truncateSync(file, random.below(statSync(file).size))
    else if (kind === 2) rmSync(file)
    else {
      const other = take(server)
      if (other === undefined) {
        rmSync(file)
      } else {
        renameSync(file, join(folder, 'swapped'))
        renameSync(other, file)
        renameSync(join(folder, 'swapped'), other)
        bad++
      }
    }
    bad++
  }
  const small = contents().filter(({ bytes }) => bytes.length < MiB)
  while (bad < 50) {
    const { path } = small[random.below(small.length)] as { path: string }
    for await (const { chunkId, replicas } of cluster.client.describeChunks(path)) {
      if (damaged.has(chunkId)) continue
      damaged.set(chunkId, 1)
      await cluster.chunkServers.find(({ id }) => id === replicas[0]?.serverId)?.corrupt(chunkId)
      bad++
    }
  }
  return bad
}

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  // A busy machine takes long; a cluster that never gets there is what fails here.
  const untilMs = performance.now() + 300_000
  while (!(await isSo())) {
    assert.ok(performance.now() < untilMs, `${what}: not within five minutes`)
    await wait(100)
  }
}

async function foundByScrubbing(): Promise<number> {
  const nodes = await cluster.client.nodes()
  return nodes.reduce((sum, { badChunksScrubbed = 0 }) => sum + badChunksScrubbed, 0)
}

async function isClean(): Promise<boolean> {
  if ((await cluster.client.status()).underReplicatedChunks > 0) return false
  return (await cluster.client.insight.fsck({ verify: true })).isClean
}

async function readAll(): Promise<void> {
  for (const { path, bytes } of contents()) assert.ok((await cluster.client.readFile(path)).equals(bytes), path)
}

test('50 replicas that were flipped, cut, removed or swapped are found without being read, and repaired', async () => {
  // Of two bad replicas one could be found when it is to be the source of the other one's repair, and not by scrubbing.
  const bad = await rot({ mostOfChunk: 1 })
  await cluster.client.setSetting('scrub-within', '4s')
  await eventually('scrubbing finds all', async () => (await foundByScrubbing()) >= bad)
  await eventually('all are repaired', isClean)
  assert.equal(await foundByScrubbing(), bad)
  await readAll()
  const { oldestUnscrubbedSeconds = 0 } = await cluster.client.status()
  assert.ok(oldestUnscrubbedSeconds < 3600)
  // Events are told a moment after what they tell of.
  await eventually('both events are told', async () => {
    const kinds = new Set<string>()
    for await (const { kind } of cluster.client.insight.events({ latest: 1000 })) kinds.add(kind)
    return kinds.has('quarantine') && kinds.has('replicas-repaired')
  })
})

test('50 more while everything is read again and again: no wrong byte, and all are repaired', async () => {
  let isDone = false
  const reading = (async () => {
    while (!isDone) await readAll()
  })()
  // A wrong byte fails the test when it is read, and a failure of the rest does not leave the reading behind.
  const healing = (async () => {
    await rot({ mostOfChunk: 2 })
    await eventually('all are repaired', isClean)
  })().finally(() => {
    isDone = true
  })
  await Promise.all([reading, healing])
})

test('scrub() of a path finds what is wrong there at once, and the next one finds nothing', async () => {
  await cluster.client.duties.pause('scrub')
  const chunks: ChunkReport[] = []
  for await (const report of cluster.client.describeChunks('/large-0')) chunks.push(report)
  const chunk = chunks[0] as ChunkReport
  const [one, other] = chunk.replicas.map(({ serverId }) =>
    cluster.chunkServers.findIndex(({ id }) => id === serverId),
  ) as [number, number]
  const fileOn = (server: number) =>
    filesBelow(join(stores()[server] as string, 'chunks')).find((file) => file.endsWith(chunk.chunkId)) as string
  rmSync(fileOn(one))
  flipBit(fileOn(other), () => 0.5)
  const told: number[] = []
  const found = await cluster.client.duties.scrub('/', { onProgress: ({ files }) => told.push(files) })
  assert.equal(found.counts.files, largeFiles + smallFiles)
  assert.equal(found.counts.bad, 2)
  assert.deepEqual(
    new Set(found.bad.map(({ server }) => server)),
    new Set([cluster.chunkServers[one]?.id, cluster.chunkServers[other]?.id]),
  )
  assert.ok(found.bad.every(({ path }) => path === '/large-0'))
  assert.ok(told.length > 1 && told.at(-1) === found.counts.files)
  await eventually('both are repaired', async () => {
    const { counts } = await cluster.client.duties.scrub('/large-0')
    return counts.bad === 0 && counts.good === 3 * counts.chunks
  })
})
