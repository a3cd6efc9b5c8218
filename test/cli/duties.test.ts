/** Drain, maintenance, plans and pauses, as an operator gives them, against a real cluster. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, run, type ServerProcess, upTemp } from './cli-process.ts'

let cluster: ServerProcess

before(async () => {
  cluster = await upTemp(['--chunk-servers', '4', '--dead-after', '5s'])
})

after(async () => {
  await cluster[Symbol.asyncDispose]()
})

const ashlar = (input: string, ...args: string[]) => run(args, { cluster: cluster.cluster, input })

async function json(...args: string[]) {
  const { exitCode, stdout, stderr } = await ashlar('', ...args, '--json')
  assert.equal(exitCode, 0, stderr)
  return JSON.parse(stdout)
}

const nodeOf = async (domain: string) =>
  (await json('nodes')).find((node: { readonly domain: string }) => node.domain === domain)

test('plan drain shows steps with reasons and costs; apply begins them once it was asked for, and refuses them then', async () => {
  await eventually('a plan', async () => (await json('plan', 'drain', '--server', 'chunkserver-4')).stepCount > 0)
  const plan = await json('plan', 'drain', '--server', 'chunkserver-4')
  const { id } = await nodeOf('chunkserver-4')
  for (const { from, reason, epoch } of plan.steps) assert.ok(from === id && reason !== '' && epoch > 0)
  const { stdout } = await ashlar('', 'plan', 'drain', '--server', 'chunkserver-4')
  assert.match(stdout, /\d+ steps, .* to copy/)
  assert.match(stdout, /is not to leave yet: "ashlar drain [0-9a-f]{8}" begins this/)
  assert.deepEqual([plan.sizeBytes, plan.diskBytes, plan.networkMs], [0, 0, 0])
  assert.equal((await nodeOf('chunkserver-4')).state, 'up')
  const some = JSON.stringify({ steps: plan.steps.slice(0, 2) })
  const unasked = await ashlar(some, 'apply', '-')
  assert.equal(unasked.exitCode, 4)
  assert.match(unasked.stderr, /Ask for it: ashlar drain/)
  await json('pause', 'drain')
  await json('drain', 'chunkserver-4')
  const begun = await ashlar(some, 'apply', '-')
  assert.equal(begun.exitCode, 0, begun.stderr)
  assert.match(
    begun.stdout,
    /^2 of 2 steps begun\ndrain is paused: nothing is copied for it until "ashlar resume drain"/,
  )
  assert.equal((await json('plan', 'drain')).isPaused, true)
  const again = await ashlar(some, 'apply', '-')
  assert.equal(again.exitCode, 4)
  assert.match(again.stderr, /Plan again/)
  assert.equal((await ashlar('{"steps":[{}]}', 'apply', '-')).exitCode, 2)
  await json('drain', 'chunkserver-4', '--cancel')
  await json('resume', 'drain')
})

test('drain --wait ends when the server has left, and --cancel takes it back', async () => {
  await ashlar('', 'put', '--text', 'hello', '/hello')
  const { exitCode, stdout, stderr } = await ashlar('', 'drain', 'chunkserver-3', '--wait')
  assert.equal(exitCode, 0, stderr)
  assert.match(stdout, /chunkserver-3 \([0-9a-f]{8}\) has left/)
  assert.equal((await nodeOf('chunkserver-3')).state, 'left')
  assert.equal((await ashlar('', 'cat', '/hello')).stdout, 'hello')
  assert.equal((await json('drain', 'chunkserver-3', '--cancel')).state, 'up')
})

test('cancel says what to use instead for duties that have nothing to take back', async () => {
  for (const duty of ['gc', 'scrub']) {
    const { exitCode, stderr } = await ashlar('', 'cancel', duty)
    assert.equal(exitCode, 2)
    assert.match(stderr, new RegExp(`Cannot cancel ${duty}: .*"ashlar pause ${duty}"`))
  }
})

test('maintenance shows in nodes, with the time that is left, until it is ended', async () => {
  const node = await json('maintenance', 'chunkserver-2', '--for', '1h')
  assert.equal(node.state, 'maintenance')
  assert.ok(node.maintenanceMs > 3_500_000)
  assert.equal((await json('maintenance', 'chunkserver-2', '--end')).state, 'up')
})

test('scrub shows how each server stands, and with --now reads what is there; a bad replica ends it with 1', async () => {
  await ashlar('', 'put', '--text', 'scrub me', '/scrubbed')
  await eventually('reports of all servers', async () => {
    const { servers } = await json('scrub')
    return servers.every((server: { readonly oldestUnscrubbedSeconds?: number }) => 'oldestUnscrubbedSeconds' in server)
  })
  const { withinMs, servers } = await json('plan', 'scrub')
  assert.equal(withinMs, 7 * 86_400_000)
  assert.equal(servers.length, 4)
  assert.match(
    (await ashlar('', 'status')).stdout,
    /scrub +everything was written to its disk, or read from it, within the last/,
  )
  assert.ok((await json('nodes')).every((node: object) => 'oldestUnscrubbedSeconds' in node))
  const read = await json('scrub', '--now', '/scrubbed')
  assert.deepEqual([read.files, read.chunks, read.good, read.bad, read.unread], [1, 1, 3, 0, 0])
  assert.equal(read.bytes, 3 * 'scrub me'.length)
  assert.match((await ashlar('', 'scrub', '--now', '/')).stdout, /nothing bad was found/)
  assert.equal((await ashlar('', 'scrub', '--now', '/none')).exitCode, 3)
})

test('cancel pauses a duty, and resume lets it go on', async () => {
  const cancelled = await json('cancel', 'rebalance')
  assert.equal(cancelled.duty, 'rebalance')
  const stateOf = async () =>
    (await json('status')).work.find((work: { duty: string }) => work.duty === 'rebalance').state
  assert.equal(await stateOf(), 'paused')
  await ashlar('', 'resume', 'rebalance')
  assert.notEqual(await stateOf(), 'paused')
  assert.equal((await ashlar('', 'cancel', 'gc')).exitCode, 2)
})

test('pause and resume show in the status; names that are none are refused', async () => {
  const stateOf = async () =>
    (await json('status')).work.find((work: { readonly duty: string }) => work.duty === 'rebalance').state
  assert.deepEqual(await json('pause', 'rebalance'), { duty: 'rebalance', paused: true })
  assert.equal(await stateOf(), 'paused')
  await json('resume', 'rebalance')
  assert.notEqual(await stateOf(), 'paused')
  assert.equal((await ashlar('', 'pause', 'everything')).exitCode, 2)
  assert.equal((await ashlar('', 'drain', 'nowhere')).exitCode, 3)
})

test('gc and scrub, paused, say so in the status and in their plans; plan gc says what is freed, when and why', async () => {
  await ashlar('', 'put', '--text', 'to trash', '/trashed')
  await ashlar('', 'rm', '/trashed')
  await json('pause', 'gc')
  await json('pause', 'scrub')
  assert.match((await ashlar('', 'status')).stdout, /paused +gc, until "ashlar resume gc"/)
  assert.match((await ashlar('', 'scrub')).stdout, /scrub is paused: nothing is read/)
  const metrics = await (await fetch(`${cluster.ready.endpoints.http}/metrics`)).text()
  assert.match(metrics, /^ashlar_duty_paused\{duty="gc"\} 1$/m)
  assert.match(metrics, /^ashlar_duty_paused\{duty="repair"\} 0$/m)
  const { stdout } = await ashlar('', 'plan', 'gc')
  assert.match(stdout, /trash +24 B +7d +each of it/)
  assert.match(stdout, /gc is paused: nothing is deleted until "ashlar resume gc"/)
  await json('resume', 'gc')
  await json('resume', 'scrub')
  const unknown = await ashlar('', 'plan', 'everything')
  assert.equal(unknown.exitCode, 2)
  assert.match(unknown.stderr, /the duties are repair, drain, rebalance, gc, scrub/)
})

test('safe-mode names the server that a new master waits for, and is off once all were compared', async () => {
  await eventually('comparisons', async () => !(await json('safe-mode')).isOn)
  assert.match((await ashlar('', 'safe-mode')).stdout, /^safe mode is off: all \d+ groups were compared/)
  const stopped = await nodeOf('chunkserver-1')
  const pidOf = (data: string) =>
    cluster.ready.processes.find((entry) => 'data' in entry && entry.data.endsWith(data))?.pid ??
    assert.fail(`no ${data}`)
  // It cannot be compared while it stands still; `up` starts the master again.
  process.kill(pidOf('/chunkserver-1'), 'SIGSTOP')
  try {
    process.kill(pidOf('/master'), 'SIGKILL')
    await eventually('safe mode for its sake', async () => {
      const { exitCode, stdout } = await ashlar('', 'safe-mode', '--json')
      if (exitCode !== 0) return false
      const { isOn, waitsFor } = JSON.parse(stdout)
      return isOn && waitsFor.some(({ server }: { readonly server: string }) => server === stopped.id)
    })
  } finally {
    process.kill(pidOf('/chunkserver-1'), 'SIGCONT')
  }
  await eventually('comparisons', async () => !(await json('safe-mode')).isOn)
})
