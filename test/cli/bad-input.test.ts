/** Bad input, each with its message and exit code. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { collect, type RunOptions, run, type ServerProcess, start, TemporaryFolder, upTemp } from './cli-process.ts'

let cluster: ServerProcess
let folder: TemporaryFolder

before(async () => {
  folder = await TemporaryFolder.make()
  cluster = await upTemp(['--chunk-servers', '3', '--capacity', '1000'])
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function refused(
  args: readonly string[],
  expected: { readonly exitCode: number; readonly message: RegExp },
  options: RunOptions = {},
): Promise<void> {
  const { exitCode, stdout, stderr } = await run(args, { cluster: cluster.cluster, cwd: folder.path, ...options })
  assert.match(stderr, expected.message)
  assert.equal(exitCode, expected.exitCode, stderr)
  assert.equal(stdout, '', 'messages go to stderr')
  assert.doesNotMatch(stderr, /^\s+at .*\.ts:/m, 'no stack')
}

test('usage errors exit with 2, and say what is known instead', async () => {
  await refused(['lss'], { exitCode: 2, message: /unknown command 'lss'[\s\S]*Did you mean ls\?/ })
  await refused(['ls', '--lonng'], { exitCode: 2, message: /unknown option '--lonng'[\s\S]*--long/ })
  await refused(['put'], { exitCode: 2, message: /missing required argument/ })
  await refused(['ls', 'relative'], { exitCode: 2, message: /not absolute/ })
  await refused(['ls', '/', '--timeout', 'soon'], { exitCode: 2, message: /Cannot read duration "soon"/ })
  await refused(['trash', 'burn'], { exitCode: 2, message: /trash list/ })
  await refused(['help', 'lss'], { exitCode: 2, message: /unknown command 'lss'[\s\S]*Did you mean ls\?/ })
})

test('help that was asked for is no failure', async () => {
  for (const args of [['help', 'put'], ['put', '--help'], ['help'], ['--help'], ['trash', '--help']]) {
    const { exitCode, stdout, stderr } = await run(args, { cluster: cluster.cluster, cwd: folder.path })
    assert.deepEqual([exitCode, stderr], [0, ''], args.join(' '))
    assert.match(stdout, /^Usage: ashlar/)
  }
})

test('with --json an error is one line of JSON on stderr, a usage error too', async () => {
  for (const [args, code] of [
    [['stat', '/nothing', '--json'], 'not-found'],
    [['ls', '--json', '--lonng'], 'invalid-argument'],
  ] as const) {
    const { stderr } = await run(args, { cluster: cluster.cluster })
    const error = JSON.parse(stderr)
    assert.deepEqual([error.event, error.code, error.applied], ['error', code, 'no'])
  }
})

test('names that cannot be stored are refused before anything is sent', async () => {
  await refused(['put', '--text', 'x', `/${'n'.repeat(1025)}`], {
    exitCode: 2,
    message: /1025 bytes, where 1024 is the limit/,
  })
  await refused(['put', '--text', 'x', `${`/${'n'.repeat(1000)}`.repeat(5)}`], {
    exitCode: 2,
    message: /4096 is the limit/,
  })
  await refused(['put', '--text', 'x', '/a/../b'], { exitCode: 2, message: /"\.\."/ })
  await refused(['put', '--text', 'x', '/a//b'], { exitCode: 2, message: /empty name/ })
})

test('what is not UTF-8 is refused, on the command line and in a folder', async () => {
  const script = `mkdir -p odd && touch odd/$(printf 'a\\377') && "$0" put -r odd /odd; echo $?; "$0" put --text x "/$(printf 'b\\376')"; echo $?`
  const { stdout, stderr } = await collectShell(script)
  assert.equal(stdout, '2\n2\n')
  assert.equal(stderr.match(/is not UTF-8/g)?.length, 2, stderr)
  assert.equal((await run(['ls', '/'], { cluster: cluster.cluster })).stdout.includes('odd/a'), false)
})

/** Root needs a mount of its own, which some containers refuse. */
function whyNotReadOnly(): string | false {
  if (process.getuid?.() !== 0) return false
  const { status } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', '-o', 'ro', 'none', '/mnt'])
  return status === 0 ? false : 'root may write everywhere, and cannot mount a read-only folder here'
}

async function collectShell(script: string) {
  const { spawn } = await import('node:child_process')
  const { binary } = await import('./cli-process.ts')
  const env = { ...process.env, ASHLAR_CLUSTER: cluster.cluster }
  return await collect(spawn('sh', ['-c', script, binary], { cwd: folder.path, env }))
}

