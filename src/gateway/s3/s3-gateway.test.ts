import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { type S3Rig, startS3Rig } from '../../../test/compat/s3/s3-rig.ts'

let rig: S3Rig

before(async () => {
  rig = await startS3Rig({ gateway: { partMinBytes: 1000 } })
})
after(() => rig[Symbol.asyncDispose]())

let bucketCount = 0
async function newBucket(): Promise<string> {
  const name = `bucket-${++bucketCount}`
  assert.equal((await rig.s3.send('PUT', `/${name}`)).status, 200)
  return name
}

function md5(bytes: Uint8Array | string): string {
  return createHash('md5').update(bytes).digest('hex')
}

describe('buckets', () => {
  test('are made, listed, told of and removed, and are top directories', async () => {
    const { s3, cluster } = rig
    const name = await newBucket()
    assert.ok((await cluster.client.stat(`/${name}`)).isDirectory())
    assert.equal((await s3.send('HEAD', `/${name}`)).headers['x-amz-bucket-region'], 'us-east-1')
    assert.equal((await s3.send('PUT', `/${name}`)).status, 200)
    assert.equal((await rig.alice.send('PUT', `/${name}`)).code, 'BucketAlreadyExists')
    assert.equal((await s3.send('GET', `/${name}?location`)).xml().name, 'LocationConstraint')
    const listed = (await s3.send('GET', '/')).xml()
    assert.ok(
      listed
        .child('Buckets')
        ?.all('Bucket')
        .some((bucket) => bucket.textOf('Name') === name),
    )
    assert.equal((await s3.send('PUT', `/${name}/a/b/c`, { body: 'x' })).status, 200)
    assert.equal((await s3.send('DELETE', `/${name}`)).code, 'BucketNotEmpty')
    assert.equal((await s3.send('DELETE', `/${name}/a/b/c`)).status, 204)
    assert.equal((await s3.send('DELETE', `/${name}`)).status, 204)
    assert.equal(await cluster.client.exists(`/${name}`), false)
    assert.equal((await s3.send('HEAD', `/${name}`)).status, 404)
    assert.equal((await s3.send('GET', `/${name}`)).code, 'NoSuchBucket')
    for (const bad of ['Bad', 'a', '..', 'a..b', '-a-', '.s3']) {
      assert.equal((await s3.send('PUT', `/${bad}`)).code, 'InvalidBucketName', bad)
    }
  })

  test('in which lists count are made by whoever asks for the list `private`, as rclone does', async () => {
    const { s3 } = rig
    const listed = { headers: { 'x-amz-acl': 'private' } }
    assert.equal((await s3.send('PUT', '/without-lists')).status, 200)
    assert.equal((await s3.send('PUT', '/with-lists', listed)).status, 200)
    const controls = (await s3.send('GET', '/with-lists?ownershipControls')).xml()
    assert.equal(controls.child('Rule')?.textOf('ObjectOwnership'), 'BucketOwnerPreferred')
    assert.equal((await s3.send('PUT', '/with-lists/k', listed)).status, 200)
    assert.equal((await s3.send('PUT', '/without-lists/k', listed)).code, 'AccessControlListNotSupported')
    // Nothing is public for it.
    const open = { headers: { 'x-amz-acl': 'public-read' } }
    assert.equal((await s3.send('PUT', '/with-lists/k', open)).code, 'AccessDenied')
    for (const url of ['/with-lists/k', '/with-lists', '/without-lists']) await s3.send('DELETE', url)
  })

  test('are hidden from everybody but their owner and the root account', async () => {
    assert.equal((await rig.alice.send('PUT', '/of-alice')).status, 200)
    assert.equal((await rig.alice.send('PUT', '/of-alice/k', { body: 'x' })).status, 200)
    for (const [method, url] of [
      ['GET', '/of-alice'],
      ['GET', '/of-alice/k'],
      ['HEAD', '/of-alice/k'],
      ['PUT', '/of-alice/k'],
      ['DELETE', '/of-alice/k'],
      ['DELETE', '/of-alice'],
      ['POST', '/of-alice/k?uploads'],
    ] as const) {
      assert.equal((await rig.bob.send(method, url)).status, 403, `${method} ${url}`)
      assert.equal((await rig.bob.send(method, url, { anonymous: true })).status, 403, `${method} ${url}`)
    }
    const body = '<Delete><Object><Key>k</Key></Object></Delete>'
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    const listed = (await rig.bob.send('POST', '/of-alice?delete', { body, headers })).xml()
    assert.equal(listed.child('Error')?.textOf('Code'), 'AccessDenied')
    assert.equal((await rig.s3.send('GET', '/of-alice/k')).body.toString(), 'x')
    const ofBob = (await rig.bob.send('GET', '/')).xml().child('Buckets')
    assert.equal(ofBob?.all('Bucket').length, 0)
    await rig.bob.send('PUT', '/of-bob')
    const copied = await rig.bob.send('PUT', '/of-bob/k', { headers: { 'x-amz-copy-source': '/of-alice/k' } })
    assert.equal(copied.code, 'AccessDenied')
  })
})

