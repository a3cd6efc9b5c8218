/**
 * The master's disk is destroyed under load, and a new master rebuilt from the chunk servers alone: with real processes, each as on a
 * machine of its own. What was acknowledged before the lag that `status` showed must be there and whole; what is lost is said;
 * nothing is deleted for it; the old master can do nothing any more.
 */
import assert from 'node:assert/strict'
import { copyFile, cp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { type AshlarClient, connect } from '../../src/client/index.ts'
import { eventually, run, ServerProcess, TemporaryFolder } from '../cli/cli-process.ts'

const canary = 'canary-in-a-name'
const chunkServers = 4

let folder: TemporaryFolder
const started: ServerProcess[] = []

before(async () => {
  folder = await TemporaryFolder.make()
})

after(async () => {
  for (const process of started) await process.stop('SIGKILL')
  await folder[Symbol.asyncDispose]()
})

async function start(args: readonly string[]): Promise<ServerProcess> {
  const process = await ServerProcess.start(args)
  started.push(process)
  return process
}

interface Acknowledged {
  readonly path: string
  readonly text: string
  readonly atMs: number
}

/** Writes small files, renames some, until it is told to stop or the master is gone. */
async function writeUntil(client: AshlarClient, stop: AbortSignal): Promise<readonly Acknowledged[]> {
  const files: Acknowledged[] = []
  for (let number = 0; !stop.aborted; number++) {
    const path = `/${canary}-${number}`
    const text = `content ${number} `.repeat(1 + (number % 50))
    try {
      await client.writeFile(path, text, { signal: stop })
      if (number % 3 === 0) await client.rename(path, `${path}-renamed`, { signal: stop })
      files.push({ path: number % 3 === 0 ? `${path}-renamed` : path, text, atMs: performance.now() })
    } catch {
      // Whatever was under way when the master died has no answer.
      return files
    }
  }
  return files
}

test('a new master is rebuilt from the chunk servers, without what was not on them yet', {
  timeout: 170_000,
}, async (t) => {
  const old = await start(['master', '--data', folder.in('master'), '--listen', '127.0.0.1:0', '--http-port', '0'])
  const address = (old.ready as unknown as { endpoints: { master: string } }).endpoints.master
  await copyFile(folder.in('master/join.json'), folder.in('join.json'))
  const numbers = Array.from({ length: chunkServers }, (_, index) => index + 1)
  await Promise.all(
    numbers.map((number) => {
      const data = ['--data', folder.in(`chunkserver-${number}`), '--listen', '127.0.0.1:0', '--capacity', '256MiB']
      return start(['chunkserver', ...data, '--cluster', folder.in('join.json'), '--domain', `host${number}`])
    }),
  )

  const client = await connect({ cluster: old.cluster })
  await client.writeFile('/first', 'kept')
  await eventually('the metadata is on chunk servers', async () => (await client.status()).backup?.state === 'current')
  const stop = new AbortController()
  const writers = [0, 1, 2].map((writer) =>
    connect({ cluster: old.cluster }).then(async (each) => {
      await each.mkdir(`/w${writer}`)
      const files = await writeUntil(each, stop.signal)
      await each.close().catch(() => undefined)
      return files
    }),
  )
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const askedMs = performance.now()
  const { backup } = await client.status()
  assert.equal(backup?.state, 'current', JSON.stringify(backup))
  const safeBeforeMs = askedMs - (backup?.lagMs ?? 0)
  await old.stop('SIGKILL')
  stop.abort()
  const acknowledged = (await Promise.all(writers)).flat()
  await client.close()
  await cp(folder.in('master'), folder.in('old-master'), { recursive: true })
  await rm(folder.in('master'), { recursive: true })
  const usedBefore = await chunkFilesIn(folder)

  const restore = ['restore', '--from-servers', folder.in('join.json'), '--data', folder.in('new'), '--json']
  const planned = await run([...restore, '--plan'])
  assert.equal(planned.exitCode, 0, planned.stderr)
  assert.deepEqual((await readdir(folder.path)).includes('new'), false, 'a plan changes nothing')
  const restored = await run(restore)
  assert.equal(restored.exitCode, 0, restored.stderr)
  const report = JSON.parse(restored.stdout)
  assert.deepEqual([report.event, report.generation], ['restored', 1])
  assert.match(report.lost, /acknowledged after \d{4}-.*Z/)
  // From where the backups lie: one that waits for the servers waits until no more of them come.
  const folders = numbers.flatMap((number) => ['--folder', folder.in(`chunkserver-${number}`)])
  assert.equal((await run([...restore, ...folders])).exitCode, 4, 'never over a folder that holds something')

  const next = await start(['master', '--data', folder.in('new'), '--listen', address, '--http-port', '0'])
  const again = await connect({ cluster: next.cluster })
  await eventually('all servers are back', async () => (await again.status()).serversUp === chunkServers)
  let lost = 0
  for (const { path, text, atMs } of acknowledged) {
    const found = await again.readFile(path, 'utf8').catch((error: unknown) => error)
    if (found === text) continue
    assert.ok(atMs >= safeBeforeMs, `${path} was on chunk servers and is gone: ${String(found)}`)
    assert.equal((found as { code?: string }).code, 'not-found', 'lost whole, never in part')
    lost++
  }
  t.diagnostic(`${acknowledged.length} files acknowledged, ${lost} lost, lag ${backup?.lagMs} ms`)
  assert.ok(
    acknowledged.some(({ atMs }) => atMs < safeBeforeMs),
    'something was written in time',
  )
  assert.equal(await again.readFile('/first', 'utf8'), 'kept')
  const { counts } = await again.insight.fsck()
  assert.deepEqual([counts.missing, counts.corrupt], [0, 0])

  await again.writeFile('/after', 'the restore')
  const events = []
  for await (const { kind } of again.insight.events()) events.push(kind)
  assert.ok(events.includes('metadata-restored'), events.join(' '))
  await eventually('it is safe again', async () => (await again.status()).backup?.state === 'current')
  await again.insight.fsck()
  for (const name of usedBefore) assert.ok((await chunkFilesIn(folder)).has(name), `${name} was deleted`)
  await again.close()

  await next.stop('SIGKILL')
  const deposed = await run(['master', '--data', folder.in('old-master'), '--listen', address, '--http-port', '0'])
  assert.notEqual(deposed.exitCode, 0)
  assert.match(deposed.stderr, /later leader/)
})

test('a backup on a chunk server tells nothing without the join file', async () => {
  let seen = 0
  for (let number = 1; number <= chunkServers; number++) {
    const names = await readdir(folder.in(`chunkserver-${number}`, 'backup')).catch(() => [])
    for (const name of names) {
      const path = folder.in(`chunkserver-${number}`, 'backup', name)
      const bytes = await readFile(path)
      assert.equal(bytes.includes(canary), false, `${path} shows names`)
      assert.equal((await stat(path)).mode & 0o077, 0, `${path} is readable by others`)
      seen += bytes.length
    }
  }
  assert.ok(seen > 10_000, 'backups were looked at')
})

/** Everything in which chunks are kept. */
async function chunkFilesIn({ path }: TemporaryFolder): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for (let number = 1; number <= chunkServers; number++) {
    for (const kind of ['chunks', 'segments']) {
      const found = await readdir(`${path}/chunkserver-${number}/${kind}`, { recursive: true })
      for (const name of found) names.add(`${number}/${kind}/${name}`)
    }
  }
  return names
}
