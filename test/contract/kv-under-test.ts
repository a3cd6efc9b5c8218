/**
 * What the contract tests of TxnKV share: an engine under test, and short ways to use it with text.
 * @module
 */
import { type AshlarError, isAshlarError } from '../../src/base/errors.ts'
import type { Transaction, TxnKV } from '../../src/kv/txn-kv.ts'

/** An open engine; disposing of it closes it and removes what it left. */
export interface KVUnderTest extends AsyncDisposable {
  readonly kv: TxnKV
  /** Ends the engine as a crash would, without closing it, and opens what it left on its disk. */
  crashAndReopen(): Promise<KVUnderTest>
}

export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

export const everything = { start: Buffer.alloc(0), end: Buffer.alloc(8, 0xff), limit: 100_000 }

export const put = (kv: TxnKV, key: string, value: string): Promise<void> =>
  kv.transact(async (tx) => tx.put(bytes(key), bytes(value)))

export const get = (kv: TxnKV, key: string): Promise<string | undefined> =>
  kv.transact(async (tx) => (await tx.get(bytes(key)))?.toString('latin1'))

export async function keysOf(
  tx: Transaction,
  range: Partial<Parameters<Transaction['range']>[0]> = {},
): Promise<string[]> {
  return (await tx.range({ ...everything, ...range })).map(({ key }) => key.toString('latin1'))
}

export const lanes = (...values: readonly bigint[]): Buffer => {
  const buffer = Buffer.alloc(8 * values.length)
  for (const [index, value] of values.entries()) buffer.writeBigUInt64LE(BigInt.asUintN(64, value), 8 * index)
  return buffer
}

export const code = (expected: AshlarError['code']) => (error: unknown) => isAshlarError(error, expected)
