/** Headers, and elements of a body, that change what a request does: done, or refused, never passed over. @module */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { rootKey, type S3Rig, startS3Rig } from './s3-rig.ts'
import { presignedV2, presignedV4, type Signer } from './security-signers.ts'

let rig: S3Rig

before(async () => {
  rig = await startS3Rig()
  await rig.s3.send('PUT', '/bucket')
  await rig.s3.send('PUT', '/bucket/there', { body: 'as it was' })
})
after(() => rig[Symbol.asyncDispose]())

const there = async () => (await rig.s3.send('GET', '/bucket/there')).body.toString()

test('what is not there is not implemented, and changes nothing', async () => {
  const begun = await rig.s3.send('POST', '/bucket/parts?uploads')
  const upload = `/bucket/parts?uploadId=${begun.xml().textOf('UploadId')}`
  for (const [method, url, name, value] of [
    ['PUT', '/bucket/there', 'x-amz-write-offset-bytes', '9'],
    ['PUT', '/bucket/there', 'x-amz-object-lock-event-hold', 'ON'],
    ['DELETE', upload, 'x-amz-if-match-initiated-time', new Date(0).toUTCString()],
    ['PUT', '/a-new-bucket', 'x-amz-bucket-namespace', 'account-regional'],
  ] as const) {
    const { status, code, xml } = await rig.s3.send(method, url, { body: 'x', headers: { [name]: value } })
    assert.deepEqual([status, code, xml().textOf('Header')], [501, 'NotImplemented', name])
  }
  assert.equal(await there(), 'as it was')
  assert.equal((await rig.s3.send('GET', upload)).status, 200)
  assert.equal((await rig.s3.send('HEAD', '/a-new-bucket')).status, 404)
})

test('a copy from a bucket of somebody else than expected is refused', async () => {
  const owner = (await rig.s3.send('GET', '/')).xml().child('Owner')?.textOf('ID') as string
  const begun = await rig.s3.send('POST', '/bucket/parts?uploads')
  const part = `/bucket/parts?partNumber=1&uploadId=${begun.xml().textOf('UploadId')}`
  for (const url of ['/bucket/copy', part]) {
    const copy = (expected: string) =>
      rig.s3.send('PUT', url, {
        headers: { 'x-amz-copy-source': '/bucket/there', 'x-amz-source-expected-bucket-owner': expected },
      })
    assert.deepEqual(await copy('alice-id').then(({ status, code }) => [status, code]), [403, 'AccessDenied'])
    assert.equal((await copy(owner)).status, 200)
  }
})

test('an upload that has another size than its complete says is refused, and stays', async () => {
  const begun = await rig.s3.send('POST', '/bucket/sized?uploads')
  const upload = `/bucket/sized?uploadId=${begun.xml().textOf('UploadId')}`
  const { headers } = await rig.s3.send('PUT', `${upload}&partNumber=1`, { body: 'seven b' })
  const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headers.etag}</ETag></Part></CompleteMultipartUpload>`
  const complete = (size: string) => rig.s3.send('POST', upload, { body, headers: { 'x-amz-mp-object-size': size } })
  for (const size of ['8', '6', 'x', '-1']) assert.equal((await complete(size)).code, 'InvalidRequest', size)
  assert.equal((await rig.s3.send('HEAD', '/bucket/sized')).status, 404)
  assert.equal((await complete('7')).status, 200)
  assert.equal((await rig.s3.send('GET', '/bucket/sized')).body.toString(), 'seven b')
})

// Terraform's provider waits until the answer names what it asked for.
test('a lifecycle configuration tells the least size of transitions', async () => {
  const name = 'x-amz-transition-default-minimum-object-size'
  const body =
    '<LifecycleConfiguration><Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>'
  const put = (headers: Record<string, string>) => rig.s3.send('PUT', '/bucket?lifecycle', { body, headers })
  for (const answer of [
    await put({}),
    await put({ [name]: 'all_storage_classes_128K' }),
    await rig.s3.send('GET', '/bucket?lifecycle'),
  ]) {
    assert.deepEqual([answer.status, answer.headers[name]], [200, 'all_storage_classes_128K'])
  }
  assert.equal((await put({ [name]: 'varies_by_storage_class' })).code, 'NotImplemented')
  assert.equal((await put({ [name]: 'x' })).code, 'InvalidRequest')
})

test('a checksum of the whole that nobody compares is refused with the complete, and the upload stays', async () => {
  const crc32 = { 'x-amz-checksum-crc32': '+BLLOQ==' }
  for (const [created, sent, code] of [
    [{ 'x-amz-checksum-algorithm': 'SHA256' }, crc32, 'InvalidRequest'],
    [{}, crc32, 'InvalidRequest'],
    [{}, { 'x-amz-checksum-sha512': 'x' }, 'InvalidRequest'],
    [{}, { 'x-amz-checksum-type': 'FULL_OBJECT' }, undefined],
  ] as const) {
    const begun = await rig.s3.send('POST', '/bucket/summed?uploads', { headers: created })
    const upload = `/bucket/summed?uploadId=${begun.xml().textOf('UploadId')}`
    const { headers } = await rig.s3.send('PUT', `${upload}&partNumber=1`, { body: 'seven b' })
    const body = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${headers.etag}</ETag></Part></CompleteMultipartUpload>`
    assert.equal((await rig.s3.send('POST', upload, { body, headers: sent })).code, code)
    if (code !== undefined) assert.equal((await rig.s3.send('GET', upload)).status, 200)
  }
})

