/** `ashlar up` serves S3: its endpoint and root key reach clients through `cluster.json`, and nothing else. */
import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { run, ServerProcess, TemporaryFolder } from '../../cli/cli-process.ts'
import { S3Client } from './s3-client.ts'

let folder: TemporaryFolder

before(async () => {
  folder = await TemporaryFolder.make()
})
after(() => folder[Symbol.asyncDispose]())

test('up starts a gateway, keeps its port and root key, and tells them by s3 env', async () => {
  const args = ['up', '--data', folder.in('data')]
  const first = await ServerProcess.start(args)
  const endpoint = (first.ready.endpoints as Record<string, string>)['s3'] as string
  assert.equal(first.pidsOf('gateway').length, 1)
  const { s3 } = JSON.parse(await readFile(first.cluster, 'utf8'))
  assert.equal(s3.endpoint, endpoint)
  assert.equal((await stat(first.cluster)).mode & 0o777, 0o600)
  assert.equal((await stat(join(dirname(first.cluster), 'master', 's3-root-key.json'))).mode & 0o777, 0o600)

  const { stdout } = await run(['s3', 'env'], { cluster: first.cluster })
  const lines = stdout.trimEnd().split('\n')
  assert.deepEqual(lines, [
    `export AWS_ENDPOINT_URL=${endpoint}`,
    `export AWS_ACCESS_KEY_ID=${s3.accessKeyId}`,
    `export AWS_SECRET_ACCESS_KEY=${s3.secretAccessKey}`,
    'export AWS_DEFAULT_REGION=us-east-1',
    // What SDKs for JavaScript and Java read.
    'export AWS_REGION=us-east-1',
  ])
  const client = new S3Client(endpoint, s3)
  assert.equal((await client.send('PUT', '/bucket')).status, 200)
  assert.equal((await client.send('PUT', '/bucket/dir/k', { body: 'kept' })).status, 200)
  assert.equal((await run(['cat', '/bucket/dir/k'], { cluster: first.cluster })).stdout, 'kept')
  assert.equal(
    (await client.as({ ...s3, secretAccessKey: 'wrong' }).send('GET', '/bucket/dir/k')).code,
    'SignatureDoesNotMatch',
  )
  const shared = { headers: { 'x-amz-acl': 'public-read' }, body: 'for all' }
  assert.equal((await client.send('PUT', '/bucket/shared', shared)).code, 'AccessControlListNotSupported')
  assert.equal(first.messages.includes(s3.secretAccessKey), false)
  assert.equal(JSON.stringify(first.ready).includes(s3.secretAccessKey), false)
  assert.equal(await first.stop(), 0)

  await using again = await ServerProcess.start([...args, '--open-buckets'])
  assert.deepEqual(again.ready.endpoints, first.ready.endpoints)
  assert.deepEqual(JSON.parse(await readFile(again.cluster, 'utf8')).s3, s3)
  assert.equal((await client.send('GET', '/bucket/dir/k')).body.toString(), 'kept')
  const anonymous = { anonymous: true }
  assert.equal((await client.send('PUT', '/bucket/shared', shared)).status, 200)
  assert.equal((await client.send('GET', '/bucket/shared', anonymous)).body.toString(), 'for all')
  assert.equal((await client.send('GET', '/bucket/dir/k', anonymous)).code, 'AccessDenied')
  // Only the two files that are for it hold the secret.
  for (const entry of await readdir(folder.in('data'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || ['cluster.json', 's3-root-key.json'].includes(entry.name)) continue
    const bytes = await readFile(join(entry.parentPath, entry.name))
    assert.equal(bytes.includes(s3.secretAccessKey), false, entry.name)
  }
})
