/** The process that `fuzz.test.ts` fuzzes: a listener with a fast, a slow and a large answer. @module */
import { setTimeout as delay } from 'node:timers/promises'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import { listenForPeers } from '../../src/wire/listen.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { createService } from '../../src/wire/service.ts'
import { echo, masterCredentials, probe } from './wire-pair.ts'

export interface Memory {
  readonly highestRssBytes: number
  /** Heap and buffers, after a garbage collection. */
  readonly heldBytes: number
  readonly openPeers: number
  /** Errors that reached the process. */
  readonly unexpected: readonly string[]
}

const unexpected: string[] = []
process.on('uncaughtException', (error) => unexpected.push(String(error.stack)))
process.on('unhandledRejection', (error) => unexpected.push(String(error)))

const service = createService()
service.handle(echo, async (request, { payload }) => ({ value: request, payload }))
service.handle(probe, async (_, { payload, signal }) => {
  await delay(5, undefined, { signal }).catch(() => undefined)
  return { value: { bytes: Buffer.alloc(0) }, payload }
})

const peers = new Set<Peer>()
const { address } = await listenForPeers({
  env: createNodeEnv({ log: 'silent' }),
  address: '127.0.0.1:0',
  credentials: { ...masterCredentials, keys: deriveKeys(Buffer.from(process.argv[2] as string, 'hex')) },
  service,
  onPeer: (peer) => peers.add(peer),
  onPeerClosed: (peer) => peers.delete(peer),
})

let highestRssBytes = 0
setInterval(() => {
  highestRssBytes = Math.max(highestRssBytes, process.memoryUsage.rss())
}, 10)

process.on('message', async () => {
  for (let count = 0; peers.size > 1 && count < 500; count++) await delay(20)
  for (let count = 0; count < 4; count++) {
    globalThis.gc?.()
    await delay(10)
  }
  const { heapUsed, external } = process.memoryUsage()
  const memory: Memory = { highestRssBytes, heldBytes: heapUsed + external, openPeers: peers.size, unexpected }
  process.send?.(memory)
})
process.once('disconnect', () => process.exit())
process.send?.({ address })
