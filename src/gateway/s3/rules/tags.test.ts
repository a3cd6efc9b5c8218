import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error, type S3ErrorCode } from './s3-error.ts'
import { checkTags, parseTaggingHeader } from './tags.ts'

const refuses = (code: S3ErrorCode) => (error: unknown) => error instanceof S3Error && error.code === code
const some = (count: number) => Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: 'v' }))

test('checkTags() allows ten tags for an object, fifty for a bucket', () => {
  assert.equal(checkTags(some(10), 'object').size, 10)
  assert.throws(() => checkTags(some(11), 'object'), refuses('InvalidTag'))
  assert.equal(checkTags(some(50), 'bucket').size, 50)
  assert.throws(() => checkTags(some(51), 'bucket'), refuses('BadRequest'))
})

test('checkTags() holds keys to 128 characters and values to 256', () => {
  const key = 'k'.repeat(128)
  const value = 'v'.repeat(256)
  assert.equal(checkTags([{ key, value }], 'object').get(key), value)
  assert.throws(() => checkTags([{ key: `${key}k`, value }], 'object'), refuses('InvalidTag'))
  assert.throws(() => checkTags([{ key, value: `${value}v` }], 'object'), refuses('InvalidTag'))
  assert.throws(() => checkTags([{ key: '', value }], 'object'), refuses('InvalidTag'))
})

test('checkTags() refuses doubles, foreign characters, and system tags of a bucket', () => {
  const double = [
    { key: 'a', value: '1' },
    { key: 'a', value: '2' },
  ]
  assert.throws(() => checkTags(double, 'object'), refuses('InvalidTag'))
  assert.throws(() => checkTags([{ key: 'a<b', value: '' }], 'object'), refuses('InvalidTag'))
  assert.throws(() => checkTags([{ key: 'a', value: 'a\nb' }], 'object'), refuses('InvalidTag'))
  assert.throws(() => checkTags([{ key: 'aws:x', value: '' }], 'bucket'), refuses('InvalidTag'))
  assert.equal(checkTags([{ key: 'Größe +-=._:/@', value: '' }], 'object').size, 1)
})

test('parseTaggingHeader() reads what a client encodes', () => {
  const text = fc.stringMatching(/^[a-zé0-9 +=:/@._-]{1,20}$/)
  fc.assert(
    fc.property(fc.uniqueArray(text, { maxLength: 10 }), text, (keys, value) => {
      const query = new URLSearchParams(keys.map((key) => [key, value]))
      const expected = keys.map((key) => [key, value])
      assert.deepEqual([...parseTaggingHeader(query.toString())], expected)
      const percent = keys.map((key) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`).join('&')
      assert.deepEqual([...parseTaggingHeader(percent)], expected)
    }),
  )
})

test('parseTaggingHeader() takes no header, keys without value, and refuses nonsense', () => {
  assert.equal(parseTaggingHeader('').size, 0)
  assert.deepEqual(
    [...parseTaggingHeader('foo=bar&bar')],
    [
      ['foo', 'bar'],
      ['bar', ''],
    ],
  )
  assert.deepEqual([...parseTaggingHeader('a=b=c')], [['a', 'b=c']])
  assert.throws(() => parseTaggingHeader('%zz=1'), refuses('InvalidArgument'))
  assert.throws(() => parseTaggingHeader('=1'), refuses('InvalidTag'))
  assert.throws(() => parseTaggingHeader('a=1&'.repeat(100_000)), refuses('InvalidTag'))
})
