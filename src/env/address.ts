/**
 * Addresses: `host:port` text, `[host]:port` for IPv6.
 * @module
 */
import { AshlarError } from '../base/errors.ts'

export interface AddressParts {
  /** Without brackets. */
  readonly host: string
  readonly port: number
}

/** @throws {AshlarError} `invalid-argument` — not `host:port` with a port from 0 to 65535 */
export function parseAddress(address: string): AddressParts {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || !(port <= 65_535)) {
    throw new AshlarError(
      'invalid-argument',
      `Cannot use address "${address.slice(0, 300)}": write host:port, as in 127.0.0.1:7600 or [::1]:7600`,
    )
  }
  return { host, port }
}

export function formatAddress({ host, port }: AddressParts): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
