/**
 * The wire between two processes on loopback: small calls a second at several depths, and payload throughput.
 *
 *     node bench/wire.ts [--seconds 2] [--json]
 *
 * The small call is `echo` with a word of 20 bytes and a number. The CPU time of each side
 * says what one core could do, also while the machine is busy with something else.
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { field, struct, text, uint } from '../src/base/codec.ts'
import type { ClusterId, ServerId } from '../src/base/ids.ts'
import { createNodeEnv } from '../src/env/node-env.ts'
import { connectPeer } from '../src/wire/connect.ts'
import { deriveKeys } from '../src/wire/keys.ts'
import { listenForPeers } from '../src/wire/listen.ts'
import { method } from '../src/wire/method.ts'
import type { Peer } from '../src/wire/peer.ts'
import { createService } from '../src/wire/service.ts'

const echo = method({
  number: 60_100,
  name: 'echo',
  request: struct('echo', 1, { word: field(1, text(100)), number: field(2, uint) }),
  response: struct('echo response', 1, { word: field(1, text(100)), number: field(2, uint) }),
  callers: ['client'],
})
/** Answers with a payload of `bytes`; takes any. */
const transfer = method({
  number: 60_101,
  name: 'transfer',
  request: struct('transfer', 1, { bytes: field(1, uint) }),
  response: struct('transfer response', 1, { bytes: field(1, uint) }),
  callers: ['client'],
})

const clusterId = '0123456789abcdef0123456789abcdef' as ClusterId
const serverId = 'aa'.repeat(16) as ServerId
const payloadBytes = 1024 * 1024
const env = createNodeEnv({ log: 'warn' })

async function serve(secret: Buffer): Promise<void> {
  const service = createService()
  const block = Buffer.alloc(payloadBytes, 7)
  service.handle(echo, async (request) => ({ value: request }))
  service.handle(transfer, async ({ bytes }) => ({ value: { bytes }, payload: block.subarray(0, bytes) }))
  const credentials = { role: 'master', clusterId, serverId, keys: deriveKeys(secret) } as const
  const { address } = await listenForPeers({ env, address: '127.0.0.1:0', credentials, service })
  process.send?.({ address })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuUs: user + system })
  })
  process.once('disconnect', () => process.exit())
}

interface Measurement {
  readonly name: string
  /** Calls a second, or MiB. */
  readonly rate: number
  /** CPU time of each side per call (or MiB), user and system: what counts when the machine is shared. */
  readonly callerCpuUs: number
  readonly serverCpuUs: number
}

/** Keeps `depth` calls under way for `seconds`. */
async function measure(
  name: string,
  { depth, seconds, child }: { readonly depth: number; readonly seconds: number; readonly child: ChildProcess },
  call: () => Promise<unknown>,
): Promise<Measurement> {
  let count = 0
  const cpuOfServer = await cpuUsOf(child)
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  const endMs = startMs + seconds * 1000
  const lane = async () => {
    while (performance.now() < endMs) {
      await call()
      count++
    }
  }
  await Promise.all(Array.from({ length: depth }, lane))
  const rate = Math.round((count * 1000) / (performance.now() - startMs))
  const { user, system } = process.cpuUsage(cpu)
  const serverCpuUs = ((await cpuUsOf(child)) - cpuOfServer) / count
  return { name, rate, callerCpuUs: (user + system) / count, serverCpuUs }
}

async function cpuUsOf(child: ChildProcess): Promise<number> {
  child.send('cpu')
  const [{ cpuUs }] = (await once(child, 'message')) as [{ cpuUs: number }]
  return cpuUs
}

async function* measurements(peer: Peer, seconds: number, child: ChildProcess): AsyncGenerator<Measurement> {
  const small = () => peer.call(echo, { word: 'a word of twenty byt', number: 123_456 })
  const block = Buffer.alloc(payloadBytes, 9)
  await measure('warm-up', { depth: 64, seconds: Math.min(seconds, 1), child }, small)
  for (const depth of [1, 16, 64]) yield await measure(`calls/s at depth ${depth}`, { depth, seconds, child }, small)
  const four = { depth: 4, seconds, child }
  yield await measure('MiB/s sent, 1 MiB × 4', four, () => peer.call(transfer, { bytes: 0 }, { payload: block }))
  yield await measure('MiB/s received, 1 MiB × 4', four, () => peer.call(transfer, { bytes: payloadBytes }))
}

async function run(): Promise<void> {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' }, json: { type: 'boolean' } } })
  const secret = randomBytes(32)
  const child: ChildProcess = fork(import.meta.filename, ['serve', secret.toString('hex')])
  const [{ address }] = (await once(child, 'message')) as [{ address: string }]
  const credentials = { role: 'client', clusterId, clientKey: deriveKeys(secret).client } as const
  const peer = await connectPeer({ env, address, credentials })
  for await (const measured of measurements(peer, Number(values.seconds), child)) {
    const { name, rate, callerCpuUs, serverCpuUs } = measured
    if (values.json) console.log(JSON.stringify(measured))
    else {
      const cpu = `CPU µs each: caller ${callerCpuUs.toFixed(1)}, server ${serverCpuUs.toFixed(1)}`
      console.log(`${rate.toLocaleString('en').padStart(9)} ${name.padEnd(26)} ${cpu}`)
    }
  }
  peer.close()
  child.disconnect()
}

if (process.argv[2] === 'serve') await serve(Buffer.from(process.argv[3] as string, 'hex'))
else await run()
