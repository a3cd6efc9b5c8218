import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkRows } from '../../test/namespace/check-rows.ts'
import { type TestClient, TestMaster } from '../../test/namespace/test-master.ts'
import { objectPath } from '../base/object-path.ts'
import { lastName, listKeys } from '../gateway/s3/rules/listing.ts'
import { compareKeys } from '../gateway/s3/rules/object-key.ts'

interface Asked {
  readonly prefix?: string
  readonly delimiter?: string
  readonly after?: string
  readonly limit?: number
}

/** All pages after the first go on by their cursor. Groups in parentheses. */
async function listed(client: TestClient, { prefix = '', delimiter = '', after = '', limit = 1000 }: Asked = {}) {
  const seen: string[] = []
  for (let cursor: Buffer | undefined, pages = 0; ; pages++) {
    assert.ok(pages < 1000, 'the listing goes on and on')
    const request = { bucket: 'b', prefix, delimiter, after, limit, ...(cursor === undefined ? {} : { cursor }) }
    const page = await client.namespace.listObjects(request)
    for (const { name, attributes } of page.objects) seen.push(attributes === undefined ? `(${name})` : name)
    if (page.cursor === undefined) return seen
    cursor = page.cursor
  }
}

async function withBucket(): Promise<{ readonly master: TestMaster; readonly client: TestClient }> {
  const master = await TestMaster.start()
  const client = await master.client()
  await client.makeDirectory('/b')
  return { master, client }
}

async function put(client: TestClient, ...keys: string[]): Promise<void> {
  for (const key of keys) await client.put(objectPath('b', key))
}

const unit = fc.constantFrom('a', 'b', '/', '.', '-', '0', '\0', '\u0001', '\u00e9', '\uffff', '\u{1f600}')
const text = fc.string({ unit, maxLength: 6 })
const key = fc.oneof(
  fc.string({ unit, minLength: 1, maxLength: 6 }),
  fc.constantFrom('a', 'a/', 'a/b', 'a//b', '/', '//', '/a', './x', '../x', '..', '.', 'a/../b', 'a/b/c/d/e/f'),
)
const keySet = fc.uniqueArray(key, { maxLength: 24 })
const asked = fc.record({
  prefix: fc.oneof(fc.constant(''), text),
  delimiter: fc.constantFrom('', '/', 'a', '//', '/a', '\u00e9', '\0'),
  after: fc.oneof(fc.constant(''), text, key),
  limit: fc.integer({ min: 1, max: 7 }),
})

test('listObjects() equals a sorted array, whatever the keys and the parameters', async () => {
  const property = fc.asyncProperty(
    fc.array(keySet, { minLength: 1, maxLength: 3 }),
    fc.array(asked, { minLength: 1, maxLength: 8 }),
    async (sets, queries) => {
      const { master, client } = await withBucket()
      const present = new Set<string>()
      for (const [round, set] of sets.entries()) {
        // Later sets also remove: what they leave behind must not show.
        for (const one of set) {
          const isGone = round > 0 && present.delete(one)
          if (isGone) await client.remove(objectPath('b', one))
          else {
            await put(client, one)
            present.add(one)
          }
        }
        const sorted = [...present].sort(compareKeys)
        for (const query of [...queries, { ...queries[0], after: sorted[sorted.length >> 1] ?? '' }]) {
          const { prefix = '', delimiter = '', after = '', limit = 3 } = query
          const page = listKeys(sorted, { prefix, delimiter, after, maxKeys: 1000 })
          const expected = page.items.map((item) => (item.kind === 'entry' ? item.entry : `(${item.prefix})`))
          const why = JSON.stringify({ sorted, query })
          assert.deepEqual(await listed(client, { prefix, delimiter, after, limit }), expected, why)
          // As other gateways go on: after the last name.
          const names: string[] = []
          for (let marker = after, pages = 0; ; pages++) {
            assert.ok(pages <= sorted.length, `the listing stays at ${JSON.stringify(marker)}: ${why}`)
            const request = { bucket: 'b', prefix, delimiter, after: marker, limit }
            const { objects } = await client.namespace.listObjects(request)
            names.push(...objects.map(({ name, attributes }) => (attributes === undefined ? `(${name})` : name)))
            const last = objects.at(-1)
            if (last === undefined) break
            marker = last.name
          }
          assert.deepEqual(names, expected, why)
          assert.equal(lastName(page), page.items.length === 0 ? undefined : names.at(-1)?.replace(/^\((.*)\)$/s, '$1'))
        }
        if (round === 1) await master.purgeAll()
        await checkRows(master.context.kv, { withObjects: true })
      }
    },
  )
  await fc.assert(property, { numRuns: 80 })
})
