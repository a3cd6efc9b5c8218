/**
 * The contract of TxnKV, as tests that every engine runs. An engine's own test file calls {@link testTxnKV}.
 * @module
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AshlarError } from '../../src/base/errors.ts'
import { prefixEnd } from '../../src/kv/txn-kv.ts'
import { bytes, code, everything, get, type KVUnderTest, keysOf, lanes, put } from './kv-under-test.ts'
import { testSerializability } from './txn-kv-history.ts'
import { testLife, testLimits } from './txn-kv-life.ts'

/** Two bodies that both read before either writes, where the engine lets them: a barrier that gives up on a serial one. */
function readTogether(parties: number): () => Promise<void> {
  let arrived = 0
  return async () => {
    arrived++
    for (let turn = 0; turn < 20 && arrived < parties; turn++) await Promise.resolve()
  }
}

/** Registers the suite for one engine. */
export function testTxnKV(engine: string, open: () => Promise<KVUnderTest>): void {
  describe(`TxnKV contract: ${engine}`, () => {
    testReadsAndWrites(open)
    testRanges(open)
    testInsertAndAdd(open)
    testIsolation(open)
    testLimits(open)
    testLife(open)
    testSerializability(open)
  })
}

function testReadsAndWrites(open: () => Promise<KVUnderTest>): void {
  test('transact() stores what the body put, and returns what it returned', async () => {
    await using under = await open()
    const { kv } = under
    const result = await kv.transact(async (tx) => {
      tx.put(bytes('k'), bytes('v'))
      return 7
    })
    assert.equal(result, 7)
    assert.equal(await get(kv, 'k'), 'v')
    assert.equal(await get(kv, 'other'), undefined)
  })

  test('transact() keeps empty values and arbitrary bytes', async () => {
    await using under = await open()
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await under.kv.transact(async (tx) => {
      tx.put(all, all)
      tx.put(bytes('empty'), Buffer.alloc(0))
      tx.put(new Uint8Array([0]), new Uint8Array([255]))
    })
    await under.kv.transact(async (tx) => {
      assert.deepEqual(await tx.get(all), all)
      assert.deepEqual(await tx.get(bytes('empty')), Buffer.alloc(0))
      assert.deepEqual(await tx.getMany([new Uint8Array([0]), bytes('none')]), [Buffer.of(255), undefined])
    })
  })

  test('transact() reads its own writes', async () => {
    await using under = await open()
    await put(under.kv, 'b', 'old')
    await put(under.kv, 'c', 'old')
    await under.kv.transact(async (tx) => {
      tx.put(bytes('a'), bytes('1'))
      tx.put(bytes('b'), bytes('2'))
      tx.del(bytes('c'))
      tx.put(bytes('d'), bytes('4'))
      assert.deepEqual(await tx.getMany(['a', 'b', 'c', 'd'].map(bytes)), [
        bytes('1'),
        bytes('2'),
        undefined,
        bytes('4'),
      ])
      assert.deepEqual(await keysOf(tx), ['a', 'b', 'd'])
      assert.deepEqual(await keysOf(tx, { reverse: true, limit: 2 }), ['d', 'b'])
      tx.del(bytes('a'))
      tx.put(bytes('c'), bytes('5'))
      assert.deepEqual(await keysOf(tx), ['b', 'c', 'd'])
    })
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx)), ['b', 'c', 'd'])
  })

  test('transact() leaves nothing of a body that throws, and rejects with what it threw', async () => {
    await using under = await open()
    await put(under.kv, 'kept', '1')
    const reason = new Error('on purpose')
    const aborted = under.kv.transact(async (tx) => {
      tx.put(bytes('k'), bytes('v'))
      tx.del(bytes('kept'))
      tx.add(bytes('n'), lanes(1n))
      throw reason
    })
    await assert.rejects(aborted, (error) => error === reason)
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx)), ['kept'])
  })

  test('transact() hands out values that the caller may change', async () => {
    await using under = await open()
    await under.kv.transact(async (tx) => {
      tx.put(bytes('k'), bytes('value'))
      ;(await tx.get(bytes('k')))?.fill(0)
    })
    await under.kv.transact(async (tx) => void (await tx.get(bytes('k')))?.fill(0))
    assert.equal(await get(under.kv, 'k'), 'value')
  })
}

