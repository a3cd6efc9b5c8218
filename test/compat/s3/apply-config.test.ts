/** A declared set-up, applied by the command line to a running cluster. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { run, ServerProcess, TemporaryFolder } from '../../cli/cli-process.ts'
import { S3Client } from './s3-client.ts'

let folder: TemporaryFolder
let up: ServerProcess
let root: S3Client

before(async () => {
  folder = await TemporaryFolder.make()
  up = await ServerProcess.start(['up', '--temp'])
  const { stdout } = await run(['s3', 'env', '--json'], { cluster: up.cluster })
  const access = JSON.parse(stdout)
  root = new S3Client(access.endpoint, access)
})
after(async () => {
  await up[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const secret = 'a-secret-of-forty-characters-0123456789+'

async function apply(config: unknown, ...options: string[]) {
  await writeFile(folder.in('s3.json'), typeof config === 'string' ? config : JSON.stringify(config))
  return await run(['apply-config', folder.in('s3.json'), '--json', ...options], {
    cluster: up.cluster,
    env: { ANN_SECRET: secret },
  })
}

async function steps(config: unknown, ...options: string[]): Promise<string[]> {
  const { exitCode, stdout, stderr } = await apply(config, ...options)
  assert.equal(exitCode, 0, stderr)
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const { action, what } = JSON.parse(line)
    return `${action} ${what}`
  })
}

async function refusal(config: unknown): Promise<string> {
  const { exitCode, stdout, stderr } = await apply(config)
  assert.equal(exitCode, 2, stderr)
  assert.equal(stdout, '')
  return JSON.parse(stderr).message
}

const config = {
  version: 1,
  users: [
    {
      name: 'ann',
      email: 'ann@example.com',
      policies: {
        read: { Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::reports/*' }] },
      },
      keys: [{ accessKeyId: 'ANNKEY', secretAccessKey: { env: 'ANN_SECRET' } }],
    },
  ],
  buckets: [
    {
      name: 'reports',
      ownership: 'BucketOwnerEnforced',
      publicAccessBlock: { BlockPublicAcls: true, IgnorePublicAcls: true },
      policy: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'Own',
            Effect: 'Allow',
            Principal: { AWS: 'arn:aws:iam:::user/ann' },
            Action: 's3:PutObject',
            Resource: 'arn:aws:s3:::reports/in/*',
          },
        ],
      },
      tags: { team: 'data', 'cost:center': '7 + 8' },
      cors: [
        {
          ID: 'web',
          AllowedOrigins: ['https://example.com', 'http://localhost:*'],
          AllowedMethods: ['GET', 'PUT'],
          AllowedHeaders: ['*'],
          MaxAgeSeconds: 300,
        },
      ],
    },
    { name: 'logs' },
  ],
} as const

const all = [
  'add user ann',
  'add user ann: policy read',
  'add user ann: key ANNKEY',
  'add bucket reports',
  'add bucket reports: ownership',
  'add bucket reports: publicAccessBlock',
  'add bucket reports: policy',
  'add bucket reports: tags',
  'add bucket reports: cors',
  'add bucket logs',
]

test('--plan shows every step and takes none; applied, everything is there, and a second time nothing is left to do', async () => {
  assert.deepEqual(await steps(config, '--plan'), all)
  assert.equal((await root.send('HEAD', '/reports')).status, 404)
  assert.deepEqual(await steps(config), all)
  assert.deepEqual(await steps(config), [])
  assert.deepEqual(await steps(config, '--plan'), [])

  const ann = root.as({ accessKeyId: 'ANNKEY', secretAccessKey: secret })
  assert.equal((await root.send('PUT', '/reports/q1', { body: 'x' })).status, 200)
  assert.equal((await ann.send('GET', '/reports/q1')).body.toString(), 'x')
  assert.equal((await ann.send('PUT', '/reports/in/k', { body: 'y' })).status, 200)
  assert.equal((await ann.send('PUT', '/reports/q2', { body: 'y' })).code, 'AccessDenied')
  const tags = (await root.send('GET', '/reports?tagging')).xml().child('TagSet')?.all('Tag')
  assert.deepEqual(tags?.map((tag) => `${tag.textOf('Key')}=${tag.textOf('Value')}`).sort(), [
    'cost:center=7 + 8',
    'team=data',
  ])
  const rule = (await root.send('GET', '/reports?cors')).xml().child('CORSRule')
  assert.deepEqual(
    rule?.all('AllowedOrigin').map(({ text }) => text),
    ['https://example.com', 'http://localhost:*'],
  )
})

test('what differs is changed, null takes away, and what is not named stays', async () => {
  await steps(config)
  const [user, reports] = [config.users[0], config.buckets[0]]
  const changed = {
    version: 1,
    users: [{ ...user, disabled: true, policies: { list: user.policies.read } }],
    buckets: [{ name: 'reports', policy: null, tags: { team: 'science' } }],
  }
  assert.deepEqual(await steps(changed), [
    'change user ann: disabled',
    'add user ann: policy list',
    'remove user ann: policy read',
    'remove bucket reports: policy',
    'change bucket reports: tags',
  ])
  assert.deepEqual(await steps(changed), [])
  assert.equal((await root.send('GET', '/reports?policy')).code, 'NoSuchBucketPolicy')
  assert.equal((await root.send('GET', '/reports?cors')).status, 200)
  const back = { version: 1, users: [{ ...user, disabled: false }], buckets: [reports] }
  assert.deepEqual(await steps(back), [
    'change user ann: enabled',
    'add user ann: policy read',
    'remove user ann: policy list',
    'add bucket reports: policy',
    'change bucket reports: tags',
  ])
})

test('a mistake is named by its path, before anything is changed, and no message tells a secret', async () => {
  const user = (fields: object) => ({ version: 1, users: [{ name: 'new', ...fields }] })
  const bucket = (fields: object) => ({ version: 1, buckets: [{ name: 'first' }, { name: 'second', ...fields }] })
  for (const [wrong, message] of [
    ['{"version": 1, "users": [{"secretAccessKey": "hidden"', 'Cannot use the file: it is not JSON'],
    [{ version: 2 }, 'Cannot use config.version: it must be 1'],
    [
      { version: 1, bukets: [] },
      'Cannot use config.bukets: there is no such field. Those there are: version, users, buckets',
    ],
    [{ version: 1, users: {} }, 'Cannot use users: it must be a list'],
    [user({ name: 'a/b' }), /^Cannot use users\[0\]\.name: Cannot use "a\/b" as the name of a user/],
    [user({ disabled: 'yes' }), 'Cannot use users[0].disabled: it must be true or false'],
    [
      user({ policies: { p: { Statement: [] } } }),
      /^Cannot use users\[0\]\.policies\.p: .*Missing required field Statement/,
    ],
    [
      user({ keys: [{ accessKeyId: 'NEWKEY', secretAccessKey: { env: 'NOT_SET' } }] }),
      'Cannot use users[0].keys[0].secretAccessKey.env: the environment has no NOT_SET',
    ],
    [
      user({ keys: [{ accessKeyId: 'NEWKEY', secretAccessKey: 'hidden' }] }),
      /^Cannot use users\[0\]\.keys\[0\]: .* its secret takes 16 to 128/,
    ],
    [{ version: 1, users: [{ name: 'new' }, { name: 'new' }] }, 'Cannot use users[1]: users[0] has the same name, new'],
    [bucket({ name: 'Second' }), /^Cannot use buckets\[1\]\.name: /],
    [
      bucket({ cors: [{ AllowedMethod: ['GET'] }] }),
      /^Cannot use buckets\[1\]\.cors\[0\]\.AllowedMethod: there is no such field\. .*AllowedMethods/,
    ],
    [bucket({ cors: [{ AllowedMethods: 'GET' }] }), 'Cannot use buckets[1].cors[0].AllowedMethods: it must be a list'],
    [
      bucket({ lifecycle: [{ ID: 'a', Status: 'on' }] }),
      'Cannot use buckets[1].lifecycle[0].Status: it must be one of Enabled, Disabled',
    ],
    [
      bucket({ lifecycle: [{ ID: 'a', Status: 'Enabled', Expiration: { Days: '7' } }] }),
      'Cannot use buckets[1].lifecycle[0].Expiration.Days: it must be a whole number',
    ],
    [bucket({ versioning: null }), 'Cannot use buckets[1].versioning: versions are suspended, never taken away'],
    [bucket({ tags: { a: 1 } }), 'Cannot use buckets[1].tags.a: it must be a text'],
  ] as const) {
    const told = await refusal(wrong)
    if (typeof message === 'string') assert.equal(told, message)
    else assert.match(told, message)
    assert.ok(!told.includes('hidden'), told)
  }
  assert.equal((await root.send('HEAD', '/first')).status, 404)
})

test('what the door refuses is told with its path; a key is never changed in silence', async () => {
  await steps(config)
  const told = await apply({
    version: 1,
    buckets: [{ name: 'logs', cors: [{ AllowedOrigins: ['*'], AllowedMethods: ['FETCH'] }] }],
  })
  assert.equal(told.exitCode, 2)
  assert.match(JSON.parse(told.stderr).message, /^Cannot apply buckets\[0\]\.cors: InvalidRequest: /)
  const other = (fields: object) => ({ version: 1, users: [{ name: 'other' }, { name: 'ann', ...fields }] })
  const key = { accessKeyId: 'ANNKEY', secretAccessKey: 'another-secret-0123456789' }
  assert.match(await refusal(other({ keys: [key] })), /^Cannot apply users\[1\]\.keys\[0\]: the key has another secret/)
  assert.match(
    await refusal(other({ email: 'b@example.com' })),
    /^Cannot apply users\[1\]\.email: user ann has another one/,
  )
  const { stdout } = await run(['user', 'list'], { cluster: up.cluster })
  assert.ok(!stdout.includes('other'))
})
