/** Notifications to a webhook, and access logs, over HTTP: what was acknowledged is told, whoever fails meanwhile. */
import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createHttpPost } from '../../../src/env/http-post.ts'
import { createNodeEnv } from '../../../src/env/node-env.ts'
import { staticAccounts } from '../../../src/gateway/s3/auth/accounts.ts'
import { type Webhook, WebhookTargets } from '../../../src/gateway/s3/notify/webhook-targets.ts'
import { startS3Gateway } from '../../../src/gateway/s3/s3-gateway.ts'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import { eventually } from '../../cli/cli-process.ts'
import { S3Client } from './s3-client.ts'
import { aliceKey, rootKey } from './s3-rig.ts'

interface Told {
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

let cluster: TestCluster
let receiver: Server
let webhook: Webhook
let targets: WebhookTargets
const told: Told[] = []
let isBroken = false
const env = createNodeEnv({ log: 'silent' })

before(async () => {
  cluster = await startCluster()
  receiver = createServer(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    if (!isBroken) told.push({ headers: request.headers, body })
    response.writeHead(isBroken ? 503 : 200).end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  targets = new WebhookTargets({ env, client: cluster.client, root: rootKey })
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
  webhook = await targets.add('hook', { url, mayBePrivate: true })
})
after(async () => {
  receiver.closeAllConnections()
  receiver.close()
  await cluster.close()
})

async function startGateway() {
  const door = await startS3Gateway({
    ...{ env, client: cluster.client, listenAddress: '127.0.0.1:0' },
    accounts: staticAccounts([rootKey, aliceKey]),
    webhooks: { targets: new WebhookTargets({ env, client: cluster.client, root: rootKey }), post: createHttpPost() },
  })
  return {
    s3: new S3Client(`http://${door.address}`, rootKey),
    close: () => door.close(),
    [Symbol.asyncDispose]: () => door.close(),
  }
}

function configuration(arn = 'arn:ashlar:webhook:::hook'): string {
  return `<NotificationConfiguration><QueueConfiguration><Id>all</Id><Queue>${arn}</Queue><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>in/</Value></FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>`
}

interface EventRecord {
  readonly eventName: string
  readonly s3: {
    readonly bucket: { readonly name: string }
    readonly object: {
      readonly key: string
      readonly size?: number
      readonly eTag?: string
      readonly versionId?: string
    }
  }
}

function records(): EventRecord[] {
  return told.flatMap(({ body }) => (JSON.parse(body).Records ?? []) as EventRecord[])
}

async function waiting(): Promise<number> {
  const { client } = cluster
  return (await client.exists('/.s3/events/hook')) ? (await client.readdir('/.s3/events/hook')).length : 0
}

describe('notifications', () => {
  test('a bucket names a webhook that an administrator declared, and it hears of each change, signed', async () => {
    await using gateway = await startGateway()
    const { s3 } = gateway
    await s3.send('PUT', '/notified')
    assert.equal((await s3.send('GET', '/notified?notification')).xml().children.length, 0)
    const unknown = await s3.send('PUT', '/notified?notification', {
      body: configuration('arn:ashlar:webhook:::other'),
    })
    assert.equal(unknown.code, 'InvalidArgument')
    assert.equal((await s3.send('PUT', '/notified?notification', { body: configuration() })).status, 200)
    const rule = (await s3.send('GET', '/notified?notification')).xml().child('QueueConfiguration')
    assert.deepEqual([rule?.textOf('Id'), rule?.textOf('Queue')], ['all', 'arn:ashlar:webhook:::hook'])
    await eventually('the test event', () => told.some(({ body }) => JSON.parse(body).Event === 's3:TestEvent'))

    told.length = 0
    await s3.send('PUT', '/notified/in/a%20b', { body: 'hello' })
    await s3.send('PUT', '/notified/out/b', { body: 'not told' })
    await s3.send('PUT', '/notified/in/copy', { headers: { 'x-amz-copy-source': '/notified/in/a%20b' } })
    await s3.send('DELETE', '/notified/in/copy')
    const listed =
      '<Delete><Quiet>true</Quiet><Object><Key>in/a b</Key></Object><Object><Key>out/b</Key></Object></Delete>'
    await s3.send('POST', '/notified?delete', { body: listed, headers: { 'content-md5': md5(listed) } })
    await eventually('four events', () => records().length >= 4)
    assert.deepEqual(
      records()
        .map(({ eventName, s3: { object } }) => `${eventName} ${object.key} ${object.size} ${object.eTag}`)
        .sort(),
      [
        'ObjectCreated:Copy in/copy 5 5d41402abc4b2a76b9719d911017c592',
        'ObjectCreated:Put in/a+b 5 5d41402abc4b2a76b9719d911017c592',
        'ObjectRemoved:Delete in/a+b undefined undefined',
        'ObjectRemoved:Delete in/copy undefined undefined',
      ],
    )
    for (const { headers, body } of told) {
      const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers['ashlar-signature'])) ?? []
      assert.equal(createHmac('sha256', webhook.secret).update(`${seconds}.${body}`).digest('hex'), signature)
    }
    await eventually('nothing waits', async () => (await waiting()) === 0)
    for await (const { path } of cluster.client.listTrash('/.s3/events')) assert.fail(`${path} is in the trash`)
  })

  test('what was acknowledged is told later, by another gateway, when the webhook was down and the first gateway is gone', async () => {
    told.length = 0
    isBroken = true
    const first = await startGateway()
    for (let count = 0; count < 5; count++) {
      assert.equal((await first.s3.send('PUT', `/notified/in/later-${count}`, { body: 'x' })).status, 200)
    }
    assert.equal(await waiting(), 5)
    await first.close()
    isBroken = false
    await using _second = await startGateway()
    await eventually('five events', () => new Set(records().map(({ s3 }) => s3.object.key)).size === 5)
    await eventually('nothing waits', async () => (await waiting()) === 0)
  })

  test('what lifecycle removes is told too, as its own events', async () => {
    told.length = 0
    await using gateway = await startGateway()
    const { s3 } = gateway
    await cluster.client.setSetting('lifecycle-day', '1s')
    for (const name of ['expired', 'covered']) {
      await s3.send('PUT', `/${name}`)
      const body = configuration().replaceAll('s3:ObjectRemoved:*', 's3:LifecycleExpiration:*')
      assert.equal((await s3.send('PUT', `/${name}?notification`, { body })).status, 200)
    }
    const versioning = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
    assert.equal((await s3.send('PUT', '/covered?versioning', { body: versioning })).status, 200)
    const rule =
      '<LifecycleConfiguration><Rule><ID>x</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>'
    for (const name of ['expired', 'covered']) {
      for (const key of ['in/ü x', 'out/x']) await s3.send('PUT', `/${name}/${encodeURIComponent(key)}`, { body: 'x' })
      const headers = { 'content-md5': md5(rule) }
      assert.equal((await s3.send('PUT', `/${name}?lifecycle`, { body: rule, headers })).status, 200)
    }
    const expiries = () => records().filter(({ eventName }) => eventName.startsWith('LifecycleExpiration'))
    await eventually('two events', () => expiries().length >= 2)
    const listed = (await s3.send('GET', '/covered?versions&prefix=in%2F')).xml()
    const marker = listed.child('DeleteMarker')?.textOf('VersionId')
    assert.deepEqual(
      expiries()
        .map(({ eventName, s3: { bucket, object } }) => `${eventName} ${bucket.name} ${object.key} ${object.versionId}`)
        .sort(),
      [
        'LifecycleExpiration:Delete expired in/%C3%BC+x undefined',
        `LifecycleExpiration:DeleteMarkerCreated covered in/%C3%BC+x ${marker}`,
      ],
    )
    await eventually('nothing waits', async () => (await waiting()) === 0)
  })

  test('a webhook that is removed hears nothing more, and keeps nothing waiting', async () => {
    await using gateway = await startGateway()
    await targets.add('short', { url: 'http://127.0.0.1:1/', mayBePrivate: true })
    await gateway.s3.send('PUT', '/short-lived')
    const body = configuration('arn:ashlar:webhook:::short')
    assert.equal((await gateway.s3.send('PUT', '/short-lived?notification', { body })).status, 200)
    await gateway.s3.send('PUT', '/short-lived/in/k', { body: 'x' })
    await targets.remove('short')
    await using _other = await startGateway()
    await eventually('nothing waits', async () => !(await cluster.client.exists('/.s3/events/short')))
  })

  test('WebhookTargets.add() refuses what is no name and no URL, and keeps the secret sealed', async () => {
    const url = 'https://hooks.example.com/a'
    await assert.rejects(targets.add('hook', { url, mayBePrivate: false }), {
      code: 'already-exists',
      message: /^Cannot add webhook hook: there is one/,
    })
    for (const host of ['127.0.0.1', '10.0.0.7', '[::1]']) {
      const private_ = targets.add('p', { url: `http://${host}/`, mayBePrivate: false })
      await assert.rejects(private_, { code: 'forbidden', message: /--allow-private/ })
    }
    await assert.rejects(targets.add('m', { url: 'http://169.254.169.254/', mayBePrivate: true }), {
      code: 'forbidden',
    })
    await assert.rejects(targets.add('a/b', { url, mayBePrivate: false }), { code: 'invalid-argument' })
    await assert.rejects(targets.add('c', { url: 'ftp://example.com', mayBePrivate: false }), {
      code: 'invalid-argument',
    })
    const stats = await cluster.client.stat('/.s3/accounts/webhooks/hook', { xattrs: true })
    for (const value of stats.xattrs.values()) assert.ok(!value.includes(webhook.secret))
    assert.ok(!JSON.stringify(await targets.list()).includes(webhook.secret))
  })
})