function testRanges(open: () => Promise<KVUnderTest>): void {
  test('range() orders keys as unsigned bytes, a prefix before what it begins', async () => {
    await using under = await open()
    const ordered = [
      '\x00',
      '\x00\x00',
      '\x00\xff',
      '\x01',
      'A',
      'a',
      'a\x00',
      'aa',
      'b',
      '\x7f',
      '\x80',
      '\xfe\xff',
      '\xff',
    ]
    await under.kv.transact(async (tx) => {
      for (const key of [...ordered].reverse()) tx.put(bytes(key), bytes(key))
      assert.deepEqual(await keysOf(tx), ordered)
    })
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx)), ordered)
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx, { reverse: true })), [...ordered].reverse())
  })

  test('range() takes start, leaves out end, and stops at its limit from either side', async () => {
    await using under = await open()
    const names = Array.from({ length: 200 }, (_, index) => `k${String(index).padStart(3, '0')}`)
    await under.kv.transact(async (tx) => {
      for (const name of names) tx.put(bytes(name), bytes(`v${name}`))
    })
    await under.kv.transact(async (tx) => {
      const range = { start: bytes('k010'), end: bytes('k020') }
      assert.deepEqual(await keysOf(tx, range), names.slice(10, 20))
      assert.deepEqual(await keysOf(tx, { ...range, reverse: true }), names.slice(10, 20).reverse())
      assert.deepEqual(await keysOf(tx, { ...range, limit: 3 }), names.slice(10, 13))
      assert.deepEqual(await keysOf(tx, { ...range, limit: 3, reverse: true }), names.slice(17, 20).reverse())
      assert.deepEqual(await keysOf(tx, { start: bytes('k0105'), end: bytes('k011') }), [])
      assert.deepEqual(await keysOf(tx, { start: bytes('k020'), end: bytes('k010') }), [])
      assert.deepEqual(await keysOf(tx, { start: bytes('k19'), end: prefixEnd(bytes('k19')) }), names.slice(190))
      const [pair] = await tx.range({ ...range, limit: 1 })
      assert.equal(pair?.value.toString('latin1'), 'vk010')
    })
  })

  test('range() fills its limit past keys that the transaction deleted', async () => {
    await using under = await open()
    await under.kv.transact(async (tx) => {
      for (const key of 'abcdefgh') tx.put(bytes(key), bytes(key))
    })
    await under.kv.transact(async (tx) => {
      for (const key of 'bcd') tx.del(bytes(key))
      tx.put(bytes('ee'), bytes('new'))
      assert.deepEqual(await keysOf(tx, { limit: 4 }), ['a', 'e', 'ee', 'f'])
      assert.deepEqual(await keysOf(tx, { limit: 5, reverse: true }), ['h', 'g', 'f', 'ee', 'e'])
    })
  })

  test('range() refuses a limit below 1', async () => {
    await using under = await open()
    await assert.rejects(under.kv.transact((tx) => tx.range({ ...everything, limit: 0 })))
  })
}

