/**
 * Metadata beside a million files: how fast the namespace commits and opens files in process, on the embedded engine and its disk, and
 * how fast a cluster makes and looks at empty files through the wire. On namespaces of their own, filled first; every commit is durable.
 *
 * In process there is neither allocation nor receipt nor socket: it is what a master could commit if nothing else cost anything. A
 * file of one chunk is three rows there.
 * @module
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { createNodeClock } from '../../src/env/node-clock.ts'
import { createNodeDisk } from '../../src/env/node-disk.ts'
import { silentLog } from '../../src/env/node-log.ts'
import { openSqliteKV } from '../../src/kv/sqlite-kv.ts'
import { nothingWritten, type TestClient, TestMaster, type Written } from '../../test/namespace/test-master.ts'
import { type Group, grouped, type Measuring, measure, measureLimit, type Surroundings, scaled } from '../bench.ts'
import { syncRate } from '../limits/machine-limits.ts'
import { startLocalCluster } from '../local-cluster.ts'
import { spread } from '../spread.ts'

const group = 'metadata'
const filesThere = 1_000_000
const filesOfRound = 20_000
const inFlight = 64
/** Nothing is measured while a namespace is filled. */
const fillInFlight = 256
const filesOfClient = 50_000
const fileBytes = 4096
const syncs = 2_000
const limit = { name: 'append + fdatasync, 1 writer, at metadata', share: inFlight }

export const metadata: Group = {
  name: group,
  summary: 'files made and opened beside a million others: in process, and empty ones through the wire',
  alone: async (surroundings) => {
    const bench: Measuring = { ...surroundings, group }
    await measureLimit(bench, { name: limit.name, unit: '/s' }, () =>
      syncRate(surroundings.folder, { writers: 1, count: syncs }),
    )
    await inProcess(surroundings, bench)
    await throughTheWire(surroundings, bench)
  },
}

async function inProcess(surroundings: Surroundings, bench: Measuring): Promise<void> {
  const folder = join(surroundings.folder, 'namespace')
  await mkdir(folder)
  const kv = await openSqliteKV({
    path: join(folder, 'metadata.db'),
    clock: createNodeClock(),
    disk: createNodeDisk(),
    log: silentLog,
    onFatal: (error) => {
      throw error
    },
  })
  try {
    const master = await TestMaster.start(kv)
    const maker = await master.client()
    for (const path of ['/there', '/made']) await maker.makeDirectory(path)
    await fill(master, scaled(surroundings, filesThere))
    const count = scaled(surroundings, filesOfRound, 100)
    for (let round = 0; round < surroundings.settings.rounds; round++) {
      const client = await master.client()
      const pathOf = (index: number) => `/made/${round}-${index}`
      const written: Written[] = []
      for (let done = 0; done < count; done++) written.push(await client.write(fileBytes))
      await measure(bench, { name: named('create in process'), unit: '/s', amount: count, limit }, () =>
        spread(count, inFlight, (index) => commit(client, pathOf(index), written[index] as Written)),
      )
      await measure(bench, { name: named('open in process'), unit: '/s', amount: count }, () =>
        spread(count, inFlight, (index) => client.namespace.openFile({ path: pathOf(index) })),
      )
    }
  } finally {
    await kv.close()
  }
}

/** By several clients: each of a test's acknowledges no answer, and so many are kept for it. */
async function fill(master: TestMaster, count: number): Promise<void> {
  for (let from = 0; from < count; from += filesOfClient) {
    const client = await master.client()
    await spread(Math.min(filesOfClient, count - from), fillInFlight, (index) =>
      commit(client, `/there/${from + index}`, nothingWritten),
    )
  }
}

async function commit(client: TestClient, path: string, written: Written): Promise<void> {
  await client.namespace.commitFile(client.commitRequest(path, written))
}

async function throughTheWire(surroundings: Surroundings, bench: Measuring): Promise<void> {
  await using cluster = await startLocalCluster(join(surroundings.folder, 'metadata'), { root: surroundings.root })
  await using client = await connect({ cluster: cluster.clusterPath })
  const { processes } = cluster
  await client.mkdir('/there')
  await client.mkdir('/made')
  await spread(scaled(surroundings, filesThere), fillInFlight, (index) => touch(client, `/there/${index}`))
  const count = scaled(surroundings, filesOfRound, 100)
  for (let round = 0; round < surroundings.settings.rounds; round++) {
    const pathOf = (index: number) => `/made/${round}-${index}`
    await measure(bench, { name: named('create of empty files'), unit: '/s', amount: count, limit, processes }, () =>
      spread(count, inFlight, (index) => touch(client, pathOf(index))),
    )
    await measure(bench, { name: named('stat'), unit: '/s', amount: count, processes }, () =>
      spread(count, inFlight, (index) => client.stat(pathOf(index))),
    )
  }
}

const noBytes = Buffer.alloc(0)

function touch(client: AshlarClient, path: string): Promise<unknown> {
  return client.writeFile(path, noBytes)
}

function named(what: string): string {
  return `${what}, ${grouped(filesThere)} files there`
}
