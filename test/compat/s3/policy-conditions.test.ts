import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startS3Rig } from './s3-rig.ts'

// The rules saw the last of two values, the listing the first: a condition on one was a door to the other.
test('a condition on a prefix judges the prefix that is listed, also when the request names two', async () => {
  await using rig = await startS3Rig()
  const { s3, alice } = rig
  await s3.send('PUT', '/bucket')
  await s3.send('PUT', '/bucket/private/secret', { body: 'x' })
  await s3.send('PUT', '/bucket/public/known', { body: 'x' })
  const policy = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::alice-id:user/alice' },
        Action: 's3:ListBucket',
        Resource: 'arn:aws:s3:::bucket',
        Condition: { StringEquals: { 's3:prefix': 'public/' } },
      },
    ],
  }
  const put = await s3.send('PUT', '/bucket?policy', { body: JSON.stringify(policy) })
  assert.ok(put.status < 300, put.body.toString())
  const told = await alice.send('GET', '/bucket?list-type=2&prefix=public/')
  assert.equal(told.status, 200)
  for (const query of ['prefix=private/', 'prefix=private/&prefix=public/', 'prefix=public/&prefix=private/']) {
    const answer = await alice.send('GET', `/bucket?list-type=2&${query}`)
    assert.ok(!answer.body.toString().includes('secret'), `${query} listed what is private`)
  }
})

// A lock of a century on whatever a writer sends would be a way to fill a bucket for good.
test('who may write may lock what they write only where a statement says so', async () => {
  await using rig = await startS3Rig()
  const { s3, alice } = rig
  await s3.send('PUT', '/locked', { headers: { 'x-amz-bucket-object-lock-enabled': 'true' } })
  const allow = async (...actions: string[]) => {
    const [Principal, Resource] = [{ AWS: 'arn:aws:iam::alice-id:user/alice' }, 'arn:aws:s3:::locked/*']
    const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action: actions, Resource }] }
    const put = await s3.send('PUT', '/locked?policy', { body: JSON.stringify(policy) })
    assert.ok(put.status < 300, put.body.toString())
  }
  const retained = {
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'x-amz-object-lock-retain-until-date': '2100-01-01T00:00:00Z',
  }
  const held = { 'x-amz-object-lock-legal-hold': 'ON' }
  const write = async (headers: Record<string, string>) =>
    (await alice.send('PUT', '/locked/key', { headers, body: 'x' })).status
  await allow('s3:PutObject')
  assert.equal(await write({}), 200)
  assert.deepEqual([await write(retained), await write(held)], [403, 403])
  assert.equal((await alice.send('POST', '/locked/key?uploads', { headers: retained })).status, 403)
  await allow('s3:PutObject', 's3:PutObjectLegalHold')
  assert.deepEqual([await write(retained), await write(held)], [403, 200])
  await allow('s3:PutObject', 's3:PutObjectRetention')
  assert.deepEqual([await write(retained), await write(held)], [200, 403])
})
