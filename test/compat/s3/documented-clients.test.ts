/**
 * The examples of docs/s3.md, run as they stand there: boto3 and the AWS command line from PyPI; and the AWS SDK for JavaScript, from
 * npm. Each in a folder of its own that is removed at the end. Where one cannot be installed its test is skipped, and says why.
 * `ASHLAR_COMPAT_PYTHON` names a Python that has boto3 and awscli.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import { accessOf, installTimeoutMs, runClient } from './client-process.ts'

let folder: string
let cluster: TestCluster

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-documented-'))
  cluster = await startCluster({ s3: true })
})
after(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

const page = readFileSync(join(import.meta.dirname, '../../../docs/s3.md'), 'utf8')

/** The first block of the language that has this text in it. */
function example(language: string, part: string): string {
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)
  const found = blocks.find((text) => text.includes(part))
  assert.ok(found, `docs/s3.md shows no ${part}`)
  return found
}

function run(
  command: string,
  args: readonly string[],
  { path, ...options }: { readonly timeoutMs?: number; readonly path?: string } = {},
): Promise<string> {
  const env = { ...accessOf(cluster, folder), ...(path !== undefined && { PATH: `${path}:${process.env['PATH']}` }) }
  return runClient(command, args, { folder, env, ...options })
}

/** A folder with `python` and `aws`; or why there is none. */
async function pythonFolder(): Promise<string | { readonly whyNot: string }> {
  const given = process.env['ASHLAR_COMPAT_PYTHON']
  if (given !== undefined) return dirname(given)
  const venv = join(folder, 'venv')
  try {
    if (!existsSync(venv)) {
      await run('python3', ['-m', 'venv', venv], { timeoutMs: installTimeoutMs })
      const packages = ['boto3==1.43.*', 'awscli']
      await run(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...packages], {
        timeoutMs: installTimeoutMs,
      })
    }
    return join(venv, 'bin')
  } catch (error) {
    return { whyNot: `boto3 and awscli cannot be installed: ${(error as Error).message.slice(0, 200)}` }
  }
}

test('docs/s3.md: boto3', async (t) => {
  const bin = await pythonFolder()
  if (typeof bin !== 'string') return t.skip(bin.whyNot)
  await writeFile(join(folder, 'example.py'), example('python', 'boto3'))
  const [content, , url = ''] = (await run(join(bin, 'python'), ['example.py'])).split('\n')
  assert.equal(content, '1,2')
  assert.equal(await (await fetch(url)).text(), '1,2\n')
})

test('docs/s3.md: the AWS command line', async (t) => {
  const bin = await pythonFolder()
  if (typeof bin !== 'string') return t.skip(bin.whyNot)
  if (!existsSync(join(bin, 'aws'))) return t.skip('aws is not beside this Python')
  const stdout = await run('sh', ['-ec', example('sh', 'aws s3 mb')], { path: bin })
  assert.match(stdout, / 6 note\.txt\n$/)
  assert.equal(await cluster.client.readFile('/pictures/notes/note.txt', 'utf8'), 'hello\n')
})

const script = `
import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import * as sdk from '@aws-sdk/client-s3'
const s3 = new sdk.S3Client({ forcePathStyle: true })
const send = (name, input) => s3.send(new sdk[name + 'Command']({ Bucket: 'scripts', ...input }))
await send('CreateBucket', {})
await send('PutObject', { Key: "it's (a) key!*", Body: 'hello', Metadata: { color: 'blue' } })
const got = await send('GetObject', { Key: "it's (a) key!*" })
if ((await got.Body.transformToString()) !== 'hello' || got.Metadata.color !== 'blue') throw new Error('get')
const bytes = randomBytes(3 << 20)
await send('PutObject', { Key: 'stream', Body: Readable.from([bytes.subarray(0, 1e6), bytes.subarray(1e6)]), ContentLength: bytes.length })
const back = await (await send('GetObject', { Key: 'stream' })).Body.transformToByteArray()
if (!bytes.equals(back)) throw new Error('stream')
const { UploadId } = await send('CreateMultipartUpload', { Key: 'big' })
const parts = []
for (const [index, size] of [5 << 20, 1 << 20].entries()) {
  const { ETag } = await send('UploadPart', { Key: 'big', UploadId, PartNumber: index + 1, Body: randomBytes(size) })
  parts.push({ ETag, PartNumber: index + 1 })
}
await send('CompleteMultipartUpload', { Key: 'big', UploadId, MultipartUpload: { Parts: parts } })
if ((await send('HeadObject', { Key: 'big' })).ContentLength !== 6 << 20) throw new Error('multipart')
const page = await send('ListObjectsV2', { MaxKeys: 2 })
if (page.KeyCount !== 2 || !page.IsTruncated) throw new Error('list')
const rest = await send('ListObjectsV2', { ContinuationToken: page.NextContinuationToken })
const keys = [...page.Contents, ...rest.Contents].map(({ Key }) => Key)
await send('PutObject', { Key: 'big', Body: 'x', IfNoneMatch: '*' }).then(() => { throw new Error('condition') }, (error) => {
  if (error.$metadata?.httpStatusCode !== 412) throw error
})
const gone = await send('DeleteObjects', { Delete: { Objects: keys.map((Key) => ({ Key })) } })
if (gone.Deleted.length !== 3) throw new Error('delete')
await send('DeleteBucket', {})
console.log('done')
`

// Not a dependency of this repository: it brings a hundred packages of its own.
test('the AWS SDK for JavaScript', async (t) => {
  try {
    await writeFile(join(folder, 'package.json'), '{"type":"module"}')
    const args = ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', '@aws-sdk/client-s3@3']
    await run('npm', args, { timeoutMs: installTimeoutMs })
  } catch (error) {
    return t.skip(`@aws-sdk/client-s3 cannot be installed: ${(error as Error).message.slice(0, 200)}`)
  }
  await writeFile(join(folder, 'sdk.js'), script)
  assert.match(await run(process.execPath, ['sdk.js']), /done/)
})
