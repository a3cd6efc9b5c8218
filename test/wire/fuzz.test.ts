import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import { fuzzListener } from './fuzz.ts'
import type { Memory } from './fuzz-target.ts'
import { clientCredentials, echo, probe, secret } from './wire-pair.ts'

const MiB = 2 ** 20

/** Of the listener's process, after a garbage collection. */
async function memoryOf(child: ChildProcess): Promise<Memory> {
  child.send('memory')
  const [memory] = (await once(child, 'message')) as [Memory]
  return memory
}

/**
 * What a flood may hold at most, by the limits: per connection the requests and the answers. The rest is the process itself.
 */
const mostRssBytes = 400 * MiB

test('a listener survives what the fuzzer sends, its memory stays bounded, and other peers are served', async (t) => {
  const child = fork(join(import.meta.dirname, 'fuzz-target.ts'), [secret.toString('hex')], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
  })
  t.after(() => child.kill())
  const [{ address }] = (await once(child, 'message')) as [{ address: string }]
  const before = await memoryOf(child)
  const env = createNodeEnv({ log: 'silent' })
  const peer = await connectPeer({ env, address, credentials: clientCredentials })
  const report = await fuzzListener({
    address,
    seed: 20_260_101,
    durationMs: 5_000,
    credentials: clientCredentials,
    methods: [echo.number, probe.number],
    goodCall: () => peer.call(echo, { word: 'still here', number: 1 }, { payload: Buffer.alloc(10_000) }),
  })
  assert.equal(child.exitCode, null, 'the listener crashed')
  assert.deepEqual(report.goodCallErrors, [])
  assert.ok(report.goodCalls > 0 && report.connections > 16 && report.authenticated > 0, JSON.stringify(report))
  assert.ok(!peer.isClosed)
  const after = await memoryOf(child)
  assert.ok(after.highestRssBytes < mostRssBytes, `${Math.round(after.highestRssBytes / MiB)} MiB`)
  assert.equal(after.openPeers, 1, 'only the good one is left')
  // Nothing of the closed connections is kept.
  const keptBytes = after.heldBytes - before.heldBytes
  assert.ok(keptBytes < 32 * MiB, `${Math.round(keptBytes / MiB)} MiB are still held`)
  assert.deepEqual(after.unexpected, [])
  t.diagnostic(`${JSON.stringify(report)} ${JSON.stringify(after)}`)
  peer.close()
})