test("files and directories in each other's place, and what is not there", async () => {
  await run(['put', '--text', 'x', '/d/file'], { cluster: cluster.cluster })
  await refused(['put', '--text', 'x', '/d'], { exitCode: 1, message: /Cannot .*"\/d".*directory/ })
  await refused(['put', '--text', 'x', '/d/file/below'], { exitCode: 1, message: /"\/d\/file".*it is a file/ })
  await refused(['cat', '/d'], { exitCode: 1, message: /directory/ })
  await refused(['rm', '/d'], { exitCode: 1, message: /directory/ })
  await refused(['mkdir', '/d'], { exitCode: 4, message: /already/ })
  await refused(['mv', '/d', '/d/inside'], { exitCode: 2, message: /itself|below|inside/ })
  await refused(['cat', '/nothing'], { exitCode: 3, message: /Cannot find "\/nothing"/ })
  await refused(['put', 'nothing.txt', '/x'], { exitCode: 3, message: /nothing.txt: there is no such local file/ })
  await refused(['undelete', '/nothing'], { exitCode: 3, message: /nothing/ })
  await refused(['append', '/d', '--text', 'x'], { exitCode: 1, message: /"\/d".*directory/ })
  await refused(['cp', '/d', '/copy'], { exitCode: 1, message: /Cannot copy \/d: it is a directory. Add -r/ })
  await writeFile(folder.in('local'), 'x')
  await refused(['get', '-r', '/d', 'local'], { exitCode: 1, message: /Cannot get \/d to local: that is a file/ })
  await refused(['get', '/d/file', 'local/x'], {
    exitCode: 1,
    message: /to local\/x: a part of the local path is a file/,
  })
  await refused(['get', '/d/file', 'none/x'], { exitCode: 3, message: /to none\/x: its local folder does not exist/ })
})

test('a data folder that cannot be one is refused by name, without a wait', async () => {
  const up = (path: string) => ['up', '--data', path]
  await writeFile(folder.in('a-file'), '')
  await refused(up(folder.in('a-file')), { exitCode: 1, message: /a-file: it is a file. Name a folder/ })
  await refused(up(folder.in('a-file', 'x')), { exitCode: 1, message: /a-file\/x: a part of the path is not/ })
  await refused(['up', '--data', folder.in('d'), '--host', '192.0.2.1'], {
    exitCode: 2,
    message: /192.0.2.1.*does not have the address/,
  })
  // A file system where folders cannot be made: asking again once filled the memory.
  if (process.platform === 'linux') {
    await refused(up('/proc/ashlar'), { exitCode: 5, message: /\/proc\/ashlar: its file system takes no new folders/ })
  }
})

test('a data folder that is read-only is refused by name', { skip: whyNotReadOnly() }, async () => {
  const path = folder.in('read-only')
  await mkdir(path, { mode: 0o500 })
  // Root may write everywhere but on a disk that nobody may write.
  const isRoot = process.getuid?.() === 0
  if (isRoot) execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'none', path])
  try {
    await refused(['up', '--data', path], {
      exitCode: 5,
      message: /Cannot lock .*read-only\/up.lock: (the file system is mounted read-only|permission denied)/,
    })
    await refused(['up', '--data', join(path, 'below')], {
      exitCode: 5,
      message: /read-only\/below: (the file system is mounted read-only|permission denied)/,
    })
  } finally {
    if (isRoot) execFileSync('umount', [path])
  }
})

test('a condition that is lost is a conflict', async () => {
  await refused(['put', '--no-clobber', '--text', 'x', '/d/file'], { exitCode: 4, message: /\/d\/file.*already/ })
  await run(['put', '--text', 'y', '/d/other'], { cluster: cluster.cluster })
  await refused(['mv', '--no-clobber', '/d/file', '/d/other'], { exitCode: 4, message: /already/ })
})

test('a full cluster says so for each server, and names the trash', async () => {
  const options = { cluster: cluster.cluster }
  await run(['put', '--text', 'a'.repeat(600), '/fill'], options)
  await run(['rm', '/fill'], options)
  await refused(['put', '--text', 'b'.repeat(600), '/more'], {
    exitCode: 1,
    message: /(is full: .* 600 B needed.*){3}Trash holds 600 B.*ashlar trash empty/,
  })
  await refused(['stat', '/more'], { exitCode: 3, message: /\/more/ })
})

test('no cluster is 5, a wrong key is 1 at once, and neither shows a key', async () => {
  const nobody = { cluster: folder.in('none.json') }
  await refused(['ls', '/'], { exitCode: 5, message: /there is no .*none.json.*ashlar up/ }, nobody)
  const file = JSON.parse(await readFile(cluster.cluster, 'utf8'))
  const wrong = { ...file, secret: Buffer.alloc(32, 7).toString('base64') }
  await writeFile(folder.in('wrong.json'), JSON.stringify(wrong))
  await refused(
    ['ls', '/', '--timeout', '1h'],
    { exitCode: 1, message: /wrong.json: its master refuses the key in this file. Take the cluster.json/ },
    { cluster: folder.in('wrong.json') },
  )
  await writeFile(folder.in('gone.json'), JSON.stringify({ ...file, address: '127.0.0.1:1' }))
  await refused(
    ['ls', '/', '--timeout', '1s'],
    { exitCode: 5, message: /127.0.0.1:1/ },
    { cluster: folder.in('gone.json') },
  )
  await writeFile(folder.in('odd.json'), `{"secret": "${file.secret}"`)
  await refused(
    ['ls', '/'],
    { exitCode: 1, message: /is a folder. Name the cluster.json in it/ },
    { cluster: folder.path },
  )
  const odd = await run(['ls', '/'], { cluster: folder.in('odd.json') })
  assert.equal(odd.exitCode, 2)
  assert.equal(odd.stderr.includes(file.secret), false)
})

test('a reader that goes away is no failure', async () => {
  const child = start(['find', '/'], { cluster: cluster.cluster })
  child.stdout?.destroy()
  const { exitCode, stderr } = await collect(child)
  assert.deepEqual([exitCode, stderr], [0, ''])
})
