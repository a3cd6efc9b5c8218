/**
 * Connections to chunk servers: one shared by small requests to each, and data connections for long transfers, one
 * transfer at a time. It also keeps what reads choose by: how fast each server answers, and whether it fails.
 *
 * Invariant: a data connection on which a transfer failed is closed, never used again: the server ends what hung on it.
 * @module
 */
import { AshlarError } from '../base/errors.ts'
import type { ServerId } from '../base/ids.ts'
import { limits } from '../base/limits.ts'
import type { Env } from '../env/env.ts'
import { abortable, Limiter } from '../env/waiting.ts'
import { connectPeer } from '../wire/connect.ts'
import type { Credentials } from '../wire/credentials.ts'
import type { Peer } from '../wire/peer.ts'
import type { MapCache } from './map-cache.ts'
import { ServerHealth } from './server-health.ts'

const connectTimeoutMs = 3_000

/** One chunk server, as this client sees it. */
class ServerLink {
  readonly health: ServerHealth
  readonly idle: Peer[] = []
  readonly dataSlots: Limiter
  /** As of the connections below: another one means that the server moved. */
  address: string
  shared: Peer | undefined
  connecting: Promise<Peer> | undefined

  constructor(env: Env, { id, address }: { readonly id: ServerId; readonly address: string }) {
    this.health = new ServerHealth(env.clock)
    this.address = address
    this.dataSlots = new Limiter({
      name: `data connections to ${id}`,
      slots: limits.dataConnectionsPerServer,
      maxWaiting: limits.clientWaitersForMemory,
    })
  }

  closeAll(): void {
    this.shared?.close()
    this.shared = undefined
    for (const peer of this.idle.splice(0)) peer.close()
  }
}

export class ServerPool {
  readonly #env: Env
  readonly #credentials: Credentials
  readonly #maps: MapCache
  readonly #links = new Map<ServerId, ServerLink>()
  #isClosed = false

  constructor(options: { readonly env: Env; readonly credentials: Credentials; readonly maps: MapCache }) {
    this.#env = options.env
    this.#credentials = options.credentials
    this.#maps = options.maps
  }

  health(id: ServerId): ServerHealth {
    return this.#link(id).health
  }

  /** The connection that small requests share, if it is up: no waiting. */
  readyPeer(id: ServerId): Peer | undefined {
    const peer = this.#links.get(id)?.shared
    return peer === undefined || peer.isClosed ? undefined : peer
  }

  /** The connection that small requests share. @throws {AshlarError} `unavailable`, `timeout` */
  async sharedPeer(id: ServerId, signal?: AbortSignal): Promise<Peer> {
    const link = this.#link(id)
    if (link.shared !== undefined && !link.shared.isClosed) return link.shared
    link.connecting ??= this.#connect(id, link)
      .then((peer) => {
        link.shared = peer
        return peer
      })
      .finally(() => {
        link.connecting = undefined
      })
    return await abortable(link.connecting, signal, `connect to server ${id}`)
  }

  /** Runs one transfer on a connection of its own. @throws {AshlarError} `unavailable`, `timeout`, `busy`, and what `transfer` throws */
  async withDataPeer<T>(id: ServerId, transfer: (peer: Peer) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const link = this.#link(id)
    await link.dataSlots.acquire(1, signal)
    const { address } = link
    let peer: Peer | undefined
    // Closed at once, so that whoever cancels need not wait until a slow socket has taken what is queued.
    const onAbort = () => peer?.close()
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      peer = takeIdle(link) ?? (await this.#connect(id, link, signal))
      const result = await transfer(peer)
      if (this.#isClosed || peer.isClosed || link.address !== address) peer.close()
      else link.idle.push(peer)
      return result
    } catch (error) {
      peer?.close()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
      link.dataSlots.release()
    }
  }

  close(): void {
    this.#isClosed = true
    for (const link of this.#links.values()) link.closeAll()
  }

  #link(id: ServerId): ServerLink {
    const { address } = this.#maps.server(id)
    let link = this.#links.get(id)
    if (link === undefined) {
      link = new ServerLink(this.#env, { id, address })
      this.#links.set(id, link)
    } else if (link.address !== address) {
      link.closeAll()
      link.address = address
      link.connecting = undefined
    }
    return link
  }

  async #connect(id: ServerId, link: ServerLink, signal?: AbortSignal): Promise<Peer> {
    if (this.#isClosed) throw new AshlarError('closed', `Cannot connect to server ${id}: the client was closed`)
    try {
      const peer = await connectPeer({
        env: this.#env,
        address: link.address,
        credentials: this.#credentials,
        expectServer: id,
        timeoutMs: connectTimeoutMs,
        ...(signal === undefined ? {} : { signal }),
      })
      if (this.#isClosed) {
        peer.close()
        throw new AshlarError('closed', `Cannot connect to server ${id}: the client was closed`)
      }
      return peer
    } catch (error) {
      if (!signal?.aborted) link.health.failed()
      throw error
    }
  }
}

function takeIdle(link: ServerLink): Peer | undefined {
  for (let peer = link.idle.pop(); peer !== undefined; peer = link.idle.pop()) {
    if (!peer.isClosed) return peer
  }
  return undefined
}
