/** Backups and restores of a cluster by `ashlar up`: what people type, and what a lost master folder looks like to them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { eventually, run, ServerProcess, TemporaryFolder } from './cli-process.ts'

let folder: TemporaryFolder
let cluster: ServerProcess

const up = () => ['up', '--data', folder.in('c'), '--port', '0', '--s3-port', '0', '--capacity', '64MiB']

before(async () => {
  folder = await TemporaryFolder.make()
  cluster = await ServerProcess.start(up())
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function ashlar(...args: string[]) {
  return await run(args, { cluster: folder.in('c/cluster.json') })
}

async function json(...args: string[]) {
  const { exitCode, stdout, stderr } = await ashlar(...args, '--json')
  assert.equal(exitCode, 0, stderr)
  return JSON.parse(stdout)
}

const backup = async () => (await json('status')).backup

/** SIGKILL for `up` and all its servers. */
async function killAll(): Promise<void> {
  const pids = cluster.ready.processes.map(({ pid }) => pid)
  await cluster.stop('SIGKILL')
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended with its parent.
    }
  }
}

test('up keeps backups by itself, backup makes one now, and they are overhead: neither used nor capacity', async () => {
  await eventually('the first backup', async () => (await backup()).state === 'current')
  assert.equal((await ashlar('put', '--text', 'kept', '/k')).exitCode, 0)
  const made = await json('backup')
  assert.equal(made.servers.length, 3)
  const { backups, status } = await json('backup', 'list')
  assert.deepEqual([backups[0].name, status.servers], [made.name, 3])
  assert.match((await ashlar('backup', 'list')).stdout, /the log of changes on 3 servers/)
  assert.match((await ashlar('status')).stdout, /^backups {4}the last .* ago, and the log of changes on 3 servers/m)
  assert.equal((await ashlar('backup', 'lsit')).exitCode, 2)

  const used = (await json('nodes')).map(({ usedBytes }: { usedBytes: number }) => usedBytes)
  assert.deepEqual(used, [4, 4, 4])
  const folders = cluster.ready.processes.flatMap(({ data }) => data ?? [])
  await eventually('the ledger adds up to what du says, with backups', async () => {
    const du = () =>
      Number(execFileSync('du', ['-s', '-B1', '-c', ...folders], { encoding: 'utf8' }).match(/(\d+)\ttotal/)?.[1])
    const before = du()
    const { totalBytes } = await json('df', '--ledger')
    return totalBytes === before && du() === before
  })
  const shelves = Number(
    execFileSync('du', ['-sB1', `${folder.in('c/chunkserver-1')}/backup`], { encoding: 'utf8' }).split('\t')[0],
  )
  assert.ok(shelves > 0 && (await json('df', '--ledger')).overheadBytes >= 3 * shelves)
})

test('a master folder that is gone: up says what to do, restore does it, and up goes on with everything', async () => {
  const s3 = JSON.parse(await readFile(folder.in('c/cluster.json'), 'utf8')).s3
  assert.equal((await ashlar('put', '--text', 'later', '/later')).exitCode, 0)
  assert.equal((await ashlar('backup', '--to', folder.in('metadata.backup'))).exitCode, 0)
  assert.equal((await stat(folder.in('metadata.backup'))).mode & 0o777, 0o600)
  assert.equal((await ashlar('put', '--text', 'in the log', '/logged')).exitCode, 0)
  await eventually('it is on chunk servers', async () => (await backup()).lagMs === 0)
  await copyFile(folder.in('c/join.json'), folder.in('join.json'))
  await killAll()
  await rm(folder.in('c/master'), { recursive: true })

  const refused = await run(up())
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /ashlar restore --from-servers \S+\/c --data \S+\/c\/master/)
  assert.equal(existsSync(folder.in('c/master')), false, 'no other cluster is made in its place')
  const planned = await run(['restore', '--from-servers', folder.in('c'), '--data', folder.in('c/master'), '--plan'])
  assert.equal(planned.exitCode, 0, planned.stderr)
  assert.match(planned.stdout, /Lost is what was acknowledged after .*Nothing was changed/s)
  assert.equal(existsSync(folder.in('c/master')), false)
  const restored = await run([
    'restore',
    '--from-servers',
    folder.in('c/cluster.json'),
    '--data',
    folder.in('c/master'),
  ])
  assert.equal(restored.exitCode, 0, restored.stderr)
  assert.match(restored.stdout, /ashlar up --data \S+\/c$/m)

  cluster = await ServerProcess.start(up())
  for (const [path, text] of [
    ['/k', 'kept'],
    ['/later', 'later'],
    ['/logged', 'in the log'],
  ] as const) {
    assert.equal((await ashlar('cat', path)).stdout, text)
  }
  assert.equal((await ashlar('fsck')).exitCode, 0)
  assert.equal((await json('status')).generation, 1)
  const { accessKeyId, secretAccessKey } = JSON.parse(await readFile(folder.in('c/cluster.json'), 'utf8')).s3
  assert.deepEqual([accessKeyId, secretAccessKey], [s3.accessKeyId, s3.secretAccessKey], 'the key of the S3 door')
})

test('a file of backup --to restores without any server, with the join file alone, up to when it was made', async () => {
  const from = ['--from-servers', folder.in('join.json'), '--file', folder.in('metadata.backup')]
  const { exitCode, stdout, stderr } = await run(['restore', ...from, '--data', folder.in('elsewhere'), '--json'])
  assert.equal(exitCode, 0, stderr)
  assert.equal(JSON.parse(stdout).event, 'restored')
  assert.ok(existsSync(folder.in('elsewhere/metadata.db')))
  const wrong = JSON.parse(await readFile(folder.in('join.json'), 'utf8'))
  const other = { ...wrong, clusterSecret: Buffer.alloc(32, 1).toString('base64') }
  await writeFile(folder.in('other.json'), JSON.stringify(other))
  const refused = await run([
    'restore',
    '--from-servers',
    folder.in('other.json'),
    '--file',
    folder.in('metadata.backup'),
    '--data',
    folder.in('no'),
  ])
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /another cluster secret/)
  assert.equal(existsSync(folder.in('no')), false)
})

test('restore says which file it needs, and finds nothing where nothing is', async () => {
  await copyFile(folder.in('c/cluster.json'), folder.in('cluster.json'))
  await rm(folder.in('join.json'))
  const noSecret = await run(['restore', '--from-servers', folder.in('cluster.json'), '--data', folder.in('x')])
  assert.deepEqual([noSecret.exitCode, /join file/.test(noSecret.stderr)], [2, true], noSecret.stderr)
  const nothing = ['--from-servers', folder.in('c/join.json'), '--folder', folder.path, '--data', folder.in('x')]
  const empty = await run(['restore', ...nothing])
  assert.deepEqual([empty.exitCode, /has a backup/.test(empty.stderr)], [3, true], empty.stderr)
  assert.equal((await run(['restore', '--from-servers', folder.in('gone'), '--data', folder.in('x')])).exitCode, 3)
  assert.equal(existsSync(folder.in('x')), false)
  // Before it looks for anything: here the master that lives would be in the way.
  const full = await run(['restore', '--from-servers', folder.in('c/join.json'), '--data', folder.in('c')])
  assert.deepEqual([full.exitCode, /it holds/.test(full.stderr)], [4, true], full.stderr)
})
