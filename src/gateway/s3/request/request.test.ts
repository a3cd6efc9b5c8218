import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { S3Error } from '../rules/s3-error.ts'
import { operationOf } from './operations.ts'
import { percentEncode } from './percent.ts'
import { RequestHeaders } from './request-headers.ts'
import { parseS3Request } from './s3-request.ts'

function parse(method: string, url: string, headers: Readonly<Record<string, string>> = { Host: 'localhost:9000' }) {
  return parseS3Request({ method, url, rawHeaders: Object.entries(headers).flat() }, ['localhost', 's3.example.com'])
}

function refusedAs(code: string) {
  return (error: unknown) => error instanceof S3Error && error.code === code
}

describe('parseS3Request()', () => {
  test('keeps keys to the byte', () => {
    for (const [url, bucket, key] of [
      ['/', undefined, undefined],
      ['/b', 'b', undefined],
      ['/b/', 'b', undefined],
      ['/b/k', 'b', 'k'],
      ['/b//k', 'b', '/k'],
      ['/b/a//b/', 'b', 'a//b/'],
      ['/b/../x', 'b', '../x'],
      ['/b/./.', 'b', './.'],
      ['/b/%2e%2E/x', 'b', '../x'],
      ['/b/a%2Fb', 'b', 'a/b'],
      ['/b/a+b%2Bc%20d', 'b', 'a+b+c d'],
      ['/b/%C3%BC%E2%82%AC%F0%9F%98%80', 'b', 'ü€😀'],
      ['/b/%00%01%7f', 'b', '\0\u0001\u007f'],
      ['/b/e%CC%81', 'b', 'e\u0301'],
      ['/b/%EF%BB%BFx', 'b', '\ufeffx'],
      ['http://localhost/b/k?x=y', 'b', 'k'],
    ] as const) {
      const request = parse('GET', url)
      assert.deepEqual([request.bucket, request.key], [bucket, key], url)
    }
  })

  test('takes the bucket from the host, where it stands there', () => {
    const virtual = parse('GET', '/a/b', { host: 'My.Bucket.S3.example.com:80' })
    assert.deepEqual([virtual.bucket, virtual.key, virtual.resource], ['my.bucket', 'a/b', '/my.bucket/a/b'])
    assert.equal(parse('GET', '/a/b', { host: 's3.example.com' }).bucket, 'a')
    assert.equal(parse('GET', '/a/b', { host: 'evils3.example.com' }).bucket, 'a')
    assert.equal(parse('GET', '/a/b', { host: '127.0.0.1:9000' }).bucket, 'a')
  })

  test('refuses what is no UTF-8, no encoding, or too long', () => {
    for (const url of ['/b/%', '/b/%4', '/b/%zz', '/b/%ff', '/b/%C3', '/b/%ED%A0%80', '/b?x=%ff', 'b', '*']) {
      assert.throws(() => parse('GET', url), refusedAs('InvalidURI'), url)
    }
    assert.equal(parse('GET', `/b/${'%C3%BC'.repeat(512)}`).key?.length, 512)
    assert.throws(() => parse('GET', `/b/${'%C3%BC'.repeat(512)}x`), refusedAs('KeyTooLongError'))
    assert.throws(() => parse('GET', `/b?${'a&'.repeat(200)}`), refusedAs('InvalidURI'))
  })

  test('reads any key back from its encoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }), (key) => {
        fc.pre(key.isWellFormed() && Buffer.byteLength(key) <= 1024)
        assert.equal(parse('GET', `/b/${percentEncode(key)}`).key, key)
      }),
    )
  })
})

