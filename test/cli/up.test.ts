/** `ashlar up`: one data folder over many starts, and the servers by hand. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { dataFolderOf, eventually, isAlive, run, ServerProcess, TemporaryFolder, upTemp } from './cli-process.ts'

let folder: TemporaryFolder

before(async () => {
  folder = await TemporaryFolder.make()
})

after(async () => {
  await folder[Symbol.asyncDispose]()
})

test('up keeps its options and ports, grows, and refuses what would lose data', async () => {
  const up = (...args: string[]) => ['up', '--data', folder.in('kept'), ...args]
  const tooFew = await run(up('--chunk-servers', '1'))
  assert.deepEqual([tooFew.exitCode, /--policy replicated-1/.test(tooFew.stderr)], [2, true], tooFew.stderr)
  const tooSmall = await run(up('--capacity', '49'))
  assert.deepEqual([tooSmall.exitCode, /at least 50 bytes/.test(tooSmall.stderr)], [2, true])

  const first = await ServerProcess.start(up('--capacity', '100'))
  const cluster = first.cluster
  assert.equal((await run(['put', '--text', 'kept', '/k'], { cluster })).exitCode, 0)
  for (const entry of await readdir(folder.in('kept'), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    assert.equal((await stat(path)).mode & 0o077, 0, `${path} is for its owner alone`)
  }
  const second = await run(up())
  assert.equal(second.exitCode, 1)
  assert.match(second.stderr, new RegExp(`pid ${first.child.pid}\\b`))
  assert.equal(await first.stop(), 0)
  for (const { pid } of first.ready.processes) assert.equal(isAlive(pid), false)

  for (const [args, reason] of [
    [['--chunk-servers', '2'], /has 3|needs 3/],
    [['--capacity', '60'], /can only grow/],
    [['--policy', 'replicated-2'], /made with replicated-3/],
  ] as const) {
    const refused = await run(up(...args))
    assert.deepEqual([refused.exitCode, reason.test(refused.stderr)], [2, true], refused.stderr)
  }

  await using grown = await ServerProcess.start(up('--chunk-servers', '4', '--capacity', '200'))
  assert.deepEqual(grown.ready.endpoints, first.ready.endpoints, 'ports are kept')
  const nodes = JSON.parse((await run(['nodes', '--json'], { cluster })).stdout)
  assert.deepEqual(
    nodes.map((node: { capacityBytes: number }) => node.capacityBytes),
    [200, 200, 200, 200],
  )
  assert.equal((await run(['cat', '/k'], { cluster })).stdout, 'kept')
})

test('when up is killed its servers end, and the next start is ready with all data', async () => {
  const args = ['up', '--data', folder.in('killed')]
  const first = await ServerProcess.start(args)
  assert.equal((await run(['put', '--text', 'x', '/k'], { cluster: first.cluster })).exitCode, 0)
  await first.stop('SIGKILL')
  await eventually('its servers have ended', () => first.ready.processes.every(({ pid }) => !isAlive(pid)))
  await using next = await ServerProcess.start(args)
  assert.equal((await run(['cat', '/k'], { cluster: next.cluster })).stdout, 'x')
})

test('a server that dies is reported and started again; with --no-restart only reported', async () => {
  await using up = await upTemp()
  const [pid] = up.pidsOf('chunkserver')
  process.kill(pid as number, 'SIGKILL')
  await eventually('the end is reported', () =>
    /chunk server 1 was ended by SIGKILL; starting it again/.test(up.messages),
  )
  await eventually('all are up again', async () => {
    const { stdout } = await run(['status', '--json'], { cluster: up.cluster })
    return JSON.parse(stdout).serversUp === 3
  })
  await using still = await upTemp(['--no-restart'])
  process.kill(still.pidsOf('chunkserver')[0] as number, 'SIGKILL')
  await eventually('the end is reported', () => /stays down \(--no-restart\)/.test(still.messages))
  assert.equal((await run(['put', '--text', 'x', '/k'], { cluster: still.cluster })).exitCode, 0, 'the others go on')
})

test('--temp deletes its data at the end, and an explicit port that is taken is named', async () => {
  const up = await upTemp()
  const data = dataFolderOf(up.cluster)
  assert.equal(existsSync(data), true)
  assert.equal(await up.stop('SIGINT'), 0)
  assert.equal(existsSync(data), false)

  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as { port: number }
  const { exitCode, stderr } = await run(['up', '--temp', '--port', String(port)])
  taken.close()
  assert.deepEqual([exitCode, stderr.includes(String(port))], [1, true])
  assert.equal(stderr.trim().split('\n').length, 1, stderr)
})

test('what up prints for people can be pasted', async () => {
  const { start } = await import('./cli-process.ts')
  const child = start(['up', '--temp'])
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  await eventually('it is ready', () => text.includes('Ctrl-C stops it.'))
  const commands = text.split('\n').filter((line) => /^ {2}\S*ashlar /.test(line))
  assert.ok(commands.length >= 4, text)
  const { execFileSync } = await import('node:child_process')
  for (const command of commands.slice(0, 4)) execFileSync('sh', ['-c', command], { cwd: '/', stdio: 'pipe' })
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGTERM')
  await closed
})

test('master and chunk servers by hand: join a running cluster, and refuse a foreign folder or a bare mount point', async () => {
  await using master = await ServerProcess.start([
    ...['master', '--data', folder.in('m'), '--listen', '127.0.0.1:0', '--http-port', '0', '--policy', 'replicated-1'],
  ])
  const join = await run(['join', '--data', folder.in('m')])
  assert.equal(join.exitCode, 0, join.stderr)
  await writeFile(folder.in('join.json'), join.stdout, { mode: 0o600 })
  assert.equal((await run(['join', '--data', folder.in('m'), '--json'])).stdout.trim().split('\n').length, 1)
  const args = (name: string, joinFile = folder.in('join.json')) => [
    ...['chunkserver', '--data', folder.in(name), '--capacity', '1000', '--listen', '127.0.0.1:0'],
    ...['--cluster', joinFile, '--domain', `host-${name}/rack1`],
  ]
  await using _one = await ServerProcess.start(args('c1'))
  const { cluster } = master
  assert.equal((await run(['put', '--text', 'x', '/k'], { cluster })).exitCode, 0)
  const two = await ServerProcess.start(args('c2'))
  await eventually('the new server is up', async () => {
    const nodes = JSON.parse((await run(['nodes', '--json'], { cluster })).stdout)
    return nodes.filter(({ state }: { state: string }) => state === 'up').length === 2
  })
  assert.equal(await two.stop(), 0)

  await using other = await upTemp(['--chunk-servers', '1', '--policy', 'replicated-1'])
  const foreign = await run(args('c2', `${dataFolderOf(other.cluster)}/master/join.json`))
  assert.deepEqual([foreign.exitCode, /cluster/.test(foreign.stderr)], [1, true], foreign.stderr)

  const { rm } = await import('node:fs/promises')
  await rm(folder.in('c2'), { recursive: true })
  await mkdir(folder.in('c2'))
  const bare = await run(args('c2'))
  assert.deepEqual([bare.exitCode, /mount/.test(bare.stderr)], [1, true], bare.stderr)
  const clientFile = await run(args('c3', cluster))
  assert.deepEqual([clientFile.exitCode, /not a join file/.test(clientFile.stderr)], [2, true], clientFile.stderr)
  await writeFile(folder.in('a-file'), '')
  assert.equal((await run(args('a-file'))).exitCode, 1)
})
