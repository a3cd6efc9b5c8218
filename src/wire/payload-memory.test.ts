import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import { isAligned } from '../env/aligned-memory.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { payloadMemory, payloadPages, payloadRelease, recyclePayload } from './payload-memory.ts'

const MiB = limits.framePayloadBytes

test('recyclePayload() lets the next payload have the memory, whatever part of it is given back', () => {
  const first = payloadMemory(MiB)
  recyclePayload(first.subarray(100, 200))
  const second = payloadMemory(MiB - 1)
  assert.equal(second.buffer, first.buffer)
  assert.equal(second.length, MiB - 1)
  recyclePayload(second)
})

test('recyclePayload() takes memory once: two payloads never share it', () => {
  const payload = payloadMemory(MiB)
  recyclePayload(payload)
  recyclePayload(payload)
  const next = [payloadMemory(MiB), payloadMemory(MiB)]
  assert.notEqual(next[0]?.buffer, next[1]?.buffer)
  for (const each of next) recyclePayload(each)
})

test('recyclePayload() takes no memory of others', () => {
  const foreign = Buffer.alloc(MiB)
  const small = payloadMemory(MiB / 2)
  recyclePayload(foreign)
  recyclePayload(small)
  const next = payloadMemory(MiB)
  assert.notEqual(next.buffer, foreign.buffer)
  assert.notEqual(next.buffer, small.buffer)
})

test('recyclePayload() keeps no more than the limit', () => {
  const count = limits.payloadsKeptBytes / MiB
  const payloads = Array.from({ length: count + 3 }, () => payloadMemory(MiB))
  const known = new Set(payloads.map(({ buffer }) => buffer))
  for (const payload of payloads) recyclePayload(payload)
  const again = Array.from({ length: count + 3 }, () => payloadMemory(MiB))
  assert.equal(again.filter(({ buffer }) => known.has(buffer)).length, count)
})

const disk = createMemoryDisk({ clock: createNodeClock() })
const pages = (lengthBytes: number) => payloadPages(lengthBytes, (bytes) => disk.alignedBuffer(bytes))

test('payloadPages() lends whole pages for the largest payloads, within the limit, and plain memory past it', () => {
  assert.equal(isAligned(pages(MiB - 1)), false)
  const count = limits.payloadPagesBytes / MiB
  const payloads = Array.from({ length: count + 2 }, () => pages(MiB))
  assert.equal(payloads.filter(isAligned).length, count)
  for (const [index, payload] of payloads.entries()) payload.writeUInt32LE(index, 0)
  assert.ok(
    payloads.every((payload, index) => payload.readUInt32LE(0) === index),
    'no two share memory',
  )
  for (const payload of payloads) recyclePayload(payload)
  const again = Array.from({ length: count }, () => pages(MiB))
  assert.equal(again.filter(isAligned).length, count)
  for (const payload of again) recyclePayload(payload)
})

test('recyclePayload() takes pages once, though they were lent again meanwhile', () => {
  const first = pages(MiB)
  recyclePayload(first)
  const second = pages(MiB)
  assert.deepEqual([second.buffer === first.buffer, second.byteOffset], [true, first.byteOffset])
  recyclePayload(first)
  const third = pages(MiB)
  assert.ok(third.buffer !== second.buffer || third.byteOffset !== second.byteOffset)
  for (const payload of [second, third]) recyclePayload(payload)
})

test('payloadRelease() gives memory back at its first call only', () => {
  const payload = payloadMemory(MiB)
  const release = payloadRelease(payload)
  release()
  const next = payloadMemory(MiB)
  assert.equal(next.buffer, payload.buffer)
  release()
  const third = payloadMemory(MiB)
  assert.notEqual(third.buffer, next.buffer)
  for (const each of [next, third]) recyclePayload(each)
})