describe('access logs', () => {
  test('requests to a bucket are stored as lines in the bucket that it names', async () => {
    const gateway = await startGateway()
    const { s3 } = gateway
    for (const name of ['watched', 'logs']) await s3.send('PUT', `/${name}`)
    const body = (target: string) =>
      `<BucketLoggingStatus><LoggingEnabled><TargetBucket>${target}</TargetBucket><TargetPrefix>w/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>`
    assert.equal(
      (await s3.send('PUT', '/watched?logging', { body: body('nowhere') })).code,
      'InvalidTargetBucketForLogging',
    )
    assert.equal((await s3.send('PUT', '/watched?logging', { body: body('logs') })).status, 200)
    const enabled = (await s3.send('GET', '/watched?logging')).xml().child('LoggingEnabled')
    assert.deepEqual([enabled?.textOf('TargetBucket'), enabled?.textOf('TargetPrefix')], ['logs', 'w/'])
    // Who may not write into the target cannot have anything written there.
    const alice = s3.as(aliceKey)
    await alice.send('PUT', '/of-alice')
    assert.equal((await alice.send('PUT', '/of-alice?logging', { body: body('logs') })).code, 'AccessDenied')

    await s3.send('PUT', '/watched/k', { body: 'hello' })
    await s3.send('GET', '/watched/k')
    const refused = await alice.send('GET', '/watched/k')
    await s3.send('PUT', '/watched?logging', { body: '<BucketLoggingStatus/>' })
    await s3.send('GET', '/watched/k')
    // Whoever ends a gateway in order loses no line.
    await gateway.close()
    const names = await cluster.client.readdir('/logs/w')
    assert.equal(names.length, 1)
    assert.match(names[0] as string, /^\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$/)
    const lines = (await cluster.client.readFile(`/logs/w/${names[0]}`, 'utf8')).trim().split('\n')
    const shown = lines.map((line) => / (REST\.\S+) (\S+) "[^"]*" (\d+) (\S+) (\S+) /.exec(line)?.slice(1).join(' '))
    assert.deepEqual(shown.slice(0, 4), [
      `REST.GET.LOGGING_STATUS - 200 - ${/ 200 - (\S+)/.exec(lines[0] as string)?.[1]}`,
      'REST.PUT.OBJECT k 200 - -',
      'REST.GET.OBJECT k 200 - 5',
      `REST.GET.OBJECT k 403 AccessDenied ${refused.body.length}`,
    ])
    assert.equal(lines.length, 5)
    assert.ok((lines[3] as string).includes(refused.headers['x-amz-request-id'] as string))
  })

  test('their keys have the format that the bucket asked for, or what is not there is refused', async () => {
    const gateway = await startGateway()
    const { s3 } = gateway
    for (const name of ['parted', 'parted-logs']) await s3.send('PUT', `/${name}`)
    const put = (more: string) =>
      s3.send('PUT', '/parted?logging', {
        body: `<BucketLoggingStatus><LoggingEnabled><TargetBucket>parted-logs</TargetBucket><TargetPrefix/>${more}</LoggingEnabled></BucketLoggingStatus>`,
      })
    const format = (inner: string) => put(`<TargetObjectKeyFormat>${inner}</TargetObjectKeyFormat>`)
    assert.equal((await put('<TargetGrants><Grant/></TargetGrants>')).code, 'NotImplemented')
    assert.equal((await format('')).code, 'MalformedXML')
    assert.equal((await format('<SimplePrefix/><PartitionedPrefix/>')).code, 'MalformedXML')
    const dated = (source: string) =>
      `<PartitionedPrefix><PartitionDateSource>${source}</PartitionDateSource></PartitionedPrefix>`
    assert.equal((await format(dated('Whenever'))).code, 'MalformedXML')
    for (const inner of [dated('DeliveryTime'), '<SimplePrefix></SimplePrefix>', dated('EventTime')]) {
      assert.equal((await format(inner)).status, 200)
      const told = (await s3.send('GET', '/parted?logging')).body.toString()
      assert.ok(told.includes(`<TargetObjectKeyFormat>${inner}</TargetObjectKeyFormat>`), told)
    }
    await gateway.close()
    await using other = await startGateway()
    const listed = (await other.s3.send('GET', '/parted-logs')).xml().all('Contents')
    const keys = listed.map((entry) => entry.textOf('Key') as string)
    const parted = /^[^/]+\/us-east-1\/parted\/(\d{4})\/(\d\d)\/(\d\d)\/\1-\2-\3-(\d\d-\d\d-\d\d)-[0-9A-F]{16}$/
    assert.ok(
      keys.some((key) => parted.exec(key)?.[4] === '00-00-00'),
      `by events: ${keys}`,
    )
    assert.ok(
      keys.some((key) => /^\d{4}-\d\d-\d\d-/.test(key)),
      `simple: ${keys}`,
    )
  })
})

function md5(text: string): string {
  return createHash('md5').update(text).digest('base64')
}
