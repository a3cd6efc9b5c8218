import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { S3Client, S3Response } from './s3-client.ts'
import { startS3Rig } from './s3-rig.ts'

const enabled = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
const suspended = enabled.replace('Enabled', 'Suspended')

async function ok(answer: Promise<S3Response>, status = 200): Promise<S3Response> {
  const { body, ...rest } = await answer
  assert.equal(rest.status, status, body.toString())
  return { body, ...rest }
}

async function withVersions(s3: S3Client, bucket: string): Promise<void> {
  await ok(s3.send('PUT', `/${bucket}`))
  await ok(s3.send('PUT', `/${bucket}?versioning`, { body: enabled }))
}

const idOf = ({ headers }: S3Response) => String(headers['x-amz-version-id'])

/** As `key id latest` or `key id latest marker`. */
async function listed(s3: S3Client, bucket: string, query = ''): Promise<string[]> {
  const root = (await ok(s3.send('GET', `/${bucket}?versions${query}`))).xml()
  const lines = (name: string, tail: string) =>
    root.all(name).map((one) => `${one.textOf('Key')} ${one.textOf('VersionId')} ${one.textOf('IsLatest')}${tail}`)
  return [...lines('Version', ''), ...lines('DeleteMarker', ' marker')]
}

test('every operation reads, changes and removes the version that it names', async () => {
  await using rig = await startS3Rig()
  const { s3 } = rig
  await withVersions(s3, 'bucket')
  const first = idOf(await ok(s3.send('PUT', '/bucket/a', { body: 'one' })))
  const second = idOf(await ok(s3.send('PUT', '/bucket/a', { body: 'three' })))
  const at = (id: string) => `/bucket/a?versionId=${id}`
  assert.equal((await ok(s3.send('GET', at(first)))).body.toString(), 'one')
  assert.equal(idOf(await ok(s3.send('HEAD', '/bucket/a'))), second)
  await ok(s3.send('PUT', `/bucket/a?tagging&versionId=${first}`, { body: tagging('old') }))
  assert.match((await ok(s3.send('GET', `/bucket/a?tagging&versionId=${first}`))).body.toString(), /old/)
  assert.doesNotMatch((await ok(s3.send('GET', '/bucket/a?tagging'))).body.toString(), /old/)
  const copy = { headers: { 'x-amz-copy-source': `/bucket/a?versionId=${first}` } }
  const copied = await ok(s3.send('PUT', '/bucket/copy', copy))
  assert.equal(copied.headers['x-amz-copy-source-version-id'], first)
  assert.equal((await ok(s3.send('GET', '/bucket/copy'))).body.toString(), 'one')
  assert.equal((await s3.send('GET', at('0000000000000001'))).code, 'NoSuchVersion')
  const removed = await ok(s3.send('DELETE', at(second)), 204)
  assert.equal(idOf(removed), second)
  assert.equal(removed.headers['x-amz-delete-marker'], undefined)
  assert.equal((await ok(s3.send('GET', '/bucket/a'))).body.toString(), 'one')
})

test('a delete marker says so: to who reads it, lists it and removes it', async () => {
  await using rig = await startS3Rig()
  const { s3 } = rig
  await withVersions(s3, 'bucket')
  const version = idOf(await ok(s3.send('PUT', '/bucket/a', { body: 'one' })))
  const deleted = await ok(s3.send('DELETE', '/bucket/a'), 204)
  assert.equal(deleted.headers['x-amz-delete-marker'], 'true')
  const marker = idOf(deleted)
  const gone = await s3.send('GET', '/bucket/a')
  assert.deepEqual([gone.status, gone.code, idOf(gone)], [404, 'NoSuchKey', marker])
  const read = await s3.send('GET', `/bucket/a?versionId=${marker}`)
  assert.deepEqual([read.status, read.headers['x-amz-delete-marker']], [405, 'true'])
  assert.deepEqual(await listed(s3, 'bucket'), [`a ${version} false`, `a ${marker} true marker`])
  assert.equal((await s3.send('DELETE', '/bucket')).code, 'BucketNotEmpty')
  const body = `<Delete><Object><Key>a</Key><VersionId>${marker}</VersionId></Object></Delete>`
  const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
  const many = await ok(s3.send('POST', '/bucket?delete', { body, headers }))
  assert.match(many.body.toString(), new RegExp(`<DeleteMarkerVersionId>${marker}<`))
  assert.equal((await ok(s3.send('GET', '/bucket/a'))).body.toString(), 'one')
})

test('a conditional delete of nothing leaves nothing, and one of a delete marker matches only `*`', async () => {
  await using rig = await startS3Rig()
  const { s3 } = rig
  await withVersions(s3, 'bucket')
  const remove = (tag: string) => s3.send('DELETE', '/bucket/a', { headers: { 'if-match': tag } })
  await ok(remove('*'), 204)
  await ok(remove('"bad"'), 204)
  assert.deepEqual(await listed(s3, 'bucket'), [])
  await ok(s3.send('PUT', '/bucket/a', { body: 'one' }))
  await ok(s3.send('DELETE', '/bucket/a'), 204)
  assert.equal((await remove('"bad"')).code, 'PreconditionFailed')
  await ok(remove('*'), 204)
})

