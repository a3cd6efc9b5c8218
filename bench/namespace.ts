/**
 * Durable creations a second: `commitFile` of files of one chunk in one directory, through the namespace and the
 * embedded engine to the disk. Allocation, receipts and the wire are left out: this is what a master can commit.
 *
 *     node bench/namespace.ts [files] [folder]
 * @module
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNodeClock } from '../src/env/node-clock.ts'
import { createNodeDisk } from '../src/env/node-disk.ts'
import { silentLog } from '../src/env/node-log.ts'
import { openSqliteKV } from '../src/kv/sqlite-kv.ts'
import { type TestClient, TestMaster, type Written } from '../test/namespace/test-master.ts'

const files = Number(process.argv[2] ?? 50_000)
const folder = await mkdtemp(join(process.argv[3] ?? tmpdir(), 'ashlar-bench-'))
const path = join(folder, 'metadata.db')
try {
  const onFatal = (error: Error) => {
    throw error
  }
  const kv = await openSqliteKV({ path, clock: createNodeClock(), disk: createNodeDisk(), log: silentLog, onFatal })
  const master = await TestMaster.start(kv)
  const client = await master.client()
  await client.makeDirectory('/bench')
  for (const inFlight of [16, 64]) {
    const written = await writeChunks(client, files)
    const start = performance.now()
    const before = process.cpuUsage()
    await create(client, written, inFlight)
    const seconds = (performance.now() - start) / 1000
    const { user, system } = process.cpuUsage(before)
    const cpuUs = Math.round((user + system) / files)
    console.log(`${inFlight} in flight: ${Math.round(files / seconds)} creates/s, ${cpuUs} µs of CPU each`)
  }
  await kv.close()
  const { size } = await stat(path)
  console.log(`${Math.round(size / (2 * files))} bytes a file`)
} finally {
  await rm(folder, { recursive: true })
}

/** As clients do it: an allocation at a time, given back when it is used up. */
async function writeChunks(client: TestClient, count: number): Promise<Written[]> {
  const written: Written[] = []
  for (let done = 0; done < count; done++) written.push(await client.write(4096))
  return written
}

async function create(client: TestClient, written: readonly Written[], inFlight: number): Promise<void> {
  let next = 0
  const name = `${inFlight}-${'n'.repeat(12)}`
  async function lane(): Promise<void> {
    while (next < written.length) {
      const index = next++
      const request = client.commitRequest(`/bench/${name}-${index}`, written[index] as Written)
      await client.namespace.commitFile(request)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
}
