/** What the cluster says of itself, held against the disks of real processes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import { eventually, run, type ServerProcess, TemporaryFolder, upTemp } from './cli-process.ts'

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

test('fsck is clean, and ends with 1 while a chunk server is dead and not repaired', async () => {
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
