/**
 * Every route of the S3 door, in every form of authentication, with every defect: refused, and not a byte, row or attribute of the
 * store is another afterwards. And a control: the same requests without the defect pass authentication on every route, so that
 * nothing here is refused for the wrong reason.
 */
import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { bucketOperations, objectOperations, serviceOperations } from '../../../src/gateway/s3/door/operation-table.ts'
import { type OperationName, operationOf } from '../../../src/gateway/s3/request/operations.ts'
import { parseS3Request } from '../../../src/gateway/s3/request/s3-request.ts'
import { S3Error } from '../../../src/gateway/s3/rules/s3-error.ts'
import { parseXml } from '../../../src/gateway/s3/xml/parse-xml.ts'
import { aliceKey, rootKey, type S3Rig, startS3Rig } from './s3-rig.ts'
import {
  formBoundary,
  formV2,
  formV4,
  headerV2,
  headerV4,
  presignedV2,
  presignedV4,
  type Route,
  type Signer,
  type Signing,
  signedChunks,
  type WireRequest,
} from './security-signers.ts'

let rig: S3Rig

before(async () => {
  rig = await startS3Rig()
  await prepare()
})
after(() => rig[Symbol.asyncDispose]())

async function prepare(): Promise<void> {
  for (const bucket of ['bucket', 'other']) await rig.s3.send('PUT', `/${bucket}`)
  await rig.s3.send('PUT', '/bucket/there', { body: 'as it was' })
  await rig.s3.send('POST', '/bucket/begun?uploads')
}

const bucketParameters =
  'accelerate acl cors encryption lifecycle location logging notification object-lock ownershipControls policy policyStatus publicAccessBlock replication requestPayment tagging uploads versioning versions website'.split(
    ' ',
  )
const objectParameters = 'acl attributes legal-hold retention tagging uploadId=x'.split(' ')

const copied = { 'x-amz-copy-source': '/bucket/there' }

const routes: readonly Route[] = [
  ['GET', '/'],
  ['GET', '/?explain-deny=0123456789ABCDEF'],
  ['PUT', '/new-bucket'],
  ['HEAD', '/bucket'],
  ['DELETE', '/bucket'],
  ['GET', '/bucket'],
  ['GET', '/bucket?list-type=2'],
  ['POST', '/bucket', 'form'],
  ['POST', '/bucket?delete', '<Delete><Object><Key>there</Key></Object></Delete>'],
  ...bucketParameters.flatMap((name): Route[] => [
    ['GET', `/bucket?${name}`],
    ['PUT', `/bucket?${name}`, '<x/>'],
    ['DELETE', `/bucket?${name}`],
  ]),
  ['GET', '/bucket/there'],
  ['HEAD', '/bucket/there'],
  ['PUT', '/bucket/there', 'overwritten'],
  ['PUT', '/bucket/new', 'stored'],
  ['PUT', '/bucket/new/deep/key', 'stored'],
  ['DELETE', '/bucket/there'],
  ['POST', '/bucket/new?uploads'],
  ['POST', '/bucket/new?uploadId=x', '<x/>'],
  ['PUT', '/bucket/new?partNumber=1&uploadId=x', 'part'],
  ['PUT', '/bucket/new', '', copied],
  ['PUT', '/bucket/new?partNumber=1&uploadId=x', '', copied],
  ...objectParameters.flatMap((name): Route[] => [
    ['GET', `/bucket/there?${name}`],
    ['PUT', `/bucket/there?${name}`, '<x/>'],
    ['DELETE', `/bucket/there?${name}`],
  ]),
]

const now = (): Signing => ({
  key: rootKey,
  host: new URL(rig.endpoint).host,
  timeMs: Date.now(),
  expiresSeconds: 60,
})

interface Answer {
  readonly status: number
  readonly code: string | undefined
}

/** An answer, or undefined: the connection was cut. */
async function send({ method, url, headers, body }: WireRequest): Promise<Answer> {
  const { hostname, port } = new URL(rig.endpoint)
  const outgoing = httpRequest({
    ...{ host: hostname, port, method, path: url },
    headers: { ...headers, 'content-length': Buffer.byteLength(body) },
  })
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.end(body)
  })
  const pieces: Buffer[] = []
  for await (const piece of incoming) pieces.push(piece as Buffer)
  const bytes = Buffer.concat(pieces)
  const status = incoming.statusCode ?? 0
  return { status, code: status >= 400 && bytes.length > 0 ? parseXml(bytes).textOf('Code') : undefined }
}