describe('RequestHeaders', () => {
  test('joins those of one name, and reads UTF-8', () => {
    const utf8 = Buffer.from('grün').toString('latin1')
    const headers = new RequestHeaders([
      'X-Amz-Meta-A',
      ' 1 ',
      'x-amz-meta-a',
      '2',
      'X-Amz-Meta-B',
      utf8,
      'x-c',
      'gr\xfcn',
    ])
    assert.equal(headers.get('x-amz-meta-a'), '1,2')
    assert.equal(headers.text('x-amz-meta-b'), 'grün')
    assert.equal(headers.text('x-c'), 'grün')
    assert.equal(headers.get('x-amz-meta-b'), utf8)
  })
})

describe('operationOf()', () => {
  test('names what clients ask for', () => {
    for (const [method, url, operation] of [
      ['GET', '/', 'ListBuckets'],
      ['GET', '/?x-id=ListBuckets', 'ListBuckets'],
      ['PUT', '/b', 'CreateBucket'],
      ['HEAD', '/b/', 'HeadBucket'],
      ['GET', '/b?list-type=2&prefix=&fetch-owner=true', 'ListObjectsV2'],
      ['GET', '/b?prefix=acl&delimiter=%2F&encoding-type=url', 'ListObjects'],
      ['GET', '/b?versions&prefix=', 'ListObjectVersions'],
      ['GET', '/b?uploads', 'ListMultipartUploads'],
      ['GET', '/b?location=', 'GetBucketLocation'],
      ['POST', '/b/?delete=', 'DeleteObjects'],
      ['POST', '/b', 'PostObject'],
      ['PUT', '/b?policy', 'PutBucketPolicy'],
      ['DELETE', '/b?tagging', 'DeleteBucketTagging'],
      ['GET', '/b/k?x-id=GetObject', 'GetObject'],
      ['GET', '/b/k?partNumber=2', 'GetObject'],
      ['GET', '/b/k?response-content-type=text%2Fplain&versionId=', 'GetObject'],
      ['GET', '/b/k?uploadId=x&max-parts=2', 'ListParts'],
      ['PUT', '/b/k?partNumber=1&uploadId=x', 'UploadPart'],
      ['POST', '/b/k?uploads=', 'CreateMultipartUpload'],
      ['POST', '/b/k?uploadId=x', 'CompleteMultipartUpload'],
      ['DELETE', '/b/k?uploadId=x', 'AbortMultipartUpload'],
      ['DELETE', '/b/k?x-id=DeleteObject', 'DeleteObject'],
      ['GET', '/b/k?attributes', 'GetObjectAttributes'],
      ['OPTIONS', '/b/k', 'Preflight'],
    ] as const) {
      assert.equal(operationOf(parse(method, url)), operation, `${method} ${url}`)
    }
    const copy = { Host: 'localhost', 'x-amz-copy-source': '/b/a' }
    assert.equal(operationOf(parse('PUT', '/b/k', copy)), 'CopyObject')
    assert.equal(operationOf(parse('PUT', '/b/k?uploadId=x&partNumber=1', copy)), 'UploadPartCopy')
  })

  test('refuses every other subresource, and never falls through', () => {
    for (const [method, url] of [
      ['GET', '/b/k?torrent'],
      ['GET', '/b/k?unheard-of'],
      ['PUT', '/b/k?unheard-of='],
      ['DELETE', '/b/k?acl'],
      ['DELETE', '/b?versioning'],
      ['POST', '/b/k?select&select-type=2'],
      ['POST', '/b/k?restore'],
      ['GET', '/b?analytics&id=1'],
      ['PUT', '/b?metrics&id=1'],
      ['GET', '/b/k?constructor'],
      ['PUT', '/b/k?uploads'],
      ['GET', '/?acl'],
    ] as const) {
      assert.throws(() => operationOf(parse(method, url)), refusedAs('NotImplemented'), `${method} ${url}`)
    }
    for (const [method, url] of [
      ['POST', '/'],
      ['POST', '/b/k'],
      ['PATCH', '/b'],
      ['DELETE', '/'],
    ] as const) {
      assert.throws(() => operationOf(parse(method, url)), refusedAs('MethodNotAllowed'), `${method} ${url}`)
    }
  })
})
