/** Names and lengths at the edges, through the whole cluster. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isAshlarError } from '../../src/client/index.ts'
import { startCluster } from '../../src/testing/index.ts'

const traps = [
  '',
  '.',
  '..',
  '...',
  'é',
  'e\u0301',
  '%2F',
  '%00',
  '__proto__',
  'constructor',
  '\0',
  '\ud800',
  '\\',
  ' ',
]
const name = fc.oneof(
  fc.constantFrom(...traps, 'x'.repeat(1024), 'x'.repeat(1025), 'é'.repeat(512)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('\r', '\n', '\t', '\u0001', '\u202e', '\ufeff', 'a'), minLength: 1, maxLength: 4 }),
)

test('names are kept byte for byte and never aliased, or refused: whatever they are', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  let taken = 0
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), async (names) => {
      const folder = `/run${run++}`
      await client.mkdir(folder)
      const stored: string[] = []
      for (const one of names) {
        try {
          await client.writeFile(`${folder}/${one}`, JSON.stringify(one), { ifAbsent: true })
          stored.push(one)
        } catch (error) {
          // "a/b" names a parent that is not there.
          assert.ok(isAshlarError(error, 'invalid-name', 'not-found', 'not-a-directory'), String(error))
          assert.ok(one.includes('/') || !isFileName(one), `${JSON.stringify(one)} was refused: ${error.message}`)
        }
      }
      taken += stored.length
      for (const one of stored) assert.equal(await client.readFile(`${folder}/${one}`, 'utf8'), JSON.stringify(one))
      const listed = await client.readdir(folder)
      assert.deepEqual(listed.toSorted(), stored.toSorted())
    }),
    { numRuns: 40, interruptAfterTimeLimit: 6_000, seed: 20_265 },
  )
  assert.ok(taken > 40, `${taken} names were stored`)
})

function isFileName(one: string): boolean {
  if (['', '.', '..'].includes(one) || one.includes('\0') || !one.isWellFormed()) return false
  return Buffer.byteLength(one) <= 1024
}

test('files of odd lengths come back exactly: empty, around blocks and chunks, and of very many chunks', async () => {
  await using cluster = await startCluster({ chunkSizeBytes: 200_000 })
  const { client } = cluster
  const block = 64 * 1024
  for (const length of [0, 1, block - 1, block, block + 1, 199_999, 200_000, 200_001, 400_000, 1_000_003]) {
    const bytes = Buffer.from(Array.from({ length }, (_, at) => (at * 31 + length) & 0xff))
    await client.writeFile('/odd', bytes)
    assert.ok((await client.readFile('/odd')).equals(bytes), `${length} bytes`)
    assert.equal((await client.stat('/odd')).size, length)
  }
  await using tiny = await startCluster({ chunkSizeBytes: 1 })
  const many = Buffer.from(Array.from({ length: 1_500 }, (_, at) => at & 0xff))
  await tiny.client.writeFile('/chunks', many)
  assert.ok((await tiny.client.readFile('/chunks')).equals(many))
})

test('a file that the cluster could never hold is refused, and nothing of it is visible', async () => {
  await using cluster = await startCluster({ capacityBytes: 100_000, chunkSizeBytes: 10_000 })
  const { client } = cluster
  async function* endless() {
    for (;;) yield Buffer.alloc(10_000)
  }
  await assert.rejects(client.writeFile('/endless', endless()), (error) => isAshlarError(error, 'no-space'))
  assert.deepEqual(await client.readdir('/'), [])
  const usedBytes = async () => (await client.nodes()).reduce((sum, node) => sum + node.usedBytes, 0)
  for (let look = 0; look < 60 && (await usedBytes()) > 0; look++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.equal(await usedBytes(), 0, 'its room comes back')
})
