/**
 * Changes of rows as bytes: what one durable commit left of each key it touched, or rows read from an engine.
 *
 *     change = keyLength:varint key (0:varint | valueLength + 1:varint value)        0: the key is gone
 *
 * They are final values, never sums: applied in the order of their commits, from any of them on, they give the same rows.
 * @module
 */
import { ByteReader } from '../base/byte-reader.ts'
import { ByteWriter } from '../base/byte-writer.ts'
import { AshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** `value` undefined: the key is gone. */
export type Change = readonly [key: Uint8Array, value: Uint8Array | undefined, ...notKept: readonly unknown[]]

/** Copies everything: keys and values may change afterwards. @param sizeBytes about how much it will be */
export function encodeChanges(changes: Iterable<Change>, sizeBytes = 4096): Buffer {
  const writer = new ByteWriter(sizeBytes)
  for (const [key, value] of changes) {
    writer.varint(key.length)
    writer.bytes(key)
    writer.varint(value === undefined ? 0 : value.length + 1)
    if (value !== undefined) writer.bytes(value)
  }
  return writer.finish()
}

/** Views of `bytes`. @throws {AshlarError} `protocol` — malformed */
export function* decodeChanges(bytes: Uint8Array): Generator<readonly [key: Buffer, value: Buffer | undefined]> {
  const reader = new ByteReader(bytes)
  while (reader.remaining > 0) {
    const key = reader.bytes(bounded(reader.varint(), limits.keyBytes))
    const length = bounded(reader.varint(), limits.valueBytes + 1)
    yield [key, length === 0 ? undefined : reader.bytes(length - 1)]
  }
}

function bounded(length: number, most: number): number {
  if (length <= most) return length
  throw new AshlarError('protocol', `Cannot read a change: a length of ${length}, where ${most} is the limit`)
}
