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

let folder: string
let cluster: TestCluster

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-sdk-'))
  cluster = await startCluster({ s3: true })
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

// Not a dependency of this repository: it brings a hundred packages of its own.
test('the AWS SDK for JavaScript', async (t) => {
  try {
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    const args = ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '@aws-sdk/client-s3@3']
    await runClient('npm', args, { folder, timeoutMs: installTimeoutMs })
  } catch (error) {
    return t.skip(`@aws-sdk/client-s3 cannot be installed: ${(error as Error).message.slice(0, 200)}`)
  }
  await writeFile(join(folder, 'sdk.js'), script)
  assert.match(await runClient(process.execPath, ['sdk.js'], { folder, env: accessOf(cluster, folder) }), /done/)
})