test('suspended, writes make the null version; a page of versions goes on where the last one ended', async () => {
  await using rig = await startS3Rig()
  const { s3 } = rig
  await withVersions(s3, 'bucket')
  for (const key of ['a', 'a', 'b/c', 'b/c']) await ok(s3.send('PUT', `/bucket/${key}`, { body: 'x' }))
  await ok(s3.send('PUT', '/bucket?versioning', { body: suspended }))
  assert.equal((await ok(s3.send('PUT', '/bucket/a', { body: 'null' }))).headers['x-amz-version-id'], undefined)
  assert.equal((await ok(s3.send('GET', '/bucket/a?versionId=null'))).body.toString(), 'null')
  const all = await listed(s3, 'bucket')
  assert.equal(all.length, 5)
  const seen: string[] = []
  let query = '&max-keys=1'
  for (let page = 0; page < 5; page++) {
    seen.push(...(await listed(s3, 'bucket', query)))
    const root = (await s3.send('GET', `/bucket?versions${query}`)).xml()
    query = `&max-keys=1&key-marker=${root.textOf('NextKeyMarker')}&version-id-marker=${root.textOf('NextVersionIdMarker')}`
  }
  assert.deepEqual(seen, all)
})

test('the same versions stand under their path: what the command line overwrites and removes comes back through S3', async () => {
  await using rig = await startS3Rig()
  const { s3, cluster } = rig
  await withVersions(s3, 'bucket')
  await ok(s3.send('PUT', '/bucket/dir/a', { body: 'from s3' }))
  await cluster.client.writeFile('/bucket/dir/a', 'from the client')
  assert.equal(await cluster.client.rm('/bucket/dir/a'), undefined)
  assert.equal((await s3.send('GET', '/bucket/dir/a')).code, 'NoSuchKey')
  assert.equal((await listed(s3, 'bucket')).length, 3)
  await cluster.client.undelete('/bucket/dir/a')
  assert.equal((await ok(s3.send('GET', '/bucket/dir/a'))).body.toString(), 'from the client')
})

test('a locked version goes through no door; governance yields to who may bypass it and says so', async () => {
  await using rig = await startS3Rig()
  const { s3, alice, cluster } = rig
  await ok(s3.send('PUT', '/bucket', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } }))
  const until = new Date(Date.now() + 3_600_000).toISOString()
  const headers = { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': until }
  const version = idOf(await ok(s3.send('PUT', '/bucket/a', { body: 'kept', headers })))
  const url = `/bucket/a?versionId=${version}`
  assert.equal((await s3.send('DELETE', url)).code, 'AccessDenied')
  await assert.rejects(cluster.client.rm('/bucket', { recursive: true }), { code: 'object-locked' })
  await ok(s3.send('DELETE', '/bucket/a'), 204)
  assert.equal((await ok(s3.send('HEAD', url))).headers['x-amz-object-lock-mode'], 'GOVERNANCE')
  const policy = allow('s3:DeleteObjectVersion')
  await ok(s3.send('PUT', '/bucket?policy', { body: policy }), 204)
  const bypass = { headers: { 'x-amz-bypass-governance-retention': 'true' } }
  assert.equal((await alice.send('DELETE', url, bypass)).code, 'AccessDenied', 'who may not bypass')
  await ok(s3.send('DELETE', url, bypass), 204)
  const hold = { 'x-amz-object-lock-legal-hold': 'ON' }
  const held = idOf(await ok(s3.send('PUT', '/bucket/h', { body: 'held', headers: hold })))
  assert.equal((await s3.send('DELETE', `/bucket/h?versionId=${held}`, bypass)).code, 'AccessDenied')
})

function tagging(value: string): string {
  return `<Tagging><TagSet><Tag><Key>k</Key><Value>${value}</Value></Tag></TagSet></Tagging>`
}

function allow(action: string): string {
  const Principal = { AWS: 'arn:aws:iam::alice-id:user/alice' }
  const Statement = [{ Effect: 'Allow', Principal, Action: action, Resource: 'arn:aws:s3:::bucket/*' }]
  return JSON.stringify({ Version: '2012-10-17', Statement })
}

const dayMs = 86_400_000
const longAgoMs = Date.UTC(2020, 0, 1)
const threeDays =
  '<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter/><Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>'

test('a file that is moved into a bucket is modified then, for conditions, lists and lifecycle; one within it, or in a tree, keeps its times', async () => {
  await using rig = await startS3Rig()
  const { s3 } = rig
  const { client } = rig.cluster
  const beganMs = Math.floor(Date.now() / 1000) * 1000
  await ok(s3.send('PUT', '/bucket'))
  await ok(s3.send('PUT', '/bucket?lifecycle', { body: threeDays }))
  await ok(s3.send('PUT', '/bucket/alone', { body: 'replaced' }))
  await client.mkdir('/elsewhere/tree', { recursive: true })
  for (const path of ['/elsewhere/alone', '/elsewhere/tree/inside']) {
    await client.writeFile(path, 'old', { modifiedMs: longAgoMs })
  }
  await client.rename('/elsewhere/alone', '/bucket/alone')
  const { headers } = await ok(s3.send('HEAD', '/bucket/alone'))
  assert.ok(Date.parse(headers['last-modified'] ?? '') >= beganMs)
  const expiry = /expiry-date="([^"]+)"/.exec(String(headers['x-amz-expiration']))?.[1]
  assert.ok(Date.parse(expiry ?? '') >= beganMs + 3 * dayMs)
  // Who has the bytes of yesterday is given the new ones.
  const since = { 'if-modified-since': new Date(beganMs - dayMs).toUTCString() }
  assert.equal((await ok(s3.send('GET', '/bucket/alone', { headers: since }))).body.toString(), 'old')
  const entry = (await ok(s3.send('GET', '/bucket?list-type=2'))).xml().child('Contents')
  assert.ok(Date.parse(entry?.textOf('LastModified') ?? '') >= beganMs)

  await client.rename('/elsewhere/tree', '/bucket/tree')
  const before = await client.stat('/bucket/tree/inside')
  await client.rename('/bucket/tree/inside', '/bucket/within')
  const { createdMs, modifiedMs } = await client.stat('/bucket/within')
  assert.deepEqual([createdMs, modifiedMs], [before.createdMs, longAgoMs])
})
