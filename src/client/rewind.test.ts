import assert from 'node:assert/strict'
import { test } from 'node:test'
import { objectPath } from '../base/object-path.ts'
import { startCluster } from '../testing/index.ts'
import type { AshlarClient } from './filesystem.ts'
import type { RewindOptions, RewindStep } from './versions.ts'

const inBucket = (key: string) => objectPath('b', key)

async function put(client: AshlarClient, key: string, text: string): Promise<void> {
  await client.writeFile(inBucket(key), text)
}

/** Between two changes, so that each has a moment of its own. */
async function moment(client: AshlarClient): Promise<number> {
  const before = (await client.writeFile('/clock', '')).createdMs
  for (;;) {
    const { createdMs } = await client.writeFile('/clock', '')
    if (createdMs > before + 1) return before + 1
  }
}

async function contents(client: AshlarClient): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for await (const item of client.listObjects('b')) {
    if ('key' in item && item.key !== '') found[item.key] = await client.readFile(inBucket(item.key), 'utf8')
  }
  return found
}

async function plan(client: AshlarClient, options: RewindOptions): Promise<RewindStep[]> {
  const steps: RewindStep[] = []
  for await (const step of client.versions.planRewind('b', options)) steps.push(step)
  return steps
}

async function rewind(client: AshlarClient, toMs: number, prefix = ''): Promise<string[]> {
  const done: string[] = []
  for await (const step of client.versions.planRewind('b', { toMs, prefix })) {
    assert.equal(await client.versions.rewind('b', step), true)
    done.push(`${step.action} ${step.key}`)
  }
  return done
}

for (const versioning of [undefined, 'enabled'] as const) {
  test(`a bucket ${versioning === undefined ? 'without' : 'with'} versions goes back to what it was, and forth again`, async () => {
    await using cluster = await startCluster()
    const { client } = cluster
    await client.mkdir('/b')
    if (versioning !== undefined) await client.versions.configure('/b', { versioning })
    await put(client, 'same', '1')
    await put(client, 'changed', '1')
    await put(client, 'dir/removed', '1')
    const first = await moment(client)
    await put(client, 'changed', '2')
    await client.versions.remove(inBucket('dir/removed'))
    await put(client, 'new', '2')
    const second = await moment(client)
    await put(client, 'changed', '3')
    const planned = await plan(client, { toMs: first, prefix: 'dir/' })
    assert.deepEqual(
      planned.map(({ key, action }) => [key, action]),
      [['dir/removed', 'restore']],
    )
    assert.deepEqual(await contents(client), { same: '1', changed: '3', new: '2' }, 'a plan changes nothing')
    const done = await rewind(client, first)
    assert.deepEqual(done, ['restore changed', 'restore dir/removed', 'remove new'])
    assert.deepEqual(await contents(client), { same: '1', changed: '1', 'dir/removed': '1' })
    await rewind(client, second)
    // Out of trash, it left no trace of having been there: only versions remember a removal that was undone.
    const remembered = versioning === undefined ? { 'dir/removed': '1' } : {}
    assert.deepEqual(await contents(client), { same: '1', changed: '2', ...remembered, new: '2' })
  })
}

test('rewind() leaves what was changed after the plan was made', async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await client.mkdir('/b')
  await put(client, 'a', '1')
  const then = await moment(client)
  await put(client, 'a', '2')
  const [step] = await plan(client, { toMs: then })
  assert.ok(step)
  await put(client, 'a', '3')
  assert.equal(await client.versions.rewind('b', step), false)
  assert.equal(await client.readFile(inBucket('a'), 'utf8'), '3')
})

for (const versioning of [undefined, 'enabled'] as const) {
  test(`rewind() leaves what is there when what it was to restore left trash (versions: ${versioning})`, async () => {
    await using cluster = await startCluster()
    const { client } = cluster
    await client.mkdir('/b')
    await put(client, 'a', '1')
    const then = await moment(client)
    await client.versions.remove(inBucket('a'))
    if (versioning !== undefined) await client.versions.configure('/b', { versioning })
    await put(client, 'a', '2')
    const [step] = await plan(client, { toMs: then })
    assert.ok(step?.source !== undefined && 'trashId' in step.source)
    await client.emptyTrash(inBucket('a'))
    assert.equal(await client.versions.rewind('b', step), false)
    assert.equal(await client.readFile(inBucket('a'), 'utf8'), '2')
  })
}
