/** Adapters of rivals, with programs that stand in for them, and the S3 load with the S3 door of a test cluster. */
import assert from 'node:assert/strict'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileSteps } from '../../bench/rivals/file-workload.ts'
import { rivalsOf } from '../../bench/rivals/rival.ts'
import { makeS3Load, type S3Load } from '../../bench/s3/s3-load.ts'
import { startCluster } from '../../src/testing/index.ts'

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ashlar-rivals-'))
})
after(() => rmSync(folder, { recursive: true, force: true }))

/** A program of Node, started by a shebang. */
function program(name: string, source: string): string {
  const path = join(folder, `${name}.mjs`)
  writeFileSync(path, `#!${process.execPath}\n${source}`)
  chmodSync(path, 0o755)
  return path
}

const s3RivalsOf = (environment: Readonly<Record<string, string | undefined>>) => rivalsOf(environment).throughS3

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Takes down how it was called, and answers on the port that `find` sees in the arguments. */
const server = (find: string) => `
import { appendFileSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
const args = process.argv.slice(2)
appendFileSync(${JSON.stringify(join(folder, 'calls'))}, args.join(' ') + '\\n')
const port = (${find})(args, readFileSync)
if (port !== undefined) createServer((_, response) => response.writeHead(403).end()).listen(port, '127.0.0.1')
`

test('rivalsOf() knows those that the environment names, and no others', () => {
  assert.deepEqual(rivalsOf({}), { throughS3: [], throughFiles: [] })
  const named = {
    ASHLAR_BENCH_SEAWEEDFS: 'weed',
    ASHLAR_BENCH_GARAGE: 'garage',
    ASHLAR_BENCH_S3_ENDPOINT: 'http://h:1',
    ASHLAR_BENCH_HDFS: 'hadoop',
  }
  const { throughS3, throughFiles } = rivalsOf(named)
  const names = (rivals: readonly { readonly name: string }[]) => rivals.map(({ name }) => name)
  assert.deepEqual(names(throughS3), ['SeaweedFS', 'Garage', 'h:1'])
  assert.deepEqual(names(throughFiles), ['HDFS'])
})

test('the adapter of SeaweedFS starts it, waits until it answers, and stops it', async () => {
  const weed = program('weed', server(`(args) => args.find((one) => one.startsWith('-s3.port='))?.slice(9)`))
  const [rival] = s3RivalsOf({ ASHLAR_BENCH_SEAWEEDFS: weed })
  let pid = 0
  {
    await using running = await rival?.start(folder)
    pid = running?.pids[0] ?? 0
    assert.equal((await fetch(running?.s3.endpoint ?? '')).status, 403)
  }
  assert.equal(isAlive(pid), false)
})

test('the adapter of Garage starts three nodes, joins them and makes a key', async () => {
  writeFileSync(join(folder, 'calls'), '')
  const garage = program(
    'garage',
    `${server(`(args, read) => args[2] === 'server' ? /api_bind_addr = "127.0.0.1:(\\d+)"/.exec(read(args[1], 'utf8'))[1] : undefined`)}
if (args[2] === 'node' && args[3] === 'id') console.log('id-of-' + args[1].split('/').at(-2) + '@127.0.0.1:1')`,
  )
  const [rival] = s3RivalsOf({ ASHLAR_BENCH_GARAGE: garage })
  await using running = await rival?.start(mkdtempSync(join(folder, 'data-')))
  assert.equal(running?.pids.length, 3)
  const calls = readFileSync(join(folder, 'calls'), 'utf8').replaceAll(/^-c \S+ /gm, '')
  assert.equal(calls.match(/^server$/gm)?.length, 3)
  assert.match(calls, /node connect id-of-node-1@127\.0\.0\.1:1\nnode connect id-of-node-2@/)
  assert.match(calls, /layout assign -z zone2 -c 50G id-of-node-2\nlayout apply --version 1\n/)
  assert.match(
    calls,
    new RegExp(`key import --yes -n bench ${running?.s3.accessKeyId} ${running?.s3.secretAccessKey}\n`),
  )
})

