/**
 * Races that lose or corrupt data where a rule is missing. Each runs many times on an engine that delays every read and
 * commit at random and injects conflicts, and asserts on the outcome and on every row.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { memoryKV, type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { AshlarError } from '../base/errors.ts'

const rounds = 30

interface Round {
  readonly master: TestMaster
  readonly client: TestClient
}

/** Runs `race` after `prepare`, with faults only during the race, and checks the rows. */
async function race<T>(
  prepare: (round: Round) => Promise<T>,
  run: (round: Round, prepared: T) => Promise<void>,
  count = rounds,
): Promise<void> {
  for (let seed = 0; seed < count; seed++) {
    const kv = memoryKV(seed)
    const master = await TestMaster.start(kv)
    const round = { master, client: await master.client() }
    const prepared = await prepare(round)
    Object.assign(kv.faults, { delayMs: 0.5, conflict: 0.1 })
    await run(round, prepared)
    Object.assign(kv.faults, { delayMs: 0, conflict: 0 })
    await checkRows(kv)
  }
}

/** `ok`, or the code of the refusal. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'ok'
  } catch (error) {
    if (error instanceof AshlarError) return error.code
    throw error
  }
}

// A create writes no row of its directory, so only what it reads keeps it out of a tree that is gone.
test('a put that races the removal of its directory is in the tree, or in trash with it, or refused', async () => {
  const prepare = async ({ client }: Round) => {
    await client.makeDirectory('/a/b', true)
    return client.commitRequest('/a/b/f', await client.write(5))
  }
  await race(prepare, async ({ client }, request) => {
    const [put] = await Promise.all([outcome(client.namespace.commitFile(request)), client.remove('/a', true)])
    assert.ok(['ok', 'not-found'].includes(put), put)
    assert.deepEqual(await client.names('/'), [])
    await client.undelete('/a')
    assert.deepEqual(await client.names('/a/b'), put === 'ok' ? ['f'] : [])
  })
  // The order that chance may leave out: the removal first.
  const late = async ({ client }: Round, request: Awaited<ReturnType<typeof prepare>>) => {
    await client.remove('/a', true)
    assert.equal(await outcome(client.namespace.commitFile(request)), 'not-found')
  }
  await race(prepare, late, 1)
})

test('a put that races the rename of a directory above lands where the directory is', async () => {
  await race(
    async ({ client }) => {
      await client.makeDirectory('/a/b', true)
      return client.commitRequest('/a/b/f', await client.write(5))
    },
    async ({ client }, request) => {
      const [put] = await Promise.all([outcome(client.namespace.commitFile(request)), client.rename('/a', '/c')])
      assert.deepEqual(await client.names('/c/b'), put === 'ok' ? ['f'] : [])
    },
  )
})

test('two renames that together would make a cycle never both happen', async () => {
  await race(
    async ({ client }) => {
      await client.makeDirectory('/a/x', true)
      await client.makeDirectory('/b/y', true)
    },
    async ({ client }) => {
      const moves = await Promise.all([outcome(client.rename('/a', '/b/y/a')), outcome(client.rename('/b', '/a/x/b'))])
      assert.deepEqual(moves.toSorted(), ['not-found', 'ok'])
    },
  )
})

test('two creates under ifAbsent: one wins', async () => {
  await race(
    async ({ client }) => {
      const precondition = { ifAbsent: true }
      return [
        client.commitRequest('/f', await client.write(1), { precondition }),
        client.commitRequest('/f', await client.write(2), { precondition }),
      ]
    },
    async ({ client }, requests) => {
      const answers = await Promise.all(requests.map((request) => outcome(client.namespace.commitFile(request))))
      assert.deepEqual(answers.toSorted(), ['already-exists', 'ok'])
    },
  )
})

test('a file and a directory of one name are never both made', async () => {
  await race(
    async ({ client }) => client.commitRequest('/n', await client.write(1)),
    async ({ client }, request) => {
      const answers = await Promise.all([
        outcome(client.namespace.commitFile(request)),
        outcome(client.makeDirectory('/n')),
      ])
      assert.equal(answers.filter((answer) => answer === 'ok').length, 1)
    },
  )
})

test('creates in one directory do not conflict', async () => {
  const kv = memoryKV(1, { delayMs: 0.5 })
  const master = await TestMaster.start(kv)
  const client = await master.client()
  await client.makeDirectory('/d')
  const requests = []
  for (let index = 0; index < 30; index++) requests.push(client.commitRequest(`/d/${index}`, await client.write(1)))
  const before = kv.statistics.conflicts
  await Promise.all(requests.map((request) => client.namespace.commitFile(request)))
  assert.equal(kv.statistics.conflicts, before)
  assert.equal((await client.namespace.stat({ path: '/d' })).attributes.entries, 30)
})

// The source is purged while its chunks become shared: either the copy took them in time, or it finds nothing.
test('a copy that races the removal and purge of its source is whole, or refused', async () => {
  await race(
    async ({ client }) => {
      await client.putLarge('/large', 300)
    },
    async ({ master, client }) => {
      master.trashKeepMs = 0
      const purge = async () => {
        await client.remove('/large')
        await master.purgeAll()
      }
      const [copy] = await Promise.all([outcome(client.copy('/large', '/copy')), purge()])
      assert.ok(['ok', 'not-found'].includes(copy), copy)
      if (copy === 'ok') assert.equal((await client.extents('/copy')).length, 300)
      await master.purgeAll()
      const { liveChunks } = await checkRows(master.context.kv)
      assert.equal(liveChunks, copy === 'ok' ? 300 : 0)
    },
    12,
  )
})

test('two copies that race the purge of a third file count references right', async () => {
  await race(
    async ({ master, client }) => {
      await client.put('/a', 1, 2, 3)
      await client.copy('/a', '/b')
      await client.remove('/b')
      master.timeMs += master.trashKeepMs
    },
    async ({ master, client }) => {
      await Promise.all([client.copy('/a', '/c'), client.copy('/a', '/d'), master.leader.purgeDue(2)])
      await client.remove('/a')
    },
  )
})

test('an undelete that races the purge brings all back, or finds nothing', async () => {
  await race(
    async ({ master, client }) => {
      await client.makeDirectory('/d')
      await client.put('/d/a', 1, 2)
      await client.remove('/d', true)
      master.timeMs += master.trashKeepMs
    },
    async ({ master, client }) => {
      const [undelete] = await Promise.all([outcome(client.undelete('/d')), master.leader.purgeDue(4)])
      assert.ok(['ok', 'not-found'].includes(undelete), undelete)
      await master.purgeAll()
      if (undelete === 'ok') assert.equal((await client.extents('/d/a')).length, 2)
    },
  )
})

test('a commit that races the closing of its allocation leaves no chunk without a file', async () => {
  await race(
    async ({ client }) => {
      const request = client.commitRequest('/f', await client.write(5))
      const allocation = client.forgetAllocation()
      assert.ok(allocation)
      return { request, allocations: [{ ...allocation, token: Buffer.alloc(0) }] }
    },
    async ({ client }, { request, allocations }) => {
      const [commit] = await Promise.all([
        outcome(client.namespace.commitFile(request)),
        client.namespace.releaseAllocations({ session: client.session, allocations }),
      ])
      assert.ok(['ok', 'allocation-closed'].includes(commit), commit)
      assert.deepEqual(await client.names('/'), commit === 'ok' ? ['f'] : [])
    },
  )
})

test('a long append that races a replacement is behind the old bytes, or refused', async () => {
  await race(
    async ({ client }) => {
      await client.put('/f', 1)
      const staged = await client.stage('/f', 3)
      return { request: client.request(), ...staged, path: '/f', expectedLength: 1 }
    },
    async ({ master, client }, link) => {
      const [linked] = await Promise.all([outcome(client.namespace.linkAppend(link)), client.put('/f', 5, 5)])
      assert.ok(['ok', 'changed'].includes(linked), linked)
      assert.deepEqual(
        (await client.extents('/f')).map(({ length }) => length),
        [5, 5],
      )
      assert.equal((await checkRows(master.context.kv)).liveChunks, 6)
    },
  )
})

test('a link that races the end of its session is whole, or refused and reclaimed', async () => {
  await race(
    async ({ client }) => {
      const begin = { request: client.request(), path: '/f', precondition: {}, makeParents: false }
      const { inode } = await client.namespace.beginFile(begin)
      const written = await client.write(1, 2, 3)
      await client.namespace.addExtents({ request: client.request(), inode, expectedLength: 0, ...written })
      const link = { request: client.request(), inode, path: '/f', precondition: {}, attributes: {} }
      return { ...link, makeParents: false, length: 6 }
    },
    async ({ master, client }, link) => {
      const [linked] = await Promise.all([
        outcome(client.namespace.linkFile(link)),
        client.namespace.endSession({ session: client.session }),
      ])
      assert.ok(['ok', 'session-ended'].includes(linked), linked)
      assert.equal((await checkRows(master.context.kv)).liveChunks, linked === 'ok' ? 3 : 0)
    },
  )
})
