import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '../base/limits.ts'
import { payloadMemory, recyclePayload } from './payload-memory.ts'

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
