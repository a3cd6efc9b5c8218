import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FakeConnection } from '../../test/wire/fake-connection.ts'
import { createManualClock, turns } from '../../test/wire/manual-clock.ts'
import { isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { type Frame, type FrameKind, frameHeaderBytes, frameKinds, writeFrameHeader } from './frame.ts'
import { FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { payloadMemory } from './payload-memory.ts'

const maximum = { headBytes: 1000, payloadBytes: 100_000 }

/** The worked example of docs/formats/frame.md. */
const golden =
  'ccd553dd' + '01' + '01' + '0028' + '00000007' + '00000005' + '00000003' + '00007530' + '0103022f61' + '616263'

/** Its second one, of a labelled request. */
const goldenLabelled =
  'a0213cc2' +
  '01' +
  '07' +
  '0028' +
  '00000007' +
  '0000000d' +
  '00000000' +
  '00007530' +
  '00000001fffffffe' +
  '0103022f61'

function frameBytes(kind: number, head: Buffer, payload: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(frameHeaderBytes), head, payload])
  const header = { kind: kind as FrameKind, method: 40, requestId: 7, timeoutMs: 30_000 }
  writeFrameHeader(bytes, 0, { ...header, headBytes: head.length, payloadBytes: payload.length })
  return bytes
}

function read(...pieces: readonly Buffer[]): Frame[] {
  const frames: Frame[] = []
  const reader = new FrameReader(maximum, {
    onFrame: (frame) => frames.push({ ...frame, head: Buffer.from(frame.head) }),
  })
  for (const piece of pieces) {
    const passing = Buffer.from(piece)
    reader.push(passing)
    // A piece belongs to the network again once push() has returned.
    passing.fill(0xee)
  }
  return frames
}

test('writeFrameHeader() writes the bytes of docs/formats/frame.md', () => {
  const bytes = frameBytes(frameKinds.request, Buffer.from('0103022f61', 'hex'), Buffer.from('abc'))
  assert.equal(bytes.toString('hex'), golden)
})

test('FrameReader.push() reads the bytes of docs/formats/frame.md', () => {
  assert.deepEqual(read(Buffer.from(golden, 'hex')), [
    {
      kind: frameKinds.request,
      method: 40,
      requestId: 7,
      timeoutMs: 30_000,
      head: Buffer.from('0103022f61', 'hex'),
      payload: Buffer.from('abc'),
    },
  ])
})

test('FrameWriter.write() and FrameReader.push() carry the label of a request, as docs/formats/frame.md says', async () => {
  const connection = new FakeConnection()
  const writer = new FrameWriter(connection, createManualClock())
  const head = Buffer.from('0103022f61', 'hex')
  const label = { high: 1, low: 2 ** 32 - 2 }
  writer.write({ kind: frameKinds.labelledRequest, method: 40, requestId: 7, timeoutMs: 30_000, head, label })
  writer.flush()
  const written = connection.written
  assert.equal(written.toString('hex'), goldenLabelled)
  const [frame] = read(written)
  assert.deepEqual([frame?.head, frame?.label], [head, label])
})

test('FrameReader.push() refuses a label that is cut short', () => {
  assert.throws(() => read(frameBytes(frameKinds.labelledRequest, Buffer.alloc(7), Buffer.alloc(0))), {
    code: 'protocol',
  })
})

test('FrameReader.push() reads the same frames, wherever the stream is cut in two', () => {
  const stream = Buffer.concat([
    frameBytes(frameKinds.request, Buffer.from('head of one'), Buffer.from('payload of one')),
    frameBytes(frameKinds.ping, Buffer.alloc(0), Buffer.alloc(0)),
    frameBytes(frameKinds.response, Buffer.alloc(0), Buffer.from('only a payload')),
    frameBytes(frameKinds.error, Buffer.from('only a head'), Buffer.alloc(0)),
  ])
  const whole = read(stream)
  assert.equal(whole.length, 4)
  for (let cut = 0; cut <= stream.length; cut++) {
    assert.deepEqual(read(stream.subarray(0, cut), stream.subarray(cut)), whole, `cut at ${cut}`)
  }
  assert.deepEqual(read(...Array.from(stream, (byte) => Buffer.of(byte))), whole, 'byte by byte')
})

