/**
 * Ranges of IP addresses, as `aws:SourceIp` has them: an address, or an address and a prefix length.
 * An IPv4 address inside IPv6 (`::ffff:1.2.3.4`, as a socket of both kinds names its peer) is the IPv4 one.
 * @module
 */

export interface IpRange {
  readonly version: 4 | 6
  /** Of the whole address: 32 or 128 bits. */
  readonly bits: bigint
  readonly prefixLength: number
}

const mappedV4Prefix = 0xffffn

/** @returns undefined: `text` is neither an address nor a range */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = '', prefix, more] = text.split('/')
  if (more !== undefined || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return undefined
  const range = parseV4(address) ?? parseV6(address)
  if (range === undefined || prefix === undefined) return range
  // The prefix of a mapped address counts the 96 bits before it.
  const isMapped = range.version === 4 && address.includes(':')
  const prefixLength = Number(prefix) - (isMapped ? 96 : 0)
  if (prefixLength < 0 || prefixLength > range.prefixLength) return undefined
  return { ...range, prefixLength }
}

/** Whether `inner` lies in `outer` as a whole. */
export function contains(outer: IpRange, inner: IpRange): boolean {
  if (outer.version !== inner.version || inner.prefixLength < outer.prefixLength) return false
  const rest = BigInt((outer.version === 4 ? 32 : 128) - outer.prefixLength)
  return outer.bits >> rest === inner.bits >> rest
}

function parseV4(text: string): IpRange | undefined {
  if (!/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) return undefined
  const bytes = text.split('.').map(Number)
  if (bytes.some((byte) => byte > 255)) return undefined
  return { version: 4, bits: bytes.reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n), prefixLength: 32 }
}

function parseV6(text: string): IpRange | undefined {
  if (text.length > 45) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map(groupsOf)
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...(tail ?? [])]
  const bits = groups.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n)
  if (bits >> 32n === mappedV4Prefix) return { version: 4, bits: bits & 0xffffffffn, prefixLength: 32 }
  return { version: 6, bits, prefixLength: 128 }
}

/** Groups of 16 bits; an IPv4 address at the end counts as two. */
function groupsOf(text: string): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  for (const [index, group] of text.split(':').entries()) {
    const v4 = group.includes('.') && index === text.split(':').length - 1 ? parseV4(group) : undefined
    if (v4 !== undefined) groups.push(Number(v4.bits >> 16n), Number(v4.bits & 0xffffn))
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) groups.push(Number.parseInt(group, 16))
    else return undefined
  }
  return groups
}