function testInsertAndAdd(open: () => Promise<KVUnderTest>): void {
  test('insert() needs an absent key; what it finds rejects with already-exists and names it', async () => {
    await using under = await open()
    await under.kv.transact(async (tx) => tx.insert(bytes('k'), bytes('1')))
    const again = under.kv.transact(async (tx) => {
      tx.put(bytes('other'), bytes('x'))
      tx.insert(bytes('k'), bytes('2'))
    })
    await assert.rejects(
      again,
      (error) => code('already-exists')(error) && (error as AshlarError).details['key'] === '6b',
    )
    assert.deepEqual(await under.kv.transact((tx) => keysOf(tx)), ['k'])
    assert.equal(await get(under.kv, 'k'), '1')
  })

  test('insert() sees the writes of its own transaction', async () => {
    await using under = await open()
    await put(under.kv, 'old', '1')
    await under.kv.transact(async (tx) => {
      tx.del(bytes('old'))
      tx.insert(bytes('old'), bytes('2'))
    })
    assert.equal(await get(under.kv, 'old'), '2')
    const twice = under.kv.transact(async (tx) => {
      tx.put(bytes('new'), bytes('1'))
      tx.insert(bytes('new'), bytes('2'))
    })
    await assert.rejects(twice, code('already-exists'))
    const overwritten = under.kv.transact(async (tx) => {
      tx.insert(bytes('old'), bytes('3'))
      tx.put(bytes('old'), bytes('4'))
    })
    await assert.rejects(overwritten, code('already-exists'))
    assert.equal(await get(under.kv, 'old'), '2')
  })

  test('insert() of one key by many at once lets exactly one through', async () => {
    await using under = await open()
    const tries = Array.from({ length: 20 }, (_, index) =>
      under.kv.transact(async (tx) => tx.insert(bytes('k'), bytes(String(index)))),
    )
    const settled = await Promise.allSettled(tries)
    const winners = settled.flatMap((result, index) => (result.status === 'fulfilled' ? [String(index)] : []))
    assert.equal(winners.length, 1)
    assert.equal(await get(under.kv, 'k'), winners[0])
    for (const result of settled) assert.ok(result.status === 'fulfilled' || code('already-exists')(result.reason))
  })

  test('add() sums lane by lane modulo 2^64, and removes a key whose lanes are all zero', async () => {
    await using under = await open()
    const { kv } = under
    const counter = bytes('n')
    const add = (...by: readonly bigint[]) => kv.transact(async (tx) => tx.add(counter, lanes(...by)))
    await add(1n, 2n)
    await add(2n ** 64n - 3n, 0xffffffffn)
    assert.deepEqual(await kv.transact((tx) => tx.get(counter)), lanes(-2n, 0x100000001n))
    await add(3n, 0n)
    assert.deepEqual(await kv.transact((tx) => tx.get(counter)), lanes(1n, 0x100000001n))
    await add(-1n, -0x100000001n)
    assert.deepEqual(await kv.transact((tx) => keysOf(tx)), [])
  })

  test('add() counts in reads, ranges and later writes of its own transaction', async () => {
    await using under = await open()
    await under.kv.transact(async (tx) => tx.add(bytes('n'), lanes(5n)))
    await under.kv.transact(async (tx) => {
      tx.add(bytes('n'), lanes(2n))
      tx.add(bytes('n'), lanes(3n))
      tx.add(bytes('m'), lanes(1n))
      assert.deepEqual(await tx.get(bytes('n')), lanes(10n))
      const pairs = await tx.range(everything)
      assert.deepEqual(
        pairs.map(({ value }) => value),
        [lanes(1n), lanes(10n)],
      )
      tx.add(bytes('m'), lanes(-1n))
      assert.deepEqual(await keysOf(tx), ['n'])
      tx.put(bytes('n'), lanes(1n))
      tx.add(bytes('n'), lanes(1n))
      tx.del(bytes('p'))
      tx.add(bytes('p'), lanes(4n))
    })
    assert.deepEqual(await under.kv.transact((tx) => tx.getMany(['n', 'm', 'p'].map(bytes))), [
      lanes(2n),
      undefined,
      lanes(4n),
    ])
  })

  test('add() of many at once loses none, and needs no second run', async () => {
    await using under = await open()
    let runs = 0
    const adds = Array.from({ length: 200 }, () =>
      under.kv.transact(async (tx) => {
        runs++
        await tx.get(bytes('unrelated'))
        tx.add(bytes('n'), lanes(1n, -1n))
      }),
    )
    await Promise.all(adds)
    assert.equal(runs, 200)
    assert.deepEqual(await under.kv.transact((tx) => tx.get(bytes('n'))), lanes(200n, -200n))
  })

  test('add() changes neither what was handed in nor what was handed out before', async () => {
    await using under = await open()
    const one = lanes(1n)
    const add = () => under.kv.transact(async (tx) => tx.add(bytes('n'), one))
    const read = () =>
      under.kv.transact(async (tx) => {
        const [got, [listed]] = [await tx.get(bytes('n')), await tx.range({ ...everything, limit: 1 })]
        return [got, listed?.value].map((value) => ({ value, asRead: value && Buffer.from(value) }))
      })
    // What is asked for together is committed together, where an engine does that.
    const seen = await Promise.all([add(), add(), add(), read(), add(), add(), read(), add()])
    for (const { value, asRead } of [...(seen[3] ?? []), ...(seen[6] ?? [])]) assert.deepEqual(value, asRead)
    assert.deepEqual(one, lanes(1n))
    assert.deepEqual(await under.kv.transact((tx) => tx.get(bytes('n'))), lanes(6n))
  })
}

