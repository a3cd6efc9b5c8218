/**
 * Chunk servers that run, as places to restore from. They look for their master at the address of the join file: a restore that listens
 * there is found by all of them, and holds their registration until it is done. Servers can be dialled by name too.
 * @module
 */
import { AshlarError, isAshlarError, toAshlarError } from '../../base/errors.ts'
import type { ClusterId, ServerId } from '../../base/ids.ts'
import { limits } from '../../base/limits.ts'
import { generationOf } from '../../base/rising.ts'
import type { Env } from '../../env/env.ts'
import { sleep } from '../../env/waiting.ts'
import type { BackupSource } from '../../master/backup-source.ts'
import { connectPeer } from '../../wire/connect.ts'
import type { Credentials } from '../../wire/credentials.ts'
import { deriveKeys } from '../../wire/keys.ts'
import { listenForPeers } from '../../wire/listen.ts'
import { listPieces, readPiece } from '../../wire/methods/backup-methods.ts'
import { register } from '../../wire/methods/cluster-methods.ts'
import type { Peer } from '../../wire/peer.ts'
import { createService, type Service } from '../../wire/service.ts'

export interface RunningServers extends AsyncDisposable {
  readonly sources: readonly BackupSource[]
  /** The highest generation of a leader that one of them has seen. */
  readonly generationSeen: number
}

export interface ServersOptions {
  readonly env: Env
  readonly clusterId: ClusterId
  readonly secret: Buffer
  readonly signal: AbortSignal
}

/** After the last server came, how long another one is waited for: they try every two seconds or so. */
const quietMs = 5_000

/** @throws {AshlarError} `in-use` — something listens there: is the old master still running? `unavailable` — no server came */
export async function waitForServers(
  { env, signal, ...cluster }: ServersOptions,
  {
    address,
    waitMs,
    onServer,
  }: { readonly address: string; readonly waitMs: number; readonly onServer: (count: number) => void },
): Promise<RunningServers> {
  const peers = new Map<ServerId, Peer>()
  let generationSeen = 0
  let lastMs = env.clock.monotonicMs()
  const done = new AbortController()
  const service = createService()
  service.handle(register, async ({ server, leaderEpochSeen }, { peer, signal: gone }) => {
    generationSeen = Math.max(generationSeen, generationOf(leaderEpochSeen))
    if (!peers.has(server)) {
      lastMs = env.clock.monotonicMs()
      onServer(peers.size + 1)
    }
    peers.set(server, peer)
    // Its orders come on this connection; it is told to try again when there is a master.
    await sleep(env.clock, limits.requestTimeoutMs, done.signal, gone).catch(() => undefined)
    throw new AshlarError('unavailable', 'Cannot register yet: the metadata is being restored')
  })
  const credentials = credentialsOf(env, cluster)
  // Clients find the master's address taken, and are to wait as they do while there is no master.
  const patient: Service = {
    ...service,
    find: (method, caller) => {
      if (caller !== 'client') return service.find(method, caller)
      throw new AshlarError('unavailable', 'Cannot answer yet: the metadata is being restored')
    },
  }
  const listener = await listenForPeers({ env, address, credentials, service: patient }).catch((cause: unknown) => {
    const { message, code } = toAshlarError(cause)
    const advice = isAshlarError(cause, 'in-use')
      ? 'End the old master first'
      : 'Name an address of this machine by --listen, or the servers by --server'
    throw new AshlarError(code, `Cannot wait for chunk servers at ${address}: ${message}. ${advice}`, { cause })
  })
  const close = async () => {
    done.abort()
    await listener.close()
  }
  try {
    const beganMs = env.clock.monotonicMs()
    for (;;) {
      const nowMs = env.clock.monotonicMs()
      if (nowMs - beganMs >= waitMs || (peers.size > 0 && nowMs - lastMs >= quietMs)) break
      await sleep(env.clock, 100, signal)
    }
    if (peers.size === 0) {
      throw new AshlarError(
        'unavailable',
        `Cannot restore: no chunk server came to ${address}. Are they running, with a join file that names this address?`,
      )
    }
    const sources = [...peers.keys()].map((server) => peerSource(server.slice(0, 8), () => peers.get(server) as Peer))
    return { sources, generationSeen, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @throws {AshlarError} `unavailable`, `unauthenticated` */
export async function dialServers(
  { env, signal, ...cluster }: ServersOptions,
  addresses: readonly string[],
): Promise<RunningServers> {
  const credentials = credentialsOf(env, cluster)
  const peers: Peer[] = []
  const close = async () => {
    for (const peer of peers) peer.close()
  }
  try {
    for (const address of addresses) peers.push(await connectPeer({ env, address, credentials, signal }))
    const sources = peers.map((peer) => peerSource(peer.identity.address, () => peer))
    return { sources, generationSeen: 0, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

/** @param peer the connection now: a server may have come again */
function peerSource(label: string, peer: () => Peer): BackupSource {
  return {
    label: `server ${label}`,
    list: async () => (await peer().call(listPieces, {})).value.pieces,
    read: async (name, { offset, manifest }) =>
      (await peer().call(readPiece, { name, offset, manifest, length: limits.framePayloadBytes })).payload,
  }
}

function credentialsOf(env: Env, { clusterId, secret }: Pick<ServersOptions, 'clusterId' | 'secret'>): Credentials {
  const serverId = env.random.bytes(16).toString('hex') as ServerId
  return { role: 'master', clusterId, serverId, keys: deriveKeys(secret) }
}
