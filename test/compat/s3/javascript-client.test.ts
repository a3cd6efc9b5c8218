/**
 * The AWS SDK for JavaScript against the door, from npm in a folder of its own that is removed at the end. Where it cannot be
 * installed the test is skipped, and says why.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import { accessOf, installTimeoutMs, runClient } from './client-process.ts'
import { documentedExample } from './documented-examples.ts'

// No dependencies of this repository: they bring a hundred packages of their own.
const packages = ['@aws-sdk/client-s3@3', '@aws-sdk/s3-presigned-post@3', '@aws-sdk/s3-request-presigner@3']

let folder: string
let cluster: TestCluster
let whyNot: string | undefined

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-sdk-'))
  cluster = await startCluster({ s3: true })
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  try {
    const args = ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', ...packages]
    await runClient('npm', args, { folder, timeoutMs: installTimeoutMs })
  } catch (error) {
    whyNot = `the AWS SDK cannot be installed: ${(error as Error).message.slice(0, 200)}`
  }
})
after(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

const script = `
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import * as sdk from '@aws-sdk/client-s3'
const s3 = new sdk.S3Client({ forcePathStyle: true })
const send = (name, input) => s3.send(new sdk[name + 'Command']({ Bucket: 'scripts', ...input }))
await send('CreateBucket', {})
await send('PutObject', { Key: "it's (a) key!*", Body: 'hello', Metadata: { color: 'blue' } })
const got = await send('GetObject', { Key: "it's (a) key!*" })
if ((await got.Body.transformToString()) !== 'hello' || got.Metadata.color !== 'blue') throw new Error('get')
const bytes = randomBytes(3 << 20)
await send('PutObject', { Key: 'stream', Body: Readable.from([bytes.subarray(0, 1e6), bytes.subarray(1e6)]), ContentLength: bytes.length })
const back = await (await send('GetObject', { Key: 'stream' })).Body.transformToByteArray()
if (!bytes.equals(back)) throw new Error('stream')
const { UploadId } = await send('CreateMultipartUpload', { Key: 'big' })
const parts = []
for (const [index, size] of [5 << 20, 1 << 20].entries()) {
  const { ETag } = await send('UploadPart', { Key: 'big', UploadId, PartNumber: index + 1, Body: randomBytes(size) })
  parts.push({ ETag, PartNumber: index + 1 })
}
await send('CompleteMultipartUpload', { Key: 'big', UploadId, MultipartUpload: { Parts: parts } })
if ((await send('HeadObject', { Key: 'big' })).ContentLength !== 6 << 20) throw new Error('multipart')
const page = await send('ListObjectsV2', { MaxKeys: 2 })
if (page.KeyCount !== 2 || !page.IsTruncated) throw new Error('list')
const rest = await send('ListObjectsV2', { ContinuationToken: page.NextContinuationToken })
const keys = [...page.Contents, ...rest.Contents].map(({ Key }) => Key)
await send('PutObject', { Key: 'big', Body: 'x', IfNoneMatch: '*' }).then(() => { throw new Error('condition') }, (error) => {
  if (error.$metadata?.httpStatusCode !== 412) throw error
})
const gone = await send('DeleteObjects', { Delete: { Objects: keys.map((Key) => ({ Key })) } })
if (gone.Deleted.length !== 3) throw new Error('delete')
await send('DeleteBucket', {})
console.log('done')
`

async function runScript(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return await runClient(process.execPath, [name], { folder, env: accessOf(cluster, folder) })
}

test('the AWS SDK for JavaScript', async (t) => {
  if (whyNot !== undefined) return t.skip(whyNot)
  assert.match(await runScript('sdk.js', script), /done/)
})

/** `fetch` as a page of `https://app.example.com` has it: it asks the other origin first where a browser would, and reads only what it may. */
const browser = `
import * as sdk from '@aws-sdk/client-s3'
import * as route from './route.js'
import { put, upload } from './page.js'
const origin = 'https://app.example.com'
const s3 = new sdk.S3Client({ forcePathStyle: true })
const Bucket = 'uploads'
await s3.send(new sdk.CreateBucketCommand({ Bucket }))
const allow = (AllowedOrigins) => s3.send(new sdk.PutBucketCorsCommand({ Bucket, CORSConfiguration: {
  CORSRules: [{ AllowedOrigins, AllowedMethods: ['PUT', 'POST'], AllowedHeaders: ['content-type'] }] } }))
const real = fetch
const asked = []
globalThis.fetch = async (url, { method, body, headers = {} }) => {
  if (url.startsWith('/')) return await route[method](new Request(origin + url, { method, body }))
  if (method !== 'POST') {
    const names = Object.keys(headers).join(', ')
    const preflight = await real(url, { method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': names } })
    asked.push(preflight.status)
    if (!preflight.ok || preflight.headers.get('access-control-allow-origin') !== origin ||
      !preflight.headers.get('access-control-allow-methods').includes(method) ||
      !preflight.headers.get('access-control-allow-headers').includes(names)) throw new TypeError('Failed to fetch')
  }
  const answer = await real(url, { method, body, headers: { ...headers, origin } })
  if (answer.headers.get('access-control-allow-origin') !== origin) throw new TypeError('Failed to fetch')
  return answer
}
const file = (size, type) => new File([Buffer.alloc(size, 'x')], 'a photo (1).png', { type })
await allow(['https://other.example.com'])
for (const send of [upload, put]) await send(file(3, 'image/png')).then(() => { throw new Error('let in') }, (error) => {
  if (error.message !== 'Failed to fetch') throw error
})
await allow([origin])
await upload(file(100_000, 'image/png'))
await upload(file(10_000_001, 'image/png')).then(() => { throw new Error('too large') }, (error) => {
  if (!/EntityTooLarge/.test(error.message)) throw error
})
await put(file(70_000, 'image/png'))
const { Contents } = await s3.send(new sdk.ListObjectsV2Command({ Bucket }))
const found = []
for (const { Key } of Contents) {
  const { ContentLength, ContentType } = await s3.send(new sdk.HeadObjectCommand({ Bucket, Key }))
  found.push([Key.replace(/[^/]+(?=[/]a photo)/, 'ID'), ContentLength, ContentType])
}
console.log(JSON.stringify({ asked, found: found.sort((a, b) => a[1] - b[1]) }))
`

test('docs/s3.md: uploads from a page, by a signed form and a signed URL, with CORS as a browser asks it', async (t) => {
  if (whyNot !== undefined) return t.skip(whyNot)
  await writeFile(join(folder, 'route.js'), documentedExample('js', 'app/api/uploads/route.js'))
  await writeFile(join(folder, 'page.js'), documentedExample('js', 'In the page'))
  const { asked, found } = JSON.parse(await runScript('browser.js', browser))
  assert.deepEqual(asked, [403, 200])
  const key = 'incoming/ID/a photo (1).png'
  const sizes = found.filter(([name]: [string]) => name === key).map(([, size]: [string, number]) => size)
  // A form is sent without a question first: what a page that is not allowed may not see is the answer.
  assert.deepEqual(sizes, [3, 70_000, 100_000])
  assert.ok(found.every(([, , type]: [string, number, string]) => type === 'image/png'))
})
