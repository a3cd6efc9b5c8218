/** The security checklist at the S3 door (docs/faults.md, 3), where the matrix of authentication does not hold it already. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import type { Log } from '../../../src/env/log.ts'
import { createNodeEnv } from '../../../src/env/node-env.ts'
import { BodyReader } from '../../../src/gateway/s3/body/body-reader.ts'
import { S3Error } from '../../../src/gateway/s3/rules/s3-error.ts'
import { run, TemporaryFolder } from '../../cli/cli-process.ts'
import { createManualClock } from '../../wire/manual-clock.ts'
import type { S3RequestOptions, S3Response } from './s3-client.ts'
import { aliceKey, bobKey, rootKey, type S3Rig, startS3Rig } from './s3-rig.ts'
import { formBoundary, formV4, headerV4, presignedV2, presignedV4, type Signing } from './security-signers.ts'

let rig: S3Rig
const logged: string[] = []

const log: Log = {
  debug: (message, fields) => logged.push(`${message} ${inspect(fields, { depth: 8 })}`),
  info: (message, fields) => logged.push(`${message} ${inspect(fields, { depth: 8 })}`),
  warn: (message, fields) => logged.push(`${message} ${inspect(fields, { depth: 8 })}`),
  error: (message, fields) => logged.push(`${message} ${inspect(fields, { depth: 8 })}`),
  child: () => log,
}

before(async () => {
  rig = await startS3Rig({ gateway: { env: { ...createNodeEnv({ log: 'silent' }), log } } })
  for (const bucket of ['bucket', 'sources']) assert.equal((await rig.s3.send('PUT', `/${bucket}`)).status, 200)
  await rig.s3.send('PUT', '/bucket/secret/k', { body: 'top secret' })
  await rig.s3.send('PUT', '/sources/open/k', { body: 'o'.repeat(100) })
  await rig.s3.send('PUT', '/sources/closed/k', { body: 'top secret' })
})
after(() => rig[Symbol.asyncDispose]())

async function allow(bucket: string, ...statements: readonly object[]): Promise<void> {
  const policy = { Version: '2012-10-17', Statement: statements.map((one) => ({ Effect: 'Allow', ...one })) }
  const { status, body } = await rig.s3.send('PUT', `/${bucket}?policy`, { body: JSON.stringify(policy) })
  assert.equal(status, 204, body.toString())
}

const alice = { AWS: 'arn:aws:iam:::user/alice' }
const signing = (): Signing => ({
  key: rootKey,
  host: new URL(rig.endpoint).host,
  timeMs: Date.now(),
  expiresSeconds: 60,
})

describe('keys', () => {
  test('are judged exactly as they are stored, in addresses, bodies, forms and copy sources', async () => {
    await allow('bucket', {
      Principal: alice,
      Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
      Resource: 'arn:aws:s3:::bucket/mine/*',
    })
    const answers: S3Response[] = []
    const send = async (method: string, url: string, options: S3RequestOptions = {}) => {
      answers.push(await rig.alice.send(method, url, options))
    }
    const spellings = [
      ...[
        'mine/../secret/k',
        'mine/./../secret/k',
        'mine/%2e%2e/secret/k',
        'mine%2F..%2Fsecret%2Fk',
        'mine/..%2fsecret/k',
      ],
      ...[
        'mine%252F..%252Fsecret%252Fk',
        'mine/%252e%252e/secret/k',
        'mine//../secret/k',
        '/secret/k',
        'mine/..\\secret\\k',
      ],
      ...['secret/k', 'secret%2Fk', './secret/k', 'secret//k', '%73ecret/k', 'mine/%00/../secret/k'],
    ]
    for (const key of spellings) {
      await send('GET', `/bucket/${key}`)
      await send('HEAD', `/bucket/${key}`)
      await send('DELETE', `/bucket/${key}`)
      for (const source of [`/bucket/${key}`, `bucket/${key}`, `/bucket/mine/a/../../${key}`, `//bucket/${key}`]) {
        await send('PUT', '/bucket/mine/copy', { headers: { 'x-amz-copy-source': source } })
      }
      const text = decodeURIComponent(key.replaceAll('%00', 'x'))
      const body = `<Delete><Object><Key>${text}</Key></Object></Delete>`
      await send('POST', '/bucket?delete', { body, headers: { 'content-md5': md5(body) } })
    }
    for (const { body } of answers) assert.ok(!body.includes('top secret'))
    assert.equal(await rig.cluster.client.readFile('/bucket/secret/k', 'utf8'), 'top secret')
    assert.equal(await rig.cluster.client.exists('s3://bucket/mine/copy'), false)
    // What is let in lies under exactly its name, and nowhere else.
    assert.equal((await rig.alice.send('PUT', '/bucket/mine/../secret/k', { body: 'mine' })).status, 200)
    assert.equal((await rig.alice.send('GET', '/bucket/mine/%2e%2e/secret/k')).body.toString(), 'mine')
    assert.equal(await rig.cluster.client.readFile('/bucket/secret/k', 'utf8'), 'top secret')
  })

  test('of the store itself are in no bucket, not for the root account either', async () => {
    for (const url of [
      '/.s3',
      '/.s3?list-type=2',
      '/.s3/accounts',
      '/.s3/uploads/bucket',
      '/%2es3/accounts',
      '/bucket/../.s3/accounts',
    ]) {
      const { status } = await rig.s3.send('GET', url)
      assert.equal(status, 404, url)
    }
    assert.equal((await rig.s3.send('PUT', '/.s3/accounts/users/eve', { body: 'x' })).status, 404)
  })
})

describe('copies', () => {
  test('UploadPartCopy and CopyObject need the right to read the source and to write the target', async () => {
    const writing = { Principal: alice, Action: 's3:PutObject', Resource: 'arn:aws:s3:::bucket/mine/*' }
    await allow('bucket', writing)
    await allow('sources', { Principal: alice, Action: 's3:GetObject', Resource: 'arn:aws:s3:::sources/open/*' })
    const begun = await rig.alice.send('POST', '/bucket/mine/big?uploads')
    const part = `/bucket/mine/big?partNumber=1&uploadId=${begun.xml().textOf('UploadId')}`
    const from = (source: string) => ({ headers: { 'x-amz-copy-source': source } })
    assert.equal((await rig.alice.send('PUT', part, from('/sources/open/k'))).status, 200)
    assert.equal((await rig.alice.send('PUT', '/bucket/mine/copy', from('/sources/open/k'))).status, 200)
    for (const url of [part, '/bucket/mine/copy']) {
      assert.equal((await rig.alice.send('PUT', url, from('/sources/closed/k'))).code, 'AccessDenied', url)
      assert.equal((await rig.alice.send('PUT', url, from('/bucket/secret/k'))).code, 'AccessDenied', url)
      // The right to the one is none to the other.
      assert.equal((await rig.bob.send('PUT', url, from('/sources/open/k'))).code, 'AccessDenied', url)
    }
    assert.equal((await rig.alice.send('PUT', '/bucket/theirs', from('/sources/open/k'))).code, 'AccessDenied')
    assert.equal(await rig.cluster.client.exists('s3://bucket/theirs'), false)
  })
})

describe('strangers', () => {
  test('headers that claim an identity are nothing', async () => {
    for (const name of [
      'x-amz-user',
      'x-remote-user',
      'x-forwarded-user',
      'x-ashlar-account',
      'x-amz-account-id',
      'x-amz-security-token',
      'x-amz-server-identity',
    ]) {
      const { status } = await rig.s3.send('GET', '/bucket/secret/k', { anonymous: true, headers: { [name]: 'root' } })
      assert.equal(status, 403, name)
    }
  })

  test('no key works by default, and nothing of the cluster is told to whoever has none', async () => {
    for (const [accessKeyId, secretAccessKey] of [
      ['root', 'root'],
      ['root', ''],
      ['minioadmin', 'minioadmin'],
      ['admin', 'admin'],
      ['ashlar', 'ashlar'],
      ['AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
    ] as const) {
      assert.equal((await rig.s3.as({ accessKeyId, secretAccessKey }).send('GET', '/')).code, 'InvalidAccessKeyId')
    }
    for (const url of [
      ...[
        '/metrics',
        '/health',
        '/status',
        '/env',
        '/debug/pprof',
        '/debug/vars',
        '/cluster.json',
        '/minio/health/live',
        '/minio/bootstrap/v1/verify',
      ],
      ...[
        '/-/healthy',
        '/admin',
        '/api/v1/nodes',
        '/webhdfs/v1/',
        '/files/bucket/secret/k',
        '/?metrics',
        '/?Action=ListUsers',
        '/?explain-deny=0',
      ],
    ]) {
      for (const method of ['GET', 'POST']) {
        const { status, body } = await rig.s3.send(method, url, { anonymous: true })
        // A stranger has no buckets, and is told so as S3 tells it.
        const isEmptyList = status === 200 && !body.includes('<Bucket>')
        assert.ok(isEmptyList || (status >= 400 && status <= 501), `${method} ${url}: ${status}`)
        for (const hidden of [
          'top secret',
          rootKey.secretAccessKey,
          rig.cluster.clusterFile.secret,
          ...Object.values(process.env),
        ]) {
          if (hidden !== undefined && hidden.length >= 6 && !url.includes(hidden))
            assert.ok(!body.includes(hidden), `${url} tells ${hidden}`)
        }
      }
    }
  })

  test('a gateway without a root key does not start', async () => {
    await using folder = await TemporaryFolder.make()
    const path = join(folder.in('x'), '..', 'cluster.json')
    const { s3: _, ...file } = rig.cluster.clusterFile
    await writeFile(path, JSON.stringify(file))
    const { exitCode, stderr } = await run(['s3', 'serve', '--listen', '127.0.0.1:0'], { cluster: path })
    assert.equal(exitCode, 2)
    assert.match(stderr, /has no root key/)
  })

  test('an address in a header is believed of trusted proxies alone', async () => {
    const statement = { Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::sources/open/*' }
    const condition = { IpAddress: { 'aws:SourceIp': '203.0.113.0/24' }, Bool: { 'aws:SecureTransport': 'true' } }
    await allow('sources', { ...statement, Principal: alice, Condition: condition })
    const headers = {
      'x-forwarded-for': '203.0.113.7',
      'x-forwarded-proto': 'https',
      'x-real-ip': '203.0.113.7',
      forwarded: 'for=203.0.113.7',
    }
    assert.equal((await rig.alice.send('GET', '/sources/open/k', { headers })).code, 'AccessDenied')
    await using behind = await startS3Rig({ gateway: { client: rig.cluster.client, trustedProxies: ['127.0.0.0/8'] } })
    assert.equal((await behind.alice.send('GET', '/sources/open/k', { headers })).status, 200)
    assert.equal(
      (
        await behind.alice.send('GET', '/sources/open/k', {
          headers: { ...headers, 'x-forwarded-for': '203.0.113.7, 198.51.100.1' },
        })
      ).code,
      'AccessDenied',
    )
    assert.equal(
      (await behind.alice.send('GET', '/sources/open/k', { headers: { ...headers, 'x-forwarded-proto': 'http' } }))
        .code,
      'AccessDenied',
    )
  })
})

describe('bodies', () => {
  test('XML with a document type, too deep, too many or too large is refused at every route that reads it', async () => {
    const laughs = `<!DOCTYPE x [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, n) => `<!ENTITY a${n} "&a${n - 1};&a${n - 1};">`).join('')}]><Delete>&a19;</Delete>`
    const documents = [
      laughs,
      '<!DOCTYPE x SYSTEM "file:///etc/passwd"><Delete/>',
      '<!DOCTYPE x [<!ENTITY y SYSTEM "http://127.0.0.1/">]><Delete>&y;</Delete>',
      `${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`,
      '<Delete>&unknown;</Delete>',
      '<Delete',
      '',
    ]
    const targets = [
      'POST /bucket?delete',
      'PUT /bucket?tagging',
      'PUT /bucket?cors',
      'PUT /bucket?acl',
      'PUT /bucket?versioning',
      'PUT /bucket?notification',
      'PUT /bucket?logging',
      'PUT /bucket?ownershipControls',
      'PUT /bucket/secret/k?tagging',
    ]
    for (const target of targets) {
      const [method = '', url = ''] = target.split(' ')
      for (const body of documents) {
        const { status } = await rig.s3.send(method, url, { body, headers: { 'content-md5': md5(body) } })
        assert.ok(status === 400 || status === 501, `${target} ${body.slice(0, 40)}: ${status}`)
      }
      const large = `<Delete>${'<a/>'.repeat(2_500_000)}</Delete>`
      if (target === targets[0]) {
        assert.equal(
          (await rig.s3.send(method, url, { body: large, headers: { 'content-md5': md5(large) } })).status,
          400,
        )
      }
    }
    assert.equal((await rig.s3.send('GET', '/bucket/secret/k')).body.toString(), 'top secret')
  })

  test('BodyReader.pieces() gives up a sender that is slower than any client', async () => {
    const clock = createManualClock()
    const source = (async function* () {
      for (;;) {
        await clock.advance(20_000)
        yield Buffer.from('drop by drop')
      }
    })()
    const payload = {
      framing: undefined,
      declaredLength: undefined,
      sha256: undefined,
      md5: undefined,
      checksum: undefined,
    }
    const reader = new BodyReader(source, {
      ...{ env: { ...createNodeEnv({ log: 'silent' }), clock }, payload, maxBytes: 1e9, maxChunkBytes: 1e6 },
      hold: async () => () => undefined,
    })
    await assert.rejects(reader.whole(), (error) => error instanceof S3Error && error.code === 'RequestTimeout')
  })

  test('hundreds of S3 clients that stall in their heads or bodies keep nobody else out, and leave no bytes', async () => {
    const { hostname, port } = new URL(rig.endpoint)
    const sockets: Socket[] = []
    try {
      for (let count = 0; count < 300; count++) {
        const socket = connect({ host: hostname, port: Number(port) })
        socket.on('error', () => socket.destroy())
        const { headers } = headerV4(['PUT', `/bucket/stalled-${count}`, 'never sent'], signing())
        const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
        const start = `PUT /bucket/stalled-${count} HTTP/1.1\r\n${head.join('')}content-length: 100000\r\n`
        socket.write(count % 2 === 0 ? start : `${start}\r\nsome of it`)
        sockets.push(socket)
      }
      for (let count = 0; count < 20; count++) {
        assert.equal((await rig.s3.send('PUT', `/bucket/f${count}`, { body: 'x' })).status, 200)
      }
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    const names = await rig.cluster.client.readdir('/bucket')
    assert.deepEqual(
      names.filter((name) => name.startsWith('stalled')),
      [],
    )
  })

  test('heads that are too large, and bytes that are no request, are refused; the door goes on', async () => {
    const { hostname, port } = new URL(rig.endpoint)
    const raw = (bytes: string | Buffer) =>
      new Promise<string>((resolve) => {
        let text = ''
        const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes))
        socket.on('data', (piece) => (text += piece))
        socket.on('error', () => resolve(text))
        socket.on('close', () => resolve(text))
      })
    const many = Array.from({ length: 3000 }, (_, n) => `x-amz-meta-${n}: ${'v'.repeat(40)}\r\n`).join('')
    for (const [bytes, status] of [
      [`GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431/],
      [`PUT /bucket/k HTTP/1.1\r\nhost: a\r\n${many}\r\n`, /^HTTP\/1\.1 431/],
      [
        `PUT /bucket/k HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
        /^HTTP\/1\.1 400/,
      ],
      [`PUT /bucket/k HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!`, /^HTTP\/1\.1 400/],
      // The answer is that to the request: only what is past its length is none.
      [`PUT /bucket/k HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello!`, /^HTTP\/1\.1 403 .*AccessDenied/s],
      ['\x16\x03\x01\x02\x00\x01\x00', /^HTTP\/1\.1 400/],
      [Buffer.from(Array.from({ length: 4096 }, (_, n) => (n * 7919) & 0xff)), /^(HTTP\/1\.1 4\d\d|$)/],
    ] as const) {
      assert.match(await raw(bytes), status)
    }
    assert.equal((await rig.s3.send('GET', '/bucket/secret/k')).status, 200)
    assert.equal(await rig.cluster.client.exists('s3://bucket/k'), false)
  })
})

describe('answers', () => {
  test('no stored or asked header can end itself and begin another; objects are not sniffed', async () => {
    const url = (name: string, value: string) =>
      presignedV4(['GET', `/bucket/secret/k?${name}=${encodeURIComponent(value)}`], signing()).url
    for (const name of [
      'response-content-type',
      'response-content-disposition',
      'response-cache-control',
      'response-expires',
    ]) {
      const answer = await rig.s3.send('GET', url(name, 'a\r\nset-cookie: b=c'), { anonymous: true })
      assert.deepEqual([answer.status, answer.headers['set-cookie']], [400, undefined], name)
    }
    assert.equal((await rig.s3.send('GET', '/bucket/secret/k')).headers['x-content-type-options'], 'nosniff')
    // A form carries headers as fields, which no HTTP parser has seen.
    const form = formV4(['POST', '/bucket', 'x'], signing())
    for (const name of ['x-amz-meta-a', 'content-disposition', 'cache-control']) {
      const field = `--${formBoundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\nv\r\nset-cookie: b=c\r\n`
      const answer = await rig.s3.send('POST', '/bucket', {
        ...{ anonymous: true, headers: form.headers },
        body: form.body.replace(`--${formBoundary}\r\n`, `${field}--${formBoundary}\r\n`),
      })
      assert.ok(answer.status === 400 || answer.status === 403, `${name}: ${answer.status}`)
    }
  })

  test('no secret stands in a log line, an answer, an access log or an event', async () => {
    const canaries = [rootKey, aliceKey, bobKey].map(({ secretAccessKey }) => secretAccessKey)
    const answers: S3Response[] = []
    logged.length = 0
    const body =
      '<BucketLoggingStatus><LoggingEnabled><TargetBucket>sources</TargetBucket><TargetPrefix>log/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>'
    assert.equal((await rig.s3.send('PUT', '/bucket?logging', { body })).status, 200)
    const signatures: string[] = []
    for (const signer of [presignedV4, presignedV2]) {
      for (const key of [rootKey, { ...rootKey, secretAccessKey: 'wrong' }]) {
        const { url } = signer(['GET', '/bucket/secret/k'], { ...signing(), key })
        signatures.push(/Signature=([^&]+)$/.exec(url)?.[1] ?? '')
        answers.push(await rig.s3.send('GET', url, { anonymous: true }))
      }
    }
    const customerKey = 'c'.repeat(32)
    const encrypted = {
      'x-amz-server-side-encryption-customer-algorithm': 'AES256',
      'x-amz-server-side-encryption-customer-key': Buffer.from(customerKey).toString('base64'),
      'x-amz-server-side-encryption-customer-key-md5': md5(customerKey),
    }
    answers.push(await rig.s3.send('PUT', '/bucket/encrypted', { body: 'x', headers: encrypted }))
    answers.push(
      await rig.s3.send('GET', '/bucket/encrypted', {
        headers: { ...encrypted, 'x-amz-server-side-encryption-customer-key-md5': md5('other') },
      }),
    )
    answers.push(
      await rig.alice.send('GET', '/bucket/secret/k'),
      await rig.s3.send('GET', '/', { headers: { authorization: `AWS4-HMAC-SHA256 ${canaries[0]}` }, anonymous: true }),
    )
    // A failure within, which is logged with all that it knows.
    await using broken = await startS3Rig({
      gateway: {
        env: { ...createNodeEnv({ log: 'silent' }), log },
        accounts: {
          current: async () => {
            throw new Error('broken')
          },
        },
      },
    })
    const failed = await broken.s3.send(
      'GET',
      presignedV4(['GET', '/bucket/secret/k'], { ...signing(), host: new URL(broken.endpoint).host }).url,
      { anonymous: true },
    )
    assert.equal(failed.status, 500)
    answers.push(failed)
    const requestIds = answers.map(({ headers }) => headers['x-amz-request-id'] as string)
    for (const id of requestIds) answers.push(await rig.s3.send('GET', `/?explain-deny=${id}`))
    const told = [...logged, ...answers.map(({ headers, body: text }) => `${JSON.stringify(headers)} ${text}`)].join(
      '\n',
    )
    assert.match(told, /An S3 request failed/)
    const hidden = [...canaries, ...signatures, customerKey, encrypted['x-amz-server-side-encryption-customer-key']]
    for (const canary of hidden) {
      assert.ok(canary.length >= 8 && !told.includes(canary), `${canary.slice(0, 8)}… is told`)
    }
  })
})

function md5(text: string): string {
  return createHash('md5').update(text).digest('base64')
}
