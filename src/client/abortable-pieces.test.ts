import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../testing/index.ts'
import { abortablePieces } from './abortable-pieces.ts'

// A pipe that nobody writes to: an abort once waited for its next byte, for ever.
test('writeFile() from a silent source ends when it is aborted, and leaves nothing', async () => {
  await using cluster = await startCluster()
  const stop = new AbortController()
  async function* silent() {
    yield Buffer.from('begun')
    stop.abort()
    await new Promise(() => undefined)
  }
  await assert.rejects(cluster.client.writeFile('/silent', silent(), { signal: stop.signal }), { code: 'cancelled' })
  assert.equal(await cluster.client.exists('/silent'), false)
})

test('abortablePieces() passes all pieces of either kind of source on, and lets one that is left early clean up', async () => {
  const seen: unknown[] = []
  for await (const piece of abortablePieces(['a', 'b'], undefined, 'read')) seen.push(piece)
  assert.deepEqual(seen, ['a', 'b'])
  let isCleaned = false
  async function* source() {
    try {
      yield 1
      yield 2
    } finally {
      isCleaned = true
    }
  }
  for await (const piece of abortablePieces(source(), undefined, 'read')) {
    assert.equal(piece, 1)
    break
  }
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(isCleaned)
})

// An error of `return` or `destroy` once took the place of the one for which the source was left.
test('abortablePieces() keeps the error of whoever leaves, however badly the source takes it', async () => {
  const refuse = (): never => {
    throw new Error('the source will not be left')
  }
  let returns = 0
  const source = {
    destroy: refuse,
    [Symbol.iterator]: () => ({
      next: () => ({ done: false, value: 1 }),
      return: () => {
        returns++
        return refuse()
      },
    }),
  }
  const own = new Error('own')
  const leaving = async () => {
    for await (const _ of abortablePieces(source, undefined, 'read')) throw own
  }
  await assert.rejects(leaving(), (error) => error === own)
  assert.equal(returns, 1)
})
