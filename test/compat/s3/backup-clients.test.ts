/** restic and rclone against the door, as docs/s3.md shows them, and rclone with what it does besides. Skipped where they are not installed. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startCluster, type TestCluster } from '../../../src/testing/index.ts'
import { accessOf, runClient } from './client-process.ts'
import { documentedExample } from './documented-examples.ts'

/** More than one part. */
const bigBytes = 12 << 20
const files = ['big', 'empty', 'dir/ü #%+ x', 'dir/deep/small']

let folder: string
let cluster: TestCluster

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ashlar-backups-'))
  cluster = await startCluster({ s3: true })
  await mkdir(join(folder, 'documents/dir/deep'), { recursive: true })
  const contents = [randomBytes(bigBytes), '', randomBytes(300), 'small\n']
  for (const [index, name] of files.entries()) await writeFile(join(folder, 'documents', name), contents[index] ?? '')
})
after(async () => {
  await cluster.close()
  await rm(folder, { recursive: true, force: true })
})

/** Debian's rclone takes no certificates of its own for an endpoint without TLS. */
function run(script: string): Promise<string> {
  const own = { HOME: folder, RCLONE_CONFIG: join(folder, 'rclone.conf'), RCLONE_S3_CHUNK_SIZE: '5M' }
  const whole = `unset AWS_CA_BUNDLE\n${script}`
  return runClient('bash', ['-ec', whole], { folder, env: { ...accessOf(cluster, folder), ...own } })
}

async function isInstalled(program: string): Promise<boolean> {
  return await run(`command -v ${program}`).then(
    () => true,
    () => false,
  )
}

async function assertSame(copy: string): Promise<void> {
  for (const name of files) {
    const [original, back] = await Promise.all([
      readFile(join(folder, 'documents', name)),
      readFile(join(folder, copy, name)),
    ])
    assert.ok(original.equals(back), name)
  }
}

test('docs/s3.md: restic', async (t) => {
  if (!(await isInstalled('restic'))) return t.skip('restic is not installed')
  const stdout = await run(
    `${documentedExample('sh', 'restic init')}\nrestic forget --keep-last 1 --prune\nrestic check`,
  )
  assert.equal(stdout.match(/no errors were found/g)?.length, 2)
  await assertSame('restored/documents')
})

test('docs/s3.md: rclone', async (t) => {
  if (!(await isInstalled('rclone'))) return t.skip('rclone is not installed')
  await run(documentedExample('sh', 'rclone config create'))
  await run(`
    rclone --s3-upload-cutoff 5M copy documents ashlar:copies/parts
    rclone copy ashlar:copies/parts back
    rclone copy ashlar:copies/parts ashlar:copies/inside
    rclone check ashlar:copies/parts ashlar:copies/inside
    rclone move ashlar:copies/inside ashlar:copies/moved
    rclone rcat ashlar:copies/stream < documents/big
    rclone cat ashlar:copies/stream | cmp - documents/big
    rclone cat --offset 6000000 --count 1000 ashlar:copies/stream | cmp - <(tail -c +6000001 documents/big | head -c 1000)
  `)
  await assertSame('back')
  assert.deepEqual(
    (await run('rclone lsf -R --files-only ashlar:copies/moved')).trim().split('\n').sort(),
    [...files].sort(),
  )
  await run('rclone purge ashlar:copies')
  assert.equal(await cluster.client.exists('/copies'), false)
})
