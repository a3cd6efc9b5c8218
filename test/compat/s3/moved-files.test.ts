/** A file that is old elsewhere and is moved into a bucket is a new object there. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type S3Rig, startS3Rig } from './s3-rig.ts'

const dayMs = 86_400_000
const longAgoMs = Date.UTC(2020, 0, 1)
const rule =
  '<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter/><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>'

let rig: S3Rig

before(async () => {
  rig = await startS3Rig()
  await rig.s3.send('PUT', '/bucket')
  await rig.cluster.client.mkdir('/elsewhere/tree', { recursive: true })
  for (const path of ['/elsewhere/alone', '/elsewhere/tree/inside']) {
    await rig.cluster.client.writeFile(path, 'old', { modifiedMs: longAgoMs })
  }
})
after(() => rig[Symbol.asyncDispose]())

test('a file that is moved into a bucket is modified then, for conditions, lists and lifecycle', async () => {
  const { s3, cluster } = rig
  const beganMs = Math.floor(Date.now() / 1000) * 1000
  assert.equal((await s3.send('PUT', '/bucket?lifecycle', { body: rule })).status, 200)
  await s3.send('PUT', '/bucket/alone', { body: 'replaced' })
  await cluster.client.rename('/elsewhere/alone', '/bucket/alone')
  const head = await s3.send('HEAD', '/bucket/alone')
  assert.ok(Date.parse(head.headers['last-modified'] ?? '') >= beganMs)
  const expiry = /expiry-date="([^"]+)"/.exec(String(head.headers['x-amz-expiration']))?.[1]
  assert.ok(Date.parse(expiry ?? '') >= beganMs + 3 * dayMs)
  // Who has the bytes of yesterday is given the new ones.
  const headers = { 'if-modified-since': new Date(beganMs - dayMs).toUTCString() }
  assert.equal((await s3.send('GET', '/bucket/alone', { headers })).body.toString(), 'old')
  const listed = (await s3.send('GET', '/bucket?list-type=2')).xml().child('Contents')
  assert.ok(Date.parse(listed?.textOf('LastModified') ?? '') >= beganMs)
})

test('a tree that is moved into a bucket, and a file within one, keep the times of their bytes', async () => {
  const { s3, cluster } = rig
  await cluster.client.rename('/elsewhere/tree', '/bucket/tree')
  const before = await cluster.client.stat('/bucket/tree/inside')
  assert.equal(before.modifiedMs, longAgoMs)
  await cluster.client.rename('/bucket/tree/inside', '/bucket/within')
  const { createdMs, modifiedMs } = await cluster.client.stat('/bucket/within')
  assert.deepEqual([createdMs, modifiedMs], [before.createdMs, longAgoMs])
  assert.equal((await s3.send('GET', '/bucket/within')).body.toString(), 'old')
})