test('a bucket is made with the tags that come with it, and no other kind of bucket is', async () => {
  const create = (name: string, inner: string) =>
    rig.s3.send('PUT', `/${name}`, { body: `<CreateBucketConfiguration>${inner}</CreateBucketConfiguration>` })
  const tag = '<Tag><Key>team</Key><Value>data</Value></Tag>'
  assert.equal((await create('tagged', `<Tags>${tag}</Tags>`)).status, 200)
  const told = (await rig.s3.send('GET', '/tagged?tagging')).xml().child('TagSet')?.child('Tag')
  assert.deepEqual([told?.textOf('Key'), told?.textOf('Value')], ['team', 'data'])
  assert.equal((await create('tagged-twice', `<Tags>${tag}${tag}</Tags>`)).code, 'InvalidTag')
  for (const inner of [
    '<Location><Name>use1-az4</Name><Type>AvailabilityZone</Type></Location>',
    '<Bucket><Type>Directory</Type></Bucket>',
  ]) {
    assert.equal((await create('of-a-zone', inner)).code, 'NotImplemented')
  }
  for (const name of ['tagged-twice', 'of-a-zone']) assert.equal((await rig.s3.send('HEAD', `/${name}`)).status, 404)
})

// As the AWS SDK for JavaScript makes its URLs.
test('headers in the query of a URL count where its signature covers them, but the checksum of no body', async () => {
  const send = async (signer: Signer, url: string, headers: Record<string, string> = {}) => {
    const { host } = new URL(rig.endpoint)
    const named = headers['content-type'] === undefined ? headers : {}
    const signed = signer(['PUT', url, '', named], { key: rootKey, host, timeMs: Date.now(), expiresSeconds: 60 })
    const answer = await fetch(`http://${host}${signed.url}`, { method: 'PUT', body: 'x', headers })
    return [answer.status, /<Code>(.*)<\/Code>/.exec(await answer.text())?.[1]]
  }
  const query =
    'x-amz-meta-color=bl%C3%BC&x-amz-tagging=a%3Db&x-amz-server-side-encryption=AES256&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32'
  assert.deepEqual(await send(presignedV4, `/bucket/hoisted?${query}`), [501, 'NotImplemented'], 'there are no keys')
  assert.deepEqual(await send(presignedV4, `/bucket/hoisted?${query.replace('encryption=AES256', 'x=y')}`), [
    200,
    undefined,
  ])
  const { headers } = await rig.s3.send('HEAD', '/bucket/hoisted')
  assert.deepEqual([headers['x-amz-meta-color'], headers['x-amz-tagging-count']], ['bl\u00c3\u00bc', '1'])
  assert.deepEqual(await send(presignedV4, '/bucket/copied?x-amz-copy-source=%2Fbucket%2Fhoisted'), [200, undefined])
  assert.equal((await rig.s3.send('HEAD', '/bucket/copied')).headers['x-amz-meta-color'], 'bl\u00c3\u00bc')
  assert.deepEqual(await send(presignedV4, '/bucket/there?x-amz-write-offset-bytes=9'), [501, 'NotImplemented'])
  assert.deepEqual(await send(presignedV4, '/bucket/split?x-amz-meta-a=1%0d%0aset-cookie:x'), [400, 'InvalidArgument'])
  const sent = { 'x-amz-meta-color': 'green' }
  assert.deepEqual(await send(presignedV4, '/bucket/sent?x-amz-meta-color=red', sent), [200, undefined])
  assert.equal((await rig.s3.send('HEAD', '/bucket/sent')).headers['x-amz-meta-color'], 'green')
  // What version 2 does not sign counts for nothing.
  assert.deepEqual(await send(presignedV2, '/bucket/of-v2?x-amz-meta-color=red', { 'content-type': '' }), [
    200,
    undefined,
  ])
  assert.equal((await rig.s3.send('HEAD', '/bucket/of-v2')).headers['x-amz-meta-color'], undefined)
  assert.equal(await there(), 'as it was')
})
