/**
 * A fuzz driver for any listener of the wire: raw sockets that send malformed, truncated, oversized, reordered, repeated and
 * slow bytes, before the handshake, inside it, and after it (given credentials). Seeded: the same seed sends the same bytes.
 *
 *     const report = await fuzzListener({ address, seed: 1, durationMs: 3000, credentials, methods: [1, 40] })
 *
 * While it runs, a well-behaved peer calls on a connection of its own; `goodCalls` counts its answers. The driver judges
 * nothing: the test that owns the listener asserts on the report, and on the memory of the listener's process.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { limits } from '../../src/base/limits.ts'
import type { Credentials } from '../../src/wire/credentials.ts'
import { type FrameKind, frameHeaderBytes, frameKinds, writeFrameHeader } from '../../src/wire/frame.ts'
import { connectorHandshake } from '../../src/wire/handshake.ts'
import { HandshakeReader, proofMessage } from '../../src/wire/handshake-messages.ts'

export interface FuzzOptions {
  /** `host:port` */
  readonly address: string
  readonly seed: number
  readonly durationMs: number
  /** With these it fuzzes behind the handshake too. */
  readonly credentials?: Credentials
  /** Method numbers that the listener answers; others are sent as well. */
  readonly methods?: readonly number[]
  /** Sockets at once. Default 16. */
  readonly sockets?: number
  /** One call of a well-behaved peer; awaited again and again while the fuzzing goes on. */
  readonly goodCall?: () => Promise<unknown>
}

export interface FuzzReport {
  readonly connections: number
  readonly authenticated: number
  readonly bytesSent: number
  readonly goodCalls: number
  /** The longest that a good call took. */
  readonly slowestGoodCallMs: number
  readonly goodCallErrors: readonly unknown[]
}

/** Enough of a generator for choices; not for secrets. @see mulberry32 */
class Draws {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length)
    for (let at = 0; at < length; at++) bytes[at] = this.below(256)
    return bytes
  }
}

export async function fuzzListener(options: FuzzOptions): Promise<FuzzReport> {
  const { seed, durationMs, sockets = 16, goodCall } = options
  const endMs = performance.now() + durationMs
  const tally = { connections: 0, authenticated: 0, bytesSent: 0, goodCalls: 0, slowestGoodCallMs: 0 }
  const goodCallErrors: unknown[] = []

  async function attack(lane: number): Promise<void> {
    const draws = new Draws(seed * 1000 + lane)
    while (performance.now() < endMs) {
      const socket = await open(options.address)
      if (socket === undefined) {
        await delay(5)
        continue
      }
      tally.connections++
      try {
        const isIn =
          options.credentials !== undefined && draws.below(3) > 0 && (await enter(socket, options.credentials, draws))
        if (isIn) tally.authenticated++
        for (const piece of attackOf(draws, isIn, options.methods ?? [])) {
          if (socket.destroyed || performance.now() > endMs) break
          tally.bytesSent += piece.length
          socket.write(piece)
          // Slow pieces, and now and then none for a while.
          if (draws.below(4) === 0) await delay(draws.below(6))
          if (socket.writableLength > 8 * 2 ** 20)
            await Promise.race([once(socket, 'drain').catch(() => undefined), delay(20)])
        }
        if (draws.below(2) === 0) await delay(draws.below(10))
      } finally {
        if (draws.below(2) === 0) socket.end()
        else socket.resetAndDestroy()
        setTimeout(() => socket.destroy(), 50)
      }
    }
  }

  async function behave(): Promise<void> {
    while (goodCall !== undefined && performance.now() < endMs) {
      const startMs = performance.now()
      try {
        await goodCall()
        tally.goodCalls++
      } catch (error) {
        goodCallErrors.push(error)
      }
      tally.slowestGoodCallMs = Math.max(tally.slowestGoodCallMs, performance.now() - startMs)
      await delay(1)
    }
  }

  await Promise.all([behave(), ...Array.from({ length: sockets }, (_, lane) => attack(lane))])
  return { ...tally, goodCallErrors }
}

async function open(address: string): Promise<Socket | undefined> {
  const at = address.lastIndexOf(':')
  const socket = connect({ host: address.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(address.slice(at + 1)) })
  const isOpen = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
  return isOpen ? socket : undefined
}

