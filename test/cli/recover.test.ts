/** `ashlar up` after a loss: a chunk server's folder that is gone for good, metadata that came from an older copy. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, readFile, rm } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { eventually, run, ServerProcess, TemporaryFolder } from './cli-process.ts'

let folder: TemporaryFolder

before(async () => {
  folder = await TemporaryFolder.make()
})

after(async () => {
  await folder[Symbol.asyncDispose]()
})

test('up goes on with a new, empty server in place of one whose folder is gone for good', async () => {
  const sizes = ['--port', '0', '--capacity', '1MiB', '--dead-after', '3s']
  const up = (...args: string[]) => ['up', '--data', folder.in('c'), ...sizes, ...args]
  const first = await ServerProcess.start(up())
  const { cluster } = first
  assert.equal((await run(['put', '--text', 'kept', '/k'], { cluster })).exitCode, 0)
  const idOf = (process: ServerProcess, index: number) =>
    process.ready.processes.filter(({ role }) => role === 'chunkserver')[index]?.id
  const lost = idOf(first, 1)
  assert.equal(await first.stop(), 0)
  await rm(folder.in('c/chunkserver-2'), { recursive: true })

  const bare = await run(up())
  assert.equal(bare.exitCode, 1)
  assert.match(bare.stderr, /mounted.*--replace-chunk-server 2/s)
  assert.equal(existsSync(folder.in('c/chunkserver-2')), false, 'nothing is made in what may be a mount point')
  for (const [number, reason] of [
    ['1', /still has its store/],
    ['4', /1 to 3/],
    ['x', /1 to 3/],
  ] as const) {
    const refused = await run(up('--replace-chunk-server', number))
    assert.deepEqual([refused.exitCode, reason.test(refused.stderr)], [2, true], refused.stderr)
  }

  const second = await ServerProcess.start(up('--replace-chunk-server', '2'))
  assert.ok(idOf(second, 1) !== undefined && idOf(second, 1) !== lost, 'an identity is never used again')
  assert.equal(idOf(second, 0), idOf(first, 0))
  assert.equal((await run(['cat', '/k'], { cluster })).stdout, 'kept')
  assert.equal((await run(['put', '--text', 'new', '/n'], { cluster })).exitCode, 0)
  await eventually('the lost copy is made again', async () => {
    const { stdout } = await run(['stat', '--chunks', '/k'], { cluster })
    return stdout.match(/ ok$/gm)?.length === 3 && stdout.includes((idOf(second, 1) as string).slice(0, 8))
  })
  assert.equal(await second.stop(), 0)

  await using third = await ServerProcess.start(up())
  assert.equal(idOf(third, 1), idOf(second, 1))
  assert.equal((await run(['cat', '/n'], { cluster })).stdout, 'new')
})

test('up --accept-older-metadata raises the generation, once for each time that it is said', async () => {
  const up = (...args: string[]) => ['up', '--data', folder.in('m'), '--port', '0', '--policy', 'replicated-1', ...args]
  const first = await ServerProcess.start(up('--chunk-servers', '1'))
  const { cluster } = first
  assert.equal((await run(['put', '--text', 'kept', '/k'], { cluster })).exitCode, 0)
  assert.equal(await first.stop(), 0)
  await cp(folder.in('m/master'), folder.in('older'), { recursive: true })
  const later = await ServerProcess.start(up())
  // More than the ids in hand: the copy never gave the last ones out.
  for (let count = 0; count < 2; count++) {
    assert.equal((await run(['put', '--text', 'lost', `/lost-${count}`], { cluster })).exitCode, 0)
  }
  assert.equal(await later.stop(), 0)
  await rm(folder.in('m/master'), { recursive: true })
  await cp(folder.in('older'), folder.in('m/master'), { recursive: true })

  const old = await ServerProcess.start(up())
  const status = async () => JSON.parse((await run(['status', '--json'], { cluster })).stdout)
  await eventually('the finding', async () => (await status()).restoreNeeded !== undefined)
  const refused = await run(['put', '--text', 'x', '/x'], { cluster })
  assert.deepEqual([refused.exitCode, /--accept-older-metadata/.test(refused.stderr)], [5, true], refused.stderr)
  assert.match((await run(['status'], { cluster })).stdout, /restore needed/)
  assert.equal((await run(['cat', '/k'], { cluster })).stdout, 'kept')
  assert.equal(await old.stop(), 0)

  await using accepted = await ServerProcess.start(up('--accept-older-metadata'))
  assert.equal((await run(['put', '--text', 'x', '/x'], { cluster })).exitCode, 0)
  process.kill(accepted.pidsOf('master')[0] as number, 'SIGKILL')
  await eventually('the master is back', async () => (await run(['cat', '/x'], { cluster })).stdout === 'x')
  const { generation, restoreNeeded } = await status()
  assert.deepEqual([generation, restoreNeeded], [1, undefined])
  assert.equal(JSON.parse(await readFile(folder.in('m/master/identity.json'), 'utf8')).generation, 1)
})

// The copy is so old that chunk servers have seen leaders which it will only have again.
test('up on a copy whose leaders are behind says so, and goes on with --accept-older-metadata', async () => {
  const up = (...args: string[]) => ['up', '--data', folder.in('l'), '--port', '0', '--policy', 'replicated-1', ...args]
  const first = await ServerProcess.start(up('--chunk-servers', '1'))
  const { cluster } = first
  assert.equal((await run(['put', '--text', 'kept', '/k'], { cluster })).exitCode, 0)
  assert.equal(await first.stop(), 0)
  await cp(folder.in('l/master'), folder.in('much-older'), { recursive: true })
  for (let starts = 0; starts < 2; starts++) assert.equal(await (await ServerProcess.start(up())).stop(), 0)
  await rm(folder.in('l/master'), { recursive: true })
  await cp(folder.in('much-older'), folder.in('l/master'), { recursive: true })

  const refused = await run(up())
  assert.equal(refused.exitCode, 5, refused.stderr)
  assert.match(refused.stderr, /has seen a later leader.*--accept-older-metadata/s)
  await using accepted = await ServerProcess.start(up('--accept-older-metadata'))
  assert.equal((await run(['cat', '/k'], { cluster: accepted.cluster })).stdout, 'kept')
  assert.equal((await run(['put', '--text', 'x', '/x'], { cluster })).exitCode, 0)
})
