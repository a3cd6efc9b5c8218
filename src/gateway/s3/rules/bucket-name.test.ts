import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkBucketName, isBucketName } from './bucket-name.ts'
import { S3Error } from './s3-error.ts'

test('isBucketName() takes DNS names of 3 to 63 characters', () => {
  const names = ['abc', '0ab', 'aaa.111', 'aaa-111', 'a--b', 'a'.repeat(63), 'my.bucket-1.x', '1.2.3', '1.2.3.4.5']
  for (const name of names) assert.ok(isBucketName(name), name)
})

test('isBucketName() refuses the others', () => {
  const names = ['', 'ab', 'a'.repeat(64), 'foo_bar', '_foo', 'foo-', '-foo', '.foo', 'foo.', 'foo..bar', 'foo.-bar']
  names.push('foo-.bar', 'Foo', '192.168.5.123', 'xn--abc', 'foo-s3alias', 'foo--ol-s3', 'a/b', 'föö', 'foo\n', 'a b')
  names.push('sthree-abc', '...', '../..')
  for (const name of names) assert.ok(!isBucketName(name), name)
})

test('isBucketName() never takes a name that could be a path', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      if (isBucketName(name)) assert.match(name, /^[a-z0-9.-]{3,63}$/)
    }),
  )
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9.-]{3,20}$/), (name) => {
      const isBad = /^[.-]|[.-]$|\.\.|\.-|-\.|^\d+\.\d+\.\d+\.\d+$|^xn--|^sthree-|-s3alias$|-(x|ol)-s3$/.test(name)
      assert.equal(isBucketName(name), !isBad)
    }),
    { numRuns: 500 },
  )
})

test('checkBucketName() throws what S3 answers', () => {
  checkBucketName('fine')
  assert.throws(
    () => checkBucketName('not_fine'),
    (error) => error instanceof S3Error && error.code === 'InvalidBucketName' && error.status === 400,
  )
})
