import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import type { InodeId } from '../base/ids.ts'
import { objectPath } from '../base/object-path.ts'
import { prefixEnd } from '../kv/txn-kv.ts'
import { KeyWalk, type KeyWalkOptions } from './key-walk.ts'

interface Bucket {
  readonly client: TestClient
  readonly inode: InodeId
  put(keys: Iterable<string>): Promise<void>
}

async function openBucket(): Promise<Bucket> {
  const client = await (await TestMaster.start()).client()
  const { inode } = await client.makeDirectory('/b')
  assert.ok(inode)
  const put = async (keys: Iterable<string>) => {
    for (const key of keys) await client.put(objectPath('b', key))
  }
  return { client, inode, put }
}

function walking<T>(
  { client, inode }: Bucket,
  options: KeyWalkOptions,
  use: (walk: KeyWalk) => Promise<T>,
): Promise<T> {
  return client.master.context.kv.transact((tx) => use(new KeyWalk(tx, inode, options)))
}

const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '0'), minLength: 1, maxLength: 7 })

test('KeyWalk goes on where its reads were spent, past directories that hold nothing, and misses no key', async () => {
  const property = fc.asyncProperty(
    fc.uniqueArray(key, { maxLength: 20 }),
    fc.uniqueArray(key, { maxLength: 20 }),
    fc.integer({ min: 9, max: 12 }),
    async (kept, removed, reads) => {
      const bucket = await openBucket()
      await bucket.put(new Set([...kept, ...removed]))
      const gone = removed.filter((one) => !kept.includes(one))
      for (const one of gone) await bucket.client.remove(objectPath('b', one))
      const seen: string[] = []
      let from: Buffer = Buffer.alloc(0)
      for (let isOver = false, parts = 0; !isOver; parts++) {
        assert.ok(parts < 100, `the walk stays at ${JSON.stringify(from.toString())}`)
        await walking(bucket, { from, end: undefined, reads }, async (walk) => {
          for (let found = await walk.next(); found !== undefined; found = await walk.next()) {
            seen.push(found.key.toString())
          }
          from = walk.from
          isOver = walk.isOver
        })
      }
      assert.deepEqual(seen, kept.toSorted())
    },
  )
  await fc.assert(property, { numRuns: 60 })
})

test('KeyWalk passes what it is told to skip without looking at it', async () => {
  const bucket = await openBucket()
  const many = (prefix: string) => Array.from({ length: 200 }, (_, index) => `${prefix}${1000 + index}`)
  await bucket.put([...many('d/e/'), ...many('d/f-'), 'd/g', 'z'])
  const seen: string[] = []
  // One read for each directory that is entered, and one for each place that was skipped to in it.
  await walking(bucket, { from: Buffer.alloc(0), end: Buffer.from('zz'), reads: 7 }, async (walk) => {
    for (const skipped of ['d/e/', 'd/f-', undefined, undefined, undefined]) {
      const found = await walk.next()
      seen.push(found?.key.toString() ?? (walk.isOver ? 'the end' : 'no reads left'))
      if (skipped !== undefined) walk.skipTo(prefixEnd(Buffer.from(skipped)))
    }
  })
  assert.deepEqual(seen, ['d/e/1000', 'd/f-1000', 'd/g', 'z', 'the end'])
})
