/**
 * Receipts: a member's signed word that it holds a chunk durably. The master believes nothing else.
 * The MAC is HMAC-SHA-256 under the receipt key, which no client holds, over a fixed layout, cut to 16 bytes.
 * @module
 */
import { assert } from '../base/assert.ts'
import { AshlarError } from '../base/errors.ts'
import { macKeyOf } from '../base/mac-key.ts'
import type { Receipt } from './types/extent.ts'

export type ReceiptFields = Omit<Receipt, 'mac'>

const macBytes = 16
const label = Buffer.from('ashlar receipt 1')

/** @param key `ClusterKeys.receipt` */
export function signReceipt(key: Buffer, fields: ReceiptFields): Receipt {
  const { chunk, length, crc, server, epoch, slot } = fields
  return { chunk, length, crc, server, epoch, slot, mac: macKeyOf(key).sign(messageOf(fields), macBytes) }
}

/**
 * Only says that the words are the member's: whether they suffice is the master's to judge.
 * @throws {AshlarError} `receipts-rejected` — the MAC does not match
 */
export function verifyReceipt(key: Buffer, receipt: Receipt): void {
  if (receipt.mac.length === macBytes && macKeyOf(key).matches(messageOf(receipt), receipt.mac)) return
  throw new AshlarError(
    'receipts-rejected',
    `Cannot accept the receipt of chunk ${receipt.chunk} by server ${receipt.server}: its signature is wrong`,
  )
}

const messageBytes = label.length + 56
/** Filled anew for each receipt, and used before anything else runs. */
const message = Buffer.alloc(messageBytes)
label.copy(message)

/** label ‖ chunk 16 ‖ length u64 ‖ crc u32 ‖ server 16 ‖ epoch u64 ‖ slot u32, big-endian. */
function messageOf({ chunk, length, crc, server, epoch, slot }: ReceiptFields): Buffer {
  let at = label.length
  assert(message.write(chunk, at, 'hex') === 16, 'not a chunk id')
  at = writeUint64(length, at + 16)
  at = message.writeUInt32BE(crc, at)
  assert(message.write(server, at, 'hex') === 16, 'not a server id')
  at = writeUint64(epoch, at + 16)
  message.writeUInt32BE(slot, at)
  return message
}

/** A safe integer as 64 bits. */
function writeUint64(value: number, at: number): number {
  message.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  return message.writeUInt32BE(value % 2 ** 32, at + 4)
}
