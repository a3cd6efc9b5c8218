/**
 * Who sends a request, and whether it came encrypted: the peer of the socket, unless that is a proxy which the operator trusts.
 * Only then is a header about it believed: of `X-Forwarded-For` the last address that is no trusted proxy itself, since whatever
 * stands before it was written by whoever sent it.
 * @module
 */
import type { IncomingMessage } from 'node:http'
import { AshlarError } from '../../../base/errors.ts'
import { contains, type IpRange, parseIpRange } from '../rules/policy/ip-range.ts'

export interface Peer {
  readonly sourceIp: string
  readonly isSecure: boolean
}

/** @throws {AshlarError} `invalid-argument` */
export function parseTrustedProxies(texts: readonly string[]): readonly IpRange[] {
  return texts.map((text) => {
    const range = parseIpRange(text)
    if (range !== undefined) return range
    throw new AshlarError(
      'invalid-argument',
      `Cannot trust the proxy "${text.slice(0, 64)}": give an address, or a range like 10.0.0.0/8`,
    )
  })
}

export function peerOf(incoming: Pick<IncomingMessage, 'socket' | 'headers'>, trusted: readonly IpRange[] = []): Peer {
  const { socket, headers } = incoming
  const address = socket.remoteAddress ?? ''
  const direct = { sourceIp: address, isSecure: 'encrypted' in socket && socket.encrypted === true }
  if (!isTrusted(address, trusted)) return direct
  const hops = listed(headers['x-forwarded-for'])
  let sourceIp = address
  for (const hop of hops.reverse()) {
    // What is no address proves nothing about those before it either.
    if (parseIpRange(hop) === undefined) break
    sourceIp = hop
    if (!isTrusted(hop, trusted)) break
  }
  return { sourceIp, isSecure: listed(headers['x-forwarded-proto']).at(-1)?.toLowerCase() === 'https' }
}

function isTrusted(address: string, trusted: readonly IpRange[]): boolean {
  if (trusted.length === 0) return false
  const range = parseIpRange(address)
  return range !== undefined && trusted.some((proxy) => contains(proxy, range))
}

function listed(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '')
  return text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
}
