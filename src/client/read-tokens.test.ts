import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GroupId } from '../base/ids.ts'
import { createNodeClock } from '../env/node-clock.ts'
import type { MasterLink } from './master-link.ts'
import { ReadTokens } from './read-tokens.ts'

/** A master that knows the groups below 3,000, and takes at most 1,024 in one request. */
function start() {
  const asked: number[] = []
  const call = async (_: unknown, { groups }: { readonly groups: readonly GroupId[] }) => {
    asked.push(groups.length)
    assert.ok(groups.length <= 1024)
    const known = groups.filter((group) => group < 3000)
    return { value: { tokens: known.map((group) => ({ group, token: Buffer.from(`${group}`), lifeMs: 60_000 })) } }
  }
  const link = { call } as unknown as MasterLink
  return { asked, tokens: new ReadTokens({ link, clock: createNodeClock() }) }
}

test('get() asks once for what is wanted at the same time', async () => {
  const { asked, tokens } = start()
  const some = await Promise.all([1, 2, 1, 3].map((group) => tokens.get(group as GroupId)))
  assert.deepEqual(some.map(String), ['1', '2', '1', '3'])
  assert.deepEqual(asked, [3])
  await tokens.get(2 as GroupId)
  assert.deepEqual(asked, [3])
})

test('get() gives a token of every group, however many are wanted at once', async () => {
  const { tokens } = start()
  const groups = Array.from({ length: 2500 }, (_, group) => group as GroupId)
  const all = await Promise.all(groups.map((group) => tokens.get(group)))
  assert.deepEqual(all.map(Number), groups)
})

test('get() refuses a group that the master does not know', async () => {
  const { tokens } = start()
  await assert.rejects(tokens.get(4000 as GroupId), { code: 'chunk-missing' })
})
