/** Two sides of the wire in one process, over loopback, with methods to try it on. @module */
import { randomBytes } from 'node:crypto'
import { bytes, field, struct, text, uint } from '../../src/base/codec.ts'
import type { ClusterId, ServerId } from '../../src/base/ids.ts'
import type { Env } from '../../src/env/env.ts'
import { createNodeEnv } from '../../src/env/node-env.ts'
import { connectPeer } from '../../src/wire/connect.ts'
import type { Credentials } from '../../src/wire/credentials.ts'
import { deriveKeys } from '../../src/wire/keys.ts'
import { listenForPeers, type PeerListener } from '../../src/wire/listen.ts'
import { method } from '../../src/wire/method.ts'
import type { Peer } from '../../src/wire/peer.ts'
import { createService, type Service } from '../../src/wire/service.ts'

/** Answers with what it got. */
export const echo = method({
  number: 60_000,
  name: 'echo',
  request: struct('echo', 1, { word: field(1, text(1_000_000)), number: field(2, uint) }),
  response: struct('echo response', 1, { word: field(1, text(1_000_000)), number: field(2, uint) }),
  callers: ['client', 'chunkserver', 'master'],
})

/** For whatever a test wants its handler to do. */
export const probe = method({
  number: 60_001,
  name: 'probe',
  request: struct('probe', 1, { bytes: field(1, bytes(4_000_000)) }),
  response: struct('probe response', 1, { bytes: field(1, bytes(4_000_000)) }),
  callers: ['client', 'chunkserver', 'master'],
})

export const serversOnly = method({
  number: 60_002,
  name: 'serversOnly',
  request: struct('serversOnly', 1, {}),
  response: struct('serversOnly response', 1, {}),
  callers: ['chunkserver', 'master'],
})

export const secret = randomBytes(32)
export const keys = deriveKeys(secret)
export const clusterId = '0123456789abcdef0123456789abcdef' as ClusterId
export const masterId = 'aa'.repeat(16) as ServerId

export const masterCredentials: Extract<Credentials, { role: 'master' | 'chunkserver' }> = {
  role: 'master',
  clusterId,
  serverId: masterId,
  keys,
}
export const chunkServerCredentials: Credentials = {
  role: 'chunkserver',
  clusterId,
  serverId: 'bb'.repeat(16) as ServerId,
  keys,
}
export const clientCredentials: Credentials = { role: 'client', clusterId, clientKey: keys.client }

export interface WirePair extends AsyncDisposable {
  readonly env: Env
  readonly listener: PeerListener
  /** Of the connecting side. */
  readonly peer: Peer
  /** Of the listening side. */
  readonly remote: Peer
}

export interface WirePairOptions {
  readonly service?: Service
  readonly clientService?: Service
  readonly credentials?: Credentials
  readonly env?: Env
}

export function echoService(): Service {
  const service = createService()
  service.handle(echo, async (request, { payload }) => ({ value: request, payload }))
  return service
}

export async function wirePair(options: WirePairOptions = {}): Promise<WirePair> {
  const env = options.env ?? createNodeEnv({ log: 'silent' })
  const remote = Promise.withResolvers<Peer>()
  const listener = await listenForPeers({
    env,
    address: '127.0.0.1:0',
    credentials: masterCredentials,
    service: options.service ?? echoService(),
    onPeer: remote.resolve,
  })
  const peer = await connectPeer({
    env,
    address: listener.address,
    credentials: options.credentials ?? clientCredentials,
    service: options.clientService ?? createService(),
  })
  return {
    env,
    listener,
    peer,
    remote: await remote.promise,
    async [Symbol.asyncDispose]() {
      peer.close()
      await listener.close()
    },
  }
}
