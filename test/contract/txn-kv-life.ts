/**
 * The contract of TxnKV: limits, cancelling, closing, and crashes.
 * @module
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AshlarError, isAshlarError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { Transaction } from '../../src/kv/txn-kv.ts'
import { bytes, code, get, type KVUnderTest, keysOf, lanes, put } from './kv-under-test.ts'

export function testLimits(open: () => Promise<KVUnderTest>): void {
  const refuses = async (body: (tx: Transaction) => void): Promise<void> => {
    await using under = await open()
    const refused = under.kv.transact(async (tx) => {
      tx.put(bytes('first'), bytes('x'))
      try {
        body(tx)
      } catch (error) {
        // A body that swallows the refusal must not be committed either.
        if (!isAshlarError(error, 'too-large')) throw error
      }
    })
    await assert.rejects(refused, code('too-large'))
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx)), [])
  }

  test('put() takes a key of limits.keyBytes and refuses a longer one', async () => {
    await using under = await open()
    await under.kv.transact(async (tx) => tx.put(Buffer.alloc(limits.keyBytes, 1), bytes('v')))
    await refuses((tx) => tx.put(Buffer.alloc(limits.keyBytes + 1, 1), bytes('v')))
  })

  test('put() takes a value of limits.valueBytes and refuses a longer one', async () => {
    await using under = await open()
    const value = Buffer.alloc(limits.valueBytes, 7)
    await under.kv.transact(async (tx) => tx.put(bytes('k'), value))
    assert.deepEqual(await under.kv.transact((tx) => tx.get(bytes('k'))), value)
    await refuses((tx) => tx.put(bytes('k'), Buffer.alloc(limits.valueBytes + 1)))
  })

  test('transact() refuses more bytes than limits.transactionBytes, whole', async () => {
    const value = Buffer.alloc(limits.valueBytes)
    await refuses((tx) => {
      for (let index = 0; index <= limits.transactionBytes / value.length; index++) tx.put(bytes(`k${index}`), value)
    })
  })

  test('transact() refuses more keys than limits.transactionKeys, whole', async () => {
    await refuses((tx) => {
      for (let index = 0; index < limits.transactionKeys; index++) tx.del(bytes(`k${index}`))
    })
  })
}

export function testLife(open: () => Promise<KVUnderTest>): void {
  test('transact() rejects with cancelled, unapplied, when its signal has aborted or aborts while it waits', async () => {
    await using under = await open()
    const early = under.kv.transact(async (tx) => tx.put(bytes('a'), bytes('x')), { signal: AbortSignal.abort() })
    await assert.rejects(early, code('cancelled'))
    const controller = new AbortController()
    const during = under.kv.transact(
      async (tx) => {
        controller.abort()
        tx.put(bytes('b'), bytes('x'))
      },
      { signal: controller.signal },
    )
    await assert.rejects(during, (error) => code('cancelled')(error) && (error as AshlarError).applied === 'no')
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx)), [])
  })

  test('a transaction that has ended refuses every call', async () => {
    await using under = await open()
    let kept: Transaction | undefined
    await under.kv.transact(async (tx) => {
      kept = tx
    })
    assert.throws(() => kept?.put(bytes('k'), bytes('v')), code('closed'))
    await assert.rejects(kept?.get(bytes('k')) as Promise<unknown>, code('closed'))
  })

  test('close() lets what was asked for settle, is idempotent, and refuses what comes later', async () => {
    await using under = await open()
    const pending = Array.from({ length: 50 }, (_, index) => put(under.kv, `k${index}`, 'v'))
    await Promise.all([under.kv.close(), under.kv.close()])
    await Promise.all(pending)
    await assert.rejects(put(under.kv, 'late', 'v'), code('closed'))
  })

  test('usedBytes() grows with what is stored', async () => {
    await using under = await open()
    const before = await under.kv.usedBytes()
    await under.kv.transact(async (tx) => tx.put(bytes('k'), Buffer.alloc(200_000, 1)))
    assert.ok((await under.kv.usedBytes()) >= before + 200_000)
  })

  test('a crash keeps every acknowledged transaction, and no part of another', async () => {
    await using under = await open()
    const acknowledged: number[] = []
    const writes = Array.from({ length: 300 }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, index % 30))
      await under.kv.transact(async (tx) => {
        tx.put(bytes(`a${index}`), bytes(String(index)))
        await tx.get(bytes('a'))
        tx.put(bytes(`b${index}`), bytes(String(index)))
        tx.add(bytes('n'), lanes(1n))
      })
      acknowledged.push(index)
    })
    const settled = Promise.allSettled(writes)
    while (acknowledged.length < 100) await new Promise((resolve) => setImmediate(resolve))
    const known = [...acknowledged]
    await using after = await under.crashAndReopen()
    await after.kv.transact(async (tx) => {
      const keys = await keysOf(tx)
      const firsts = keys.filter((key) => key.startsWith('a')).map((key) => key.slice(1))
      const seconds = keys.filter((key) => key.startsWith('b')).map((key) => key.slice(1))
      assert.deepEqual(firsts, seconds)
      assert.deepEqual(await tx.get(bytes('n')), lanes(BigInt(firsts.length)))
      for (const index of known) assert.ok(firsts.includes(String(index)), `${index} was acknowledged`)
    })
    await put(after.kv, 'new', 'v')
    assert.equal(await get(after.kv, 'new'), 'v')
    await settled
  })
}
