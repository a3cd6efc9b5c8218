/** What the cluster says of itself, held against the disks of real processes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { chunkServerMetrics, masterMetrics } from '../../src/cli/metrics/metric-table.ts'
import { eventually, run, type ServerProcess, start, TemporaryFolder, upTemp } from './cli-process.ts'

let cluster: ServerProcess
let folder: TemporaryFolder

before(async () => {
  folder = await TemporaryFolder.make()
  cluster = await upTemp(['--chunk-size', '1MiB'])
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

async function ashlar(...args: string[]) {
  return await run(args, { cluster: cluster.cluster, cwd: folder.path })
}

async function json(...args: string[]) {
  const { exitCode, stdout, stderr } = await ashlar(...args, '--json')
  assert.equal(exitCode, 0, stderr)
  return JSON.parse(stdout)
}

/** Of all data folders. */
function allocatedBytes(): number {
  const folders = cluster.ready.processes.flatMap(({ data }) => data ?? [])
  const lines = execFileSync('du', ['-s', '-B1', ...folders], { encoding: 'utf8' })
    .trim()
    .split('\n')
  return lines.reduce((sum, line) => sum + Number.parseInt(line, 10), 0)
}

const categories = ['live', 'replica', 'trash', 'orphan', 'reserved', 'quarantine', 'pendingReclaim', 'overhead']

/** The ledger of a moment at which nothing changed on the disks. */
async function quietLedger() {
  let ledger: Record<string, number> = {}
  let disks = -1
  await eventually('disks at rest while the ledger is taken', async () => {
    disks = allocatedBytes()
    ledger = await json('df', '--ledger')
    return allocatedBytes() === disks
  })
  assert.equal(ledger['totalBytes'], disks)
  const sum = categories.reduce((total, name) => total + (ledger[`${name}Bytes`] as number), 0)
  assert.equal(sum, disks, JSON.stringify(ledger))
  return ledger
}

test('df --ledger adds up to du -B1 of all data folders, and says what is live, in trash and returned', async () => {
  const empty = await quietLedger()
  assert.deepEqual([empty['liveBytes'], empty['replicaBytes'], empty['trashBytes']], [0, 0, 0])

  await ashlar('put', '--text', 'x'.repeat(1000), '/small')
  const large = 2 * 2 ** 20 + 17
  await run(['put', '-', '/large'], { cluster: cluster.cluster, input: Buffer.alloc(large, 1) })
  const full = await quietLedger()
  assert.deepEqual([full['liveBytes'], full['replicaBytes']], [1000 + large, 2 * (1000 + large)])
  assert.deepEqual([full['orphanBytes'], full['quarantineBytes'], full['unmeasuredServers']], [0, 0, 0])

  await ashlar('rm', '/large')
  const trashed = await quietLedger()
  assert.deepEqual([trashed['liveBytes'], trashed['trashBytes']], [1000, 3 * large])

  await ashlar('trash', 'empty', '--yes')
  await eventually('gc', async () => (await json('status')).usedBytes === 3000)
  const returned = await quietLedger()
  assert.deepEqual([returned['liveBytes'], returned['trashBytes'], returned['pendingReclaimBytes']], [1000, 0, 0])
  assert.ok((returned['totalBytes'] as number) < (full['totalBytes'] as number), 'the disks got it back')
})

test('fsck is clean when all is well', async () => {
  const report = await json('fsck', '--verify')
  assert.deepEqual([report.files, report.verified], [1, 3 * report.chunks])
  assert.deepEqual(
    [report.underReplicated, report.missing, report.corrupt, report.orphans, report.quarantined],
    [0, 0, 0, 0, 0],
  )
  const { exitCode, stdout } = await ashlar('fsck')
  assert.equal(exitCode, 0)
  assert.match(stdout, /clean: every chunk/)
})

async function scrape(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`)
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
  return await response.text()
}

test('each process answers /metrics with every metric of its table, /healthz and /readyz, without a key', async () => {
  const nodes = (await json('nodes')) as { httpAddress: string; usedBytes: number }[]
  const chunkServers = nodes.map(({ httpAddress }) => `http://${httpAddress}`)
  const master = cluster.ready.endpoints.http
  for (const [url, table] of [
    [master, masterMetrics],
    ...chunkServers.map((each) => [each, chunkServerMetrics] as const),
  ] as const) {
    const text = await scrape(url)
    for (const [name, { type }] of Object.entries(table)) {
      assert.ok(text.includes(`# TYPE ${name} ${type}\n`), `${url} ${name}`)
      const sample = type === 'histogram' ? `${name}_count{` : name
      assert.match(
        text,
        new RegExp(`^${sample.replace('{', '\\{')}[{ ]`.replace('\\{[{ ]', '\\{'), 'm'),
        `${url} ${name}`,
      )
    }
    for (const path of ['/healthz', '/readyz']) {
      const response = await fetch(`${url}${path}`)
      assert.deepEqual([response.status, await response.text()], [200, 'ok\n'])
    }
    assert.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405)
    assert.equal((await fetch(`${url}/status`)).status, 401)
  }
  const used = (await scrape(master)).match(/^ashlar_used_bytes (\d+)$/m)?.[1]
  assert.equal(
    Number(used),
    nodes.reduce((sum, { usedBytes }) => sum + usedBytes, 0),
  )
  assert.match(await scrape(master), /^ashlar_servers\{state="up"\} 3$/m)
  assert.match(await scrape(master), /^ashlar_requests_total\{method="getNodes",code="ok"\} \d+$/m)
})

