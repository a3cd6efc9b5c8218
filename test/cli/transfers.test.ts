/** `put`, `get`, `cat`, `append`: between the local file system and a real cluster. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import {
  collect,
  eventually,
  type RunOptions,
  run,
  type ServerProcess,
  start,
  TemporaryFolder,
  upTemp,
} from './cli-process.ts'

let cluster: ServerProcess
let folder: TemporaryFolder

before(async () => {
  folder = await TemporaryFolder.make()
  cluster = await upTemp()
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

function ashlar(line: string, options: RunOptions = {}) {
  return run(line.split(' '), { cluster: cluster.cluster, cwd: folder.path, ...options })
}

async function done(line: string, options: RunOptions = {}): Promise<string> {
  const { exitCode, stdout, stderr } = await ashlar(line, options)
  assert.equal(exitCode, 0, `ashlar ${line}: ${stderr}`)
  return stdout
}

async function names(path: string): Promise<string[]> {
  return (await done(`ls -r ${path}`)).trim().split('\n').sort()
}

test('put -r and get -r follow cp -r', async () => {
  await mkdir(folder.in('tree', 'sub', 'empty'), { recursive: true })
  await writeFile(folder.in('tree', '.dot'), 'dot', { mode: 0o600 })
  await writeFile(folder.in('tree', 'a b.txt'), 'blank')
  await writeFile(folder.in('tree', 'sub', 'big.bin'), Buffer.alloc(3_000_000, 7))
  await symlink('../a b.txt', folder.in('tree', 'sub', 'inside'))
  await symlink('/etc/hostname', folder.in('tree', 'outside'))
  await symlink('sub', folder.in('tree', 'folder-link'))

  const put = await ashlar('put -r tree /copy --json')
  assert.equal(put.exitCode, 0, put.stderr)
  const stored = put.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).path as string)
  const inside = ['.dot', 'a b.txt', 'sub/', 'sub/big.bin', 'sub/empty/', 'sub/inside']
  assert.deepEqual(
    stored.sort(),
    inside.filter((name) => !name.endsWith('/')).map((name) => `/copy/${name}`),
  )
  assert.equal(JSON.parse(put.stderr).skipped, 2, 'the link that leads outside, and the one to a folder')
  assert.deepEqual(await names('/copy'), inside, 'a target that does not exist becomes the source itself')

  await done('put -r tree /copy')
  assert.ok((await names('/copy')).includes('tree/sub/inside'), 'an existing one gets it under its own name')

  await done('get -r /copy back')
  assert.deepEqual((await readdir(folder.in('back'))).sort(), ['.dot', 'a b.txt', 'sub', 'tree'])
  assert.deepEqual(await readFile(folder.in('back', 'sub', 'big.bin')), Buffer.alloc(3_000_000, 7))
  assert.equal(await readFile(folder.in('back', 'sub', 'inside'), 'utf8'), 'blank')
  await assert.rejects(readlink(folder.in('back', 'sub', 'inside')), 'what a link led to comes back as a file')
  assert.deepEqual(await readdir(folder.in('back', 'sub', 'empty')), [])
  assert.equal((await stat(folder.in('back', '.dot'))).mode & 0o777, 0o600)
  await done('get -r /copy/sub back')
  assert.equal(await readFile(folder.in('back', 'sub', 'inside'), 'utf8'), 'blank')
})

test('put makes parents, replaces into trash, and refuses what it must', async () => {
  await writeFile(folder.in('one.txt'), 'one')
  await done('put one.txt /new/deep/one.txt')
  await done('put --text two /new/deep/one.txt')
  assert.equal(await done('cat /new/deep/one.txt'), 'two')
  assert.match(await done('trash list /new'), /replaced +.+ +3 B +\/new\/deep\/one.txt/)
  const refused = await ashlar('put --no-clobber one.txt /new/deep/one.txt')
  assert.deepEqual([refused.exitCode, await done('cat /new/deep/one.txt')], [4, 'two'])
  await done('put one.txt /new/')
  assert.equal(await done('cat /new/one.txt'), 'one')
  assert.equal((await ashlar('put one.txt no-such.txt /new/')).exitCode, 3)
  assert.equal((await ashlar('put one.txt one.txt /new/one.txt')).exitCode, 1, 'several files need a directory')
  assert.equal((await ashlar('put tree /folder')).exitCode, 1, 'a folder needs -r')
  assert.equal((await ashlar('put one.txt')).exitCode, 2)
  assert.equal((await ashlar('append /new/one.txt no-such.txt')).exitCode, 3)
})

test('get refuses to replace with --no-clobber, and leaves nothing behind on failure', async () => {
  await done('put --text remote /g.txt')
  await writeFile(folder.in('g.txt'), 'local')
  assert.equal((await ashlar('get /g.txt . --no-clobber')).exitCode, 4)
  assert.equal(await readFile(folder.in('g.txt'), 'utf8'), 'local')
  await done('get /g.txt')
  assert.equal(await readFile(folder.in('g.txt'), 'utf8'), 'remote')
  assert.equal((await ashlar('get /nothing there.txt')).exitCode, 3)
  assert.equal((await ashlar('get /g.txt no-such-folder/g.txt')).exitCode, 3)
  assert.deepEqual(
    (await readdir(folder.path)).filter((name) => name.includes('.part')),
    [],
  )
})

test('- is stdin and stdout, whole and byte for byte', async () => {
  const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, index) => `${index}\n`).join(''))
  await done('put - /piped', { input: bytes })
  assert.equal(await done('get /piped -'), bytes.toString())
  await done('append /piped', { input: 'end' })
  assert.equal(await done('cat /piped'), `${bytes}end`)
})

test('globs name many, and --dry-run changes nothing', async () => {
  for (const name of ['a1.log', 'a2.log', '.a3.log', 'b.txt']) await done(`put --text x /g/${name}`)
  assert.equal(await done('ls /g/*.log'), '/g/a1.log\n/g/a2.log\n')
  assert.equal(await done('ls /**/b.tx?'), '/g/b.txt\n')
  assert.equal((await ashlar('ls /g/*.nope')).exitCode, 3)
  assert.match(await done('rm --dry-run /g/*.log'), /would delete \/g\/a1.log\nwould delete \/g\/a2.log/)
  for (const line of [
    'put --dry-run g.txt /g/new',
    'mv --dry-run /g/b.txt /g/c',
    'cp --dry-run /g/b.txt /g/c',
    'mkdir --dry-run /g/d',
  ]) {
    assert.match(await done(line), /^would /)
  }
  assert.deepEqual(await names('/g'), ['.a3.log', 'a1.log', 'a2.log', 'b.txt'])
  await done('rm /g/*.log')
  assert.deepEqual(await names('/g'), ['.a3.log', 'b.txt'])
  const inTrash = async () => (await done('trash list /g --json')).match(/"trashId":[^,]+/g)
  const before = await inTrash()
  assert.equal(before?.length, 2)
  assert.match(await done('trash empty --dry-run --yes /g'), /\/g\/a1.log\n.*\/g\/a2.log/)
  assert.match(await done('undelete --dry-run /g/a1.log'), /^would bring back \/g\/a1.log/)
  assert.deepEqual(await inTrash(), before)
})

