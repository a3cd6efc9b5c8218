import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chunkId, type GroupId, type ServerId } from '../base/ids.ts'
import { rising } from '../base/rising.ts'
import { deriveKeys } from './keys.ts'
import { type ReceiptFields, signReceipt, verifyReceipt } from './receipt.ts'
import { receipt } from './types/extent.ts'

const keys = deriveKeys(Buffer.alloc(32, 1))
const fields: ReceiptFields = {
  chunk: chunkId({ group: 7 as GroupId, generation: 3, sequence: 100 }),
  length: 8_388_608,
  crc: 0xdeadbeef,
  server: 'ab'.repeat(16) as ServerId,
  epoch: rising(3, 9),
  slot: 2,
}

test('verifyReceipt() accepts what signReceipt() signed, also after the wire', () => {
  const signed = signReceipt(keys.receipt, fields)
  verifyReceipt(keys.receipt, signed)
  verifyReceipt(keys.receipt, receipt.decode(receipt.encode(signed)))
  assert.equal(signed.mac.toString('hex'), '6ac40de057101240bc2492382de03c62')
})

test('verifyReceipt() refuses a receipt of which any field was changed', () => {
  const signed = signReceipt(keys.receipt, fields)
  const changes: readonly Partial<typeof signed>[] = [
    { chunk: chunkId({ group: 7 as GroupId, generation: 3, sequence: 101 }) },
    { length: signed.length - 1 },
    { length: signed.length + 2 ** 40 },
    { crc: 0xdeadbeee },
    { server: 'ac'.repeat(16) as ServerId },
    { epoch: rising(3, 10) },
    { slot: 1 },
    { mac: Buffer.alloc(16) },
    { mac: signed.mac.subarray(0, 15) },
    { mac: Buffer.alloc(0) },
  ]
  for (const change of changes) {
    assert.throws(() => verifyReceipt(keys.receipt, { ...signed, ...change }), { code: 'receipts-rejected' })
  }
})

test('verifyReceipt() refuses what another key signed', () => {
  for (const key of [keys.client, keys.server, keys.token, deriveKeys(Buffer.alloc(32, 2)).receipt]) {
    assert.throws(() => verifyReceipt(keys.receipt, signReceipt(key, fields)), { code: 'receipts-rejected' })
  }
})
