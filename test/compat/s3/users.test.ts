/** Users and keys, from the command line to what the S3 door then lets them do; and why it refuses. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { run, ServerProcess, TemporaryFolder } from '../../cli/cli-process.ts'
import { S3Client } from './s3-client.ts'

let folder: TemporaryFolder
let up: ServerProcess
let root: S3Client
let rootSecret: string

before(async () => {
  folder = await TemporaryFolder.make()
  up = await ServerProcess.start(['up', '--temp'])
  const { stdout } = await run(['s3', 'env', '--json'], { cluster: up.cluster })
  const access = JSON.parse(stdout)
  rootSecret = access.secretAccessKey
  root = new S3Client(access.endpoint, access)
  assert.equal((await root.send('PUT', '/reports')).status, 200)
  assert.equal((await root.send('PUT', '/reports/q1', { body: 'first' })).status, 200)
})
after(async () => {
  await up[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function ashlar(...args: string[]) {
  return await run(args, { cluster: up.cluster })
}

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  const { stdout, exitCode, stderr } = await ashlar(...args, '--json')
  assert.equal(exitCode, 0, stderr)
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

async function newUser(name: string, ...options: string[]): Promise<S3Client> {
  await json('user', 'add', name, ...options)
  const [key] = await json('key', 'add', name)
  return root.as(key as unknown as { accessKeyId: string; secretAccessKey: string })
}

/** Gateways look at most a second back. */
async function until(client: S3Client, url: string, status: number): Promise<void> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const answer = await client.send('GET', url)
    if (answer.status === status) return
    if (Date.now() > deadline) assert.equal(answer.status, status)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      Sid: 'Read',
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: ['arn:aws:s3:::reports', 'arn:aws:s3:::reports/*'],
    },
    { Sid: 'NotDrafts', Effect: 'Deny', Action: 's3:*', Resource: 'arn:aws:s3:::reports/drafts/*' },
  ],
})

