/** Programs against the door, as docs/s3.md shows them: restic, rclone (with what it does besides) and Terraform. Skipped where they are not installed. */
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

test('docs/s3.md: Terraform keeps its state, and a lock beside it that has one holder', async (t) => {
  if (!(await isInstalled('terraform'))) return t.skip('terraform is not installed')
  const { client } = cluster
  const state = '/terraform-state/network/terraform.tfstate'
  const stateNow = async () => JSON.parse(await client.readFile(state, 'utf8'))
  const terraform = (command: string) =>
    run(
      `export CHECKPOINT_DISABLE=1 TF_CLI_CONFIG_FILE=/dev/null TF_INPUT=0\nterraform -chdir=setup ${command} -no-color`,
    )
  await client.mkdir('/terraform-state')
  await mkdir(join(folder, 'setup'))
  const resource = 'resource "terraform_data" "network" {\n  input = "10.0.0.0/16"\n}\n'
  await writeFile(join(folder, 'setup/main.tf'), `${documentedExample('hcl', 'backend "s3"')}\n${resource}`)
  await terraform('init')
  await terraform('apply -auto-approve')
  const kept = await stateNow()
  assert.equal(kept.resources[0].name, 'network')
  assert.equal(await client.exists(`${state}.tflock`), false)

  const lock = { ID: 'a-lock', Operation: 'OperationTypeApply', Info: '', Who: 'somebody else', Version: '1', Path: '' }
  await client.writeFile(`${state}.tflock`, JSON.stringify({ ...lock, Created: '2026-01-01T00:00:00Z' }))
  await assert.rejects(terraform('destroy -auto-approve'), /acquiring the state lock/)
  assert.deepEqual(await stateNow(), kept)
  await client.rm(`${state}.tflock`)
  await terraform('destroy -auto-approve')
  assert.deepEqual((await stateNow()).resources, [])
})
