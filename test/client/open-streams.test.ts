/** Many open streams on the little memory of one client. The real sizes: `npm run bench -- --only streams`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../src/env/seeded-random.ts'
import { startCluster } from '../../src/testing/index.ts'

const KiB = 1024
const count = 60
const fileBytes = 150 * KiB

/** All of them at once, each again and again until every one was done. @returns how often the quickest was, at that moment */
async function mostBeforeAll(stream: (index: number) => Promise<void>): Promise<number> {
  const done = new Array<number>(count).fill(0)
  let most: number | undefined
  await Promise.all(
    done.map(async (_, index) => {
      while (most === undefined) {
        await stream(index)
        done[index] = (done[index] as number) + 1
        if (done.every((times) => times > 0)) most ??= Math.max(...done)
      }
    }),
  )
  return most as number
}

const contents = Array.from({ length: count }, (_, index) => seededRandom(index).bytes(fileBytes))

// The memory is asked for many times over: sixty writers would hold up to three chunks each, and readers all of their files.
test('60 open streams share 4 MiB: none begins a fourth file before each has finished one, and each is whole', async () => {
  await using cluster = await startCluster({ chunkSizeBytes: 64 * KiB })
  const client = await cluster.connect({ bufferBytes: 4 * KiB * KiB })
  async function* pieces(index: number) {
    const bytes = contents[index] as Buffer
    for (let at = 0; at < bytes.length; at += 20 * KiB) {
      // Others come between: each stream is open all the time.
      await new Promise((resolve) => setImmediate(resolve))
      yield bytes.subarray(at, at + 20 * KiB)
    }
  }
  const written = await mostBeforeAll(async (index) => void (await client.writeFile(`/f${index}`, pieces(index))))
  assert.ok(written <= 3, `one wrote ${written} files before each had one`)
  const read = await mostBeforeAll(async (index) => {
    const parts: Buffer[] = []
    for await (const part of client.createReadStream(`/f${index}`)) parts.push(part as Buffer)
    assert.ok(Buffer.concat(parts).equals(contents[index] as Buffer))
  })
  assert.ok(read <= 3, `one read ${read} files before each had one`)
})
