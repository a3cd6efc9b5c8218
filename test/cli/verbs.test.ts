/** The verbs that look, change, lock and bring back, against a real cluster; the shell, in a pipe. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { collect, eventually, run, type ServerProcess, start, TemporaryFolder, upTemp } from './cli-process.ts'

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

/** Many commands over one connection. */
async function shell(...lines: string[]) {
  return await run(['shell'], { cluster: cluster.cluster, cwd: folder.path, input: `${lines.join('\n')}\n` })
}

async function json(...args: string[]) {
  const { exitCode, stdout, stderr } = await run([...args, '--json'], { cluster: cluster.cluster })
  assert.equal(exitCode, 0, stderr)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

test('nodes --json is one array with these keys', async () => {
  const [nodes] = await json('nodes')
  assert.equal(nodes.length, 3)
  const keys = [
    'id',
    'address',
    'domain',
    'state',
    'capacityBytes',
    'usedBytes',
    'reservedBytes',
    'freeBytes',
    'chunks',
  ]
  for (const node of nodes) {
    assert.deepEqual(Object.keys(node).slice(0, keys.length), keys)
    assert.equal(node.state, 'up')
  }
})

test('df shows raw and usable space', async () => {
  const [space] = await json('df')
  assert.equal(space.copies, 3)
  assert.equal(space.usable.capacityBytes, Math.floor(space.raw.capacityBytes / 3))
})

test('config shows sizes as they are written, and with --json as bytes', async () => {
  const { stdout } = await shell(
    'config chunk-size 6MiB',
    'config chunk-size',
    'config scrub-rate 1000003',
    'config trash-keep',
  )
  assert.deepEqual(stdout.trim().split('\n'), ['6MiB', '6MiB', '1000003B', '7d'])
  assert.deepEqual(await json('config', 'chunk-size'), [{ 'chunk-size': String(6 * 1024 * 1024) }])
})

test('the shell goes on after errors, and exits with the last one', async () => {
  const { exitCode, stdout, stderr } = await shell(
    'put mytext /tmp/banana/trace2.log',
    'cat /nothing',
    '# a comment',
    '',
    `put "two words" '/tmp/a b'`,
    'cat "/tmp/a b" /tmp/a\\ b',
    'frob',
    'ls /tmp/banana/',
    'delete /tmp/banana/trace2.log',
    'lock /l -- sh -c "exit 9"',
    'ls "/tmp',
    'cat /tmp/banana/trace2.log',
    'help put',
  )
  assert.match(stdout, /^two wordstwo words/)
  assert.match(stdout, /^two wordstwo words(trace2.log\n)Usage: ashlar put/)
  assert.deepEqual(stderr.match(/unknown command 'frob'|" is not closed/g)?.length, 2)
  assert.equal(exitCode, 3)
  assert.equal((await shell('lock /l -- sh -c "exit 9"', 'ls /')).exitCode, 9)
})

test('only in the shell, put stores a word that names no local file', async () => {
  await writeFile(folder.in('local'), 'of the file')
  const { stdout } = await shell('put word /w', 'put local /l', 'cat /w /l', 'put no/word /x', 'ls /x')
  assert.equal(stdout, 'wordof the file')
  assert.equal((await run(['put', 'word', '/x'], { cluster: cluster.cluster })).exitCode, 3)
})

test('cat, and get to stdout, print a large file as it is', async () => {
  // Each line is another: a piece whose memory was used again too early would show.
  const text = Array.from({ length: 400_000 }, (_, index) => `${index + 1_000_000_000}\n`).join('')
  await writeFile(folder.in('large'), text)
  const { cluster: at } = cluster
  assert.equal((await run(['put', folder.in('large'), '/large'], { cluster: at })).exitCode, 0)
  for (const args of [
    ['cat', '/large'],
    ['get', '/large', '-'],
  ]) {
    const { stdout, stderr, exitCode } = await run(args, { cluster: at })
    assert.equal(exitCode, 0, stderr)
    assert.ok(stdout === text, `${args[0]} printed ${stdout.length} other characters`)
  }
})

test('rm, undelete and trash: by name first, for good only when emptied', async () => {
  const { stdout } = await shell(
    'put --text one /t/a',
    'rm /t/a',
    'undelete /t/a',
    'cat /t/a',
    'rm -r /t',
    'undelete /t',
    'cat /t/a',
    'rm /t/a',
    'trash empty /t --yes',
    'undelete /t/a',
  )
  assert.equal(stdout, '/t/a is back\none/t is back\noneEmptied: 1 entry, 3 B. The space returns within seconds.\n')
  const [status] = await json('status')
  assert.equal(status.files >= 1, true)
})

test('lock passes on a rising token and the exit code, and excludes others', async () => {
  const options = { cluster: cluster.cluster }
  const first = await run(['lock', '/lk', '--', 'sh', '-c', 'echo $ASHLAR_FENCING_TOKEN; exit 7'], options)
  const second = await run(['lock', '/lk', '--', 'sh', '-c', 'echo $ASHLAR_FENCING_TOKEN'], options)
  assert.deepEqual([first.exitCode, second.exitCode], [7, 0])
  assert.ok(Number(second.stdout) > Number(first.stdout))

  const holder = start(['lock', '/lk', '--', 'sh', '-c', 'echo held; exec sleep 60'], options)
  const ended = collect(holder)
  await new Promise((resolve) => holder.stdout?.once('data', resolve))
  const other = await run(['lock', '--wait', '300ms', '/lk', '--', 'true'], options)
  assert.equal(other.exitCode, 4, other.stderr)
  holder.kill('SIGTERM')
  assert.notEqual((await ended).exitCode, 0)
  assert.equal((await run(['lock', '--wait', '20s', '/lk', '--', 'true'], options)).exitCode, 0)
  assert.equal((await run(['lock', '/lk', '--', 'no-such-command'], options)).exitCode, 3)
})

test('stat --chunks --md5 shows three copies on three servers', async () => {
  await shell('put --text hello /s/h')
  const [{ chunks }] = await json('stat', '--chunks', '--md5', '/s/h')
  const [chunk] = chunks
  assert.equal(new Set(chunk.replicas.map((replica: { serverId: string }) => replica.serverId)).size, 3)
  for (const { md5 } of chunk.replicas) assert.equal(md5, '5d41402abc4b2a76b9719d911017c592')
  assert.equal((await json('checksum', '--md5', '/s/h'))[0].checksum, '5d41402abc4b2a76b9719d911017c592')
})

test('completion offers verbs, options, and remote paths', async () => {
  await shell('put --text x /complete/me/now')
  const complete = async (...words: string[]) =>
    (await run(['__complete', '--', ...words], { cluster: cluster.cluster })).stdout
  assert.equal(await complete('und'), 'undelete\n')
  assert.equal(await complete('ls', '--rec'), '--recursive\n')
  assert.equal(await complete('ls', '/comp'), '/complete/\n')
  assert.equal(await complete('cat', '/complete/me/'), '/complete/me/now\n')
  assert.equal(await complete('ls', '/nothing/'), '')
  for (const name of ['bash', 'zsh', 'fish']) assert.match((await run(['completion', name])).stdout, /__complete/)
  assert.equal((await run(['completion', 'tcsh'])).exitCode, 2)
})

test('a command waits for a master that comes back', async () => {
  const [master] = cluster.pidsOf('master')
  process.kill(master as number, 'SIGKILL')
  const { exitCode, stderr } = await run(['ls', '/', '--timeout', '30s'], { cluster: cluster.cluster })
  assert.equal(exitCode, 0, stderr)
  await eventually('up reports the end of the master', () =>
    /the master was ended by SIGKILL; starting it again/.test(cluster.messages),
  )
})

test('chunk gives the way to a chunk by HTTP; the order to delete it only when no file holds it', async () => {
  await run(['put', '--text', 'by HTTP', '/by-http'], { cluster: cluster.cluster })
  const [file] = await json('stat', '--chunks', '/by-http')
  const chunk = file.chunks[0].chunkId
  const [access] = await json('chunk', chunk)
  assert.deepEqual([access.operation, access.servers.length], ['read', 3])
  const headers = { Authorization: `Bearer ${access.token}` }
  for (const { httpAddress } of access.servers) {
    const url = `http://${httpAddress}/chunks/${chunk}`
    assert.equal(await (await fetch(url, { headers })).text(), 'by HTTP')
    assert.equal((await fetch(url, { headers, method: 'DELETE' })).status, 403)
  }
  const { stdout } = await run(['chunk', chunk], { cluster: cluster.cluster })
  assert.match(stdout, new RegExp(`curl .*/chunks/${chunk}\n`))
  const refused = await run(['chunk', chunk, '--delete'], { cluster: cluster.cluster })
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /Cannot order chunk .* deleted: a file holds it/)
  assert.equal((await run(['chunk', 'no-id'], { cluster: cluster.cluster })).exitCode, 2)
})