test('FrameReader.push() reads the same frames, however the stream is cut', () => {
  const frame = fc.record({
    kind: fc.constantFrom(...Object.values(frameKinds)),
    // Long enough for a label.
    head: fc.uint8Array({ minLength: 8, maxLength: 300 }),
    payload: fc.uint8Array({ maxLength: 3000 }),
  })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), fc.array(fc.nat(9000), { maxLength: 12 }), (frames, cuts) => {
      const stream = Buffer.concat(
        frames.map(({ kind, head, payload }) => frameBytes(kind, Buffer.from(head), Buffer.from(payload))),
      )
      const places = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length]
      const pieces = places.slice(1).map((place, index) => stream.subarray(places[index], place))
      const found = read(...pieces)
      assert.deepEqual(
        found.map(({ kind, head, payload }) => ({ kind, head: [...head], payload: [...payload] })),
        frames.map(({ kind, head, payload }) => ({
          kind,
          head: [...head].slice(kind === frameKinds.labelledRequest ? 8 : 0),
          payload: [...payload],
        })),
      )
    }),
    { numRuns: 300 },
  )
})

test('FrameReader.payloadRest is where the next bytes belong: what a connection puts there is read as if it was copied', () => {
  const frame = fc.record({
    head: fc.uint8Array({ maxLength: 300 }),
    payloadBytes: fc.constantFrom(0, 3, 20_000, 99_999),
    fill: fc.nat(255),
  })
  const run = fc.property(
    fc.array(frame, { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 50_000 })),
    (frames, sizes) => {
      const stream = Buffer.concat(
        frames.map(({ head, payloadBytes, fill }) =>
          frameBytes(frameKinds.request, Buffer.from(head), Buffer.alloc(payloadBytes, fill)),
        ),
      )
      const found: Frame[] = []
      const reader = new FrameReader(maximum, { onFrame: (one) => found.push({ ...one, head: Buffer.from(one.head) }) })
      const shared = Buffer.alloc(8000)
      let inPlace = 0
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const target = reader.payloadRest ?? shared
        const count = stream.copy(target, 0, at, at + (sizes[turn % (sizes.length || 1)] ?? 8000))
        reader.push(target.subarray(0, count))
        if (target !== shared) inPlace += count
        shared.fill(0xee)
        at += count
      }
      assert.deepEqual(
        found.map(({ head, payload }) => ({ head: [...head], payload })),
        frames.map(({ head, payloadBytes, fill }) => ({ head: [...head], payload: Buffer.alloc(payloadBytes, fill) })),
      )
      // Of a large payload only what came with its head went another way.
      for (const { payloadBytes } of frames) if (payloadBytes === 99_999) assert.ok(inPlace > 60_000)
    },
  )
  fc.assert(run, { numRuns: 100 })
})

test('FrameReader.push() refuses a length over its limit as soon as the header is there', () => {
  const none = { headBytes: 0, payloadBytes: 0 }
  for (const lengths of [
    { ...none, headBytes: maximum.headBytes + 1 },
    { ...none, headBytes: 2 ** 32 - 1 },
    { ...none, payloadBytes: maximum.payloadBytes + 1 },
    { ...none, payloadBytes: 2 ** 32 - 1 },
  ]) {
    // With a right check, so that nothing but the length is wrong.
    const header = Buffer.alloc(frameHeaderBytes)
    writeFrameHeader(header, 0, { kind: frameKinds.request, method: 1, requestId: 1, timeoutMs: 1, ...lengths })
    assert.throws(() => read(header), { code: 'protocol' })
    assert.throws(() => read(header.subarray(0, 13), header.subarray(13)), { code: 'protocol' })
  }
  assert.equal(read(frameBytes(1, Buffer.alloc(maximum.headBytes), Buffer.alloc(maximum.payloadBytes))).length, 1)
})

test('FrameReader.push() refuses any byte of header or head that was changed under way', () => {
  const good = frameBytes(frameKinds.request, Buffer.from('the head'), Buffer.alloc(0))
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good)
    bad[at] = (bad[at] as number) ^ 1
    const frames: Frame[] = []
    const reader = new FrameReader(maximum, { onFrame: (frame) => frames.push(frame) })
    try {
      reader.push(bad)
    } catch (error) {
      assert.ok(isAshlarError(error, 'protocol', 'version-unsupported'))
    }
    // A changed length may leave the reader waiting for more; it must not take the frame.
    assert.deepEqual(frames, [], `byte ${at}`)
  }
})

