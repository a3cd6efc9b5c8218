/** Listings against the reference, over random keys and every parameter. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { type S3Rig, startS3Rig } from '../../../../test/compat/s3/s3-rig.ts'
import { percentEncode } from '../request/percent.ts'
import { type ListPage, lastName, listKeys } from '../rules/listing.ts'
import { compareKeys } from '../rules/object-key.ts'
import type { XmlElement } from '../xml/parse-xml.ts'

let rig: S3Rig

before(async () => {
  rig = await startS3Rig()
})
after(() => rig[Symbol.asyncDispose]())

/** Names that order differently by bytes, by UTF-16 units and with "/" behind them. */
const name = fc.constantFrom(
  'a',
  'b',
  'a-',
  'a.',
  'a0',
  'ab',
  'ü',
  '\uffee',
  '\u{1f600}',
  '-',
  '%',
  '+',
  ' ',
  'A',
  '',
  '.',
  '..',
)
const keySet = fc.array(
  fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
  { maxLength: 14 },
)
const parameters = fc.record({
  prefix: fc.oneof(
    fc.constant(''),
    fc.array(name, { maxLength: 2 }).map((names) => names.join('/')),
    fc.constant('a/'),
    fc.constant('a/b/'),
  ),
  delimiter: fc.constantFrom('', '/', '/', 'a', '-', 'b/'),
  maxKeys: fc.integer({ min: 1, max: 5 }),
  after: fc.oneof(
    fc.constant(''),
    fc.array(name, { maxLength: 3 }).map((names) => names.join('/')),
    fc.constant('a/'),
  ),
})

function distinct(keys: readonly string[]): string[] {
  return [...new Set(keys)].filter((key) => key !== '').sort(compareKeys)
}

function itemsOf(root: XmlElement): string[] {
  const keys = root.all('Contents').map((entry) => entry.textOf('Key') as string)
  const prefixes = root.all('CommonPrefixes').map((entry) => `${entry.textOf('Prefix')} …`)
  return [...keys, ...prefixes].sort()
}

function expectedItems({ items }: ListPage<string>): string[] {
  return items.map((item) => (item.kind === 'entry' ? item.entry : `${item.prefix} …`)).sort()
}

let runs = 0

test('listObjects(), listObjectsV2(): every page is that of a sorted array', async () => {
  const { s3 } = rig
  await fc.assert(
    fc.asyncProperty(keySet, fc.array(parameters, { minLength: 4, maxLength: 8 }), async (all, queries) => {
      const bucket = `list-${++runs}`
      const keys = distinct(all)
      await s3.send('PUT', `/${bucket}`)
      await Promise.all(keys.map((key) => s3.send('PUT', `/${bucket}/${percentEncode(key)}`, { body: key })))
      for (const { prefix, delimiter, maxKeys, after } of queries) {
        let marker = after
        let token: string | undefined
        const base = `prefix=${percentEncode(prefix)}&delimiter=${percentEncode(delimiter)}&max-keys=${maxKeys}`
        for (let pages = 0; pages <= keys.length + 1; pages++) {
          const expected = listKeys(keys, { prefix, delimiter, maxKeys, after: marker })
          const first = (await s3.send('GET', `/${bucket}?${base}&marker=${percentEncode(marker)}`)).xml()
          assert.deepEqual(
            itemsOf(first),
            expectedItems(expected),
            JSON.stringify({ keys, prefix, delimiter, maxKeys, marker }),
          )
          assert.equal(first.textOf('IsTruncated'), String(expected.isTruncated))
          const resume = token === undefined ? `start-after=${percentEncode(after)}` : `continuation-token=${token}`
          const second = (await s3.send('GET', `/${bucket}?list-type=2&${base}&${resume}`)).xml()
          assert.deepEqual(itemsOf(second), expectedItems(expected))
          assert.equal(second.textOf('KeyCount'), String(expected.items.length))
          if (!expected.isTruncated) break
          marker = lastName(expected) as string
          token = second.textOf('NextContinuationToken')
          assert.ok(token)
        }
      }
    }),
    { numRuns: 8 },
  )
})

test('listObjects() echoes what it was asked, encodes names, and refuses what is no number', async () => {
  const { s3 } = rig
  await s3.send('PUT', '/echo')
  await s3.send('PUT', '/echo/a%20b%2B%C3%BC/c', { body: 'x' })
  const listed = (await s3.send('GET', '/echo?encoding-type=url&prefix=a%20&marker=&max-keys=')).xml()
  assert.equal(listed.child('Contents')?.textOf('Key'), 'a%20b%2B%C3%BC/c')
  assert.deepEqual([listed.textOf('Prefix'), listed.textOf('Marker'), listed.textOf('MaxKeys')], ['a ', '', '1000'])
  const none = (await s3.send('GET', '/echo?max-keys=0')).xml()
  assert.deepEqual([none.textOf('IsTruncated'), none.all('Contents').length], ['false', 0])
  for (const query of ['max-keys=x', 'max-keys=-1', 'encoding-type=x', 'list-type=2&continuation-token=%25']) {
    assert.equal((await s3.send('GET', `/echo?${query}`)).code, 'InvalidArgument', query)
  }
  const versions = (await s3.send('GET', '/echo?versions')).xml().child('Version')
  assert.deepEqual([versions?.textOf('VersionId'), versions?.textOf('IsLatest')], ['null', 'true'])
})

test('listObjects() lists nothing behind a marker that is past the prefix', async () => {
  const { s3 } = rig
  await s3.send('PUT', '/past')
  for (const key of ['a/b/c', 'a/b/d', 'b/x']) await s3.send('PUT', `/past/${key}`, { body: 'x' })
  for (const [query, expected] of [
    ['prefix=a/b/&marker=b', []],
    ['prefix=a/&marker=a/c', []],
    ['prefix=a/&delimiter=/&marker=b', []],
    ['prefix=a/b/&marker=a', ['a/b/c', 'a/b/d']],
    ['prefix=a/b/&marker=a/b/c', ['a/b/d']],
  ] as const) {
    assert.deepEqual(itemsOf((await s3.send('GET', `/past?${query}`)).xml()), expected, query)
  }
})

test('listObjects() shows directories that somebody made, and none that only keys made', async () => {
  const { s3, cluster } = rig
  await s3.send('PUT', '/empty')
  await cluster.client.mkdir('/empty/made')
  await s3.send('PUT', '/empty/d/e/f', { body: 'x' })
  await s3.send('DELETE', '/empty/d/e/f')
  assert.deepEqual(itemsOf((await s3.send('GET', '/empty')).xml()), ['made/'])
  assert.deepEqual(itemsOf((await s3.send('GET', '/empty?delimiter=/')).xml()), ['made/ …'])
  assert.equal((await s3.send('DELETE', '/empty')).code, 'BucketNotEmpty')
  assert.equal((await s3.send('DELETE', '/empty/made/')).status, 204)
  assert.equal((await s3.send('DELETE', '/empty')).status, 204)
})
