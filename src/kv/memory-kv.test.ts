import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KVUnderTest } from '../../test/contract/kv-under-test.ts'
import { testTxnKV } from '../../test/contract/txn-kv.ts'
import { testSerializability } from '../../test/contract/txn-kv-history.ts'
import { isAshlarError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import { createNodeClock } from '../env/node-clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { createMemoryImage, type MemoryImage } from './memory-image.ts'
import { createMemoryKV, type MemoryFaults, type MemoryKV } from './memory-kv.ts'

const clock = createNodeClock()
let seed = 1

function open(faults: Partial<MemoryFaults> = {}, image?: MemoryImage): MemoryKV {
  return createMemoryKV({ clock, random: seededRandom(seed++), faults, ...(image && { image }) })
}

function underTest(kv: MemoryKV, faults: Partial<MemoryFaults>): KVUnderTest {
  return {
    kv,
    crashAndReopen: async () => {
      kv.crash()
      return underTest(open(faults, kv.image), faults)
    },
    [Symbol.asyncDispose]: () => kv.close(),
  }
}

testTxnKV('memory', async () => underTest(open(), {}))

const key = Buffer.from('k')
const read = (kv: MemoryKV) => kv.transact(async (tx) => (await tx.get(key))?.toString())

describe('memory engine under injected conflicts and delays', () => {
  const faults = { conflict: 0.2, delayMs: 1 }
  testSerializability(async () => underTest(open(faults), faults))
})

describe('memory engine under injected unknown results', () => {
  const faults = { conflict: 0.1, unknown: 0.3 }
  testSerializability(async () => underTest(open(faults), faults))
})

test('transact() runs a body again whose reads were overtaken', async () => {
  await using kv = disposable(open())
  let runs = 0
  const slow = kv.transact(async (tx) => {
    runs++
    const before = await tx.get(key)
    if (runs === 1) await kv.transact(async (other) => other.put(key, Buffer.from('other')))
    tx.put(key, Buffer.from(`${before ?? 'nothing'} then slow`))
  })
  await slow
  assert.equal(runs, 2)
  assert.equal(await read(kv), 'other then slow')
  assert.equal(kv.statistics.conflicts, 1)
})

test('guard() alone makes a body run again when its key was written meanwhile', async () => {
  await using kv = disposable(open())
  let runs = 0
  await kv.transact(async (tx) => {
    runs++
    tx.guard(key)
    if (runs === 1) await kv.transact(async (other) => other.put(key, Buffer.of(1)))
    tx.put(Buffer.from('mine'), Buffer.of(1))
  })
  assert.equal(runs, 2)
})

test('transact() runs a body again that threw because of what it should not have seen', async () => {
  await using kv = disposable(open())
  await kv.transact(async (tx) => tx.put(key, Buffer.from('x')))
  let runs = 0
  const result = await kv.transact(async (tx) => {
    runs++
    const before = await tx.get(key)
    if (runs === 1) await kv.transact(async (other) => other.del(key))
    if (before !== undefined) throw new Error('was there')
    return 'absent'
  })
  assert.equal(result, 'absent')
})

test('transact() rejects with transaction-conflict when every attempt loses, with nothing applied', async () => {
  await using kv = disposable(open({ conflict: 1 }))
  let runs = 0
  const lost = kv.transact(async (tx) => {
    runs++
    tx.put(key, Buffer.from('x'))
  })
  await assert.rejects(lost, (error) => isAshlarError(error, 'transaction-conflict'))
  assert.equal(runs, limits.transactionAttempts)
  assert.equal(await read(kv), undefined)
})

test('transact() resolves an unknown result by its witness: applied exactly once', async () => {
  await using kv = disposable(open({ unknown: 0.5 }))
  for (let index = 0; index < 100; index++) {
    const witnessKey = Buffer.from(`w${index}`)
    const count = await kv.transact(
      async (tx) => {
        const next = Number((await tx.get(key))?.toString() ?? 0) + 1
        tx.insert(witnessKey, Buffer.of(1))
        tx.put(key, Buffer.from(String(next)))
        return next
      },
      { witness: async (tx) => (await tx.get(witnessKey)) !== undefined },
    )
    assert.equal(count, index + 1)
  }
  assert.equal(await read(kv), '100')
})

test('transact() rejects with commit-unknown without a witness, applied or not', async () => {
  await using kv = disposable(open({ unknown: 1 }))
  let appliedCount = 0
  for (let index = 0; index < 40; index++) {
    const unknown = kv.transact(async (tx) => tx.put(Buffer.from(`k${index}`), Buffer.of(1)))
    await assert.rejects(unknown, (error) => isAshlarError(error, 'commit-unknown') && error.applied === 'unknown')
    if (await kv.transact((tx) => tx.get(Buffer.from(`k${index}`)))) appliedCount++
  }
  assert.ok(appliedCount > 0 && appliedCount < 40, `${appliedCount} of 40 were applied`)
})

test('transact() refuses as too large when told to', async () => {
  await using kv = disposable(open({ tooLarge: 1 }))
  const refused = kv.transact(async (tx) => tx.put(key, Buffer.of(1)))
  await assert.rejects(refused, (error) => isAshlarError(error, 'too-large'))
  assert.equal(await read(kv), undefined)
})

test('transact() gives up a body that awaits something else for too long', async () => {
  const kv = createMemoryKV({ clock, random: seededRandom(1), commitTimeoutMs: 20 })
  const never = kv.transact(async (tx) => {
    tx.put(key, Buffer.of(1))
    await new Promise(() => undefined)
  })
  await assert.rejects(never, (error) => isAshlarError(error, 'timeout') && error.applied === 'no')
  assert.equal(await read(kv), undefined)
  await kv.close()
})

test('crash() ends every transaction under way, and a crashed engine answers nothing', async () => {
  const kv = open()
  const pending = [1, 2, 3].map((index) => kv.transact(async (tx) => tx.put(Buffer.of(index), Buffer.of(index))))
  const settled = Promise.allSettled(pending)
  kv.crash()
  for (const result of await settled) {
    assert.ok(result.status === 'rejected' && isAshlarError(result.reason, 'closed'))
  }
  await assert.rejects(read(kv), (error) => isAshlarError(error, 'closed'))
})

test('crash() of an unsafe engine loses some of the latest commits, whole and from the end', async () => {
  let lostCount = 0
  for (let run = 0; run < 20; run++) {
    const image = createMemoryImage()
    const kv = createMemoryKV({ clock, random: seededRandom(run), image, unsafeNoSync: true })
    for (let index = 0; index < 10; index++) {
      await kv.transact(async (tx) => {
        tx.put(key, Buffer.from(String(index)))
        tx.put(Buffer.from(`k${index}`), Buffer.of(1))
      })
    }
    kv.crash()
    await using after = disposable(open({}, image))
    const rows = await after.transact((tx) => tx.range({ start: key, end: Buffer.from('l'), limit: 100 }))
    const kept = rows.length - 1
    if (kept >= 0) assert.equal(rows[0]?.value.toString(), String(kept - 1))
    if (kept < 10) lostCount++
  }
  assert.ok(lostCount > 0)
})

test('createMemoryKV() refuses an image that another engine has open', async () => {
  const kv = open()
  assert.throws(
    () => open({}, kv.image),
    (error) => isAshlarError(error, 'in-use'),
  )
  await kv.close()
  await using again = disposable(open({}, kv.image))
  assert.equal(await read(again), undefined)
})

function disposable(kv: MemoryKV): MemoryKV & AsyncDisposable {
  return Object.assign(kv, { [Symbol.asyncDispose]: () => kv.close() })
}