test('events begin with the start of the cluster, and go on after a number', async () => {
  // What the trash gave free is deleted, and told of, in the background.
  let events: { kind: string; number: number }[] = []
  for (let tries = 0; tries < 60 && !events.some(({ kind }) => kind === 'gc'); tries++) {
    if (tries > 0) await wait(500)
    const { stdout } = await ashlar('events', '--since', '0', '--json')
    events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
  assert.equal(events.filter(({ kind }) => kind === 'server-joined').length, 3)
  assert.ok(
    events.some(({ kind }) => kind === 'gc'),
    JSON.stringify(events),
  )
  const { stdout: later } = await ashlar('events', '--since', String(events[2]?.number))
  assert.equal(later.split('\n')[0]?.split(' ')[0], String(events[3]?.number))
  assert.equal((await ashlar('events', '--since', 'yesterday')).exitCode, 2)
})

test('explain says why a file lies where it does, and what the death of a server would mean', async () => {
  const file = await json('explain', '/small')
  assert.deepEqual([file.chunkCount, file.groupCount, file.groups[0].members.length], [1, 1, 3])
  const { stdout } = await ashlar('explain', '/small')
  assert.equal(stdout.match(/died now: 1 chunk loses a replica; all could be read/g)?.length, 3, stdout)
  const [node] = await json('nodes')
  assert.match((await ashlar('explain', 'server', node.id.slice(0, 8))).stdout, /is up: its heartbeats come/)
  assert.equal((await ashlar('explain', 'group', '99999')).exitCode, 3)
  assert.equal((await ashlar('explain', 'weather')).exitCode, 2)
})

test('status --watch goes on until it is told to stop, and says so in each line', async () => {
  const child = start(['status', '--watch', '--json'], { cluster: cluster.cluster })
  const lines = createInterface({ input: child.stdout as Readable })
  const seen: { problems: unknown[]; status: { files: number } }[] = []
  for await (const line of lines) {
    seen.push(JSON.parse(line))
    if (seen.length === 2) break
  }
  child.kill('SIGINT')
  const [exitCode] = await once(child, 'close')
  assert.equal(exitCode, 0)
  assert.deepEqual(seen[1]?.problems, [])
  assert.equal(seen[1]?.status.files, 1)
})

test('fsck sees a flipped byte and a dead server, ends with 1, and with 0 once both are repaired', async () => {
  const args = ['--no-restart', '--chunk-servers', '4', '--dead-after', '2s']
  await using up = await upTemp(args)
  const options = { cluster: up.cluster }
  const fsck = async (...more: string[]) => {
    const { exitCode, stdout } = await run(['fsck', ...more, '--json'], options)
    return { exitCode, report: JSON.parse(stdout) }
  }
  await run(['put', '-', '/f'], { ...options, input: Buffer.alloc(2 * 2 ** 20, 7) })
  const holders = up.ready.processes.flatMap(({ role, pid, data }) => {
    const file = role === 'chunkserver' ? chunkFileIn(join(data, 'chunks')) : undefined
    return file === undefined ? [] : [{ pid, file }]
  })
  assert.equal(holders.length, 3)
  const [flipped, killed] = holders as [(typeof holders)[0], (typeof holders)[0]]

  const handle = await open(flipped.file, 'r+')
  await handle.write(Buffer.from([8]), 0, 1, 1000)
  await handle.close()
  assert.equal((await fsck()).exitCode, 0, 'digests cannot see it')
  const found = await fsck('--verify')
  assert.equal(found.exitCode, 1)
  assert.deepEqual([found.report.corrupt, found.report.underReplicated, found.report.missing], [1, 1, 0])
  await eventually('its repair', async () => (await fsck('--verify')).exitCode === 0)
  assert.equal((await fsck()).report.quarantined, 1, 'it is kept')

  process.kill(killed.pid, 'SIGKILL')
  await eventually('the death to be seen', async () => (await fsck()).exitCode === 1)
  await eventually('repair on the fourth server', async () => (await fsck()).exitCode === 0)
  const nodes = JSON.parse((await run(['nodes', '--json'], options)).stdout) as { state: string }[]
  assert.equal(nodes.filter(({ state }) => state === 'dead').length, 1)
})

function chunkFileIn(folder: string): string | undefined {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return entries[0] && join(entries[0].parentPath, entries[0].name)
}
