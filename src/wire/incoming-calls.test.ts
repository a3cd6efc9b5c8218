import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeConnection } from '../../test/wire/fake-connection.ts'
import { createManualClock, turns } from '../../test/wire/manual-clock.ts'
import { echo, serversOnly } from '../../test/wire/wire-pair.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { silentLog } from '../env/node-log.ts'
import { type Frame, frameKinds } from './frame.ts'
import { FrameWriter } from './frame-writer.ts'
import { IncomingCalls } from './incoming-calls.ts'
import { payloadMemory, recyclePayload } from './payload-memory.ts'
import type { Peer } from './peer.ts'
import { createService } from './service.ts'

const noPayload = Buffer.alloc(0)
const head = echo.request.encode({ word: 'x', number: 1 })
let lastId = 0

function request(payload: Buffer, changes: Partial<Frame> = {}): Frame {
  return {
    ...{ kind: frameKinds.request, method: echo.number, requestId: ++lastId, timeoutMs: 1_000, head, payload },
    ...changes,
  } as Frame
}

/** Calls of a client that run until the test says so: what is beyond the limit waits. */
function incoming() {
  const running: (() => void)[] = []
  const service = createService()
  service.handle(echo, (value) => new Promise((resolve) => running.push(() => resolve({ value }))))
  service.handle(serversOnly, async () => ({ value: {} }))
  const clock = createManualClock()
  const connection = new FakeConnection()
  const calls = new IncomingCalls({
    ...{ service, connection, clock, log: silentLog, writer: new FrameWriter(connection, clock) },
    peer: { identity: { role: 'client', address: 'client:1' } } as unknown as Peer,
  })
  const fill = () => {
    for (let count = 0; count < limits.requestsPerConnection; count++) calls.request(request(noPayload))
  }
  return { calls, fill, finishOne: () => running.pop()?.() }
}

/** Whether its memory was given back. */
function isBack(payload: Buffer): boolean {
  const next = payloadMemory(payload.length)
  recyclePayload(next)
  return next.buffer === payload.buffer
}

const large = () => payloadMemory(limits.framePayloadBytes)

test('IncomingCalls gives back the payload of a call that no handler takes', () => {
  const { calls } = incoming()
  for (const refused of [{ method: 59_999 }, { method: serversOnly.number }, { head: Buffer.of(99) }]) {
    const payload = large()
    calls.request(request(payload, refused))
    assert.ok(isBack(payload), JSON.stringify(refused))
  }
})

test('IncomingCalls leaves the payload of a call that runs to its handler', () => {
  const { calls } = incoming()
  const payload = large()
  calls.request(request(payload))
  assert.equal(isBack(payload), false)
  calls.close(new AshlarError('connection-lost', 'gone'))
  assert.equal(isBack(payload), false)
  recyclePayload(payload)
})

test('IncomingCalls gives back the payload of a call that waited until its connection closed', () => {
  const { calls, fill } = incoming()
  fill()
  const payload = large()
  calls.request(request(payload))
  assert.equal(isBack(payload), false)
  calls.close(new AshlarError('connection-lost', 'gone'))
  assert.ok(isBack(payload))
})

test('IncomingCalls gives back the payload of a call that was cancelled while it waited', async () => {
  const { calls, fill, finishOne } = incoming()
  fill()
  const payload = large()
  const waiting = request(payload)
  calls.request(waiting)
  calls.cancel(waiting.requestId)
  finishOne()
  await turns()
  assert.ok(isBack(payload))
})
