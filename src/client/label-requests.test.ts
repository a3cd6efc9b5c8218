import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { FakeCluster, testBytes } from '../../test/client/fake-cluster.ts'
import { silentLog } from '../env/node-log.ts'
import { currentLabel, formatLabel, underLabel } from '../env/request-label.ts'
import { safeMode } from '../wire/methods/duty-methods.ts'
import type { AshlarClient } from './filesystem.ts'
import { labelled } from './label-requests.ts'

const chunkSizeBytes = 1024 * 1024
/** Several chunks, so that much is asked for long after the operation was called. */
const bytes = testBytes(3 * chunkSizeBytes)
const carried = new Set([
  ...['openFile', 'readChunk', 'putChunk', 'beginChunk', 'appendChunk', 'commitChunk', 'commitFile'],
  ...['listDirectory', 'safeMode'],
])

const operations: Readonly<Record<string, (client: AshlarClient) => Promise<unknown>>> = {
  'readFile()': (client) => client.readFile('/file'),
  'writeFile()': (client) => client.writeFile('/other', bytes),
  'createReadStream()': (client) => client.createReadStream('/file').toArray(),
  'readStream()': (client) => buffer(client.readStream('/file')),
  'createWriteStream()': (client) => piped(client.createWriteStream('/other')),
  'writeStream()': (client) => piped(Writable.fromWeb(client.writeStream('/other'))),
  'list()': (client) => client.list('/', { pageEntries: 1 }).next(),
  'duties.safeMode()': (client) => client.duties.safeMode(),
}

for (const [name, operate] of Object.entries(operations)) {
  test(`${name} does all that it does under one label`, async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes })
    cluster.master.handle(safeMode, async () => ({ value: { groups: 0, comparedGroups: 0, waitsFor: [] } }))
    const client = await cluster.connect()
    await client.writeFile('/file', bytes)
    forget(cluster)
    await operate(client)
    const [label, ...others] = labelsOf(cluster)
    assert.match(label ?? 'no call', /^[0-9A-F]{16}$/)
    assert.deepEqual(others, [])
  })
}

test('what is done with an open file is labelled, each by itself', async () => {
  await using cluster = await FakeCluster.start({ chunkSizeBytes })
  const client = await cluster.connect()
  await client.writeFile('/file', bytes)
  const file = await client.open('/file')
  await file.createReadStream().toArray()
  await buffer(file.readStream())
  await buffer(file.pieces())
  await file.read(Buffer.alloc(10), 0)
  const labels = labelsOf(cluster)
  assert.ok(!labels.has('none'))
  assert.equal(labels.size, 6)
})

test('an operation for a request that has a label keeps it, also in streams', async () => {
  await using cluster = await FakeCluster.start({ chunkSizeBytes })
  const client = await cluster.connect()
  await client.writeFile('/file', bytes)
  forget(cluster)
  const stream = underLabel({ high: 1, low: 2 }, () => client.readStream('/file'))
  await buffer(stream)
  assert.deepEqual([...labelsOf(cluster)], ['0000000100000002'])
})

test('labelled() leaves class, fields and privates as they are', async () => {
  class Door {
    readonly #seen: (string | undefined)[] = []
    readonly size: number

    constructor(size: number) {
      this.size = size
    }

    async ask(what: string): Promise<string> {
      const label = currentLabel()
      this.#seen.push(label === undefined ? undefined : formatLabel(label))
      return `${what} ${this.size}`
    }

    async close(): Promise<(string | undefined)[]> {
      assert.equal(currentLabel(), undefined)
      return this.#seen
    }
  }
  let low = 0
  const LabelledDoor = labelled(Door, { nextLabel: () => ({ high: 0, low: ++low }), log: silentLog })
  const door = new LabelledDoor(7)
  assert.ok(door instanceof Door)
  assert.equal(door.constructor.name, 'Door')
  assert.equal(await door.ask('seat'), 'seat 7')
  assert.equal(await door.ask('seat'), 'seat 7')
  assert.deepEqual(await door.close(), ['0000000000000001', '0000000000000002'])
  assert.equal(labelled(Door, { log: silentLog }), Door)
})

async function piped(to: Writable): Promise<void> {
  await pipeline(bytesInPieces(), to)
}

function* bytesInPieces(): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

function labelsOf({ master, servers }: FakeCluster): ReadonlySet<string> {
  const calls = [master, ...servers].flatMap((service) => service.calls).filter(({ name }) => carried.has(name))
  return new Set(calls.map(({ label }) => (label === undefined ? 'none' : formatLabel(label))))
}

function forget({ master, servers }: FakeCluster): void {
  for (const service of [master, ...servers]) service.calls.length = 0
}
