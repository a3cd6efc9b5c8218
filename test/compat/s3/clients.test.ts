/**
 * Real clients against the door: boto3, the AWS command line and s3cmd, from PyPI in a folder of their own that is removed at the
 * end, with the examples of docs/s3.md. Where they cannot be installed, the tests are skipped and say why.
 * `ASHLAR_COMPAT_PYTHON` names a Python that has them.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import { accessOf, type RunOptions, runClient } from './client-process.ts'
import { documentedExample } from './documented-examples.ts'
import { installPackages } from './python-packages.ts'

const packages = ['boto3==1.43.*', 'awscli', 's3cmd']

let folder: string
let cluster: TestCluster
let python: string | undefined
let whyNot = ''

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-compat-'))
  cluster = await startCluster({ s3: true })
  const given = process.env['ASHLAR_COMPAT_PYTHON']
  const found = given === undefined ? await installPackages(folder, packages) : { bin: dirname(given) }
  if ('bin' in found) python = join(found.bin, 'python')
  else whyNot = found.whyNot
})

after(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

function run(command: string, args: readonly string[], options: Omit<RunOptions, 'folder'> = {}): Promise<string> {
  return runClient(command, args, { folder, ...options })
}

function access(): Record<string, string> {
  return accessOf(cluster, folder)
}

const script = `
import boto3, hashlib, io, os, urllib.request
from botocore.client import Config
s3 = boto3.client('s3')
s3.create_bucket(Bucket='boto')
s3.put_object(Bucket='boto', Key='dir/ü ~+%', Body=b'hello', Metadata={'color': 'blue'}, ContentType='text/x')
got = s3.get_object(Bucket='boto', Key='dir/ü ~+%', ChecksumMode='ENABLED')
assert got['Body'].read() == b'hello' and got['Metadata'] == {'color': 'blue'} and got['ContentType'] == 'text/x', got
assert got['ChecksumCRC32'], got
big = os.urandom(13 << 20)
s3.upload_fileobj(io.BytesIO(big), 'boto', 'big', Config=boto3.s3.transfer.TransferConfig(multipart_threshold=1 << 20, multipart_chunksize=5 << 20))
assert s3.head_object(Bucket='boto', Key='big')['ETag'].endswith('-3"')
out = io.BytesIO(); s3.download_fileobj('boto', 'big', out); assert out.getvalue() == big
s3.copy_object(Bucket='boto', Key='copy', CopySource={'Bucket': 'boto', 'Key': 'big'})
assert s3.get_object(Bucket='boto', Key='copy', Range='bytes=100-199')['Body'].read() == big[100:200]
for version in ['s3v4', 's3']:
    signer = boto3.client('s3', config=Config(signature_version=version))
    url = signer.generate_presigned_url('get_object', Params={'Bucket': 'boto', 'Key': 'dir/ü ~+%'}, ExpiresIn=60)
    assert urllib.request.urlopen(url).read() == b'hello', version
    url = signer.generate_presigned_url('put_object', Params={'Bucket': 'boto', 'Key': 'put-' + version}, ExpiresIn=60)
    urllib.request.urlopen(urllib.request.Request(url, data=b'by url', method='PUT', headers={'Content-Type': ''}))
    assert s3.get_object(Bucket='boto', Key='put-' + version)['Body'].read() == b'by url'
    form = signer.generate_presigned_post('boto', 'form-' + version, Conditions=[['content-length-range', 0, 100]], ExpiresIn=60)
    parts = b''.join(b'--x\\r\\nContent-Disposition: form-data; name="%s"\\r\\n\\r\\n%s\\r\\n' % (k.encode(), v.encode()) for k, v in form['fields'].items())
    body = parts + b'--x\\r\\nContent-Disposition: form-data; name="file"; filename="f"\\r\\n\\r\\nby form\\r\\n--x--\\r\\n'
    request = urllib.request.Request(form['url'], data=body, headers={'Content-Type': 'multipart/form-data; boundary=x'})
    assert urllib.request.urlopen(request).status == 204
    assert s3.get_object(Bucket='boto', Key='form-' + version)['Body'].read() == b'by form'
for algorithm in ['CRC32', 'SHA1', 'SHA256']:
    put = s3.put_object(Bucket='boto', Key=algorithm, Body=b'x', ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket='boto', Key=algorithm, ChecksumMode='ENABLED')
    assert put['Checksum' + algorithm] == head['Checksum' + algorithm]
try:
    s3.put_object(Bucket='boto', Key='big', Body=b'x', IfNoneMatch='*'); assert False
except s3.exceptions.ClientError as error:
    assert error.response['ResponseMetadata']['HTTPStatusCode'] == 412
keys = [o['Key'] for page in s3.get_paginator('list_objects_v2').paginate(Bucket='boto', PaginationConfig={'PageSize': 3}) for o in page['Contents']]
assert keys == sorted(keys) and len(keys) == 10, keys
s3.delete_objects(Bucket='boto', Delete={'Objects': [{'Key': key} for key in keys]})
s3.delete_bucket(Bucket='boto')
print('done')
`

test('boto3', async (t) => {
  if (python === undefined) return t.skip(whyNot)
  await writeFile(join(folder, 'boto.py'), script)
  assert.match(await run(python, ['boto.py'], { env: access() }), /done/)
})

test('docs/s3.md: boto3', async (t) => {
  if (python === undefined) return t.skip(whyNot)
  await writeFile(join(folder, 'example.py'), documentedExample('python', 'boto3'))
  const [content, , url = ''] = (await run(python, ['example.py'], { env: access() })).split('\n')
  assert.equal(content, '1,2')
  assert.equal(await (await fetch(url)).text(), '1,2\n')
})

test('the AWS command line', async (t) => {
  const aws = python === undefined ? undefined : join(dirname(python), 'aws')
  if (python === undefined || aws === undefined || !existsSync(aws))
    return t.skip(whyNot || 'aws is not beside this Python')
  const s3 = (...args: string[]) => run(python as string, [aws, 's3', ...args], { env: access() })
  const bytes = randomBytes(9 << 20)
  await writeFile(join(folder, 'file'), bytes)
  await s3('mb', 's3://awscli')
  await s3('cp', 'file', 's3://awscli/dir/file')
  await s3('cp', 's3://awscli/dir/file', 's3://awscli/copy')
  await s3('cp', 's3://awscli/copy', 'back')
  assert.ok((await readFile(join(folder, 'back'))).equals(bytes))
  assert.match(await s3('ls', 's3://awscli'), /PRE dir\/\n.* copy\n/)
  await s3('rm', 's3://awscli', '--recursive')
  await s3('rb', 's3://awscli')
})

test('docs/s3.md: the AWS command line', async (t) => {
  const bin = python === undefined ? undefined : dirname(python)
  if (bin === undefined || !existsSync(join(bin, 'aws'))) return t.skip(whyNot || 'aws is not beside this Python')
  const env = { ...access(), PATH: `${bin}:${process.env['PATH']}` }
  const stdout = await run('sh', ['-ec', documentedExample('sh', 'aws s3 mb')], { env })
  assert.match(stdout, / 6 note\.txt\n$/)
  assert.equal(await cluster.client.readFile('/pictures/notes/note.txt', 'utf8'), 'hello\n')
})

test('s3cmd', async (t) => {
  const s3cmd = python === undefined ? undefined : join(dirname(python), 's3cmd')
  if (python === undefined || s3cmd === undefined || !existsSync(s3cmd))
    return t.skip(whyNot || 's3cmd is not beside this Python')
  const { endpoint, accessKeyId, secretAccessKey } = cluster.s3 as NonNullable<TestCluster['s3']>
  const host = new URL(endpoint).host
  const options = ['--no-ssl', `--host=${host}`, `--host-bucket=${host}`, '--config=/dev/null']
  const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
  const s3 = (...args: string[]) => run(python as string, [s3cmd, ...options, ...args], { env })
  const bytes = randomBytes(1 << 20)
  await writeFile(join(folder, 'small'), bytes)
  await s3('mb', 's3://s3cmd')
  await s3('put', 'small', 's3://s3cmd/dir/ü small')
  await s3('get', '--force', 's3://s3cmd/dir/ü small', 'small-back')
  assert.ok((await readFile(join(folder, 'small-back'))).equals(bytes))
  await s3('del', 's3://s3cmd/dir/ü small')
  await s3('rb', 's3://s3cmd')
})
