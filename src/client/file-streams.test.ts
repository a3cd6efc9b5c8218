import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCluster, testBytes } from '../../test/client/fake-cluster.ts'
import { FileReader } from './file-reader.ts'
import { nodeReadStream, type PieceSource, webReadStream } from './file-streams.ts'

const bytes = testBytes(9_000_000)

/** Reads the first piece and gives the stream up while its source waits with read-ahead in hand. */
const givenUp: Readonly<Record<string, (source: PieceSource) => Promise<void>>> = {
  async nodeReadStream(source) {
    const stream = nodeReadStream(source)
    await new Promise((resolve) => stream.once('readable', resolve))
    await new Promise((resolve) => stream.once('close', resolve).destroy())
  },
  async webReadStream(source) {
    const reader = webReadStream(source).getReader()
    await reader.read()
    await reader.cancel()
  },
}

// Read-ahead that is not given back is gone for all later reads of the client.
for (const [name, give] of Object.entries(givenUp)) {
  test(`${name}() gives the read-ahead back when it is destroyed early`, async () => {
    await using cluster = await FakeCluster.start({ chunkSizeBytes: 2 * 1024 * 1024 })
    await (await cluster.connect()).writeFile('/file', bytes)
    const core = cluster.core()
    const reader = await FileReader.open(core, '/file')
    let wasAhead = false
    await give(async function* (signal) {
      for await (const piece of reader.pieces({ start: 0, end: bytes.length, signal, isWanted: true })) {
        wasAhead ||= core.budget.bytesOut > 0
        yield piece
      }
    })
    assert.ok(wasAhead)
    const deadline = AbortSignal.timeout(5_000)
    while (core.budget.bytesOut > 0 && !deadline.aborted) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(core.budget.bytesOut, 0)
    await core.close()
  })
}