test('FrameReader.push() refuses a kind that does not exist, and a newer frame version', () => {
  for (const kind of [0, 7, 255]) {
    assert.throws(() => read(frameBytes(kind, Buffer.alloc(0), Buffer.alloc(0))), { code: 'protocol' })
  }
  const newer = frameBytes(frameKinds.ping, Buffer.alloc(0), Buffer.alloc(0))
  newer[4] = 2
  assert.throws(() => read(newer), { code: 'version-unsupported' })
})

test('FrameWriter.write() lets the frames of one turn leave together, in order', async () => {
  const connection = new FakeConnection()
  const writer = new FrameWriter(connection, createManualClock())
  const large = Buffer.alloc(50_000, 7)
  const header = { kind: frameKinds.request, method: 1, timeoutMs: 5 }
  for (let requestId = 0; requestId < 100; requestId++) {
    const payload = requestId === 50 ? large : undefined
    writer.write({ ...header, requestId, head: Buffer.from(`head ${requestId}`), payload })
  }
  assert.deepEqual(connection.events, ['cork'])
  await turns(2)
  assert.deepEqual(connection.events, ['cork', 'uncork'])
  assert.equal(connection.writes.length, 3, 'what is before the large payload, it, and what is after it')
  assert.equal(connection.writes[1], large, 'a large payload is not copied')
  const frames = read(connection.written)
  assert.deepEqual(
    frames.map((frame) => [frame.requestId, frame.head.toString()]),
    Array.from({ length: 100 }, (_, requestId) => [requestId, `head ${requestId}`]),
  )
  assert.ok(frames[50]?.payload.equals(large))
  assert.equal(writer.unsentBytes, connection.written.length)
  connection.takeAll()
  assert.equal(writer.takenBytes, connection.written.length)
})

test('FrameWriter.write() never writes again into bytes that wait in the socket', async () => {
  const connection = new FakeConnection()
  const writer = new FrameWriter(connection, createManualClock())
  const header = { kind: frameKinds.response, method: 0, timeoutMs: 0 }
  for (let requestId = 0; requestId < 500; requestId++) {
    const size = (requestId * 131) % 5000
    writer.write({
      ...header,
      requestId,
      head: Buffer.alloc(size % 900, requestId),
      payload: Buffer.alloc(size, requestId),
    })
    if (requestId % 7 === 0) {
      await turns(1)
      writer.trim()
    }
  }
  await turns(2)
  const frames = read(connection.written)
  assert.equal(frames.length, 500)
  for (const [index, frame] of frames.entries()) {
    const size = (index * 131) % 5000
    assert.equal(frame.requestId, index)
    assert.ok(frame.head.equals(Buffer.alloc(size % 900, index)))
    assert.ok(frame.payload.equals(Buffer.alloc(size, index)))
  }
})

test('FrameWriter.write() calls sent once: at once for a copied payload, else when the socket is done with it', async () => {
  const connection = new FakeConnection()
  const writer = new FrameWriter(connection, createManualClock())
  const sent: string[] = []
  const header = { kind: frameKinds.response, method: 0, requestId: 1, timeoutMs: 0, head: Buffer.alloc(0) }
  writer.write({ ...header, payload: Buffer.alloc(10), sent: () => sent.push('small') })
  writer.write({ ...header, payload: Buffer.alloc(10_000), sent: () => sent.push('large') })
  assert.deepEqual(sent, ['small'])
  await turns(2)
  connection.takeAll()
  assert.deepEqual(sent, ['small', 'large'])
})

test('FrameReader.end() gives the memory of a payload back that was not completed', () => {
  const bytes = frameBytes(frameKinds.request, Buffer.from([1]), Buffer.alloc(50_000))
  const returned: Buffer[] = []
  const lend = () => {
    const memory = payloadMemory(limits.framePayloadBytes)
    returned.push(memory)
    return memory.subarray(0, 50_000)
  }
  const reader = new FrameReader(maximum, { onFrame: () => assert.fail('no frame is whole'), memory: lend })
  reader.push(bytes.subarray(0, 20_000))
  assert.equal(reader.payloadRest?.buffer, returned[0]?.buffer)
  reader.end()
  assert.equal(reader.payloadRest, undefined)
  assert.equal(payloadMemory(limits.framePayloadBytes).buffer, returned[0]?.buffer)
})
