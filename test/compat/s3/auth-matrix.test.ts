/** Every route and every form of authentication, each gone wrong: refused, and nothing stored. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { formatTimestamp } from '../../../src/gateway/s3/auth/request-times.ts'
import type { S3RequestOptions } from './s3-client.ts'
import { aliceKey, rootKey, type S3Rig, startS3Rig } from './s3-rig.ts'

let rig: S3Rig

before(async () => {
  rig = await startS3Rig()
  await rig.s3.send('PUT', '/bucket')
  await rig.s3.send('PUT', '/bucket/there', { body: 'as it was' })
})
after(() => rig[Symbol.asyncDispose]())

const routes: readonly (readonly [string, string, string?])[] = [
  ['GET', '/'],
  ['PUT', '/new-bucket'],
  ['HEAD', '/bucket'],
  ['DELETE', '/bucket'],
  ['GET', '/bucket'],
  ['GET', '/bucket?list-type=2'],
  ['GET', '/bucket?versions'],
  ['GET', '/bucket?location'],
  ['GET', '/bucket?uploads'],
  ['POST', '/bucket?delete', '<Delete><Object><Key>there</Key></Object></Delete>'],
  ...['acl', 'cors', 'ownershipControls', 'policy', 'publicAccessBlock', 'tagging'].flatMap(
    (name) =>
      [
        ['GET', `/bucket?${name}`],
        ['PUT', `/bucket?${name}`, '<x/>'],
      ] as const,
  ),
  ...['cors', 'ownershipControls', 'policy', 'publicAccessBlock', 'tagging'].map(
    (name) => ['DELETE', `/bucket?${name}`] as const,
  ),
  ['GET', '/bucket/there'],
  ['HEAD', '/bucket/there'],
  ['PUT', '/bucket/there', 'overwritten'],
  ['PUT', '/bucket/new', 'stored'],
  ['DELETE', '/bucket/there'],
  ['POST', '/bucket/new?uploads'],
  ['PUT', '/bucket/new?partNumber=1&uploadId=x', 'part'],
  ['POST', '/bucket/new?uploadId=x', '<x/>'],
  ['DELETE', '/bucket/new?uploadId=x'],
  ['GET', '/bucket/new?uploadId=x'],
  ['GET', '/bucket/there?acl'],
  ['PUT', '/bucket/there?acl'],
  ['GET', '/bucket/there?tagging'],
  ['PUT', '/bucket/there?tagging', '<x/>'],
  ['DELETE', '/bucket/there?tagging'],
  ['GET', '/bucket/there?attributes'],
]

const long = 'f'.repeat(64)
const now = formatTimestamp(Date.now())
const scope = `${now.slice(0, 8)}/us-east-1/s3/aws4_request`

function presignedV4(changes: Record<string, string>): string {
  const query = {
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${rootKey.accessKeyId}/${scope}`,
    'X-Amz-Date': now,
    'X-Amz-Expires': '60',
    'X-Amz-SignedHeaders': 'host',
    'X-Amz-Signature': long,
    ...changes,
  }
  return new URLSearchParams(query).toString()
}

function join(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`
}

type Form = (method: string, url: string, body: string | undefined) => Promise<{ readonly status: number }>

function plain(headers: Record<string, string>): Form {
  return (method, url, body) =>
    rig.s3.send(method, url, { anonymous: true, headers, ...(body === undefined ? {} : { body }) })
}

function signed(options: S3RequestOptions): Form {
  return (method, url, body) => rig.s3.send(method, url, { ...(body === undefined ? {} : { body }), ...options })
}

const forms: Readonly<Record<string, Form>> = {
  anonymous: plain({}),
  'wrong secret': (method, url, body) =>
    rig.s3.as({ ...rootKey, secretAccessKey: 'wrong' }).send(method, url, body === undefined ? {} : { body }),
  'unknown key': (method, url) => rig.s3.as({ accessKeyId: 'NOBODY', secretAccessKey: 'x' }).send(method, url),
  'another account': (method, url, body) => rig.s3.as(aliceKey).send(method, url, body === undefined ? {} : { body }),
  'V4, replayed from long ago': plain({
    'x-amz-date': '20200101T000000Z',
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    authorization: `AWS4-HMAC-SHA256 Credential=${rootKey.accessKeyId}/20200101/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature=${long}`,
  }),
  'V4, a header added on the way': async (method, url, body) => {
    const headers = rig.s3.sign(method, url, { body: Buffer.from(body ?? '') })
    return await rig.s3.send(method, url, {
      anonymous: true,
      headers: { ...headers, 'x-amz-meta-a': 'b' },
      ...(body === undefined ? {} : { body }),
    })
  },
  'V4, chunks that are signed wrong': signed({
    payloadHash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    body: `5;chunk-signature=${long}\r\nhello\r\n0;chunk-signature=${long}\r\n\r\n`,
    headers: { 'x-amz-decoded-content-length': '5' },
  }),
  'V4, chunks cut off': signed({
    payloadHash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
    body: '5\r\nhel',
    headers: { 'x-amz-decoded-content-length': '5' },
  }),
  'V4, a body that is another': signed({ payloadHash: long, body: 'other' }),
  'V4 URL, forged': (method, url) => plain({})(method, join(url, presignedV4({})), undefined),
  'V4 URL, expired': (method, url) => plain({})(method, join(url, presignedV4({ 'X-Amz-Expires': '0' })), undefined),
  'V4 URL, for too long': (method, url) =>
    plain({})(method, join(url, presignedV4({ 'X-Amz-Expires': '604801' })), undefined),
  'V2, forged': plain({ authorization: `AWS ${rootKey.accessKeyId}:AAAA`, date: new Date().toUTCString() }),
  'V2 URL, forged': (method, url) =>
    plain({})(method, join(url, `AWSAccessKeyId=${rootKey.accessKeyId}&Signature=AAAA&Expires=9999999999`), undefined),
  'V2 URL, expired': async (method, url) => {
    const [path = ''] = url.split('?')
    const text = `${method}\n\n\n1\n${path}`
    const signature = createHmac('sha1', rootKey.secretAccessKey).update(text).digest('base64')
    const query = new URLSearchParams({ AWSAccessKeyId: rootKey.accessKeyId, Signature: signature, Expires: '1' })
    return await plain({})(method, join(url, query.toString()), undefined)
  },
  'a bearer token': plain({ authorization: 'Bearer x' }),
  'a password': plain({ authorization: 'Basic cm9vdDpyb290' }),
}

/** Of those whose head is right, only what reads a body is refused; of the others, everything. */
const needBody = new Set(['V4, chunks that are signed wrong', 'V4, chunks cut off', 'V4, a body that is another'])
/** Everybody may list buckets: their own. */
const ownView = new Set(['anonymous', 'another account'])

for (const [form, send] of Object.entries(forms)) {
  test(`${form}: refused on every route, and nothing stored`, async () => {
    for (const [method, url, body] of routes) {
      if (needBody.has(form) && (method !== 'PUT' || body === undefined)) continue
      if (ownView.has(form) && (url === '/' || url === '/new-bucket')) continue
      const { status } = await send(method, url, body)
      assert.ok(status >= 400 && status < 500, `${method} ${url}: ${status}`)
      if (!needBody.has(form)) assert.ok([400, 403].includes(status), `${method} ${url}: ${status}`)
    }
    assert.equal(await rig.cluster.client.readFile('/bucket/there', 'utf8'), 'as it was')
    assert.deepEqual(await rig.cluster.client.readdir('/bucket'), ['there'])
    assert.deepEqual(
      (await rig.cluster.client.readdir('/')).filter((entry) => entry !== '.s3'),
      ['bucket'],
    )
    assert.equal(await rig.cluster.client.exists('/.s3/uploads/bucket'), false)
  })
}