test('the adapter of HDFS formats and starts a NameNode, waits for three DataNodes, and loads files by a client that it stops', async () => {
  const home = join(folder, 'java-home')
  mkdirSync(join(home, 'bin'), { recursive: true })
  copyFileSync(
    program(
      'java',
      `
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
const [, classPath, main, ...args] = process.argv.slice(2)
const settings = classPath.split(':')[0]
const what = [main.split(/[./]/).slice(-2).join('.'), ...args].join(' ')
const site = readFileSync(settings + '/hdfs-site.xml', 'utf8')
if (args.includes('-format')) writeFileSync('formatted', '')
else if (main.endsWith('NameNode')) {
  if (!existsSync('formatted')) process.exit(1)
  const port = /127\\.0\\.0\\.1:([1-9]\\d*)</.exec(site)[1]
  const alive = () => readdirSync('.').filter((name) => name.startsWith('alive-')).length
  createServer((_, response) => response.end(JSON.stringify({ beans: [{ NumLiveDataNodes: alive() }] }))).listen(port, '127.0.0.1')
} else if (main.endsWith('DataNode')) {
  setTimeout(() => writeFileSync('alive-' + process.pid, ''), 50)
  setInterval(() => {}, 1000)
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const [op, directory, count, inFlight, sizeBytes] = line.split(' ')
    const errors = directory === '/broken' ? 1 : 0
    console.log(JSON.stringify({ op, ok: count - errors, errors, secs: 2, first_error: errors ? 'no room' : '' }))
  }
}
`,
    ),
    join(home, 'bin', 'java'),
  )
  const {
    throughFiles: [rival],
  } = rivalsOf({ ASHLAR_BENCH_HDFS: join(folder, 'jars'), JAVA_HOME: home })
  const pids: number[] = []
  {
    const data = mkdtempSync(join(folder, 'data-'))
    await using running = await rival?.start(data)
    assert.ok(running)
    assert.equal(readdirSync(data).filter((name) => name.startsWith('alive-')).length, 3)
    pids.push(...running.pids, running.files.pid)
    assert.equal(pids.length, 5)
    const work = { directory: '/x', count: 30, inFlight: 4, sizeBytes: 4096 }
    assert.equal(await running.files.run({ op: 'create', ...work }), 15)
    await assert.rejects(
      running.files.run({ op: 'read', ...work, directory: '/broken' }),
      /1 of 30 failed, the first by no room/,
    )
  }
  assert.deepEqual(
    pids.map(isAlive),
    pids.map(() => false),
  )
})

test('fileSteps() has the names of our own figures, and as many bytes in 1 stream as in 4', () => {
  const steps = fileSteps({ scale: 1, largeBytes: 1024 * 1024 * 1024 })
  assert.deepEqual(
    steps.filter(({ work }) => work.op !== 'delete').map(({ name }) => name),
    [
      ...['large write, 1 stream', 'large read, 1 stream', 'large write, 4 streams', 'large read, 4 streams'],
      ...['4 KiB create, 16 in flight', '4 KiB read, 16 in flight'],
    ],
  )
  const written = steps
    .filter(({ name }) => name.startsWith('large write'))
    .map(({ work }) => work.count * work.sizeBytes)
  assert.deepEqual(written, [1024 ** 3, 1024 ** 3])
})

test('a rival that ends at once is an error, and not waited for', async () => {
  const [rival] = s3RivalsOf({ ASHLAR_BENCH_SEAWEEDFS: program('broken', 'process.exit(1)') })
  await assert.rejects(async () => await rival?.start(folder), /did not start or has ended/)
  const [absent] = s3RivalsOf({ ASHLAR_BENCH_SEAWEEDFS: join(folder, 'absent') })
  await assert.rejects(async () => await absent?.start(folder), /absent did not start or has ended/)
})

for (const kind of ['node', 'go'] as const) {
  test(`the S3 load (${kind}) puts, reads, lists and deletes at an endpoint that runs`, async (t) => {
    const load: S3Load = makeS3Load(folder, { go: kind === 'go' })
    if (load.name !== kind) return t.skip('there is no Go here')
    await using cluster = await startCluster({ s3: true })
    const environment = {
      ASHLAR_BENCH_S3_ENDPOINT: cluster.s3?.endpoint,
      AWS_ACCESS_KEY_ID: cluster.s3?.accessKeyId,
      AWS_SECRET_ACCESS_KEY: cluster.s3?.secretAccessKey,
    }
    const [rival] = s3RivalsOf(environment)
    await using running = await rival?.start(folder)
    const s3 = running?.s3 as NonNullable<typeof running>['s3']
    await load.run(s3, { op: 'mkbucket', bucket: 'bench' })
    const what = { bucket: 'bench', count: 30, inFlight: 4, sizeBytes: 4096 }
    for (const op of ['put', 'get', 'head', 'list'] as const)
      assert.ok((await load.run(s3, { op, ...what })).rate > 0, op)
    assert.equal((await cluster.client.stat('/bench/o/00007/00000007')).size, 4096)
    await load.run(s3, { op: 'delete', ...what })
    await assert.rejects(load.run(s3, { op: 'get', ...what }), /30 failed, the first by 404/)
    await assert.rejects(load.run({ ...s3, secretAccessKey: 'wrong' }, { op: 'put', ...what }), /403/)
  })
}
