import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ListPage, type ListQuery, lastName, listKeys, listVersions } from './listing.ts'
import { compareKeys } from './object-key.ts'

const all: ListQuery & { after: string } = { prefix: '', delimiter: '', maxKeys: 1000, after: '' }

function told(page: ListPage<string>): string[] {
  return page.items.map((item) => (item.kind === 'entry' ? item.entry : `(${item.prefix})`))
}

function list(keys: readonly string[], change: Partial<typeof all>): string[] {
  const page = listKeys(keys.toSorted(compareKeys), { ...all, ...change })
  return [...told(page), ...(page.isTruncated ? ['…'] : [])]
}

const shelf = ['asdf', 'boo/bar', 'boo/baz/xyzzy', 'cquux/thud', 'cquux/bla']

test('listKeys() as ceph/s3-tests has it', () => {
  assert.deepEqual(list(shelf, { delimiter: '/' }), ['asdf', '(boo/)', '(cquux/)'])
  assert.deepEqual(list(shelf, { delimiter: '/', maxKeys: 1 }), ['asdf', '…'])
  assert.deepEqual(list(shelf, { delimiter: '/', maxKeys: 1, after: 'asdf' }), ['(boo/)', '…'])
  assert.deepEqual(list(shelf, { delimiter: '/', maxKeys: 1, after: 'boo/' }), ['(cquux/)'])
  assert.deepEqual(list(shelf, { delimiter: '/', prefix: 'boo/' }), ['boo/bar', '(boo/baz/)'])
  assert.deepEqual(list(shelf, { delimiter: '/', prefix: 'boo/', maxKeys: 1, after: 'boo/bar' }), ['(boo/baz/)'])
  assert.deepEqual(list(shelf, { maxKeys: 0 }), [])
  assert.deepEqual(list(['bar', 'baz', 'cab', 'foo'], { delimiter: 'a' }), ['(ba)', '(ca)', 'foo'])
  assert.deepEqual(list(['b/a/c', 'b/a/g', 'b/a/r', 'g'], { prefix: 'b', delimiter: 'a' }), ['(b/a)'])
  assert.deepEqual(list(['a', 'a/', 'a/b', 'a//b', '/a'], { delimiter: '/' }), ['(/)', 'a', '(a/)'])
  assert.deepEqual(list(['a/', 'a/b', 'a//b'], { delimiter: '/', prefix: 'a/' }), ['a/', '(a//)', 'a/b'])
  assert.deepEqual(list(['bar', 'baz', 'foo', 'quxx'], { after: 'blah' }), ['foo', 'quxx'])
})

const unit = fc.constantFrom('a', 'b', '/', '\u00e9', '\uffff', '\u{1f600}')
const name = fc.string({ unit, maxLength: 5 })
const keySet = fc.uniqueArray(fc.string({ unit, minLength: 1, maxLength: 5 }), { maxLength: 25, size: 'max' })
const query = fc.record({ prefix: name, delimiter: fc.constantFrom('', '/', 'a', 'ab', '\u00e9') })

/** The whole listing, written down directly from its definition. */
function expected(keys: readonly string[], { prefix, delimiter }: Pick<ListQuery, 'prefix' | 'delimiter'>): string[] {
  const names = new Map<string, string>()
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue
    const [head = '', ...more] =
      delimiter === '' ? [key.slice(prefix.length)] : key.slice(prefix.length).split(delimiter)
    const common = prefix + head + delimiter
    if (more.length > 0) names.set(`(${common})`, common)
    else names.set(key, key)
  }
  return [...names].sort(([, a], [, b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(([text]) => text)
}

test('listKeys() tells every key once, in the order of bytes, whatever the page size', () => {
  fc.assert(
    fc.property(keySet, query, fc.integer({ min: 1, max: 6 }), (keys, asked, maxKeys) => {
      const sorted = keys.toSorted(compareKeys)
      const pages: string[] = []
      let after = ''
      for (let count = 0; count <= keys.length; count++) {
        const page = listKeys(sorted, { ...asked, maxKeys, after })
        assert.ok(page.items.length <= maxKeys)
        pages.push(...told(page))
        if (!page.isTruncated) break
        assert.equal(page.items.length, maxKeys)
        after = lastName(page) ?? ''
      }
      assert.deepEqual(pages, expected(keys, asked))
    }),
    { numRuns: 1000 },
  )
})

test('listKeys() begins behind any name, which need not be there', () => {
  fc.assert(
    fc.property(keySet, name, (keys, after) => {
      const rest = keys.toSorted(compareKeys).filter((key) => after === '' || compareKeys(key, after) > 0)
      assert.deepEqual(list(keys, { after }), rest)
    }),
  )
})

test('listVersions() pages through the versions of a key', () => {
  const versions = fc.uniqueArray(
    fc.record({
      key: fc.string({ unit, minLength: 1, maxLength: 3 }),
      versionId: fc.constantFrom('1', '2', '3', 'null'),
    }),
    { maxLength: 20, selector: ({ key, versionId }) => `${key} ${versionId}` },
  )
  fc.assert(
    fc.property(versions, query, fc.integer({ min: 1, max: 4 }), (unsorted, asked, maxKeys) => {
      const sorted = unsorted.toSorted((a, b) => compareKeys(a.key, b.key))
      const whole = listVersions(sorted, { ...asked, maxKeys: 1000, after: { key: '' } })
      assert.ok(!whole.isTruncated)
      const items: unknown[] = []
      let after: { key: string; versionId?: string } = { key: '' }
      for (let count = 0; count <= sorted.length; count++) {
        const page = listVersions(sorted, { ...asked, maxKeys, after })
        items.push(...page.items)
        const last = page.items.at(-1)
        if (!page.isTruncated || last === undefined) break
        after = last.kind === 'entry' ? last.entry : { key: last.prefix }
      }
      assert.deepEqual(items, whole.items)
      const entries = whole.items.flatMap((item) => (item.kind === 'entry' ? [item.entry] : []))
      const isTold = ({ key }: { key: string }) =>
        key.startsWith(asked.prefix) &&
        (asked.delimiter === '' || !key.slice(asked.prefix.length).includes(asked.delimiter))
      assert.deepEqual(entries, sorted.filter(isTold))
    }),
    { numRuns: 500 },
  )
})

test('listVersions() skips a key that is named without a version', () => {
  const versions = [
    { key: 'a', versionId: '2' },
    { key: 'a', versionId: '1' },
    { key: 'b', versionId: '1' },
  ]
  const behind = (after: { key: string; versionId?: string }) =>
    listVersions(versions, { prefix: '', delimiter: '', maxKeys: 9, after }).items.length
  assert.equal(behind({ key: 'a' }), 1)
  assert.equal(behind({ key: 'a', versionId: '2' }), 2)
  assert.equal(behind({ key: 'a', versionId: 'gone' }), 1)
  assert.equal(behind({ key: '' }), 3)
})
