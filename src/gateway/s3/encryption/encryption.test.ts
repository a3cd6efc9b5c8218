/** Encryption through the door: what clients send and get, and what then lies on the disks. @module */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type S3Rig, startS3Rig } from '../../../../test/compat/s3/s3-rig.ts'

const clusterKey = randomBytes(32)
const [keyA, keyB] = [randomBytes(32), randomBytes(32)]
const partBytes = 200_000
const marker = 'plain text that nobody may find on a disk. '

let rig: S3Rig
let folder: string

before(async () => {
  // So that all files of the cluster are found.
  folder = mkdtempSync(join(tmpdir(), 'ashlar-encryption-'))
  const temporary = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  try {
    rig = await startS3Rig({
      storage: 'disk',
      gateway: { partMinBytes: partBytes, encryptionKeys: [clusterKey], kmsKeyIds: ['key-1', 'key-2'] },
    })
  } finally {
    if (temporary === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = temporary
  }
  await rig.s3.send('PUT', '/box')
})
after(async () => {
  await rig[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

function customer(key: Buffer, prefix = 'x-amz-server-side-encryption-customer-'): Record<string, string> {
  return {
    [`${prefix}algorithm`]: 'AES256',
    [`${prefix}key`]: key.toString('base64'),
    [`${prefix}key-md5`]: createHash('md5').update(key).digest('base64'),
  }
}
const ofSource = (key: Buffer) => customer(key, 'x-amz-copy-source-server-side-encryption-customer-')
const sse = (mode: string) => ({ 'x-amz-server-side-encryption': mode })
const kms = (keyId: string) => ({ ...sse('aws:kms'), 'x-amz-server-side-encryption-aws-kms-key-id': keyId })
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex')
const text = (length: number) => Buffer.alloc(length, marker)

async function put(key: string, body: Buffer, headers: Record<string, string>) {
  const answer = await rig.s3.send('PUT', `/box/${key}`, { body, headers })
  assert.equal(answer.status, 200, `${key}: ${answer.body}`)
  return answer
}

async function get(key: string, headers: Record<string, string> = {}) {
  return await rig.s3.send('GET', `/box/${key}`, { headers })
}

/** Not by `deepEqual`, which takes minutes to show how large buffers differ. */
function checkSame(found: Buffer, expected: Buffer): void {
  assert.ok(found.equals(expected), `${found.length} bytes are not the ${expected.length} that were expected`)
}

/** Everything that the cluster's processes wrote. */
function filesOnDisk(): { readonly path: string; readonly bytes: Buffer }[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => ({ path, bytes: readFileSync(path) }))
}

describe('an encrypted object', () => {
  test('is nowhere on a disk in the clear, and neither is a key', async () => {
    const needle = randomBytes(24).toString('hex')
    const plain = Buffer.alloc(300_000, needle)
    await put('open', plain, {})
    assert.ok(
      filesOnDisk().some(({ bytes }) => bytes.includes(needle)),
      'the search finds what is not encrypted',
    )
    const secret = randomBytes(24).toString('hex')
    const small = Buffer.from(secret)
    const large = Buffer.alloc(3_000_000, secret)
    for (const [key, headers] of Object.entries({
      s3: sse('AES256'),
      kms: kms('key-1'),
      own: customer(keyA),
    })) {
      await put(`hidden-small-${key}`, small, headers)
      await put(`hidden-large-${key}`, large, headers)
      const reading = key === 'own' ? customer(keyA) : {}
      checkSame((await get(`hidden-large-${key}`, reading)).body, large)
    }
    const keys = [keyA, clusterKey].flatMap((key) => [
      key,
      Buffer.from(key.toString('base64')),
      Buffer.from(key.toString('hex')),
    ])
    const ofContent = [small, large].flatMap((bytes) => [
      Buffer.from(md5(bytes)),
      createHash('md5').update(bytes).digest(),
    ])
    for (const { path, bytes } of filesOnDisk()) {
      assert.ok(!bytes.includes(secret), `plain text in ${path}`)
      for (const key of keys) assert.ok(!bytes.includes(key), `a key in ${path}`)
    }
    // A guess of what a customer hid cannot be tested by its MD5 either.
    const own = await rig.s3.send('HEAD', '/box/hidden-large-own', { headers: customer(keyA) })
    assert.ok(!ofContent.some((tag) => own.headers.etag?.includes(tag.toString())))
  })

  test('has the size, the ranges and the tag of what was put', async () => {
    const body = text(150_000)
    const stored = await put('ranged', body, sse('AES256'))
    assert.equal(stored.headers['x-amz-server-side-encryption'], 'AES256')
    assert.equal(stored.headers.etag, `"${md5(body)}"`)
    const head = await rig.s3.send('HEAD', '/box/ranged')
    assert.deepEqual([head.headers['content-length'], head.headers.etag], ['150000', stored.headers.etag])
    assert.equal(head.headers['x-amz-server-side-encryption'], 'AES256')
    for (const [start, end] of [
      [0, 0],
      [65_535, 65_536],
      [70_000, 140_000],
      [149_999, 149_999],
    ] as const) {
      const answer = await get('ranged', { range: `bytes=${start}-${end}` })
      assert.equal(answer.status, 206)
      assert.equal(answer.headers['content-range'], `bytes ${start}-${end}/150000`)
      checkSame(answer.body, body.subarray(start, end + 1))
    }
    assert.equal((await get('ranged', { range: 'bytes=150000-' })).code, 'InvalidRange')
    const listed = (await rig.s3.send('GET', '/box?prefix=ranged')).xml().child('Contents')
    assert.equal(listed?.textOf('Size'), '150000')
    const attributes = await rig.s3.send('GET', '/box/ranged?attributes', {
      headers: { 'x-amz-object-attributes': 'ObjectSize,ETag' },
    })
    assert.equal(attributes.xml().textOf('ObjectSize'), '150000')
    await put('empty', Buffer.alloc(0), sse('AES256'))
    assert.equal((await get('empty')).body.length, 0)
  })

  test('under a customer’s key opens with that key alone', async () => {
    const body = text(1000)
    const stored = await put('own', body, customer(keyA))
    assert.equal(stored.headers['x-amz-server-side-encryption-customer-algorithm'], 'AES256')
    assert.notEqual(stored.headers.etag, `"${md5(body)}"`)
    const found = await get('own', customer(keyA))
    assert.deepEqual([found.body, found.headers.etag], [body, stored.headers.etag])
    assert.equal((await get('own')).status, 400)
    assert.equal((await get('own', customer(keyB))).status, 400)
    assert.equal((await rig.s3.send('HEAD', '/box/own')).status, 400)
    const attributes = { 'x-amz-object-attributes': 'ETag' }
    assert.equal((await rig.s3.send('GET', '/box/own?attributes', { headers: attributes })).status, 400)
    const withKey = { headers: { ...attributes, ...customer(keyA) } }
    assert.equal((await rig.s3.send('GET', '/box/own?attributes', withKey)).status, 200)
    await put('bare', body, {})
    assert.equal((await get('bare', customer(keyA))).code, 'InvalidRequest')
    assert.equal((await get('bare', sse('AES256'))).code, 'InvalidArgument')
    const wrong = { ...customer(keyA), 'x-amz-server-side-encryption-customer-key-md5': 'AAAAAAAAAAAAAAAAAAAAAA==' }
    const refused = await rig.s3.send('PUT', '/box/own', { body: 'x', headers: wrong })
    assert.equal(refused.code, 'InvalidArgument')
    assert.ok(!refused.body.includes(keyA.toString('base64')))
  })

  test('is refused where the cluster has no key, or the key service no such key', async () => {
    const answer = await rig.s3.send('PUT', '/box/x', { body: 'x', headers: kms('key-3') })
    assert.equal(answer.code, 'InvalidArgument')
    await using bare = await startS3Rig()
    await bare.s3.send('PUT', '/box')
    for (const headers of [sse('AES256'), kms('key-1')]) {
      assert.equal((await bare.s3.send('PUT', '/box/x', { body: 'x', headers })).code, 'NotImplemented')
    }
    assert.equal((await bare.s3.send('GET', '/box/x')).status, 404)
  })
})

describe('copies', () => {
  const modes = {
    plain: { headers: {}, reading: {}, source: {} },
    s3: { headers: sse('AES256'), reading: {}, source: {} },
    kms: { headers: kms('key-2'), reading: {}, source: {} },
    own: { headers: customer(keyA), reading: customer(keyA), source: ofSource(keyA) },
  }

  // Of several frames, and of one: short bodies are taken whole, and the memory of what was decrypted is gone with its piece.
  for (const sizeBytes of [140_001, 1])
    test(`go from any encryption to any other, ${sizeBytes} bytes`, async () => {
      const body = text(sizeBytes)
      for (const [from, { headers, source }] of Object.entries(modes)) {
        await put(`from-${from}`, body, headers)
        for (const [to, target] of Object.entries(modes)) {
          const toHeaders = to === 'own' ? customer(keyB) : target.headers
          const answer = await rig.s3.send('PUT', `/box/copy-${from}-${to}`, {
            headers: { 'x-amz-copy-source': `/box/from-${from}`, ...source, ...toHeaders },
          })
          assert.equal(answer.status, 200, `${from} to ${to}: ${answer.body}`)
          const copied = await get(`copy-${from}-${to}`, to === 'own' ? customer(keyB) : {})
          checkSame(copied.body, body)
          assert.equal(
            copied.headers['x-amz-server-side-encryption'],
            toHeaders['x-amz-server-side-encryption' as never],
          )
          assert.equal(`"${answer.xml().textOf('ETag')?.replaceAll('"', '')}"`, copied.headers.etag)
          if (to === 'own') assert.equal((await get(`copy-${from}-${to}`, customer(keyA))).status, 400)
        }
      }
      assert.equal(
        (await rig.s3.send('PUT', '/box/copy', { headers: { 'x-amz-copy-source': '/box/from-own' } })).status,
        400,
        'the key of the source is missing',
      )
    })

  test('of an object onto itself change its encryption', async () => {
    const body = text(5000)
    await put('self', body, {})
    const copy = { 'x-amz-copy-source': '/box/self' }
    assert.equal((await rig.s3.send('PUT', '/box/self', { headers: copy })).code, 'InvalidRequest')
    assert.equal((await rig.s3.send('PUT', '/box/self', { headers: { ...copy, ...sse('AES256') } })).status, 200)
    const found = await get('self')
    assert.deepEqual([found.body, found.headers['x-amz-server-side-encryption']], [body, 'AES256'])
  })
})

describe('multipart uploads', () => {
  async function upload(
    key: string,
    { headers, keyHeaders = {} }: { headers: Record<string, string>; keyHeaders?: Record<string, string> },
  ) {
    const { s3 } = rig
    const begun = await s3.send('POST', `/box/${key}?uploads`, { headers })
    assert.equal(begun.status, 200, `${begun.body}`)
    const uploadId = begun.xml().textOf('UploadId')
    const bodies = [text(partBytes), text(partBytes), randomBytes(70_000)]
    const tags: string[] = []
    for (const [index, body] of bodies.entries()) {
      const url = `/box/${key}?uploadId=${uploadId}&partNumber=${index + 1}`
      // Sent twice: the second is what counts, under another nonce.
      await s3.send('PUT', url, { body: Buffer.alloc(partBytes, 1), headers: keyHeaders })
      const sent = await s3.send('PUT', url, { body, headers: keyHeaders })
      assert.equal(sent.status, 200, `${sent.body}`)
      tags.push(sent.headers.etag as string)
    }
    return { uploadId, bodies, tags, whole: Buffer.concat(bodies) }
  }

  async function complete(
    key: string,
    { uploadId, tags }: { uploadId: string | undefined; tags: string[] },
    headers = {},
  ) {
    const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${tag}</ETag></Part>`)
    const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`
    return await rig.s3.send('POST', `/box/${key}?uploadId=${uploadId}`, { body, headers })
  }

  test('are encrypted part by part, and read over their borders', async () => {
    const { uploadId, tags, whole, bodies } = await upload('parts', { headers: sse('AES256') })
    const done = await complete('parts', { uploadId, tags })
    assert.equal(done.status, 200, `${done.body}`)
    const found = await get('parts')
    checkSame(found.body, whole)
    assert.equal(found.headers['content-length'], String(whole.length))
    assert.match(found.headers.etag as string, /-3"$/)
    for (const [start, end] of [
      [partBytes - 1, partBytes],
      [10, whole.length - 10],
      [partBytes * 2, partBytes * 2],
    ] as const) {
      const range = await get('parts', { range: `bytes=${start}-${end}` })
      checkSame(range.body, whole.subarray(start, end + 1))
    }
    const second = await rig.s3.send('GET', '/box/parts?partNumber=2')
    checkSame(second.body, bodies[1] as Buffer)
    await rig.s3.send('PUT', '/box/parts-copy', { headers: { 'x-amz-copy-source': '/box/parts', ...customer(keyA) } })
    checkSame((await get('parts-copy', customer(keyA))).body, whole)
  })

  test('under a customer’s key want it with each part', async () => {
    const headers = customer(keyA)
    const { uploadId, tags, whole } = await upload('own-parts', { headers, keyHeaders: headers })
    for (const wrong of [{}, customer(keyB)]) {
      const url = `/box/own-parts?uploadId=${uploadId}&partNumber=4`
      assert.equal((await rig.s3.send('PUT', url, { body: 'x', headers: wrong })).status, 400)
    }
    assert.equal((await complete('own-parts', { uploadId, tags }, customer(keyB))).status, 400)
    assert.equal((await complete('own-parts', { uploadId, tags }, headers)).status, 200)
    checkSame((await get('own-parts', headers)).body, whole)
    assert.equal((await get('own-parts')).status, 400)
    assert.equal((await rig.s3.send('GET', '/box/own-parts?partNumber=1')).code, 'InvalidRequest')
    assert.equal((await rig.s3.send('GET', '/box/own-parts?partNumber=9')).code, 'InvalidPart')
  })

  test('take parts from objects of any encryption', async () => {
    const body = text(partBytes + 11)
    await put('source-own', body, customer(keyB))
    await put('source-plain', body, {})
    for (const [key, headers] of Object.entries({ plain: {}, s3: sse('AES256'), own: customer(keyA) })) {
      const keyHeaders = key === 'own' ? customer(keyA) : {}
      const begun = await rig.s3.send('POST', `/box/taken-${key}?uploads`, { headers })
      const uploadId = begun.xml().textOf('UploadId')
      const tags: string[] = []
      const sources = [
        { from: 'source-own', more: ofSource(keyB) },
        { from: 'source-plain', more: {} },
      ]
      for (const [index, { from, more }] of sources.entries()) {
        const answer = await rig.s3.send('PUT', `/box/taken-${key}?uploadId=${uploadId}&partNumber=${index + 1}`, {
          headers: {
            ...{ 'x-amz-copy-source': `/box/${from}`, 'x-amz-copy-source-range': `bytes=5-${partBytes + 10}` },
            ...more,
            ...keyHeaders,
          },
        })
        assert.equal(answer.status, 200, `${answer.body}`)
        tags.push(answer.xml().textOf('ETag') as string)
      }
      assert.equal((await complete(`taken-${key}`, { uploadId, tags }, keyHeaders)).status, 200)
      const expected = Buffer.concat([body.subarray(5), body.subarray(5)])
      checkSame((await get(`taken-${key}`, keyHeaders)).body, expected)
    }
  })
})

describe('the encryption of a bucket', () => {
  const url = '/of-bucket?encryption'
  const document = (algorithm: string, keyId = '') =>
    `<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>${algorithm}</SSEAlgorithm>${keyId}</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>`

  test('is put, told, followed and removed', async () => {
    const { s3 } = rig
    await s3.send('PUT', '/of-bucket')
    assert.equal((await s3.send('GET', url)).code, 'ServerSideEncryptionConfigurationNotFoundError')
    assert.equal((await s3.send('PUT', url, { body: document('AES256') })).status, 200)
    const told = (await s3.send('GET', url)).xml().child('Rule')?.child('ApplyServerSideEncryptionByDefault')
    assert.equal(told?.textOf('SSEAlgorithm'), 'AES256')
    const stored = await s3.send('PUT', '/of-bucket/a', { body: 'x' })
    assert.equal(stored.headers['x-amz-server-side-encryption'], 'AES256')
    const own = await s3.send('PUT', '/of-bucket/own', { body: 'x', headers: customer(keyA) })
    assert.equal(own.headers['x-amz-server-side-encryption'], undefined)
    assert.equal((await s3.send('DELETE', url)).status, 204)
    const open = await s3.send('PUT', '/of-bucket/b', { body: 'x' })
    assert.equal(open.headers['x-amz-server-side-encryption'], undefined)
    assert.equal((await s3.send('GET', '/of-bucket/a')).body.toString(), 'x')
    const named = document('aws:kms', '<KMSMasterKeyID>key-1</KMSMasterKeyID>')
    assert.equal((await s3.send('PUT', url, { body: named })).status, 200)
    const byName = await s3.send('PUT', '/of-bucket/c', { body: 'x' })
    assert.equal(byName.headers['x-amz-server-side-encryption-aws-kms-key-id'], 'key-1')
  })

  test('is refused where it says nothing that is known', async () => {
    const { s3 } = rig
    for (const [body, code] of [
      [document('AES512'), 'MalformedXML'],
      ['<ServerSideEncryptionConfiguration/>', 'MalformedXML'],
      [document('aws:kms', '<KMSMasterKeyID>other</KMSMasterKeyID>'), 'InvalidArgument'],
      [document('AES256', '<KMSMasterKeyID>key-1</KMSMasterKeyID>'), 'InvalidArgument'],
      [document('aws:kms:dsse'), 'NotImplemented'],
    ] as const) {
      assert.equal((await s3.send('PUT', url, { body })).code, code, body)
    }
  })
})
