/**
 * The contract suite of ChunkStore: every implementation passes it.
 * @module
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { suite, test } from 'node:test'
import { combineCrc32, crc32 } from '../../src/base/crc.ts'
import { addDigest, type ChunkFacts, digestOf, emptyDigest } from '../../src/base/digest.ts'
import type { ErrorCode } from '../../src/base/error-table.ts'
import { isAshlarError } from '../../src/base/errors.ts'
import { type ChunkId, chunkId, type GroupId, groupOf, pageOf } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { ChunkStore } from '../../src/store/chunk-store.ts'

export interface StoreUnderTest {
  readonly store: ChunkStore
  /** Closes the store and opens the same data again. */
  reopen(): Promise<ChunkStore>
  /** Closes and removes everything. */
  dispose(): Promise<void>
}

export type MakeStore = (options: { readonly capacityBytes: number }) => Promise<StoreUnderTest>

const MiB = 1024 * 1024
const roomy = { capacityBytes: 512 * MiB }

export function idAt(sequence: number, group = 7, generation = 1): ChunkId {
  return chunkId({ group: group as GroupId, generation, sequence })
}

/** Bytes that differ for each seed, and compress badly. */
export function someBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  let state = (seed * 2_654_435_761) >>> 0 || 1
  for (let at = 0; at < length; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state
  }
  return bytes
}

export async function readWhole(store: ChunkStore, id: ChunkId): Promise<Buffer> {
  const reader = await store.open(id)
  try {
    const parts: Buffer[] = []
    for (let offset = 0; offset < reader.info.length; ) {
      const slice = await reader.read({ offset, length: reader.info.length - offset })
      assert.equal(slice.offset, offset)
      parts.push(Buffer.from(slice.bytes))
      offset += slice.bytes.length
      slice.release()
    }
    return Buffer.concat(parts)
  } finally {
    await reader.close()
  }
}

export async function refused(code: ErrorCode, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isAshlarError(error, code), `${code} was expected, not ${String(error)}`)
    return true
  })
}

/** The digests that `facts` must give, by page. */
export function expectedDigests(facts: readonly ChunkFacts[], group: number) {
  const pages = new Map<number, ReturnType<typeof digestOf>>()
  for (const chunk of facts) {
    if (groupOf(chunk.id) !== group) continue
    pages.set(pageOf(chunk.id), addDigest(pages.get(pageOf(chunk.id)) ?? emptyDigest, digestOf(chunk)))
  }
  return [...pages].sort(([a], [b]) => a - b).map(([page, digest]) => ({ page, digest }))
}

/** Around every border: a byte, a block, the file threshold, a stream buffer, several writes. */
const lengths = [1, 50, 4096, 65_535, 65_536, 65_537, MiB - 1, MiB, MiB + 1, 5 * MiB + 4097]

