import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FakeCluster } from '../../test/client/fake-cluster.ts'
import { isAshlarError } from '../base/errors.ts'

const failsWith = (code: string) => (error: unknown) => isAshlarError(error) && error.code === code

describe('writeFile() of a small file', () => {
  test('gives back the chunk id whose commit was refused, so that its bytes are deleted', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.writeFile('/there', 'first')
    await assert.rejects(client.writeFile('/there', 'second', { ifAbsent: true }), failsWith('already-exists'))
    while (cluster.master.count('releaseAllocations') === 0) await delay(5)
    const released = cluster.master.calls.find(({ name }) => name === 'releaseAllocations')?.request
    assert.equal((released as { readonly burned?: readonly string[] }).burned?.length, 1)
    assert.equal(await client.readFile('/there', 'utf8'), 'first')
  })

  test('ends at once when it is aborted while the chunk is on its way', async () => {
    await using cluster = await FakeCluster.start()
    const client = await cluster.connect()
    await client.writeFile('/first', 'takes a session and chunk ids')
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>()
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>()
    cluster.servers[1]?.hooks.set('putChunk', async (_request, _context, next) => {
      arrive()
      await held
      return await next()
    })
    const stop = new AbortController()
    const writing = client.writeFile('/aborted', 'bytes', { signal: stop.signal })
    await arrived
    stop.abort()
    // Long before the member would be given up, after 5 s.
    const ended = await Promise.race([writing.catch((error: unknown) => error), delay(2_500, 'still waiting')])
    letGo()
    assert.ok(failsWith('cancelled')(ended), String(ended))
    assert.equal(cluster.master.count('commitFile'), 1)
    assert.equal(cluster.master.files.has('/aborted'), false)
  })
})
