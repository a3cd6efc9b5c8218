import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import type { HashName, RunningHash } from './hashes.ts'
import { inlineHashes } from './hashes.ts'
import { createNodeHashes } from './node-hashes.ts'

const hashes = createNodeHashes()
const names: readonly HashName[] = ['md5', 'sha256']
const expected = (content: Uint8Array) => names.map((name) => createHash(name).update(content).digest('hex'))

async function feed(hash: RunningHash, content: Buffer, pieceBytes: number): Promise<readonly string[]> {
  const piece = Buffer.alloc(pieceBytes)
  for (let at = 0; at < content.length; at += pieceBytes) {
    const length = content.copy(piece, 0, at, at + pieceBytes)
    const room = hash.update(piece.subarray(0, length))
    // The bytes were taken: what becomes of the buffer now is no matter.
    if (room !== undefined) await room
    piece.fill(0)
  }
  return await hash.digest()
}

test('start() hashes as node:crypto does, inline and in threads, whatever the pieces', async () => {
  const content = randomBytes(3 * limits.hashBlockBytes + 17)
  for (const pieceBytes of [1000, 100_000, limits.hashBlockBytes, content.length]) {
    assert.deepEqual(await feed(inlineHashes.start(names), content, pieceBytes), expected(content))
    assert.deepEqual(await feed(hashes.start(names), content, pieceBytes), expected(content))
  }
  assert.deepEqual(await hashes.start(['md5']).digest(), [createHash('md5').digest('hex')])
  assert.deepEqual(await feed(hashes.start(names, { expectedBytes: 10 }), content, 1000), expected(content))
})

test('update() takes more than the shared memory holds, and many contents go through one thread', async () => {
  const memoryBytes = limits.hashBlockBytes * limits.hashBlocksPerThread
  const large = randomBytes(memoryBytes * 2 + 5)
  const waits = hashes.start(['md5'])
  const room = waits.update(large)
  assert.ok(room instanceof Promise, 'all blocks are taken: the giver waits')
  await room
  assert.deepEqual(await waits.digest(), [createHash('md5').update(large).digest('hex')])
  const contents = Array.from({ length: 40 }, () => randomBytes(300_000))
  const digests = await Promise.all(contents.map((content) => feed(hashes.start(names), content, 50_000)))
  assert.deepEqual(digests, contents.map(expected))
})

// A sender that went silent must not keep others from being hashed.
test('update() goes on while more contents than there are blocks have given a little and wait', async () => {
  const contents = Array.from({ length: 3 * limits.hashBlocksPerThread }, () => randomBytes(1000))
  const begun = contents.map(() => hashes.start(['md5']))
  for (const [index, hash] of begun.entries()) await hash.update(contents[index] as Buffer)
  const large = randomBytes(2 * limits.hashBlockBytes)
  assert.deepEqual(await feed(hashes.start(names), large, 10_000), expected(large))
  const digests = await Promise.all(begun.map((hash) => hash.digest()))
  assert.deepEqual(
    digests,
    contents.map((content) => [createHash('md5').update(content).digest('hex')]),
  )
})

test('drop() gives a content up without a trace', async () => {
  const given = hashes.start(['md5'])
  given.update(randomBytes(100_000))
  given.drop()
  given.drop()
  const content = randomBytes(1000)
  assert.deepEqual(await feed(hashes.start(names), content, 100), expected(content))
})

// A thread is no reason for a process to stay, and an unfinished digest is.
test('start() keeps the process alive until its digest is known, and no longer', () => {
  const script = `
    import { createNodeHashes } from ${JSON.stringify(import.meta.resolve('./node-hashes.ts'))}
    const hash = createNodeHashes().start(['md5'])
    hash.update(Buffer.alloc(1000))
    hash.digest().then(([md5]) => console.log(md5))
  `
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  assert.equal(status, 0)
  assert.equal(stdout.trim(), createHash('md5').update(Buffer.alloc(1000)).digest('hex'))
})
