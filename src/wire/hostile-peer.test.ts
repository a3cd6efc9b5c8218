/** What a peer does that holds a key and keeps no rule; and what a call promises while the socket is slow. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeConnection } from '../../test/wire/fake-connection.ts'
import { createManualClock, turns } from '../../test/wire/manual-clock.ts'
import { clusterId, echo, masterId } from '../../test/wire/wire-pair.ts'
import type { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { type Frame, type FrameKind, frameHeaderBytes, frameKinds, writeFrameHeader } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import type { Answer } from './peer.ts'
import { PeerConnection } from './peer-connection.ts'
import { createService } from './service.ts'

const noBytes = Buffer.alloc(0)
const echoHead = echo.request.encode({ word: 'hi', number: 5 })

interface Sent {
  readonly kind: FrameKind
  readonly requestId: number
  readonly method?: number
  readonly timeoutMs?: number
  readonly head?: Buffer
  readonly payload?: Buffer
}

function frameBytes({
  kind,
  requestId,
  method = 0,
  timeoutMs = 1000,
  head = noBytes,
  payload = noBytes,
}: Sent): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(frameHeaderBytes), head, payload])
  writeFrameHeader(bytes, 0, {
    kind,
    method,
    requestId,
    timeoutMs,
    headBytes: head.length,
    payloadBytes: payload.length,
  })
  return bytes
}

const request = (requestId: number, more: Partial<Sent> = {}) =>
  frameBytes({ kind: frameKinds.request, requestId, method: echo.number, head: echoHead, ...more })

function setUp() {
  const clock = createManualClock()
  const connection = new FakeConnection()
  const waiting: ((answer: Answer<{ word: string; number: number }>) => void)[] = []
  const service = createService()
  service.handle(echo, () => new Promise((resolve) => waiting.push(resolve)))
  const peer = new PeerConnection({
    env: { ...createNodeEnv({ log: 'silent' }), clock },
    connection,
    identity: { role: 'master', clusterId, serverId: masterId, address: 'fake:1' },
    service,
    idleTimeoutMs: limits.idleConnectionTimeoutMs,
  })
  connection.start({
    data: (bytes) => peer.receive(bytes),
    drained: () => peer.drained(),
    closed: (error) => peer.connectionClosed(error),
  })
  /** As the network does it: the bytes are its own again when this returns. */
  const receive = (bytes: Buffer) => {
    const passing = Buffer.from(bytes)
    peer.receive(passing)
    passing.fill(0xee)
  }
  return { clock, connection, waiting, peer, receive, answer: { value: { word: 'hi', number: 5 } } }
}

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  const maximum = { headBytes: limits.frameHeadBytes, payloadBytes: limits.framePayloadBytes }
  new FrameReader(maximum, { onFrame: (frame) => frames.push({ ...frame, head: Buffer.from(frame.head) }) }).push(bytes)
  return frames
}

test('a peer that makes too many calls is not read from until it is back within the limit', async () => {
  const { connection, waiting, answer, receive } = setUp()
  const count = limits.requestsPerConnection + 5
  receive(Buffer.concat(Array.from({ length: count }, (_, index) => request(index))))
  assert.equal(waiting.length, limits.requestsPerConnection)
  assert.deepEqual(connection.events, ['pause'])
  for (let index = 0; index < 6; index++) waiting[index]?.(answer)
  await turns()
  assert.ok(connection.events.includes('resume'))
  assert.equal(waiting.length, count)
})

test('a peer that sends too many bytes is not read from until it is back within the limit', async () => {
  const { connection, waiting, answer, receive } = setUp()
  const payload = Buffer.alloc(limits.framePayloadBytes)
  const count = limits.requestBytesPerConnection / limits.framePayloadBytes + 1
  for (let index = 0; index < count; index++) receive(request(index, { payload }))
  assert.deepEqual(connection.events, ['pause'])
  for (let index = 0; index < 2; index++) waiting[index]?.(answer)
  await turns()
  assert.ok(connection.events.includes('resume'))
})

test('a peer that does not read its answers gets no further call started, and no pongs', async () => {
  const { connection, waiting, answer, receive } = setUp()
  const payload = Buffer.alloc(limits.framePayloadBytes)
  for (let index = 0; index < 8; index++) receive(request(index))
  for (const resolve of waiting) resolve({ ...answer, payload })
  await turns()
  assert.ok(connection.unsentBytes > limits.unsentBytesPerConnection)
  const before = connection.unsentBytes
  for (let index = 100; index < 200; index++) {
    receive(request(index))
    receive(request(index + 1000, { method: 9 }))
    receive(frameBytes({ kind: frameKinds.ping, requestId: 0 }))
  }
  await turns()
  assert.equal(waiting.length, 8)
  assert.equal(connection.unsentBytes, before)
  connection.takeAll()
  await turns()
  assert.equal(waiting.length, 108)
})

test('a queued call that is cancelled, or whose deadline passes, never starts, and is answered', async () => {
  const { clock, connection, waiting, answer, receive } = setUp()
  const payload = Buffer.alloc(limits.framePayloadBytes)
  for (let index = 0; index < 8; index++) receive(request(index))
  for (const resolve of waiting) resolve({ ...answer, payload })
  await turns()
  receive(request(50, { timeoutMs: 100_000 }))
  receive(request(51))
  receive(request(52, { timeoutMs: 100_000 }))
  receive(frameBytes({ kind: frameKinds.cancel, requestId: 50 }))
  await clock.advance(2000)
  connection.takeAll()
  await turns()
  const errors = framesIn(connection.written).filter(({ kind }) => kind === frameKinds.error)
  assert.deepEqual(
    errors.map(({ requestId }) => requestId),
    [50, 51],
  )
  assert.equal(waiting.length, 9)
})