describe('users', () => {
  test('a user without policies owns what it makes, and reaches nothing else', async () => {
    const ann = await newUser('ann')
    assert.equal((await ann.send('PUT', '/of-ann')).status, 200)
    assert.equal((await ann.send('PUT', '/of-ann/k', { body: 'x' })).status, 200)
    assert.equal((await ann.send('GET', '/reports/q1')).code, 'AccessDenied')
    assert.equal((await ann.send('DELETE', '/reports/q1')).code, 'AccessDenied')
    const names = (await ann.send('GET', '/'))
      .xml()
      .child('Buckets')
      ?.all('Bucket')
      .map((bucket) => bucket.textOf('Name'))
    assert.deepEqual(names, ['of-ann'])
    assert.equal((await root.send('GET', '/of-ann/k')).body.toString(), 'x')
  })

  test('a user with policies may do what they allow, and no more; explain-deny names the statement', async () => {
    await writeFile(folder.in('reader.json'), policy)
    const ben = await newUser('ben', '--policy', folder.in('reader.json'))
    assert.equal((await ben.send('GET', '/reports/q1')).body.toString(), 'first')
    assert.equal((await ben.send('GET', '/reports?list-type=2')).status, 200)
    assert.equal((await ben.send('PUT', '/mine')).code, 'AccessDenied')
    assert.equal((await ben.send('GET', '/')).code, 'AccessDenied')
    assert.equal((await ben.send('PUT', '/reports/q2', { body: 'x' })).code, 'AccessDenied')
    const refused = await ben.send('GET', '/reports/drafts/q2')
    assert.equal(refused.code, 'AccessDenied')
    const requestId = refused.headers['x-amz-request-id'] as string
    assert.equal(refused.xml().textOf('RequestId'), requestId)
    const [why] = await json('s3', 'explain-deny', requestId)
    assert.deepEqual([why?.['userName'], why?.['operation'], why?.['code']], ['ben', 'GetObject', 'AccessDenied'])
    assert.deepEqual(
      (why?.['reasons'] as string[] | undefined)?.[0],
      `s3:GetObject on arn:aws:s3:::reports/drafts/q2 was refused: a policy of the user says so (statement "NotDrafts" of policy "reader")`,
    )
    const { stdout } = await ashlar('s3', 'explain-deny', requestId)
    assert.match(
      stdout,
      /GET \/reports\/drafts\/q2 \(GetObject\), asked by user ben\nAccessDenied: Access Denied\n {2}s3:GetObject on/,
    )

    await json('user', 'policy', 'ben', 'reader', '--remove')
    await until(ben, '/reports/q1', 403)
    const [user] = (await json('user', 'list')).filter(({ name }) => name === 'ben')
    assert.deepEqual(user?.['policies'], [])
  })

  test('a revoked key and a disabled user are refused within seconds', async () => {
    const cat = await newUser('cat')
    assert.equal((await cat.send('GET', '/')).status, 200)
    await json('user', 'disable', 'cat')
    await until(cat, '/', 403)
    assert.equal((await cat.send('GET', '/')).code, 'InvalidAccessKeyId')
    await json('user', 'enable', 'cat')
    await until(cat, '/', 200)
    const [key] = await json('key', 'list', 'cat')
    await json('key', 'revoke', key?.['accessKeyId'] as string)
    await until(cat, '/', 403)
    assert.deepEqual(await json('key', 'list', 'cat'), [])
  })

  test('what cannot be is refused with a reason, and no output tells a secret twice', async () => {
    await json('user', 'add', 'dora')
    const again = await ashlar('user', 'add', 'dora')
    assert.deepEqual([again.exitCode, again.stderr], [4, 'ashlar: Cannot add user dora: there is one of this name\n'])
    const [key] = await json('key', 'add', 'dora')
    const secret = key?.['secretAccessKey'] as string
    assert.equal(secret.length, 40)
    const shown = await Promise.all([ashlar('key', 'list'), ashlar('user', 'list'), ashlar('key', 'list', '--json')])
    for (const { stdout, stderr } of shown) assert.ok(!stdout.includes(secret) && !stderr.includes(secret))
    assert.equal((await ashlar('key', 'add', 'nobody')).exitCode, 3)
    assert.equal((await ashlar('key', 'revoke', 'NOBODY')).exitCode, 3)
    assert.equal((await ashlar('key', 'burn', 'dora')).exitCode, 2)
    assert.equal((await ashlar('user', 'add')).exitCode, 2)
    await writeFile(
      folder.in('bad.json'),
      '{"Statement": {"Effect": "Allow", "Action": "s3:Nothing", "Resource": "*"}}',
    )
    const bad = await ashlar('user', 'add', 'eve', '--policy', folder.in('bad.json'))
    assert.deepEqual(
      [bad.exitCode, bad.stderr],
      [2, 'ashlar: Cannot attach policy bad to eve: Policy has invalid action\n'],
    )
    assert.ok(!(await json('user', 'list')).some(({ name }) => name === 'eve'))
  })
})

describe('s3 explain-deny', () => {
  test('tells of a wrong signature too, and never a secret', async () => {
    const refused = await root.as({ accessKeyId: 'NOBODY', secretAccessKey: 'no-secret' }).send('GET', '/reports/q1')
    const [why] = await json('s3', 'explain-deny', refused.headers['x-amz-request-id'] as string)
    assert.deepEqual([why?.['code'], why?.['userName'], why?.['reasons']], ['InvalidAccessKeyId', undefined, []])
    assert.ok(!JSON.stringify(why).includes(rootSecret))
  })

  test('says so when the door does not know the request, and asks for an id', async () => {
    const unknown = await ashlar('s3', 'explain-deny', '0123456789ABCDEF')
    assert.equal(unknown.exitCode, 3)
    assert.match(unknown.stderr, /does not know it.*each keeps its own last 1024 since its start.*--endpoint/s)
    assert.equal((await ashlar('s3', 'explain-deny')).exitCode, 2)
    assert.equal((await ashlar('s3', 'explain-deny', 'x')).exitCode, 2)
    assert.equal((await ashlar('s3', 'explain-deny', '0123456789ABCDEF', '--endpoint', 'nowhere')).exitCode, 2)
  })

  test('is for the root account alone', async () => {
    const fay = await newUser('fay')
    assert.equal((await fay.send('GET', '/?explain-deny=0123456789ABCDEF')).code, 'AccessDenied')
    const nobody = await root.send('GET', '/?explain-deny=0123456789ABCDEF', { anonymous: true })
    assert.equal(nobody.code, 'AccessDenied')
  })
})