test('an interrupted put is not visible, and its space returns', async () => {
  const used = async () => JSON.parse(await done('df --json')).raw.usedBytes as number
  const before = await used()
  const put = start(['put', '-', '/half.bin'], { cluster: cluster.cluster })
  const result = collect(put)
  put.stdin?.on('error', () => undefined)
  put.stdin?.write(Buffer.alloc(44_000_000, 1))
  await eventually('chunks of the put are on the servers', async () => (await used()) > before + 20_000_000)
  put.kill('SIGINT')
  const { exitCode, stderr } = await result
  assert.equal(exitCode, 1, stderr)
  assert.equal(stderr, 'ashlar: Interrupted: nothing is left of what was not finished\n')
  assert.equal((await ashlar('stat /half.bin')).exitCode, 3)
  await eventually('its space returns', async () => (await used()) < before + 20_000_000)
})

// Killed, it cleans nothing up itself: what it staged goes with its session.
test('an append that is killed in the middle leaves the file as it was', async () => {
  await done('put --text begin /half.log')
  const used = async () => JSON.parse(await done('df --json')).raw.usedBytes as number
  const before = await used()
  const append = start(['append', '/half.log'], { cluster: cluster.cluster })
  append.stdin?.on('error', () => undefined)
  append.stdin?.write(Buffer.alloc(44_000_000, 1))
  await eventually('chunks of the append are on the servers', async () => (await used()) > before + 20_000_000)
  append.kill('SIGKILL')
  await collect(append)
  assert.equal(await done('cat /half.log'), 'begin')
  await done('append --text end /half.log')
  assert.equal(await done('cat /half.log'), 'beginend')
})

test('--timeout bounds the wait for a master, not the transfer', async () => {
  const put = start(['put', '--timeout', '1s', '-', '/slow'], { cluster: cluster.cluster })
  const result = collect(put)
  put.stdin?.write('first ')
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  put.stdin?.end('last')
  const { exitCode, stderr } = await result
  assert.equal(exitCode, 0, stderr)
  assert.equal(await done('cat /slow'), 'first last')
})
