import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { S3Error, type S3ErrorCode } from './s3-error.ts'
import { checkUserMetadata, headerText, userMetadataOf } from './user-metadata.ts'

const refuses = (code: S3ErrorCode) => (error: unknown) => error instanceof S3Error && error.code === code

test('userMetadataOf() takes the headers with the prefix, exactly', () => {
  const metadata = userMetadataOf({
    'x-amz-meta-meta1': 'Hello World\u00e9',
    'X-Amz-Meta-Upper': ['a', 'b'],
    'x-amz-meta-empty': '',
    'x-amz-acl': 'private',
  })
  assert.deepEqual(
    [...metadata],
    [
      ['meta1', 'Hello World\u00e9'],
      ['upper', 'a,b'],
      ['empty', ''],
    ],
  )
})

test('userMetadataOf() is a map: no name reaches a prototype', () => {
  const metadata = userMetadataOf(JSON.parse('{"x-amz-meta-__proto__":"x"}'))
  assert.equal(metadata.get('__proto__'), 'x')
  assert.equal(metadata.get('constructor'), undefined)
})

test('checkUserMetadata() counts names and values together', () => {
  checkUserMetadata(new Map([['name', 'v'.repeat(2044)]]))
  assert.throws(() => checkUserMetadata(new Map([['name', 'v'.repeat(2045)]])), refuses('MetadataTooLarge'))
})

test('checkUserMetadata() lets nothing through that would break a header', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
      const isPlain = [...headerText(text)].every((char) => char === '\t' || (char >= ' ' && char !== '\x7f'))
      const check = () => checkUserMetadata(new Map([['name', headerText(text)]]))
      if (isPlain) check()
      else assert.throws(check, refuses('InvalidArgument'))
    }),
  )
  for (const value of ['a\r\nSet-Cookie: x', 'a\nb', 'a\0b', 'a\x07', '\u0100']) {
    assert.throws(() => checkUserMetadata(new Map([['name', value]])), refuses('InvalidArgument'))
  }
  for (const name of ['', 'a b', 'a:b', 'a\n', 'é']) {
    assert.throws(() => checkUserMetadata(new Map([[name, 'v']])), refuses('InvalidArgument'))
  }
})

test('headerText() of a form field is the bytes of its UTF-8', () => {
  assert.equal(headerText('é'), '\u00c3\u00a9')
  assert.equal(headerText('plain'), 'plain')
})
