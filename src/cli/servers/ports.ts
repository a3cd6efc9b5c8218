/** Which port a server takes: the one it had, else the default one, else the next that is free. @module */
import { AshlarError, isAshlarError } from '../../base/errors.ts'

export const defaultPorts = { master: 7600, http: 7601, s3: 7602, s3Metrics: 7603, chunkServer: 7610 } as const

const attempts = 200

/** Where servers listen that were told no host. */
export const loopback = '127.0.0.1'

export interface PortChoice {
  /** The port of an earlier start; 0: none. */
  readonly kept: number
  readonly usual: number
  /** Distance to the next candidate: servers that take two ports take neighbours. */
  readonly step: number
  /** Only this one: `kept` was asked for by name. */
  readonly exact?: boolean
  /** Any port at all: the operating system chooses. */
  readonly any?: boolean
}

/**
 * Calls `listen` with one candidate after the other until one is not taken.
 * @throws {AshlarError} `in-use` — the exact one, or all tried, are taken
 */
export async function listenOnFree<T>(choice: PortChoice, listen: (port: number) => Promise<T>): Promise<T> {
  if (choice.any) return await listen(0)
  const first = choice.kept === 0 ? choice.usual : choice.kept
  if (choice.exact) return await listen(first)
  for (let port = first; port < first + attempts * choice.step && port < 65_535; port += choice.step) {
    try {
      return await listen(port)
    } catch (error) {
      if (!isAshlarError(error, 'in-use')) throw error
    }
  }
  throw new AshlarError('in-use', `Cannot listen: no port from ${first} on is free`)
}

/** @throws {AshlarError} `invalid-argument` — not `host:port` */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const at = address.lastIndexOf(':')
  if (at <= 0)
    throw new AshlarError('invalid-argument', `Cannot listen on "${address}": write host:port, as in 127.0.0.1:7600`)
  return { host: address.slice(0, at), port: portOf(address.slice(at + 1)) }
}

/** @throws {AshlarError} `invalid-argument` — not a port */
export function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535))
    throw new AshlarError('invalid-argument', `Cannot use port "${text}": it is a number from 0 to 65535`)
  return port
}
