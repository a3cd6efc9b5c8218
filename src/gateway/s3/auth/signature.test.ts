/** The published examples of AWS, and what must not pass. @module */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseS3Request, type S3Request } from '../request/s3-request.ts'
import { S3Error } from '../rules/s3-error.ts'
import { staticAccounts } from './accounts.ts'
import { authenticate } from './authenticate.ts'

const accessKeyId = 'AKIAIOSFODNN7EXAMPLE'
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const account = { id: 'one', userName: 'one', displayName: 'One', isRoot: false }
const accounts = staticAccounts([{ accessKeyId, secretAccessKey, account }])
const exampleMs = Date.UTC(2013, 4, 24)
const emptyHash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

interface Sent {
  readonly method?: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

function requestOf({ method = 'GET', url, headers }: Sent): S3Request {
  return parseS3Request({ method, url, rawHeaders: Object.entries(headers).flat() }, ['s3.amazonaws.com'])
}

function check(
  sent: Sent,
  { wallMs = exampleMs, region }: { readonly wallMs?: number; readonly region?: string } = {},
) {
  const request = requestOf(sent)
  return authenticate(request, { accounts, wallMs: () => wallMs, region })
}

function refusedAs(code: string, status?: number) {
  return (error: unknown) =>
    error instanceof S3Error && error.code === code && (status ?? error.status) === error.status
}

function v4(signedHeaders: string, signature: string): string {
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${signature}`
}

const getObject: Sent = {
  url: '/test.txt',
  headers: {
    Host: 'examplebucket.s3.amazonaws.com',
    Authorization: v4(
      'host;range;x-amz-content-sha256;x-amz-date',
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ),
    Range: 'bytes=0-9',
    'x-amz-content-sha256': emptyHash,
    'x-amz-date': '20130524T000000Z',
  },
}

describe('authenticate() by version 4', () => {
  test('takes the published examples', () => {
    assert.equal(check(getObject).account, account)
    const { Range: _, ...headers } = getObject.headers
    for (const [url, signature] of [
      ['/?lifecycle', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
      ['/?max-keys=2&prefix=J', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
    ] as const) {
      const Authorization = v4('host;x-amz-content-sha256;x-amz-date', signature)
      assert.equal(check({ url, headers: { ...headers, Authorization } }).account, account)
    }
    const put: Sent = {
      method: 'PUT',
      url: '/test%24file.text',
      headers: {
        Host: 'examplebucket.s3.amazonaws.com',
        Date: 'Fri, 24 May 2013 00:00:00 GMT',
        Authorization: v4(
          'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
          '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
        ),
        'x-amz-date': '20130524T000000Z',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
        'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
      },
    }
    assert.equal(check(put).account, account)
    // The same key in another encoding is the same key, and another key is refused.
    assert.equal(check({ ...put, url: '/test$file.text' }).account, account)
    assert.throws(() => check({ ...put, url: '/test%2524file.text' }), refusedAs('SignatureDoesNotMatch', 403))
    assert.throws(() => check({ ...put, url: '//test%24file.text' }), refusedAs('SignatureDoesNotMatch'))
  })

  // What stands before the signature is parsed once, and remembered.
  test('refuses as surely what begins as a request that was right', () => {
    const authorization = getObject.headers['Authorization'] as string
    const sent = (Authorization: string): Sent => ({ ...getObject, headers: { ...getObject.headers, Authorization } })
    const before = authorization.slice(0, -64)
    for (let time = 0; time < 2; time++) {
      assert.equal(check(getObject).account, account)
      assert.throws(() => check(sent(`${before}${'0'.repeat(64)}`)), refusedAs('SignatureDoesNotMatch', 403))
      for (const signature of ['', 'f0e8', 'F'.repeat(64), `${'0'.repeat(63)} `, `${'0'.repeat(57)},x=0000`]) {
        assert.throws(
          () => check(sent(`${before}${signature}`)),
          refusedAs('AuthorizationHeaderMalformed', 400),
          signature,
        )
      }
      // The last of several counts, wherever it stands.
      assert.equal(check(sent(`${before}${'0'.repeat(64)},${authorization.slice(-74)}`)).account, account)
      assert.throws(
        () => check(sent(`${authorization},Signature=${'0'.repeat(64)}`)),
        refusedAs('SignatureDoesNotMatch', 403),
      )
      const [scheme = '', rest = ''] = [authorization.slice(0, 16), authorization.slice(17)]
      const signatureFirst = `${scheme} ${rest.split(',').reverse().join(',')}`
      assert.equal(check(sent(signatureFirst)).account, account)
    }
  })

  test('refuses what was changed, is too old, or names what is not there', () => {
    const changed = (headers: Record<string, string>): Sent => ({
      ...getObject,
      headers: { ...getObject.headers, ...headers },
    })
    assert.throws(() => check({ ...getObject, method: 'PUT' }), refusedAs('SignatureDoesNotMatch'))
    assert.throws(() => check({ ...getObject, url: '/test.txt?x=y' }), refusedAs('SignatureDoesNotMatch'))
    assert.throws(() => check(changed({ Range: 'bytes=0-8' })), refusedAs('SignatureDoesNotMatch'))
    assert.throws(() => check(changed({ 'x-amz-acl': 'public-read' })), refusedAs('AccessDenied', 403))
    assert.throws(
      () => check(getObject, { wallMs: exampleMs + 15 * 60_000 + 1 }),
      refusedAs('RequestTimeTooSkewed', 403),
    )
    assert.throws(
      () => check(getObject, { wallMs: exampleMs - 15 * 60_000 - 1 }),
      refusedAs('RequestTimeTooSkewed', 403),
    )
    assert.equal(check(getObject, { wallMs: exampleMs + 15 * 60_000 }).accessKeyId, accessKeyId)
    assert.throws(() => check(getObject, { region: 'eu-west-1' }), refusedAs('AuthorizationHeaderMalformed', 400))
    assert.equal(check(getObject, { region: 'us-east-1' }).accessKeyId, accessKeyId)
    const authorization = getObject.headers['Authorization'] as string
    assert.throws(
      () => check(changed({ Authorization: authorization.replace(accessKeyId, 'AKIANOBODY') })),
      refusedAs('InvalidAccessKeyId', 403),
    )
    assert.throws(
      () => check(changed({ Authorization: authorization.replace('/s3/', '/iam/') })),
      refusedAs('AuthorizationHeaderMalformed', 400),
    )
    for (const Authorization of [
      'AWS4-HMAC-SHA256',
      'AWS4-HMAC-SHA256 x',
      'AWS4-HMAC-SHA512 Credential=a',
      'AWS4-X y',
      '',
    ]) {
      assert.throws(() => check(changed({ Authorization })), S3Error, Authorization)
    }
    for (const Authorization of ['Bearer x', 'Basic YTpi', 'Negotiate', 'aws4-hmac-sha256 x']) {
      assert.throws(() => check(changed({ Authorization })), refusedAs('InvalidArgument', 400))
    }
    assert.throws(
      () => check(changed({ Authorization: authorization.replace(';x-amz-date', '') })),
      refusedAs('AccessDenied'),
    )
    assert.throws(
      () => check(changed({ Authorization: authorization.replace('host;', '') })),
      refusedAs('AuthorizationHeaderMalformed'),
    )
  })

  test('takes a presigned URL while it lasts, and no other parameter in it', () => {
    const url = (changes: Record<string, string> = {}) => {
      const query = {
        'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
        'X-Amz-Credential': `${accessKeyId}/20130524/us-east-1/s3/aws4_request`,
        'X-Amz-Date': '20130524T000000Z',
        'X-Amz-Expires': '86400',
        'X-Amz-SignedHeaders': 'host',
        'X-Amz-Signature': 'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
        ...changes,
      }
      return `/test.txt?${new URLSearchParams(query)}`
    }
    const headers = { Host: 'examplebucket.s3.amazonaws.com' }
    assert.equal(check({ url: url(), headers }).account, account)
    // A proxy's own Authorization is none of ours.
    assert.equal(check({ url: url(), headers: { ...headers, Authorization: 'Basic eDp5' } }).account, account)
    assert.equal(check({ url: url(), headers }, { wallMs: exampleMs + 86_400_000 }).account, account)
    assert.throws(
      () => check({ url: url(), headers }, { wallMs: exampleMs + 86_400_001 }),
      refusedAs('AccessDenied', 403),
    )
    assert.throws(
      () => check({ url: url({ 'X-Amz-Expires': '0' }), headers }),
      refusedAs('AuthorizationQueryParametersError', 403),
    )
    assert.throws(
      () => check({ url: url({ 'X-Amz-Expires': '604801' }), headers }),
      refusedAs('AuthorizationQueryParametersError', 403),
    )
    assert.throws(() => check({ url: url({ 'X-Amz-Expires': '604800' }), headers }), refusedAs('SignatureDoesNotMatch'))
    assert.throws(() => check({ url: `${url()}&versionId=1`, headers }), refusedAs('SignatureDoesNotMatch'))
    assert.throws(
      () => check({ url: url(), headers: { ...headers, 'x-amz-acl': 'public-read' } }),
      refusedAs('AccessDenied'),
    )
    assert.throws(() => check({ method: 'PUT', url: url(), headers }), refusedAs('SignatureDoesNotMatch'))
    const both = { ...headers, Authorization: getObject.headers['Authorization'] as string }
    assert.throws(() => check({ url: url(), headers: both }), refusedAs('InvalidArgument', 400))
  })

  test('takes who sends nothing for anonymous', () => {
    assert.equal(check({ url: '/test.txt', headers: { Host: 'examplebucket.s3.amazonaws.com' } }).account, undefined)
  })
})

describe('authenticate() by version 2', () => {
  const wallMs = Date.UTC(2007, 2, 27, 19, 36, 42)
  const host = { Host: 'johnsmith.s3.amazonaws.com' }

  test('takes the published examples', () => {
    for (const [method, url, date, signature, more] of [
      ['GET', '/photos/puppy.jpg', 'Tue, 27 Mar 2007 19:36:42 +0000', 'bWq2s1WEIj+Ydj0vQ697zp+IXMU=', {}],
      [
        'PUT',
        '/photos/puppy.jpg',
        'Tue, 27 Mar 2007 21:15:45 +0000',
        'MyyxeRY7whkBe+bq8fHCL/2kKUg=',
        { 'Content-Type': 'image/jpeg', 'Content-Length': '94328' },
      ],
      [
        'GET',
        '/?prefix=photos&max-keys=50&marker=puppy',
        'Tue, 27 Mar 2007 19:42:41 +0000',
        'htDYFYduRNen8P9ZfE/s9SuKy0U=',
        {},
      ],
      ['GET', '/?acl', 'Tue, 27 Mar 2007 19:44:46 +0000', 'c2WLPFtWHVgbEmeEG93a4cG37dM=', {}],
    ] as const) {
      const headers = { ...host, Date: date, Authorization: `AWS ${accessKeyId}:${signature}`, ...more }
      const sent = { method, url, headers }
      assert.equal(check(sent, { wallMs: Date.parse(date) }).account, account, url)
      assert.throws(() => check(sent, { wallMs: Date.parse(date) + 16 * 60_000 }), refusedAs('RequestTimeTooSkewed'))
      assert.throws(
        () => check({ ...sent, method: 'DELETE' }, { wallMs: Date.parse(date) }),
        refusedAs('SignatureDoesNotMatch'),
      )
    }
  })

  test('takes a presigned URL while it lasts', () => {
    const url = `/photos/puppy.jpg?AWSAccessKeyId=${accessKeyId}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620`
    assert.equal(check({ url, headers: host }, { wallMs }).account, account)
    assert.throws(() => check({ url, headers: host }, { wallMs: 1_175_139_621_000 }), refusedAs('AccessDenied', 403))
    assert.throws(
      () => check({ url: url.replace('puppy', 'kitty'), headers: host }, { wallMs }),
      refusedAs('SignatureDoesNotMatch'),
    )
    for (const bad of [
      url.replace(/&Expires=.*/, ''),
      url.replace('1175139620', 'soon'),
      url.replace(/&Signature=[^&]*/, ''),
    ]) {
      assert.throws(() => check({ url: bad, headers: host }, { wallMs }), refusedAs('AccessDenied', 403))
    }
  })
})