function testIsolation(open: () => Promise<KVUnderTest>): void {
  test('transact() loses no update, however many increment at once', async () => {
    await using under = await open()
    const increments = Array.from({ length: 30 }, () =>
      under.kv.transact(async (tx) => {
        const before = Number((await tx.get(bytes('n')))?.toString() ?? 0)
        tx.put(bytes('n'), bytes(String(before + 1)))
      }),
    )
    await Promise.all(increments)
    assert.equal(await get(under.kv, 'n'), '30')
  })

  test('transact() allows no write skew', async () => {
    await using under = await open()
    await put(under.kv, 'x', 'on')
    await put(under.kv, 'y', 'on')
    const together = readTogether(2)
    const off = (mine: string) =>
      under.kv.transact(async (tx) => {
        const both = await tx.getMany([bytes('x'), bytes('y')])
        await together()
        if (both.every((value) => value?.toString() === 'on')) tx.put(bytes(mine), bytes('off'))
      })
    await Promise.all([off('x'), off('y')])
    assert.deepEqual([await get(under.kv, 'x'), await get(under.kv, 'y')].sort(), ['off', 'on'])
  })

  test('transact() allows no phantoms: not in a range, not past a limit, not behind a delete', async () => {
    await using under = await open()
    await put(under.kv, 'r5', 'x')
    const together = readTogether(2)
    // Each adds a row only if the range holds one: so at most two rows can ever be there.
    const claim = (key: string, reverse: boolean) =>
      under.kv.transact(async (tx) => {
        const rows = await tx.range({ start: bytes('r'), end: bytes('s'), limit: 10, reverse })
        await together()
        if (rows.length === 1) tx.put(bytes(key), bytes('x'))
      })
    await Promise.all([claim('r1', false), claim('r9', true)])
    assert.equal((await under.kv.transact((tx) => keysOf(tx))).length, 2)
  })

  test('guard() makes a transaction lose to one that writes the key meanwhile', async () => {
    await using under = await open()
    await put(under.kv, 'parent', 'there')
    const together = readTogether(2)
    const create = under.kv.transact(async (tx) => {
      const parent = await tx.get(bytes('parent'))
      tx.guard(bytes('fence'))
      await together()
      if (parent !== undefined && (await tx.get(bytes('removed'))) === undefined)
        tx.put(bytes('parent/child'), bytes('x'))
    })
    const remove = under.kv.transact(async (tx) => {
      const children = await tx.range({ start: bytes('parent/'), end: bytes('parent0'), limit: 1 })
      await together()
      if (children.length > 0) return
      tx.del(bytes('parent'))
      tx.put(bytes('fence'), bytes('x'))
      tx.put(bytes('removed'), bytes('x'))
    })
    await Promise.all([create, remove])
    const keys = await under.kv.transact((tx) => keysOf(tx))
    assert.ok(keys.join() === 'parent,parent/child' || keys.join() === 'fence,removed', keys.join())
  })

  test('transact() shows every body one state only', async () => {
    await using under = await open()
    await under.kv.transact(async (tx) => {
      tx.put(bytes('a'), bytes('0'))
      tx.put(bytes('b'), bytes('0'))
    })
    const writers = Array.from({ length: 40 }, (_, index) =>
      under.kv.transact(async (tx) => {
        tx.put(bytes('a'), bytes(String(index)))
        tx.put(bytes('b'), bytes(String(index)))
      }),
    )
    const torn: string[] = []
    const readers = Array.from({ length: 40 }, () =>
      under.kv.transact(async (tx) => {
        const a = await tx.get(bytes('a'))
        const b = await tx.get(bytes('b'))
        if (!a?.equals(b as Buffer)) torn.push(`${a} ${b}`)
      }),
    )
    await Promise.all([...writers, ...readers])
    assert.deepEqual(torn, [])
  })
}
