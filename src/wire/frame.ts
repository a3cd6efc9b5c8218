/**
 * The frame: what travels on a connection once both sides have proven themselves. `docs/formats/frame.md` specifies
 * it, with golden bytes under test.
 *
 *     check:u32 version:u8 kind:u8 method:u16 requestId:u32 headBytes:u32 payloadBytes:u32 timeoutMs:u32 head payload
 *
 * `check` is the CRC-32 of everything after it up to the end of the head. The payload is outside of it: chunk bytes carry
 * checksums of their own, which are verified end to end. The head of a `labelledRequest` begins with the 8 bytes of its label.
 * Invariant: both lengths are within `limits` before a byte is allocated for them.
 * @module
 */
import { crc32 } from 'node:zlib'
import { AshlarError } from '../base/errors.ts'
import type { RequestLabel } from '../env/request-label.ts'

export const frameVersion = 1
export const frameHeaderBytes = 24
export const labelBytes = 8

/**
 * `request` is answered exactly once, by `response` or `error`, also after a `cancel`; `ping` by `pong`.
 * `labelledRequest` is a request that names what it is for; only from protocol version 2 on. Numbers are never used again for something else.
 */
export const frameKinds = {
  request: 1,
  response: 2,
  error: 3,
  cancel: 4,
  ping: 5,
  pong: 6,
  labelledRequest: 7,
} as const
export type FrameKind = (typeof frameKinds)[keyof typeof frameKinds]

const lastKind = frameKinds.labelledRequest

export interface FrameHeader {
  readonly kind: FrameKind
  /** Of a request; 0 in every other kind. */
  readonly method: number
  /** Unsigned 32-bit; chosen by the caller, unique among its unanswered requests. 0 in `ping` and `pong`. */
  readonly requestId: number
  /** Of a request: how long from now on the caller waits, unsigned 32-bit. */
  readonly timeoutMs: number
}

export interface Frame extends FrameHeader {
  /** A struct's bytes. A view that is valid only until the callee returns. */
  readonly head: Buffer
  /** Raw bytes, in memory of their own. */
  readonly payload: Buffer
  /** Of a labelled request. */
  readonly label?: RequestLabel | undefined
}

export interface FrameLengths {
  readonly headBytes: number
  readonly payloadBytes: number
}

/**
 * Writes a header at `at`; the head must already stand behind it, since the check covers it.
 * `buffer` has `frameHeaderBytes + headBytes` bytes from `at` on.
 */
export function writeFrameHeader(buffer: Buffer, at: number, header: FrameHeader & FrameLengths): void {
  buffer[at + 4] = frameVersion
  buffer[at + 5] = header.kind
  buffer.writeUInt16BE(header.method, at + 6)
  buffer.writeUInt32BE(header.requestId, at + 8)
  buffer.writeUInt32BE(header.headBytes, at + 12)
  buffer.writeUInt32BE(header.payloadBytes, at + 16)
  buffer.writeUInt32BE(header.timeoutMs, at + 20)
  const end = at + frameHeaderBytes + header.headBytes
  buffer.writeUInt32BE(crc32(buffer.subarray(at + 4, end)), at)
}

/**
 * The lengths that a header declares, checked against `maximum`.
 * @throws {AshlarError} `protocol` — a length over its limit, or a kind that does not exist; `version-unsupported`
 */
export function checkedLengths(header: Buffer, at: number, maximum: FrameLengths): FrameLengths {
  if (header[at + 4] !== frameVersion) {
    throw new AshlarError('version-unsupported', `Cannot read frame: version ${header[at + 4]} is not known`)
  }
  const kind = header[at + 5] as number
  if (kind < frameKinds.request || kind > lastKind) throw malformed(`kind ${kind} does not exist`)
  const headBytes = header.readUInt32BE(at + 12)
  if (headBytes > maximum.headBytes) throw malformed(`a head of ${headBytes} bytes passes ${maximum.headBytes}`)
  const payloadBytes = header.readUInt32BE(at + 16)
  if (payloadBytes > maximum.payloadBytes) {
    throw malformed(`a payload of ${payloadBytes} bytes passes ${maximum.payloadBytes}`)
  }
  return { headBytes, payloadBytes }
}

export function writeLabel(buffer: Buffer, at: number, { high, low }: RequestLabel): void {
  buffer.writeUInt32BE(high, at)
  buffer.writeUInt32BE(low, at + 4)
}

/** @throws {AshlarError} `protocol` — the head is shorter than a label */
export function labelAt(head: Buffer): RequestLabel {
  if (head.length < labelBytes) throw malformed('a label is cut short')
  return { high: head.readUInt32BE(0), low: head.readUInt32BE(4) }
}

/** @throws {AshlarError} `protocol` — the bytes are not those that were sent */
export function verifyFrameCheck(header: Buffer, at: number, head: Buffer): void {
  const isContiguous =
    head.length === 0 ||
    (head.buffer === header.buffer && head.byteOffset === header.byteOffset + at + frameHeaderBytes)
  const check = isContiguous
    ? crc32(header.subarray(at + 4, at + frameHeaderBytes + head.length))
    : crc32(head, crc32(header.subarray(at + 4, at + frameHeaderBytes)))
  if (check !== header.readUInt32BE(at)) throw malformed('its check does not match its bytes')
}

export function frameHeaderAt(header: Buffer, at: number): FrameHeader {
  return {
    kind: header[at + 5] as FrameKind,
    method: header.readUInt16BE(at + 6),
    requestId: header.readUInt32BE(at + 8),
    timeoutMs: header.readUInt32BE(at + 20),
  }
}

function malformed(what: string): AshlarError {
  return new AshlarError('protocol', `Cannot read frame: ${what}`)
}
