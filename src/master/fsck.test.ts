import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, firstChunk } from '../../test/cluster/fake-cluster.ts'
import type { ChunkId } from '../base/ids.ts'
import { chunkKey } from '../namespace/keys.ts'
import { type FsckCounts, type FsckFinding, fsckStep } from '../wire/methods/insight-methods.ts'
import { releaseAllocations } from '../wire/methods/write-methods.ts'

interface Report {
  readonly counts: FsckCounts
  readonly findings: readonly FsckFinding[]
}

/** All steps, as a client takes them. The clock stands still: nothing heals meanwhile. */
async function fsck(
  cluster: FakeCluster,
  { verify = false, suspects = [] as readonly ChunkId[] } = {},
): Promise<Report> {
  let counts: Record<string, number> = {}
  const findings: FsckFinding[] = []
  let cursor: Buffer | undefined
  do {
    const step = await cluster.call(fsckStep, { verify, suspects, cursor })
    const sums = Object.entries(step.counts).map(([name, count]) => [name, (counts[name] ?? 0) + count])
    counts = Object.fromEntries(sums)
    findings.push(...step.findings)
    cursor = step.cursor
  } while (cursor !== undefined)
  return { counts: counts as unknown as FsckCounts, findings }
}

const clean = {
  underReplicated: 0,
  missing: 0,
  corrupt: 0,
  orphans: 0,
  quarantined: 0,
  surplus: 0,
  trashedFiles: 0,
  verified: 0,
}

async function withFiles(count: number, servers = 3): Promise<{ cluster: FakeCluster; chunks: ChunkId[] }> {
  const cluster = await FakeCluster.start({ capacities: Array.from({ length: servers }, () => 1e9) })
  const chunks: ChunkId[] = []
  for (let index = 0; index < count; index++) chunks.push(await cluster.put(`/file-${index}`, `text ${index}`))
  return { cluster, chunks }
}

test('fsck() finds nothing in a whole cluster, whatever is being written', async () => {
  const { cluster } = await withFiles(5)
  await using _ = cluster
  const open = await cluster.allocate('/later', 10)
  await cluster.write(open, 'not committed')
  assert.deepEqual(await fsck(cluster), { counts: { ...clean, files: 5, chunks: 5 }, findings: [] })
  assert.deepEqual((await fsck(cluster, { verify: true })).counts, { ...clean, files: 5, chunks: 5, verified: 15 })
})

test('fsck() counts a deleted replica, other bytes under an id, and an orphan, each once', async () => {
  const { cluster, chunks } = await withFiles(4)
  await using _ = cluster
  const [gone, wrong] = chunks as [ChunkId, ChunkId]
  // An id that was given out, and whose allocation is closed.
  const orphan = await cluster.allocate('/never', 10)
  await cluster.call(releaseAllocations, { session: cluster.session, allocations: cluster.allocations.splice(0) })
  cluster.server(0).chunks.delete(gone)
  cluster.server(1).chunks.set(wrong, Buffer.from('other bytes'))
  cluster.server(2).chunks.set(firstChunk(orphan), Buffer.from('orphan'))
  const { counts, findings } = await fsck(cluster)
  assert.deepEqual(counts, { ...clean, files: 4, chunks: 4, underReplicated: 2, corrupt: 1, orphans: 1 })
  const kinds = findings.map(({ kind }) => kind).sort()
  assert.deepEqual(kinds, ['corrupt', 'orphan', 'under-replicated', 'under-replicated'])
  assert.equal(findings.find(({ kind }) => kind === 'orphan')?.server, cluster.server(2).id)
})

test('fsck() with verify reads what looks right', async () => {
  const { cluster, chunks } = await withFiles(2)
  await using _ = cluster
  cluster.server(1).rotten.add(chunks[0] as ChunkId)
  assert.equal((await fsck(cluster)).counts.corrupt, 0, 'digests cannot see it')
  const { counts } = await fsck(cluster, { verify: true })
  assert.deepEqual([counts.corrupt, counts.underReplicated, counts.missing], [1, 1, 0])
})

// Planted: an absence counts at the first look.
test('fsck() looks twice before it calls a replica absent', async () => {
  const { cluster, chunks } = await withFiles(2)
  await using _ = cluster
  for (const server of cluster.servers) server.unlisted.add(chunks[0] as ChunkId)
  assert.deepEqual((await fsck(cluster, { verify: true })).findings, [])
})

test('fsck() calls what nobody within reach holds missing, and names the files', async () => {
  const { cluster, chunks } = await withFiles(3)
  await using _ = cluster
  const lost = chunks[1] as ChunkId
  for (const server of cluster.servers) server.chunks.delete(lost)
  const { counts, findings } = await fsck(cluster, { suspects: [lost] })
  assert.deepEqual([counts.missing, counts.underReplicated], [1, 0])
  assert.deepEqual(
    findings.flatMap(({ path }) => path ?? []),
    ['/file-1'],
  )
})

test('fsck() counts chunks of a silent server as under-replicated, and is clean once they are repaired', async () => {
  const { cluster, chunks } = await withFiles(6, 4)
  await using _ = cluster
  cluster.server(3).kill()
  await cluster.clock.advance(1000)
  const before = await fsck(cluster)
  const held = cluster.server(3).chunks.size
  assert.ok(held > 0)
  assert.deepEqual(before.counts, { ...clean, files: 6, chunks: 6, underReplicated: held })
  assert.match(before.findings[0]?.what ?? '', /is suspect/)
  const living = (chunk: ChunkId) => cluster.holders(chunk).filter(({ isAlive }) => isAlive).length
  await cluster.clock.until(() => chunks.every((chunk) => living(chunk) === 3), 'repair')
  assert.deepEqual((await fsck(cluster)).findings, [])
})

test('fsck() counts files in trash apart, and names a chunk that the metadata has lost', async () => {
  const { cluster, chunks } = await withFiles(3)
  await using _ = cluster
  await cluster.remove('/file-0')
  const { kv } = cluster
  await cluster.clock.run(() => kv.transact(async (tx) => tx.del(chunkKey(chunks[2] as ChunkId))))
  const { counts, findings } = await fsck(cluster)
  assert.deepEqual([counts.files, counts.trashedFiles, counts.missing], [2, 1, 1])
  assert.equal(findings.find(({ kind }) => kind === 'missing')?.path, '/file-2')
  const verified = await fsck(cluster, { verify: true })
  assert.equal(verified.counts.corrupt, 1, 'the digest of the page is not that of its chunks')
})