/** Everything that the store holds: each path with its version and attributes. */
async function everything(path = '/'): Promise<string[]> {
  const found: string[] = []
  for await (const entry of rig.cluster.client.list(path, { xattrs: true })) {
    const { version, size, xattrs } = entry.stats
    found.push(JSON.stringify([entry.path, version, size, [...xattrs].map(([name, value]) => [name, String(value)])]))
    if (entry.isDirectory()) found.push(...(await everything(entry.path)))
  }
  return found
}

async function changesNothing(work: () => Promise<void>): Promise<void> {
  const before = await everything()
  assert.ok(before.length >= 4)
  await work()
  assert.deepEqual(await everything(), before)
}

type Defect = (signer: Signer, route: Route) => WireRequest

const refusal = { signature: 'SignatureDoesNotMatch', key: 'InvalidAccessKeyId', time: 'RequestTimeTooSkewed' }
const longAgoMs = 20 * 60_000

/** Made for another request, and sent with this one's method, address and body. */
const replayed =
  (of: Route): Defect =>
  (signer, route) => {
    const recorded = signer(of, now())
    const [method, url, body = ''] = route
    const query = recorded.url.slice(of[1].length).replace(/^\?/, '')
    const target = query === '' ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`
    const isForm = recorded.headers['content-type'] !== undefined
    return { method, url: target, headers: { ...recorded.headers, ...route[3] }, body: isForm ? recorded.body : body }
  }

/** The last characters of the signature are missing, wherever it stands. */
const cutSignature: Defect = (signer, route) => {
  const whole = signer(route, now())
  const cut = (text: string) =>
    text.replace(
      /(Signature=|signature"\r\n\r\n|^AWS [^:]+:)([^&\r\n]{20,})/,
      (_, name, value) => name + value.slice(0, -6),
    )
  const { authorization } = whole.headers
  const headers = authorization === undefined ? whole.headers : { ...whole.headers, authorization: cut(authorization) }
  return { ...whole, headers, url: cut(whole.url), body: cut(whole.body) }
}

interface Expectation {
  readonly defect: Defect
  /** 403 with this code; a list where the form decides. Undefined: any refusal of 400 or 403. */
  readonly codes?: readonly string[]
}

const defects: Readonly<Record<string, Expectation>> = {
  'a wrong secret': {
    defect: (signer, route) =>
      signer(route, { ...now(), key: { ...rootKey, secretAccessKey: `${rootKey.secretAccessKey}x` } }),
    codes: [refusal.signature],
  },
  'an empty secret': {
    defect: (signer, route) => signer(route, { ...now(), key: { ...rootKey, secretAccessKey: '' } }),
    codes: [refusal.signature],
  },
  "another user's secret": {
    defect: (signer, route) =>
      signer(route, { ...now(), key: { ...rootKey, secretAccessKey: aliceKey.secretAccessKey } }),
    codes: [refusal.signature],
  },
  'a key that is not there': {
    defect: (signer, route) => signer(route, { ...now(), key: { accessKeyId: 'NOBODY', secretAccessKey: 'x' } }),
    codes: [refusal.key],
  },
  'a time long ago': {
    defect: (signer, route) => signer(route, { ...now(), timeMs: Date.now() - longAgoMs }),
    codes: [refusal.time, 'AccessDenied'],
  },
  'a replay against another route': {
    defect: replayed(['GET', '/other/key']),
    codes: [refusal.signature, 'AccessDenied'],
  },
  'a replay against another method': {
    defect: (signer, [method, url, body, more]) => ({
      ...signer([method === 'GET' ? 'PUT' : 'GET', url, body ?? '', more ?? {}], now()),
      method,
    }),
    codes: [refusal.signature, 'AccessDenied'],
  },
  'a signature cut off': { defect: cutSignature },
}

const signers: Readonly<Record<string, Signer>> = {
  'V4 header': headerV4,
  'V4 presigned': presignedV4,
  'V2 header': headerV2,
  'V2 presigned': presignedV2,
}

const forms: Readonly<Record<string, Signer>> = { 'V4 form': formV4, 'V2 form': formV2 }

describe('the matrix', () => {
  test('has a route for every operation that is there', () => {
    const asked = new Set(routes.map(askedBy))
    for (const table of tables) {
      for (const name of Object.keys(table)) {
        // Browsers ask it before they authenticate: nobody signs it.
        if (name !== 'Preflight') assert.ok(asked.has(name as OperationName), `no route asks for ${name}`)
      }
    }
  })

  for (const [form, signer] of Object.entries(signers)) {
    for (const [defect, { defect: make, codes }] of Object.entries(defects)) {
      test(`${form} with ${defect}: refused on every route, and nothing is stored`, async () => {
        await changesNothing(async () => {
          for (const route of routes) await refused(make(signer, route), route, codes)
        })
      })
    }
  }

  for (const [form, signer] of Object.entries(forms)) {
    test(`${form} on any route but the one that takes forms: refused as anonymous, and nothing is stored`, async () => {
      await changesNothing(async () => {
        for (const route of routes) {
          if ((route[0] === 'POST' && route[1] === '/bucket') || isOpen(route)) continue
          // Right in itself, but no way to prove anything here.
          await refused(signer(route, now()), route, undefined)
        }
      })
    })

    for (const [defect, { defect: make, codes }] of Object.entries(defects)) {
      if (defect === 'a replay against another method') continue
      test(`${form} with ${defect}: refused, and nothing is stored`, async () => {
        await changesNothing(() => refused(make(signer, postRoute), postRoute, codes))
      })
    }

    test(`${form} that is cut off, or has another key or body than was signed for: refused, and nothing is stored`, async () => {
      await changesNothing(async () => {
        const whole = signer(postRoute, now())
        for (let length = 0; length < whole.body.length - 4; length += 53) {
          const { status } = await send({ ...whole, body: whole.body.slice(0, length) })
          assert.ok(status === 400 || status === 403, `cut at ${length}: ${status}`)
        }
        for (const [from, to] of [
          ['\r\n\r\nnew\r\n', '\r\n\r\nthere\r\n'],
          ['name="policy"', 'name="x-policy"'],
          ['name="key"', 'name="acl"\r\n\r\npublic-read\r\n--a-boundary\r\nContent-Disposition: form-data; name="key"'],
        ] as const) {
          assert.ok(whole.body.includes(from))
          const { status } = await send({ ...whole, body: whole.body.replace(from, to) })
          assert.ok(status === 400 || status === 403, `${to}: ${status}`)
        }
      })
    })
  }

  test('anonymous: refused on every route, and nothing is stored', async () => {
    await changesNothing(async () => {
      for (const route of routes) {
        const [method, url, body = '', more] = route
        const wire = { method, url, headers: { host: now().host, ...more }, body }
        if (isOpen(route)) assert.equal((await send(wire)).status, 200)
        else await refused(wire, route, undefined)
      }
    })
  })

  test('another user: refused on every route, and nothing is stored', async () => {
    await changesNothing(async () => {
      for (const route of routes) {
        if (route[1] === '/new-bucket' || isOpen(route)) continue
        for (const signer of Object.values(signers)) {
          await refused(signer(route, { ...now(), key: aliceKey }), route, undefined)
        }
      }
    })
  })

  test('a form of authentication that is not known, or two at once: refused on every route, never taken for anonymous', async () => {
    const v4 = (route: Route) => headerV4(route, now()).headers['authorization'] as string
    const kinds: ((route: Route) => WireRequest)[] = [
      ...[
        'Bearer x',
        'Basic cm9vdDpyb290',
        'Negotiate x',
        'AWS',
        'AWS4-HMAC-SHA512 x',
        'AWS4-ECDSA-P256-SHA256 x',
        '',
      ].map((authorization) => ([method, url, body = '', more]: Route) => ({
        method,
        url,
        headers: { host: now().host, authorization, ...more },
        body,
      })),
      ...[presignedV4, presignedV2].map((signer) => (route: Route) => {
        const signed = signer(route, now())
        return { ...signed, headers: { ...signed.headers, authorization: v4(route) } }
      }),
      (route) => {
        const url = presignedV4(route, now()).url.replace('AWS4-HMAC-SHA256', 'AWS4-HMAC-SHA1')
        return { ...presignedV4(route, now()), url }
      },
      (route) => presignedV4(route, { ...now(), expiresSeconds: 7 * 24 * 3600 + 1 }),
      (route) => presignedV4(route, { ...now(), timeMs: Date.now() + longAgoMs }),
      (route) => headerV4(route, { ...now(), timeMs: Date.now() + longAgoMs }),
    ]
    await changesNothing(async () => {
      for (const route of routes) for (const kind of kinds) await refused(kind(route), route, undefined)
    })
  })

  test('an unsigned header of S3, or a changed signed one, is refused in every signed form', async () => {
    await changesNothing(async () => {
      for (const signer of Object.values(signers)) {
        for (const route of routes) {
          const signed = signer(route, now())
          const headers = { ...signed.headers, 'x-amz-meta-added': 'on the way' }
          await refused({ ...signed, headers }, route, ['AccessDenied', refusal.signature])
        }
      }
    })
  })

  test('a body that is not the signed one: refused, and nothing is stored', async () => {
    await changesNothing(async () => {
      for (const route of routes) {
        const [method, , body] = route
        if (body === undefined || body === '' || method === 'POST') continue
        const { status } = await send({ ...headerV4(route, now()), body: body.replace(/.$/, '!') })
        assert.ok(status >= 400 && status < 600 && status !== 500, `${route.join(' ')}: ${status}`)
      }
      for (const url of ['/bucket/there', '/bucket/new']) {
        const { code } = await send({ ...headerV4(['PUT', url, 'this'], now()), body: 'that' })
        assert.equal(code, 'XAmzContentSHA256Mismatch')
      }
    })
  })

  test('signed chunks that are reordered, repeated, left out, of another request or of another time: refused, and nothing is stored', async () => {
    const route = ['PUT', '/bucket/there'] as const
    const chunks = ['a'.repeat(100), 'b'.repeat(100), 'c'.repeat(100)]
    const { head, frames } = signedChunks(route, chunks, now())
    const [a = '', b = '', c = '', end = ''] = frames
    const other = signedChunks(['PUT', '/bucket/new'], chunks, now())
    const earlier = signedChunks(route, chunks, { ...now(), timeMs: Date.now() - 60_000 })
    await changesNothing(async () => {
      for (const [what, body, code] of [
        ['reordered', b + a + c + end, refusal.signature],
        ['repeated', a + a + c + end, refusal.signature],
        ['left out', a + c + end, refusal.signature],
        ['another', a + b.replace('bbb', 'xxx') + c + end, refusal.signature],
        ['of another request', other.frames.join(''), refusal.signature],
        ['of another time', earlier.frames.join(''), refusal.signature],
        ['without signature', `64\r\n${chunks[0]}\r\n0\r\n\r\n`, undefined],
        ['without end', a + b + c, undefined],
        ['cut off', (a + b).slice(0, -40), undefined],
        ['ended early', a + end, refusal.signature],
      ] as const) {
        const answer = await send({ ...head, body })
        assert.ok(answer.status === 400 || answer.status === 403, `${what}: ${answer.status}`)
        if (code !== undefined) assert.deepEqual([answer.status, answer.code], [403, code], what)
      }
    })
  })
})

const postRoute: Route = ['POST', '/bucket', 'form']

/** Whoever asks is told of his own buckets: nobody of none. */
function isOpen([, url]: Route): boolean {
  return url === '/'
}

const tables = [serviceOperations, bucketOperations, objectOperations]

/** Undefined: the door knows no such thing. */
function askedBy([method, url, , headers = {}]: Route): OperationName | undefined {
  try {
    return operationOf(parseS3Request({ method, url, rawHeaders: Object.entries(headers).flat() }, []))
  } catch (error) {
    assert.ok(error instanceof S3Error && error.code === 'NotImplemented')
    return undefined
  }
}

function isThere(route: Route): boolean {
  const operation = askedBy(route)
  return operation !== undefined && tables.some((table) => Object.hasOwn(table, operation))
}

async function refused(wire: WireRequest, route: Route, codes: readonly string[] | undefined): Promise<void> {
  const [method, url] = route
  const { status, code } = await send(wire)
  const what = `${method} ${url}: ${status} ${code}`
  // Who is known to be nobody, or somebody else, is told of what the door cannot do at all.
  if (status === 501 && codes === undefined && !isThere(route)) return
  if (codes === undefined) assert.ok(status === 400 || status === 403, what)
  else {
    assert.equal(status, 403, what)
    if (method !== 'HEAD') assert.ok(codes.includes(code ?? ''), what)
  }
}

// Last: it changes what is there.
describe('the control', () => {
  const failures = new Set([refusal.signature, refusal.key, refusal.time, 'AccessDenied'])

  for (const [form, signer] of Object.entries(signers)) {
    test(`${form} without a defect passes authentication on every route`, async () => {
      await prepare()
      for (const route of routes) {
        const { status, code } = await send(signer(route, now()))
        // No request is known by this id.
        if (route[1].startsWith('/?explain-deny')) assert.equal(status, 404)
        else assert.ok(status !== 403 && !failures.has(code ?? ''), `${route.join(' ')}: ${status} ${code}`)
        if (route[0] === 'DELETE' && (route[1] === '/bucket' || route[1] === '/bucket/there')) await prepare()
      }
    })
  }

  for (const [form, signer] of Object.entries(forms)) {
    test(`${form} without a defect is stored`, async () => {
      await prepare()
      assert.deepEqual(await send(signer(postRoute, now())), { status: 204, code: undefined })
      assert.equal(await rig.cluster.client.readFile('/bucket/new', 'utf8'), 'form')
      assert.ok(formBoundary.length > 0)
    })
  }

  test('signed chunks without a defect are stored', async () => {
    await prepare()
    const { head } = signedChunks(['PUT', '/bucket/there'], ['a'.repeat(100), 'b'], now())
    assert.equal((await send(head)).status, 200)
    assert.equal(await rig.cluster.client.readFile('/bucket/there', 'utf8'), `${'a'.repeat(100)}b`)
  })
})
