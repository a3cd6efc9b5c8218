/**
 * The connections of an HTTP server, bounded: what says nothing makes room for what speaks.
 *
 * A connection is *idle* while no request is under way on it: it said nothing yet, or keeps alive after an answer, or is not done with a
 * head. When all places are taken, the one that is idle for longest is closed for the newest. Where each is at work, the newest
 * is told so, by 503, and closed; few wait for that at once, and those not for long. So thousands of idle clients keep nobody out.
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits } from '../base/limits.ts'

/** A stream that can end itself, as sockets can. */
type Timed = Duplex & { setTimeout?(timeoutMs: number, onTimeout: () => void): unknown }

export class HttpConnections {
  readonly #most: number
  /** With the requests that are under way on each: senders may ask before they are answered. */
  readonly #open = new Map<Duplex, number>()
  /** From the one that is idle for longest. */
  readonly #idle = new Set<Duplex>()
  /** To be told that there is no room. */
  readonly #refused = new Set<Duplex>()

  constructor(most: number) {
    this.#most = most
  }

  /** For each connection, once. */
  take(connection: Timed): void {
    if (this.#open.size >= this.#most) {
      const [longest] = this.#idle
      if (longest === undefined) {
        this.#refuse(connection)
        return
      }
      longest.destroy()
      this.#forget(longest)
    }
    this.#open.set(connection, 0)
    this.#idle.add(connection)
    connection.once('close', () => this.#forget(connection))
  }

  /** For each request, before it is answered. @returns whether it may be: else it was refused */
  admit({ socket }: IncomingMessage, response: ServerResponse): boolean {
    if (this.#refused.has(socket)) {
      response.writeHead(503, { 'retry-after': '1', connection: 'close', 'content-length': '0' }).end()
      return false
    }
    this.#count(socket, 1)
    response.once('close', () => this.#count(socket, -1))
    return true
  }

  #count(connection: Duplex, change: 1 | -1): void {
    const underWay = this.#open.get(connection)
    // It was closed before its answer was.
    if (underWay === undefined) return
    this.#open.set(connection, underWay + change)
    if (underWay + change > 0) this.#idle.delete(connection)
    else this.#idle.add(connection)
  }

  #refuse(connection: Timed): void {
    const [first] = this.#refused
    if (first !== undefined && this.#refused.size >= limits.handshakesPerListener) {
      first.destroy()
      this.#refused.delete(first)
    }
    this.#refused.add(connection)
    connection.once('close', () => this.#refused.delete(connection))
    connection.setTimeout?.(limits.closeGraceMs, () => connection.destroy())
  }

  #forget(connection: Duplex): void {
    this.#open.delete(connection)
    this.#idle.delete(connection)
  }
}