describe('objects', () => {
  test('are files, and files are objects', async () => {
    const { s3, cluster } = rig
    const bucket = await newBucket()
    const again = await s3.send('PUT', `/${bucket}/dir/hello.txt`, {
      body: 'hello, world',
      headers: {
        'content-type': 'text/plain',
        'x-amz-meta-color': 'blue',
        'cache-control': 'no-store',
        'content-encoding': 'gzip,aws-chunked',
      },
    })
    assert.equal(again.headers.etag, `"${md5('hello, world')}"`)
    assert.equal(await cluster.client.readFile(`/${bucket}/dir/hello.txt`, 'utf8'), 'hello, world')
    const got = await s3.send('GET', `/${bucket}/dir/hello.txt`)
    assert.equal(got.body.toString(), 'hello, world')
    assert.equal(got.headers['content-type'], 'text/plain')
    assert.equal(got.headers['x-amz-meta-color'], 'blue')
    assert.equal(got.headers['cache-control'], 'no-store')
    assert.equal(got.headers['content-encoding'], 'gzip')
    assert.equal(got.headers['content-length'], '12')
    // Another door changes it: what S3 knew is of other bytes, and is not shown.
    await cluster.client.appendFile(`/${bucket}/dir/hello.txt`, '!')
    const head = await s3.send('HEAD', `/${bucket}/dir/hello.txt`)
    assert.notEqual(head.headers.etag, again.headers.etag)
    assert.match(head.headers.etag ?? '', /^"[0-9a-f]{32}-0"$/)
    assert.equal(head.headers['content-length'], '13')
    // Other bytes of the same length.
    await cluster.client.truncate(`/${bucket}/dir/hello.txt`, 11)
    await cluster.client.appendFile(`/${bucket}/dir/hello.txt`, '?')
    const same = await s3.send('HEAD', `/${bucket}/dir/hello.txt`)
    assert.equal(same.headers['content-length'], '12')
    assert.notEqual(same.headers.etag, again.headers.etag)
    await cluster.client.writeFile(`/${bucket}/by-file`, 'of a file')
    assert.equal((await s3.send('GET', `/${bucket}/by-file`)).body.toString(), 'of a file')
  })

  test('are read in ranges and under conditions', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    const { headers } = await s3.send('PUT', `/${bucket}/k`, { body: '0123456789' })
    const etag = headers.etag as string
    for (const [range, status, body, contentRange] of [
      ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-3', 206, '789', 'bytes 7-9/10'],
      ['bytes=5-100', 206, '56789', 'bytes 5-9/10'],
      ['lines=1-2', 200, '0123456789', undefined],
    ] as const) {
      const got = await s3.send('GET', `/${bucket}/k`, { headers: { range } })
      assert.deepEqual(
        [got.status, got.body.toString(), got.headers['content-range']],
        [status, body, contentRange],
        range,
      )
    }
    assert.equal((await s3.send('GET', `/${bucket}/k`, { headers: { range: 'bytes=10-' } })).code, 'InvalidRange')
    const cases: readonly (readonly [Record<string, string>, number])[] = [
      [{ 'if-match': etag }, 200],
      [{ 'if-match': '"x"' }, 412],
      [{ 'if-none-match': etag }, 304],
      [{ 'if-none-match': '"x"' }, 200],
      [{ 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() }, 304],
      [{ 'if-unmodified-since': new Date(0).toUTCString() }, 412],
    ]
    for (const [condition, status] of cases) {
      const got = await s3.send('GET', `/${bucket}/k`, { headers: condition })
      assert.equal(got.status, status, JSON.stringify(condition))
      if (status === 304) assert.equal(got.headers.etag, etag)
    }
    const overridden = await s3.send(
      'GET',
      `/${bucket}/k?response-content-type=text%2Fx&response-content-disposition=a`,
    )
    assert.equal(overridden.headers['content-type'], 'text/x')
    assert.equal((await s3.send('GET', `/${bucket}/k?response-content-type=a%0d%0ab`)).code, 'InvalidArgument')
    assert.equal((await s3.send('GET', `/${bucket}/missing`)).code, 'NoSuchKey')
    assert.equal((await s3.send('GET', `/${bucket}/k/below`)).code, 'NoSuchKey')
    assert.equal((await s3.send('HEAD', `/${bucket}/missing`)).status, 404)
    assert.equal((await s3.send('GET', `/${bucket}/k?versionId=null`)).status, 200)
    assert.equal((await s3.send('GET', `/${bucket}/k?versionId=x`)).code, 'NoSuchVersion')
    assert.equal((await s3.send('GET', `/${bucket}/k?unheard`)).code, 'NotImplemented')
  })

  test('are written under conditions, with one winner', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    const winners = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        s3.send('PUT', `/${bucket}/k`, { body: `writer ${index}`, headers: { 'if-none-match': '*' } }),
      ),
    )
    const won = winners.filter(({ status }) => status === 200)
    assert.equal(won.length, 1)
    assert.ok(winners.every(({ status }) => status === 200 || status === 412))
    const etag = won[0]?.headers.etag as string
    assert.equal((await s3.send('PUT', `/${bucket}/k`, { body: 'x', headers: { 'if-match': '"other"' } })).status, 412)
    assert.equal((await s3.send('PUT', `/${bucket}/k`, { body: 'x', headers: { 'if-match': etag } })).status, 200)
    assert.equal(
      (await s3.send('PUT', `/${bucket}/new`, { body: 'x', headers: { 'if-match': etag } })).code,
      'NoSuchKey',
    )
    assert.equal((await s3.send('DELETE', `/${bucket}/k`, { headers: { 'if-match': '"other"' } })).status, 412)
    assert.equal((await s3.send('DELETE', `/${bucket}/k`, { headers: { 'if-match': `"${md5('x')}"` } })).status, 204)
  })

  test('leave nothing when their body is not what was said', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    for (const [options, code] of [
      [{ payloadHash: '0'.repeat(64) }, 'XAmzContentSHA256Mismatch'],
      [{ headers: { 'content-md5': Buffer.alloc(16).toString('base64') } }, 'BadDigest'],
      [{ headers: { 'content-md5': 'x' } }, 'InvalidDigest'],
      [{ headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }, 'BadDigest'],
      [{ headers: { 'x-amz-checksum-sha256': 'x' } }, 'BadDigest'],
    ] as const) {
      assert.equal((await s3.send('PUT', `/${bucket}/k`, { body: 'hello', ...options })).code, code)
      assert.equal((await s3.send('HEAD', `/${bucket}/k`)).status, 404)
    }
  })

  test('hold any key exactly', async () => {
    const { s3, cluster } = rig
    const bucket = await newBucket()
    const keys = [
      'a',
      'a/',
      'a/b',
      'a//b',
      '/a',
      '../x',
      '.',
      'a/./b',
      'a/..',
      'a%00b',
      '%01%7f',
      '%C3%BC/%F0%9F%98%80',
      'x'.repeat(1024),
    ]
    for (const key of keys)
      assert.equal((await s3.send('PUT', `/${bucket}/${key}`, { body: `of ${key}` })).status, 200, key)
    for (const key of keys) {
      assert.equal((await s3.send('GET', `/${bucket}/${key}`)).body.toString(), `of ${key}`)
      assert.equal((await s3.send('HEAD', `/${bucket}/${key}`)).headers.etag, `"${md5(`of ${key}`)}"`)
    }
    const listed = (await s3.send('GET', `/${bucket}?encoding-type=url`)).xml().all('Contents')
    const bytesOf = (key: string) => Buffer.from(decodeURIComponent(key))
    assert.deepEqual(
      listed.map((entry) => bytesOf(entry.textOf('Key') as string).toString('hex')),
      keys
        .map((key) => bytesOf(key))
        .sort(Buffer.compare)
        .map((key) => key.toString('hex')),
    )
    assert.equal(await cluster.client.readFile(`/${bucket}/a/b`, 'utf8'), 'of a/b')
    for (const key of keys) assert.equal((await s3.send('DELETE', `/${bucket}/${key}`)).status, 204, key)
    assert.equal((await s3.send('GET', `/${bucket}`)).xml().all('Contents').length, 0)
    assert.equal((await s3.send('DELETE', `/${bucket}`)).status, 204)
  })

  test('are copied without moving bytes, with their metadata or with other', async () => {
    const { s3, cluster } = rig
    const bucket = await newBucket()
    const body = Buffer.alloc(100_000, 'c')
    await s3.send('PUT', `/${bucket}/ä b`.replace('ä', '%C3%A4').replace(' ', '%20'), {
      body,
      headers: { 'x-amz-meta-a': '1' },
    })
    const source = `${bucket}/%C3%A4%20b`
    const copied = await s3.send('PUT', `/${bucket}/copy`, { headers: { 'x-amz-copy-source': source } })
    assert.equal(copied.xml().textOf('ETag'), `"${md5(body)}"`)
    const chunksOf = async (path: string) => {
      const ids: string[] = []
      for await (const { chunkId } of cluster.client.describeChunks(path)) ids.push(chunkId)
      return ids
    }
    assert.deepEqual(await chunksOf(`/${bucket}/copy`), await chunksOf(`/${bucket}/ä b`))
    assert.equal((await s3.send('HEAD', `/${bucket}/copy`)).headers['x-amz-meta-a'], '1')
    const headers = { 'x-amz-copy-source': source, 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-b': '2' }
    await s3.send('PUT', `/${bucket}/copy`, { headers })
    const head = await s3.send('HEAD', `/${bucket}/copy`)
    assert.deepEqual([head.headers['x-amz-meta-a'], head.headers['x-amz-meta-b']], [undefined, '2'])
    assert.ok((await s3.send('GET', `/${bucket}/copy`)).body.equals(body))
    const toItself = { 'x-amz-copy-source': `/${bucket}/copy` }
    assert.equal((await s3.send('PUT', `/${bucket}/copy`, { headers: toItself })).code, 'InvalidRequest')
    const replaced = { ...toItself, 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-c': '3' }
    assert.equal((await s3.send('PUT', `/${bucket}/copy`, { headers: replaced })).status, 200)
    assert.equal((await s3.send('HEAD', `/${bucket}/copy`)).headers['x-amz-meta-c'], '3')
    const failing = { 'x-amz-copy-source': source, 'x-amz-copy-source-if-match': '"x"' }
    assert.equal((await s3.send('PUT', `/${bucket}/other`, { headers: failing })).status, 412)
    assert.equal(
      (await s3.send('PUT', `/${bucket}/o`, { headers: { 'x-amz-copy-source': `${bucket}/no` } })).code,
      'NoSuchKey',
    )
  })

  test('are deleted many at once, quietly or not', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    for (const key of ['a', 'b/c', 'd']) await s3.send('PUT', `/${bucket}/${key}`, { body: 'x' })
    const body =
      '<Delete><Object><Key>a</Key></Object><Object><Key>b/c</Key></Object><Object><Key>none</Key></Object><Object><Key>../x</Key></Object></Delete>'
    const headers = { 'content-md5': createHash('md5').update(body).digest('base64') }
    const deleted = (await s3.send('POST', `/${bucket}?delete=`, { body, headers })).xml()
    assert.deepEqual(
      deleted.all('Deleted').map((entry) => entry.textOf('Key')),
      ['a', 'b/c', 'none', '../x'],
    )
    assert.equal((await s3.send('POST', `/${bucket}?delete`, { body })).code, 'InvalidRequest')
    const many = `<Delete>${'<Object><Key>a</Key></Object>'.repeat(1001)}</Delete>`
    const md5OfMany = { 'content-md5': createHash('md5').update(many).digest('base64') }
    assert.equal((await s3.send('POST', `/${bucket}?delete`, { body: many, headers: md5OfMany })).code, 'MalformedXML')
    const keys = (await s3.send('GET', `/${bucket}`)).xml().all('Contents')
    assert.deepEqual(
      keys.map((entry) => entry.textOf('Key')),
      ['d'],
    )
  })
})