/** A right handshake. Afterwards the socket is read from, or (now and then) not at all. */
async function enter(socket: Socket, credentials: Credentials, draws: Draws): Promise<boolean> {
  const handshake = connectorHandshake({ credentials, nonce: randomBytes(32) })
  const reader = new HandshakeReader()
  return await new Promise<boolean>((resolve) => {
    socket.once('close', () => resolve(false))
    const onData = (bytes: Buffer) => {
      try {
        for (let at = 0; at < bytes.length; ) {
          const { message, next } = reader.push(bytes, at)
          at = next
          if (message === undefined) return
          const { send, proven } = handshake.receive(message)
          if (send !== undefined) socket.write(send)
          if (proven === undefined) continue
          socket.off('data', onData)
          if (draws.below(3) === 0) socket.pause()
          else socket.resume()
          return resolve(true)
        }
      } catch {
        // The listener refused: it may, when it has as many peers as it takes.
        resolve(false)
      }
    }
    socket.on('data', onData)
    socket.write(handshake.first as Buffer)
  })
}

function attackOf(draws: Draws, isIn: boolean, methods: readonly number[]): Generator<Buffer> | readonly Buffer[] {
  if (isIn) return frameAttack(draws, methods)
  switch (draws.below(5)) {
    case 0:
      return [draws.bytes(draws.below(10_000))]
    case 1:
      return [Buffer.from('GET /status HTTP/1.1\r\nHost: x\r\n\r\n')]
    case 2:
      return mutated(draws, Buffer.concat([proofMessage(draws.bytes(32)), proofMessage(draws.bytes(32))]))
    case 3: {
      const envelope = Buffer.from('Ashlar\x01\xff\xff', 'latin1')
      return [envelope, draws.bytes(draws.below(70_000))]
    }
    default:
      return frameAttack(draws, methods)
  }
}

/** A run of frames, mostly right; then what is wrong with it. */
function* frameAttack(draws: Draws, methods: readonly number[]): Generator<Buffer> {
  const style = draws.below(8)
  const count = style === 7 ? 3000 : 1 + draws.below(60)
  const kept: Buffer[] = []
  for (let index = 0; index < count; index++) {
    const frame = anyFrame(draws, methods, { smallOnly: style === 7, requestId: style === 6 ? 1 : index })
    if (style === 0) yield* mutated(draws, frame)
    else if (style === 1) yield* dribbled(draws, frame)
    else if (style === 2 && index === count - 1) yield frame.subarray(0, draws.below(frame.length))
    else if (style === 3) kept.push(frame)
    else if (style === 4 && draws.below(8) === 0) yield oversized(draws)
    else yield frame
  }
  // Reordered and repeated.
  for (let index = 0; index < kept.length; index++) yield draws.pick(kept)
}

function anyFrame(
  draws: Draws,
  methods: readonly number[],
  { smallOnly, requestId }: { readonly smallOnly: boolean; readonly requestId: number },
): Buffer {
  const kind = draws.below(3) > 0 ? frameKinds.request : draws.pick(Object.values(frameKinds))
  const sizes = smallOnly ? [0, 3] : [0, 3, 200, 5_000, 70_000, limits.framePayloadBytes]
  const head = draws.below(2) === 0 ? Buffer.of(1) : draws.bytes(draws.pick([0, 1, 8, 40, 300]))
  const payload = Buffer.alloc(draws.pick(sizes), draws.below(256))
  const method = methods.length > 0 && draws.below(4) > 0 ? draws.pick(methods) : draws.below(2 ** 16)
  return frameBytes({ kind, method, requestId, timeoutMs: draws.pick([0, 1, 20, 5_000, 2 ** 32 - 1]), head, payload })
}

interface FrameParts {
  readonly kind: FrameKind
  readonly method: number
  readonly requestId: number
  readonly timeoutMs: number
  readonly head: Buffer
  readonly payload: Buffer
}

export function frameBytes({ head, payload, ...header }: FrameParts): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(frameHeaderBytes), head, payload])
  writeFrameHeader(bytes, 0, { ...header, headBytes: head.length, payloadBytes: payload.length })
  return bytes
}

/** A header that declares more than may be. */
function oversized(draws: Draws): Buffer {
  const header = Buffer.alloc(frameHeaderBytes)
  writeFrameHeader(header, 0, {
    kind: frameKinds.request,
    method: 1,
    requestId: 1,
    timeoutMs: 1,
    headBytes: 0,
    payloadBytes: 0,
  })
  header.writeUInt32BE(draws.pick([limits.frameHeadBytes + 1, 2 ** 31, 2 ** 32 - 1]), draws.pick([12, 16]))
  return header
}

function mutated(draws: Draws, bytes: Buffer): Buffer[] {
  const changed = Buffer.from(bytes)
  for (let count = 1 + draws.below(4); count > 0; count--) {
    changed[draws.below(Math.min(changed.length, 80))] = draws.below(256)
  }
  return [changed]
}

function* dribbled(draws: Draws, bytes: Buffer): Generator<Buffer> {
  let at = 0
  for (let count = 0; at < bytes.length && count < 40; count++) {
    const length = 1 + draws.below(30)
    yield bytes.subarray(at, at + length)
    at += length
  }
  yield bytes.subarray(at)
}
