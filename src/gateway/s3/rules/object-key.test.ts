import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkObjectKey, compareKeys, decodeObjectKey, urlEncodeName } from './object-key.ts'
import { S3Error, type S3ErrorCode } from './s3-error.ts'

const key = fc.string({ unit: 'binary' })
const refuses = (code: S3ErrorCode) => (error: unknown) => error instanceof S3Error && error.code === code

test('decodeObjectKey() undoes what any client encodes, exactly', () => {
  fc.assert(
    fc.property(key, (name) => {
      assert.equal(decodeObjectKey(encodeURIComponent(name)), name)
      assert.equal(decodeObjectKey(urlEncodeName(name)), name)
      // A client that escapes nothing but the percent sign: its bytes come as latin1.
      assert.equal(decodeObjectKey(Buffer.from(name.replaceAll('%', '%25')).toString('latin1')), name)
    }),
  )
})

test('decodeObjectKey() normalises nothing', () => {
  const names = ['a//b', '../x', '.', './a', 'a/../b', '+', 'A\u030a', '\u00c5', '\ufeffbom', '\u0000', 'a/', '/']
  for (const name of names) assert.equal(decodeObjectKey(encodeURIComponent(name)), name)
  assert.equal(decodeObjectKey('a+b'), 'a+b')
  assert.equal(decodeObjectKey('%252F'), '%2F')
})

test('decodeObjectKey() refuses broken escapes and what is not UTF-8', () => {
  for (const text of [
    '%',
    '%2',
    '%zz',
    'a%',
    '%ff',
    '%c0%af',
    '%ed%a0%80',
    '\u0141',
    '%41\u{1f600}',
    '\u00ae\u008a-',
  ]) {
    assert.throws(() => decodeObjectKey(text), refuses('InvalidURI'), text)
  }
})

test('checkObjectKey() counts bytes, not characters', () => {
  checkObjectKey('a'.repeat(1024))
  checkObjectKey('é'.repeat(512))
  assert.throws(() => checkObjectKey('a'.repeat(1025)), refuses('KeyTooLongError'))
  assert.throws(() => checkObjectKey('é'.repeat(513)), refuses('KeyTooLongError'))
  assert.throws(() => checkObjectKey(''), refuses('InvalidArgument'))
  assert.throws(() => checkObjectKey('\ud800'), refuses('InvalidArgument'))
})

test('compareKeys() is the order of the bytes in UTF-8', () => {
  const units = fc.constantFrom(
    'a',
    'b',
    '\u00e9',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{1f600}',
    '\u{10ffff}',
  )
  const name = fc.oneof(key, fc.string({ unit: units, maxLength: 4 }))
  fc.assert(
    fc.property(name, name, (a, b) => {
      assert.equal(Math.sign(compareKeys(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
    { numRuns: 1000 },
  )
})

test('urlEncodeName() keeps slashes and escapes the rest', () => {
  assert.equal(urlEncodeName('foo+1/bar'), 'foo%2B1/bar')
  assert.equal(urlEncodeName('quux ab/'), 'quux%20ab/')
  assert.equal(urlEncodeName("!'()*~-_."), '%21%27%28%29%2A~-_.')
  assert.equal(urlEncodeName('\n\u{10ffff}'), '%0A%F4%8F%BF%BF')
})
