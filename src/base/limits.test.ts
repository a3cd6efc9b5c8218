import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diskMarks, limits } from './limits.ts'

test('limits are positive integers', () => {
  for (const [name, value] of Object.entries(limits)) assert.ok(Number.isSafeInteger(value) && value > 0, name)
})

test('limits agree with each other', () => {
  const { chunkSizeDefaultBytes, chunkSizeMaxBytes, chunkFileMinBytes, segmentBytes, blockBytes } = limits
  assert.ok(chunkSizeDefaultBytes <= chunkSizeMaxBytes)
  assert.ok(chunkFileMinBytes <= segmentBytes, 'a small chunk fits in a segment')
  assert.equal(chunkFileMinBytes % blockBytes, 0)
  assert.ok(limits.unrepeatableChunkBytes <= limits.clientBufferBytes, 'a kept chunk fits in the memory of a client')
  assert.ok(limits.allocationIds <= limits.pageIds, 'an allocation stays in one page')
  assert.ok(limits.keyBytes + limits.valueBytes <= limits.transactionBytes)
  assert.ok(limits.nameBytes * 2 < limits.keyBytes, 'an escaped name fits in a key')
  assert.ok(limits.framePayloadBytes <= limits.unsentBytesPerConnection)
  assert.ok(limits.allocationLifeMs < limits.tokenLifeMs, 'a token outlives its allocation')
  assert.ok(limits.allocationLifeMs < limits.tombstoneKeepMs)
  assert.ok(limits.heartbeatIntervalMs * 3 <= limits.deadAfterMs, 'one lost heartbeat is no death')
  assert.ok(limits.requestTimeoutMs < limits.sessionLifeMs)
})

test('diskMarks refuse writes only after placement stopped', () => {
  assert.ok(diskMarks.placement.usedFraction < diskMarks.write.usedFraction)
  assert.ok(diskMarks.placement.freeBytes > diskMarks.write.freeBytes)
})