describe('multipart uploads', () => {
  const completeBody = (parts: readonly (readonly [number, string])[]) =>
    `<CompleteMultipartUpload>${parts.map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`).join('')}</CompleteMultipartUpload>`

  async function begin(bucket: string, key: string): Promise<string> {
    const begun = await rig.s3.send('POST', `/${bucket}/${key}?uploads`, {
      headers: { 'content-type': 'text/x', 'x-amz-meta-a': '1' },
    })
    return begun.xml().textOf('UploadId') as string
  }

  test('join their parts without moving bytes, and answer a repeated complete alike', async () => {
    const { s3, cluster } = rig
    const bucket = await newBucket()
    const uploadId = await begin(bucket, 'dir/big')
    const bodies = [Buffer.alloc(2000, 'a'), Buffer.alloc(2000, 'b'), Buffer.alloc(7, 'c')]
    const etags: string[] = []
    for (const [index, body] of bodies.entries()) {
      const url = `/${bucket}/dir/big?partNumber=${index + 1}&uploadId=${uploadId}`
      await s3.send('PUT', url, { body: 'sent again below' })
      etags.push((await s3.send('PUT', url, { body })).headers.etag as string)
    }
    const listed = (await s3.send('GET', `/${bucket}/dir/big?uploadId=${uploadId}&max-parts=2`)).xml()
    assert.deepEqual(
      listed.all('Part').map((part) => [part.textOf('PartNumber'), part.textOf('Size')]),
      [
        ['1', '2000'],
        ['2', '2000'],
      ],
    )
    assert.equal(listed.textOf('NextPartNumberMarker'), '2')
    assert.equal((await s3.send('GET', `/${bucket}?uploads`)).xml().all('Upload').length, 1)
    const url = `/${bucket}/dir/big?uploadId=${uploadId}`
    const refusals: readonly (readonly [string, string])[] = [
      [completeBody([[1, '"x"']]), 'InvalidPart'],
      [completeBody([[4, etags[0] as string]]), 'InvalidPart'],
      [
        completeBody([
          [2, etags[1] as string],
          [1, etags[0] as string],
        ]),
        'InvalidPartOrder',
      ],
      [
        completeBody([
          [3, etags[2] as string],
          [4, etags[2] as string],
        ]),
        'EntityTooSmall',
      ],
      ['<CompleteMultipartUpload/>', 'MalformedXML'],
      ['', 'MalformedXML'],
    ]
    for (const [body, code] of refusals)
      assert.ok([code, 'InvalidPart'].includes((await s3.send('POST', url, { body })).code ?? ''), code)
    const all = completeBody(etags.map((etag, index) => [index + 1, etag]))
    const answers = await Promise.all([1, 2, 3].map(() => s3.send('POST', url, { body: all })))
    const expected = `"${md5(Buffer.concat(bodies.map((body) => Buffer.from(md5(body), 'hex'))))}-3"`
    for (const answer of answers) assert.equal(answer.xml().textOf('ETag'), expected, answer.body.toString())
    assert.equal((await s3.send('POST', url, { body: all })).xml().textOf('ETag'), expected)
    const got = await s3.send('GET', `/${bucket}/dir/big`)
    assert.ok(got.body.equals(Buffer.concat(bodies)))
    assert.deepEqual(
      [got.headers.etag, got.headers['content-type'], got.headers['x-amz-meta-a']],
      [expected, 'text/x', '1'],
    )
    const second = await s3.send('GET', `/${bucket}/dir/big?partNumber=2`)
    assert.ok(second.body.equals(bodies[1] as Buffer))
    assert.equal(second.headers['x-amz-mp-parts-count'], '3')
    assert.equal((await s3.send('GET', `/${bucket}/dir/big?partNumber=4`)).code, 'InvalidPart')
    assert.deepEqual(await cluster.client.readdir(`/.s3/uploads/${bucket}`), [])
    assert.equal(
      (await s3.send('PUT', `/${bucket}/dir/big?partNumber=1&uploadId=${uploadId}`, { body: 'x' })).code,
      'NoSuchUpload',
    )
  })

  // minio-go, and so mc, leaves the count out.
  test('take the checksum of all their checksums with the count of parts or without, and no other', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    const headers = { 'x-amz-checksum-algorithm': 'SHA256' }
    const bodies = ['a'.repeat(2000), 'b']
    const sums = bodies.map((body) => createHash('sha256').update(body).digest())
    const whole = createHash('sha256').update(Buffer.concat(sums)).digest('base64')
    for (const [sent, code] of [
      [whole, undefined],
      [`${whole}-2`, undefined],
      [`${whole}-3`, 'BadDigest'],
      [sums[0]?.toString('base64') as string, 'BadDigest'],
    ] as const) {
      const begun = await s3.send('POST', `/${bucket}/summed?uploads`, { headers })
      const url = `/${bucket}/summed?uploadId=${begun.xml().textOf('UploadId')}`
      const parts: [number, string][] = []
      for (const [index, body] of bodies.entries()) {
        const part = { body, headers: { 'x-amz-checksum-sha256': sums[index]?.toString('base64') as string } }
        const { headers: told } = await s3.send('PUT', `${url}&partNumber=${index + 1}`, part)
        parts.push([index + 1, told.etag as string])
      }
      const body = completeBody(parts)
      const answer = await s3.send('POST', url, { body, headers: { 'x-amz-checksum-sha256': sent } })
      assert.equal(answer.code, code, sent)
      if (code === undefined) assert.equal(answer.xml().textOf('ChecksumSHA256'), `${whole}-2`)
    }
  })

  test('are given up, and refused under another key', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    const uploadId = await begin(bucket, 'k')
    assert.equal(
      (await s3.send('PUT', `/${bucket}/other?partNumber=1&uploadId=${uploadId}`, { body: 'x' })).code,
      'NoSuchUpload',
    )
    assert.equal(
      (await s3.send('PUT', `/${bucket}/k?partNumber=0&uploadId=${uploadId}`, { body: 'x' })).code,
      'InvalidArgument',
    )
    assert.equal((await s3.send('DELETE', `/${bucket}/k?uploadId=${uploadId}`)).status, 204)
    for (const [method, url] of [
      ['PUT', `/${bucket}/k?partNumber=1&uploadId=${uploadId}`],
      ['DELETE', `/${bucket}/k?uploadId=${uploadId}`],
      ['GET', `/${bucket}/k?uploadId=${uploadId}`],
      ['GET', `/${bucket}/k?uploadId=../../x`],
    ] as const) {
      assert.equal((await s3.send(method, url)).code, 'NoSuchUpload', url)
    }
    assert.equal((await s3.send('HEAD', `/${bucket}/k`)).status, 404)
  })

  test('have one outcome when a complete meets an abort, or a part that is sent again', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    for (let round = 0; round < 6; round++) {
      const key = `k${round}`
      const uploadId = await begin(bucket, key)
      const url = `/${bucket}/${key}?uploadId=${uploadId}`
      const bodies = ['a', 'b'].map((letter) => Buffer.alloc(1500, letter))
      const etags: string[] = []
      for (const [index, body] of bodies.entries()) {
        etags.push((await s3.send('PUT', `${url}&partNumber=${index + 1}`, { body })).headers.etag as string)
      }
      const all = completeBody(etags.map((etag, index) => [index + 1, etag]))
      const rival =
        round % 2 === 0
          ? s3.send('DELETE', url)
          : s3.send('PUT', `${url}&partNumber=1`, { body: Buffer.alloc(1500, 'z') })
      const [complete] = await Promise.all([s3.send('POST', url, { body: all }), rival])
      const got = await s3.send('GET', `/${bucket}/${key}`)
      if (complete.status === 200) assert.ok(got.body.equals(Buffer.concat(bodies)))
      else {
        assert.ok(['NoSuchUpload', 'InvalidPart'].includes(complete.code ?? ''), complete.body.toString())
        assert.equal(got.status, 404)
      }
    }
  })

  test('take parts from other objects', async () => {
    const { s3 } = rig
    const bucket = await newBucket()
    const body = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 251))
    await s3.send('PUT', `/${bucket}/source`, { body })
    const uploadId = await begin(bucket, 'k')
    const source = { 'x-amz-copy-source': `${bucket}/source` }
    const url = `/${bucket}/k?uploadId=${uploadId}`
    const whole = await s3.send('PUT', `${url}&partNumber=1`, { headers: source })
    const part = await s3.send('PUT', `${url}&partNumber=2`, {
      headers: { ...source, 'x-amz-copy-source-range': 'bytes=10-19' },
    })
    assert.equal(part.xml().textOf('ETag'), `"${md5(body.subarray(10, 20))}"`)
    const bad = async (range: string) =>
      (await s3.send('PUT', `${url}&partNumber=3`, { headers: { ...source, 'x-amz-copy-source-range': range } })).code
    assert.deepEqual(
      [await bad('bytes=0-3000'), await bad('bytes=5-'), await bad('0-1')],
      ['InvalidRange', 'InvalidArgument', 'InvalidArgument'],
    )
    const etags = [whole, part].map((answer) => answer.xml().textOf('ETag') as string)
    await s3.send('POST', url, { body: completeBody(etags.map((etag, index) => [index + 1, etag])) })
    assert.ok((await s3.send('GET', `/${bucket}/k`)).body.equals(Buffer.concat([body, body.subarray(10, 20)])))
  })
})