export function chunkStoreContract(name: string, make: MakeStore): void {
  async function withStore(
    work: (store: ChunkStore, underTest: StoreUnderTest) => Promise<void>,
    options = roomy,
  ): Promise<void> {
    const underTest = await make(options)
    try {
      await work(underTest.store, underTest)
    } finally {
      await underTest.dispose()
    }
  }

  suite(`ChunkStore contract: ${name}`, () => {
    test('put() and open() give back the bytes, whatever the length, also after reopening', async () => {
      await withStore(async (store, { reopen }) => {
        for (const [index, length] of lengths.entries()) {
          const bytes = someBytes(length, index + 1)
          const info = await store.put(idAt(index), bytes, { expectedCrc: crc32(bytes) })
          assert.equal(info.length, length)
          assert.equal(info.crc, crc32(bytes))
          assert.deepEqual(await readWhole(store, idAt(index)), bytes)
        }
        const again = await reopen()
        for (const [index, length] of lengths.entries()) {
          assert.deepEqual(await readWhole(again, idAt(index)), someBytes(length, index + 1), `${length} bytes`)
        }
      })
    })

    test('begin(), append() and commit() take pieces of any size', async () => {
      await withStore(async (store) => {
        for (const [index, length] of [70_000, 3 * MiB + 17].entries()) {
          const bytes = someBytes(length, index + 9)
          const writer = await store.begin(idAt(index), length)
          for (let at = 0, piece = 1; at < length; at += piece, piece = ((piece * 7) % 99_991) + 1) {
            await writer.append(bytes.subarray(at, at + piece))
          }
          await writer.commit({ expectedCrc: crc32(bytes) })
          assert.deepEqual(await readWhole(store, idAt(index)), bytes)
        }
      })
    })

    test('append() has copied the bytes when it resolves', async () => {
      await withStore(async (store) => {
        for (const length of [1000, MiB]) {
          const writer = await store.begin(idAt(length), length)
          const piece = someBytes(length, 3)
          await writer.append(piece)
          piece.fill(0)
          await writer.commit({ expectedCrc: crc32(someBytes(length, 3)) })
        }
      })
    })

    test('info() tells length, crc and block checksums that combine to it', async () => {
      await withStore(async (store) => {
        for (const length of lengths) {
          const bytes = someBytes(length, length)
          await store.put(idAt(length), bytes, {})
          const info = await store.info(idAt(length))
          assert.ok(info)
          assert.equal(info.blockCrcs.length, Math.ceil(length / limits.blockBytes))
          let crc = 0
          info.blockCrcs.forEach((blockCrc, block) => {
            const block64 = bytes.subarray(block * limits.blockBytes, (block + 1) * limits.blockBytes)
            assert.equal(blockCrc, crc32(block64))
            crc = combineCrc32(crc, blockCrc, block64.length)
          })
          assert.equal(crc, info.crc)
        }
        assert.equal(await store.info(idAt(999_999)), undefined)
      })
    })

    test('commit() with another crc stores nothing and gives the room back', async () => {
      await withStore(async (store) => {
        for (const length of [100, 2 * MiB]) {
          await refused('corrupt', store.put(idAt(length), someBytes(length), { expectedCrc: 12345 }))
          assert.equal(await store.info(idAt(length)), undefined)
        }
        const { usedBytes, reservedBytes, chunks } = store.space()
        assert.deepEqual([usedBytes, reservedBytes, chunks], [0, 0, 0])
      })
    })

    test('put() of the same bytes again answers with the replica; of others it is refused', async () => {
      await withStore(async (store) => {
        for (const length of [100, 2 * MiB]) {
          const bytes = someBytes(length)
          const first = await store.put(idAt(length), bytes, {})
          const { usedBytes } = store.space()
          assert.deepEqual(await store.put(idAt(length), bytes, {}), first)
          await refused('chunk-conflict', store.put(idAt(length), someBytes(length, 2), {}))
          await refused('chunk-conflict', store.put(idAt(length), someBytes(length + 1), {}))
          assert.equal(store.space().usedBytes, usedBytes)
          assert.deepEqual(await readWhole(store, idAt(length)), bytes)
        }
      })
    })

    test('two writers of one id: one content wins, whatever the order', async () => {
      await withStore(async (store) => {
        for (const length of [100, MiB]) {
          const writers = await Promise.all([1, 2].map(() => store.begin(idAt(length), length)))
          await Promise.all(writers.map((writer, index) => writer.append(someBytes(length, index + 1))))
          const results = await Promise.allSettled(writers.map((writer) => writer.commit({})))
          assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
          const winner = results.findIndex(({ status }) => status === 'fulfilled')
          assert.deepEqual(await readWhole(store, idAt(length)), someBytes(length, winner + 1))
          await refused('closed', writers[0]!.commit({}))
        }
        assert.equal(store.space().usedBytes, 100 + MiB)
        assert.equal(store.space().reservedBytes, 0)
      })
    })

    test('an identical chunk is answered even when the store is full', async () => {
      await withStore(
        async (store) => {
          await store.put(idAt(1), someBytes(50), {})
          assert.equal((await store.put(idAt(1), someBytes(50), {})).length, 50)
        },
        { capacityBytes: 50 },
      )
    })

    test('append() past the declared length is refused; so is commit() before it', async () => {
      await withStore(async (store) => {
        for (const length of [10, MiB]) {
          const writer = await store.begin(idAt(length), length)
          await writer.append(someBytes(length - 1))
          await refused('too-large', writer.append(someBytes(2)))
          await refused('invalid-argument', writer.commit({}))
          await writer.abort()
          await writer.abort()
          assert.equal(await store.info(idAt(length)), undefined)
        }
        assert.equal(store.space().reservedBytes, 0)
      })
    })

    test('begin() refuses lengths that no chunk has', async () => {
      await withStore(async (store) => {
        for (const length of [0, -1, 1.5, limits.chunkSizeMaxBytes + 1]) {
          await refused('invalid-argument', store.begin(idAt(1), length))
        }
        await refused('invalid-argument', store.put(idAt(1), Buffer.alloc(0), {}))
      })
    })

    test('capacity is exact: reservations count, and the last byte can be used', async () => {
      await withStore(
        async (store) => {
          assert.equal(store.space().freeBytes, 50)
          const writer = await store.begin(idAt(1), 30)
          assert.deepEqual([store.space().reservedBytes, store.space().freeBytes, store.space().usedBytes], [30, 20, 0])
          await refused('no-space', store.begin(idAt(2), 21))
          await store.put(idAt(3), someBytes(20), {})
          assert.equal(store.space().refusal, 'capacity')
          await writer.abort()
          await refused('no-space', store.put(idAt(4), someBytes(31), {}))
          await store.put(idAt(4), someBytes(30), {})
          assert.deepEqual([store.space().usedBytes, store.space().freeBytes], [50, 0])
          assert.equal(await store.delete([idAt(4)]), 1)
          assert.equal(store.space().refusal, undefined)
          await store.put(idAt(5), someBytes(30), {})
        },
        { capacityBytes: 50 },
      )
    })

    test('a refusal for space carries the numbers', async () => {
      await withStore(
        async (store) => {
          const error = await store.begin(idAt(1), 51).then(
            () => undefined,
            (reason: unknown) => reason,
          )
          assert.ok(isAshlarError(error, 'no-space'))
          assert.equal(error.applied, 'no')
          assert.deepEqual(
            [error.details['capacityBytes'], error.details['usedBytes'], error.details['freeBytes']],
            [50, 0, 50],
          )
        },
        { capacityBytes: 50 },
      )
    })

    test('setCapacity() grows and shrinks, never below what is used, and is kept', async () => {
      await withStore(
        async (store, { reopen }) => {
          await store.put(idAt(1), someBytes(40), {})
          await refused('invalid-argument', store.setCapacity(39))
          await refused('invalid-argument', store.setCapacity(-1))
          await store.setCapacity(41)
          await refused('no-space', store.put(idAt(2), someBytes(2), {}))
          await store.setCapacity(100)
          await store.put(idAt(2), someBytes(60), {})
          assert.equal((await reopen()).space().capacityBytes, 100)
        },
        { capacityBytes: 50 },
      )
    })

    test('delete() removes chunks durably, counts them, and minds absent ones not', async () => {
      await withStore(async (store, { reopen }) => {
        await store.put(idAt(1), someBytes(10), {})
        await store.put(idAt(2), someBytes(2 * MiB), {})
        await store.put(idAt(3), someBytes(30), {})
        assert.equal(await store.delete([idAt(1), idAt(2), idAt(2), idAt(99)]), 2)
        assert.equal(await store.delete([idAt(1)]), 0)
        const check = async (opened: ChunkStore) => {
          await refused('chunk-missing', opened.open(idAt(1)))
          await refused('chunk-missing', opened.open(idAt(2)))
          assert.deepEqual(await readWhole(opened, idAt(3)), someBytes(30))
          assert.deepEqual([opened.space().usedBytes, opened.space().chunks], [30, 1])
        }
        await check(store)
        await check(await reopen())
      })
    })

    test('a chunk that was deleted can be put again', async () => {
      await withStore(async (store, { reopen }) => {
        for (const length of [100, MiB]) {
          for (let round = 0; round < 3; round++) {
            await store.put(idAt(length), someBytes(length), {})
            assert.equal(await store.delete([idAt(length)]), 1)
          }
          await store.put(idAt(length), someBytes(length), {})
        }
        const again = await reopen()
        assert.deepEqual(await readWhole(again, idAt(100)), someBytes(100))
        assert.deepEqual(await readWhole(again, idAt(MiB)), someBytes(MiB))
      })
    })

    test('an open reader keeps its bytes through a delete', async () => {
      await withStore(async (store) => {
        for (const length of [1000, 2 * MiB]) {
          await store.put(idAt(length), someBytes(length), {})
          const reader = await store.open(idAt(length))
          await store.delete([idAt(length)])
          const slice = await reader.read({ offset: 0, length: 1 })
          assert.deepEqual(slice.bytes.subarray(0, 1000), someBytes(length).subarray(0, 1000))
          slice.release()
          await reader.close()
          await refused('closed', reader.read({ offset: 0, length: 1 }))
        }
      })
    })

    test('read() returns whole blocks that cover the range, at most 1 MiB', async () => {
      await withStore(async (store) => {
        for (const length of [200_000, 3 * MiB + 5]) {
          const bytes = someBytes(length)
          await store.put(idAt(length), bytes, {})
          const reader = await store.open(idAt(length))
          for (const [offset, count] of [
            [0, 1],
            [65_535, 2],
            [65_536, 1],
            [100_000, 100_000],
            [length - 1, 1],
            [0, length],
          ] as const) {
            const slice = await reader.read({ offset, length: count })
            assert.equal(slice.offset, Math.floor(offset / limits.blockBytes) * limits.blockBytes)
            const end = Math.min(
              Math.ceil((offset + count) / limits.blockBytes) * limits.blockBytes,
              slice.offset + MiB,
              length,
            )
            assert.deepEqual(slice.bytes, bytes.subarray(slice.offset, end))
            slice.release()
          }
          for (const [offset, count] of [
            [0, 0],
            [-1, 1],
            [length, 1],
            [length - 1, 2],
          ] as const) {
            await refused('invalid-argument', reader.read({ offset, length: count }))
          }
          await reader.close()
        }
      })
    })

    test('list() is ordered, bounded and complete', async () => {
      await withStore(async (store, { reopen }) => {
        const ids = [1, 2, 5000, 9000, 3].map((sequence) => idAt(sequence))
        for (const [index, id] of ids.entries()) await store.put(id, someBytes(index + 1), {})
        await store.put(idAt(4, 8), someBytes(3), {})
        await store.delete([idAt(3)])
        const expected = [idAt(1), idAt(2), idAt(5000), idAt(9000)]
        for (const next of [async () => store, reopen]) {
          const opened = await next()
          const all = await opened.list({ first: idAt(0), last: idAt(10_000), limit: 100 })
          assert.deepEqual(
            all.map(({ id }) => id),
            expected,
          )
          assert.deepEqual(all[0], { id: idAt(1), length: 1, crc: crc32(someBytes(1)) })
          const some = await opened.list({ first: idAt(2), last: idAt(9000), limit: 2 })
          assert.deepEqual(
            some.map(({ id }) => id),
            [idAt(2), idAt(5000)],
          )
        }
      })
    })

    test('digests() are the sums of what is there; changeCount() rises, and changedGroups() names it; groups() are those that hold a chunk', async () => {
      await withStore(async (store, { reopen }) => {
        const facts: ChunkFacts[] = []
        let changes = store.changeCount(7 as GroupId)
        assert.deepEqual([...store.changedGroups()], [])
        for (const sequence of [1, 2, 4095, 4096, 10_000]) {
          const { id, length, crc } = await store.put(idAt(sequence), someBytes(sequence % 100 || 1, sequence), {})
          facts.push({ id, length, crc })
          assert.ok(store.changeCount(7 as GroupId) > changes)
          changes = store.changeCount(7 as GroupId)
        }
        await store.put(idAt(1, 9), someBytes(10), {})
        await store.delete([idAt(10_000), idAt(1, 9)])
        assert.ok(store.changeCount(7 as GroupId) > changes)
        assert.deepEqual([...store.changedGroups()].sort(), [7, 9])
        facts.pop()
        for (const next of [async () => store, reopen]) {
          const opened = await next()
          assert.deepEqual(await opened.digests(7 as GroupId), expectedDigests(facts, 7))
          assert.deepEqual(await opened.digests(9 as GroupId), [])
          assert.deepEqual(await opened.groups(), [7])
        }
      })
    })

    test('verify() and md5() read the whole replica', async () => {
      await withStore(async (store) => {
        for (const length of [77, 3 * MiB + 1]) {
          const bytes = someBytes(length)
          await store.put(idAt(length), bytes, {})
          assert.equal((await store.verify(idAt(length))).crc, crc32(bytes))
          assert.deepEqual(await store.md5(idAt(length)), createHash('md5').update(bytes).digest())
        }
        await refused('chunk-missing', store.verify(idAt(1)))
        await refused('chunk-missing', store.md5(idAt(1)))
      })
    })

    test('facts are kept', async () => {
      await withStore(async (store, { reopen }) => {
        assert.equal(await store.getFact('leader-epoch'), undefined)
        await store.setFact('leader-epoch', Buffer.from('41'))
        await store.setFact('leader-epoch', Buffer.from('42'))
        await refused('invalid-argument', store.setFact('../escape', Buffer.from('x')))
        assert.deepEqual(await (await reopen()).getFact('leader-epoch'), Buffer.from('42'))
      })
    })

    test('quarantine() sets a replica aside: it is not served, not counted, and can be written again', async () => {
      await withStore(async (store) => {
        const told: ChunkId[] = []
        store.onQuarantine((id) => told.push(id))
        await store.put(idAt(1), someBytes(5000), {})
        assert.equal(await store.quarantine(idAt(1), 'a test'), true)
        assert.equal(await store.quarantine(idAt(1), 'a test'), false)
        await refused('chunk-missing', store.open(idAt(1)))
        assert.deepEqual([told, store.space().usedBytes, store.space().quarantinedChunks], [[idAt(1)], 0, 1])
        await store.put(idAt(1), someBytes(6000, 2), {})
        assert.ok((await readWhole(store, idAt(1))).equals(someBytes(6000, 2)))
      })
    })

    test('a closed store refuses', async () => {
      await withStore(async (store) => {
        await store.put(idAt(1), someBytes(1), {})
        await store.close()
        await store.close()
        await refused('closed', store.put(idAt(2), someBytes(1), {}))
        await refused('closed', store.open(idAt(1)))
        await refused('closed', store.delete([idAt(1)]))
      })
    })

    test('many puts, reads and deletes at once leave exactly what they should', async () => {
      await withStore(async (store, { reopen }) => {
        const count = 300
        await Promise.all(
          Array.from({ length: count }, async (_, sequence) => {
            await store.put(idAt(sequence), someBytes((sequence * 37) % 5000 || 1, sequence + 1), {})
            if (sequence % 3 === 0) await store.delete([idAt(sequence)])
            else await readWhole(store, idAt(sequence))
          }),
        )
        const expected = Array.from({ length: count }, (_, sequence) => sequence).filter((n) => n % 3 !== 0)
        for (const next of [async () => store, reopen]) {
          const opened = await next()
          const listed = await opened.list({ first: idAt(0), last: idAt(count), limit: count })
          assert.deepEqual(
            listed.map(({ id }) => id),
            expected.map((n) => idAt(n)),
          )
          assert.equal(
            opened.space().usedBytes,
            listed.reduce((sum, { length }) => sum + length, 0),
          )
          assert.deepEqual(await opened.digests(7 as GroupId), expectedDigests(listed, 7))
        }
      })
    })
  })
}
