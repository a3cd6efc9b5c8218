import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCluster } from '../../../src/testing/index.ts'
import { S3Client } from './s3-client.ts'

test('startCluster({ s3: true }) gives an endpoint and a key', async () => {
  await using cluster = await startCluster({ s3: true })
  const { s3 } = cluster
  assert.ok(s3)
  const client = new S3Client(s3.endpoint, s3)
  assert.equal((await client.send('PUT', '/bucket')).status, 200)
  assert.equal((await client.send('PUT', '/bucket/k', { body: 'x' })).status, 200)
  assert.equal(await cluster.client.readFile('/bucket/k', 'utf8'), 'x')
  await using other = await startCluster()
  assert.equal(other.s3, undefined)
})