for (const [name, frame] of [
  ['answers a request that was not made', frameBytes({ kind: frameKinds.response, requestId: 3 })],
  ['makes two calls of one id', Buffer.concat([request(1), request(1)])],
  ['sends what is no frame', Buffer.alloc(frameHeaderBytes, 0xff)],
] as const) {
  test(`a connection is ended whose peer ${name}`, () => {
    const { connection, peer, receive } = setUp()
    receive(frame)
    assert.ok(peer.isClosed)
    assert.deepEqual(connection.events, ['destroy'])
    // What still comes is not looked at.
    receive(request(7))
  })
}

test('a request whose head is malformed is answered with protocol, and the connection goes on', async () => {
  const { connection, waiting, peer, receive } = setUp()
  receive(request(1, { head: Buffer.from('ff00ff', 'hex') }))
  receive(request(2))
  await turns()
  const [frame] = framesIn(connection.written)
  assert.equal(frame?.kind, frameKinds.error)
  assert.equal(frame?.requestId, 1)
  assert.equal(waiting.length, 1)
  assert.ok(!peer.isClosed)
})

test('call() whose answer is malformed says that it may have been applied', async () => {
  const { peer, receive } = setUp()
  for (const kind of [frameKinds.response, frameKinds.error]) {
    const call = peer.call(echo, { word: '', number: 0 })
    receive(frameBytes({ kind, requestId: kind - 1, head: Buffer.from('junk') }))
    await assert.rejects(call, { code: 'protocol', applied: 'unknown' })
  }
  assert.ok(!peer.isClosed)
})

test('call() settles only when the socket is done with its payload', async () => {
  const { clock, connection, peer, receive } = setUp()
  const payload = Buffer.alloc(100_000)
  const controller = new AbortController()
  const settled: string[] = []
  const follow = (name: string, call: Promise<unknown>) =>
    call.then(
      () => settled.push(name),
      (error: AshlarError) => settled.push(`${name}: ${error.code}`),
    )
  follow('timed out', peer.call(echo, { word: '', number: 0 }, { payload, timeoutMs: 10 }))
  follow('aborted', peer.call(echo, { word: '', number: 0 }, { payload, signal: controller.signal }))
  follow('answered', peer.call(echo, { word: '', number: 0 }, { payload }))
  controller.abort()
  await clock.advance(20)
  receive(frameBytes({ kind: frameKinds.response, requestId: 3, head: echo.response.encode({ word: '', number: 0 }) }))
  await turns()
  assert.deepEqual(settled, [])
  connection.takeAll()
  await turns()
  assert.deepEqual(settled, ['timed out: timeout', 'aborted: cancelled', 'answered'])
  // Both are still to be answered; their answers are taken and dropped.
  receive(frameBytes({ kind: frameKinds.response, requestId: 1 }))
  receive(frameBytes({ kind: frameKinds.response, requestId: 2 }))
  assert.ok(!peer.isClosed)
  const cancels = framesIn(connection.written).filter(({ kind }) => kind === frameKinds.cancel)
  assert.deepEqual(cancels.map(({ requestId }) => requestId).sort(), [1, 2])
})

test('call() sends no more than limits.requestBytesPerConnection before there are answers', async () => {
  const { connection, peer } = setUp()
  const payload = Buffer.alloc(limits.framePayloadBytes)
  const calls = Array.from({ length: 20 }, () => peer.call(echo, { word: '', number: 0 }, { payload }))
  for (let turn = 0; turn < 10; turn++) {
    connection.takeAll()
    await turns(2)
  }
  assert.ok(connection.written.length <= limits.requestBytesPerConnection + 20 * frameHeaderBytes)
  assert.ok(connection.written.length > limits.requestBytesPerConnection / 2)
  const lost = Promise.allSettled(calls)
  peer.connectionClosed(undefined)
  connection.takeAll()
  await lost
})

test('a call that waits at the caller is not sent once it was cancelled or timed out, and is not applied', async () => {
  const { clock, connection, peer } = setUp()
  connection.unsentBytes = limits.unsentBytesPerConnection
  const controller = new AbortController()
  const call = (options: { signal?: AbortSignal; timeoutMs?: number }) =>
    peer.call(echo, { word: '', number: 0 }, options)
  const aborted = assert.rejects(call({ signal: controller.signal }), { code: 'cancelled', applied: 'no' })
  const timedOut = assert.rejects(call({ timeoutMs: 10 }), { code: 'timeout', applied: 'no' })
  const sent = call({ timeoutMs: 5000 })
  controller.abort()
  await clock.advance(1000)
  await Promise.all([aborted, timedOut])
  connection.takeAll()
  await turns()
  const frames = framesIn(connection.written)
  assert.equal(frames.length, 1)
  assert.equal(frames[0]?.timeoutMs, 4000, 'what is left of the timeout travels')
  connection.unsentBytes = limits.unsentBytesPerConnection
  const waiting = assert.rejects(call({}), { code: 'unavailable', applied: 'no' })
  const lost = assert.rejects(sent, { code: 'connection-lost', applied: 'unknown' })
  peer.connectionClosed(undefined)
  await Promise.all([waiting, lost])
})
