/**
 * The fuzz driver against processes of production: the master and a chunk server of `ashlar up`, each at its frames and at its
 * HTTP door, all at once, with a client at work beside it.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClusterId } from '../../src/base/ids.ts'
import { type AshlarClient, type ClusterFile, connect } from '../../src/client/index.ts'
import type { Credentials } from '../../src/wire/credentials.ts'
import * as chunkMethods from '../../src/wire/methods/chunk-methods.ts'
import * as clusterMethods from '../../src/wire/methods/cluster-methods.ts'
import * as fileMethods from '../../src/wire/methods/file-methods.ts'
import * as sessionMethods from '../../src/wire/methods/session-methods.ts'
import * as writeMethods from '../../src/wire/methods/write-methods.ts'
import { someBytes } from '../contract/chunk-store.ts'
import { fuzzListener } from './fuzz.ts'

const MiB = 2 ** 20
const durationMs = 4_000
const seed = 20_261_121
/** By the limits: what the connections of one fuzzer may have under way, and the process itself. */
const mostRssBytes = 600 * MiB

interface Ready {
  readonly cluster: string
  readonly endpoints: { readonly master: string; readonly http: string }
  readonly processes: readonly { readonly role: string; readonly pid: number }[]
}

async function start(): Promise<{ readonly child: ChildProcess; readonly ready: Ready }> {
  const command = join(import.meta.dirname, '../../bin/ashlar')
  const child = spawn(command, ['up', '--temp', '--json', '--no-restart'], { stdio: ['ignore', 'pipe', 'ignore'] })
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const event = JSON.parse(line)
    if (event.event === 'ready') return { child, ready: event }
  }
  throw new Error('the cluster ended before it was ready')
}

function methodNumbers(modules: readonly object[]): number[] {
  const values = modules.flatMap((module) => Object.values(module)) as unknown[]
  return values.flatMap((value) => {
    const { number, callers } = (value ?? {}) as { readonly number?: unknown; readonly callers?: unknown }
    return typeof number === 'number' && callers !== undefined ? [number] : []
  })
}

/** Of a process, in bytes; 0 when it is gone. */
function rssOf(pid: number): number {
  if (!existsSync(`/proc/${pid}/status`)) return 0
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

/** Writes, reads and removes, and finds what it wrote. */
function work(client: AshlarClient): () => Promise<void> {
  let count = 0
  return async () => {
    const path = `/${count++}`
    const bytes = someBytes(1 + ((count * 7919) % 100_000), count)
    await client.writeFile(path, bytes)
    assert.ok((await client.readFile(path)).equals(bytes))
    if (count % 3 === 0) await client.rm(path)
  }
}

test('master and chunk server survive the fuzzer at every door, their memory stays bounded, and clients go on', async (t) => {
  if (process.platform !== 'linux') return t.skip('memory of other processes is read from /proc')
  const { child, ready } = await start()
  const ended = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const file = JSON.parse(readFileSync(ready.cluster, 'utf8')) as ClusterFile
  const credentials: Credentials = {
    role: 'client',
    clusterId: file.clusterId as ClusterId,
    clientKey: Buffer.from(file.secret, 'base64'),
  }
  await using client = await connect({ cluster: file })
  await client.writeFile('/kept', someBytes(500_000))
  const { servers } = await client.map()
  const { address = '', httpAddress = '' } = servers[0] ?? {}

  const highest = new Map<number, number>()
  const watch = setInterval(() => {
    for (const { pid } of ready.processes) highest.set(pid, Math.max(highest.get(pid) ?? 0, rssOf(pid)))
  }, 50)
  const masterNumbers = methodNumbers([fileMethods, sessionMethods, writeMethods, clusterMethods])
  const common = { seed, durationMs, sockets: 8 }
  const reports = await Promise.all([
    fuzzListener({
      ...common,
      address: ready.endpoints.master,
      credentials,
      methods: masterNumbers,
      goodCall: work(client),
    }),
    fuzzListener({ ...common, seed: seed + 1, address, credentials, methods: methodNumbers([chunkMethods]) }),
    fuzzListener({ ...common, seed: seed + 2, address: httpAddress, sockets: 4 }),
    fuzzListener({ ...common, seed: seed + 3, address: new URL(ready.endpoints.http).host, sockets: 4 }),
  ])
  clearInterval(watch)
  t.diagnostic(JSON.stringify(reports))
  t.diagnostic([...highest.values()].map((rss) => `${Math.round(rss / MiB)} MiB`).join(', '))

  const [master] = reports
  assert.deepEqual(master.goodCallErrors, [])
  assert.ok(master.goodCalls > 2, JSON.stringify(master))
  for (const report of reports) assert.ok(report.connections > 20, JSON.stringify(report))
  assert.ok(master.authenticated > 5 && (reports[1]?.authenticated ?? 0) > 5)
  assert.equal(child.exitCode, null)
  for (const { pid, role } of ready.processes) {
    assert.ok(rssOf(pid) > 0, `the ${role} died`)
    const most = highest.get(pid) ?? 0
    assert.ok(most < mostRssBytes, `${role}: ${Math.round(most / MiB)} MiB`)
  }
  assert.ok((await client.readFile('/kept')).equals(someBytes(500_000)))
  // What random requests began is given back: nothing stays reserved.
  for (let waitedMs = 0; waitedMs < 5_000; waitedMs += 100) {
    if ((await client.nodes()).every(({ reservedBytes }) => reservedBytes === 0)) break
    await delay(100)
  }
  for (const { reservedBytes, state } of await client.nodes()) assert.deepEqual([reservedBytes, state], [0, 'up'])
  const answer = await fetch(`${ready.endpoints.http}/status`, { headers: { authorization: `Bearer ${file.secret}` } })
  assert.equal(answer.status, 200)
})
