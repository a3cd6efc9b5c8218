import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { idAt, refused } from '../../test/contract/chunk-store.ts'
import { createMemoryDisk } from '../env/memory-disk.ts'
import { createNodeEnv } from '../env/node-env.ts'
import { BufferPool } from './buffer-pool.ts'
import {
  type ChunkEvent,
  type ChunkState,
  deleteRecordBytes,
  difference,
  keepingGraves,
  type LiveChunk,
  nextState,
} from './chunk-state.ts'
import { type CompactionCandidate, patientDeadFraction, planCompaction } from './compaction-plan.ts'
import { KeyedLock } from './keyed-lock.ts'
import { segmentHeaderBytes } from './segment-format.ts'
import { roomBeneath, SpaceLedger } from './space-ledger.ts'

const GiB = 2 ** 30
const { clock } = createNodeEnv({ log: 'silent' })

suite('BufferPool', () => {
  const make = (budgetBytes: number, maxWaiting = 10) =>
    new BufferPool(createMemoryDisk({ clock }), { budgetBytes, maxWaiting })

  test('lease() stays within the budget and serves waiters in order', async () => {
    const pool = make(2 * 1024 * 1024)
    const held = [await pool.lease(1024 * 1024), await pool.lease(1024 * 1024)]
    assert.ok(pool.isShort(1))
    const order: number[] = []
    const waiting = [1, 2].map(async (turn) => {
      const lease = await pool.lease(1024 * 1024)
      order.push(turn)
      return lease
    })
    await new Promise(setImmediate)
    assert.deepEqual(order, [])
    assert.equal(pool.waiting, 2)
    for (const lease of held) lease.release()
    for (const lease of await Promise.all(waiting)) lease.release()
    assert.deepEqual(order, [1, 2])
    assert.equal(pool.lentBytes, 0)
    assert.ok(pool.heldBytes <= 2 * 1024 * 1024)
  })

  test('lease() refuses when too many wait; release() twice is a bug', async () => {
    const pool = make(1024 * 1024, 1)
    const lease = await pool.lease(1024 * 1024)
    const waiting = pool.lease(1)
    await refused('busy', pool.lease(1))
    lease.release()
    assert.throws(() => lease.release())
    ;(await waiting).release()
  })

  test('lease() gives up idle buffers of other sizes rather than pass the budget', async () => {
    const pool = make(1024 * 1024)
    const small = await Promise.all(Array.from({ length: 16 }, () => pool.lease(65_536)))
    for (const lease of small) lease.release()
    const large = await pool.lease(1024 * 1024)
    assert.ok(pool.heldBytes <= 1024 * 1024)
    large.release()
  })
})

suite('SpaceLedger', () => {
  const use = () => ({}) as never

  test('roomBeneath() refuses only past both marks, whichever comes later', () => {
    const mark = { usedFraction: 0.95, freeBytes: 10 * GiB }
    const room = (totalBytes: number, freeBytes: number) => roomBeneath({ totalBytes, freeBytes, device: 1 }, mark)
    // 1 TiB disk, 4 % free, but more than 10 GiB: still open.
    assert.equal(room(1024 * GiB, 40 * GiB), 30 * GiB)
    // Small disk with 8 GiB free of 20: 60 % used, open up to 95 %.
    assert.equal(room(20 * GiB, 8 * GiB), 7 * GiB)
    assert.equal(room(1024 * GiB, 10 * GiB), 0)
    assert.equal(room(20 * GiB, 1 * GiB), 0)
  })

  test('without a declared capacity the servers of a disk share what is free', () => {
    const ledger = new SpaceLedger({ capacityBytes: undefined, shareOf: 4, mark: { usedFraction: 1, freeBytes: 0 } })
    ledger.startWith(100)
    ledger.measured({ totalBytes: 10_000, freeBytes: 4000, device: 1 })
    assert.equal(ledger.capacityBytes(), 1100)
    assert.equal(ledger.freeBytes(), 1000)
  })

  test('used + reserved never passes the capacity, whatever happens', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 50, max: 500 }),
        fc.array(fc.tuple(fc.constantFrom('reserve', 'use', 'release', 'free'), fc.integer({ min: 1, max: 200 }))),
        (capacityBytes, steps) => {
          const ledger = new SpaceLedger({ capacityBytes, shareOf: 1, mark: { usedFraction: 1, freeBytes: 0 } })
          ledger.measured({ totalBytes: GiB, freeBytes: GiB, device: 1 })
          const open: { length: number; reservation: ReturnType<SpaceLedger['reserve']> }[] = []
          const stored: number[] = []
          for (const [step, length] of steps) {
            if (step === 'reserve') {
              const isRoom = length <= capacityBytes - ledger.usedBytes - ledger.reservedBytes
              try {
                open.push({ length, reservation: ledger.reserve(length, use) })
                assert.ok(isRoom)
              } catch (error) {
                assert.ok(!isRoom, String(error))
              }
            } else if (step === 'free') {
              const freed = stored.pop()
              if (freed !== undefined) ledger.free(freed)
            } else {
              const write = open.pop()
              write?.reservation[step]()
              write?.reservation.release()
              if (step === 'use' && write !== undefined) stored.push(write.length)
            }
            assert.equal(
              ledger.usedBytes,
              stored.reduce((sum, bytes) => sum + bytes, 0),
            )
            assert.equal(
              ledger.reservedBytes,
              open.reduce((sum, entry) => sum + entry.length, 0),
            )
            assert.ok(ledger.usedBytes + ledger.reservedBytes <= capacityBytes)
          }
        },
      ),
    )
  })
})

suite('chunk state', () => {
  const id = idAt(1)
  const chunkAt = (sequence: number, segment: number): LiveChunk => ({
    id,
    sequence,
    slot: 0,
    length: 10,
    crc: 1,
    storedLength: 10,
    storedCrc: 1,
    location: { kind: 'segment', segment, offset: sequence },
  })
  /** Puts and deletes in turn, as the log has them, spread over segments; a put may have copies in newer segments. */
  const histories = fc
    .array(
      fc.record({
        isPut: fc.boolean(),
        segment: fc.integer({ min: 1, max: 4 }),
        copies: fc.integer({ min: 0, max: 1 }),
      }),
      {
        minLength: 1,
        maxLength: 8,
      },
    )
    .map((steps) =>
      steps.flatMap(({ isPut, segment, copies }, index): ChunkEvent[] => {
        const sequence = index + 1
        return Array.from({ length: copies + 1 }, (_, copy) =>
          isPut
            ? { kind: 'put', chunk: chunkAt(sequence, segment + 10 * copy) }
            : { kind: 'delete', id, sequence, segment: segment + 10 * copy },
        )
      }),
    )

  test('the highest sequence wins, whatever the order, and twice is as once', () => {
    fc.assert(
      fc.property(
        histories.chain((events) =>
          fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
        ),
        ([events, shuffled]) => {
          const replay = (list: readonly ChunkEvent[]): ChunkState => {
            const { live, grave } = [...list, { kind: 'rebuilt', id } as const].reduce<ChunkState>(
              (state, event, index) => (index === list.length ? nextState : keepingGraves)(state, event),
              {},
            )
            return { live, grave }
          }
          const last = events.at(-1) as ChunkEvent
          const state = replay(shuffled)
          assert.equal(state.live?.sequence, last.kind === 'put' ? last.chunk.sequence : undefined)
          assert.deepEqual(replay([...shuffled, ...events]), state)
          // A grave is kept exactly as long as a segment holds a put that the live one does not explain.
          const holders = new Set(
            events.flatMap((event) =>
              event.kind === 'put' && event.chunk.location.kind === 'segment' ? [event.chunk.location.segment] : [],
            ),
          )
          for (const holder of state.grave?.holders ?? []) assert.ok(holders.has(holder))
          if (state.live === undefined)
            assert.deepEqual(
              state.grave?.holders ?? [],
              [...holders].sort((a, b) => a - b),
            )
        },
      ),
    )
  })

  test('difference() adds up over any history to what is there at the end', () => {
    fc.assert(
      fc.property(histories, (events) => {
        let state: ChunkState = {}
        let count = 0
        const liveBytes = new Map<number, number>()
        for (const event of events) {
          const next = nextState(state, event)
          const { added, removed, segments } = difference(state, next)
          count += (added ? 1 : 0) - (removed ? 1 : 0)
          for (const { segment, bytes } of segments) liveBytes.set(segment, (liveBytes.get(segment) ?? 0) + bytes)
          state = next
        }
        assert.equal(count, state.live ? 1 : 0)
        const expected = new Map<number, number>()
        for (const { segment, bytes } of difference({}, state).segments) {
          expected.set(segment, (expected.get(segment) ?? 0) + bytes)
        }
        for (const [segment, bytes] of liveBytes) assert.equal(bytes, expected.get(segment) ?? 0)
      }),
    )
  })
})

suite('planCompaction()', () => {
  const endBytes = segmentHeaderBytes + 1000
  const segment = (number: number, liveBytes: number, options: Partial<CompactionCandidate> = {}) => ({
    ...{ number, liveBytes, endBytes, scannedBytes: endBytes, isSealed: true, stuckAtLiveBytes: undefined },
    unsettled: new Set<number>(),
    ...options,
  })

  test('takes the deadest first, and leaves those that are mostly live', () => {
    const steps = planCompaction([segment(1, 400), segment(2, 0), segment(3, 501), segment(4, 400)])
    assert.deepEqual(
      steps.map((step) => step.segment),
      [2, 1, 4],
    )
    assert.equal(steps[0]?.reason, '100 % of it is dead')
  })

  test('waits, where it is told to, until nearly all of a segment is dead', () => {
    const steps = planCompaction([segment(1, 400), segment(2, 200), segment(3, 201)], patientDeadFraction)
    assert.deepEqual(
      steps.map((step) => step.segment),
      [2],
    )
  })

  test('leaves segments that grow, that the index does not know to the end, or that could not be compacted', () => {
    const steps = planCompaction([
      segment(1, 0, { isSealed: false }),
      segment(2, 0, { scannedBytes: endBytes - 1 }),
      segment(3, 0, { unsettled: new Set([40]) }),
      segment(4, 100, { stuckAtLiveBytes: 100 }),
      segment(5, 100, { stuckAtLiveBytes: 200 }),
    ])
    assert.deepEqual(
      steps.map((step) => step.segment),
      [5],
    )
  })

  // It would be copied again and again.
  test('leaves a segment in which all is needed, however little that is', () => {
    const oneDelete = segmentHeaderBytes + deleteRecordBytes
    const whole = { endBytes: oneDelete, scannedBytes: oneDelete }
    assert.deepEqual(planCompaction([segment(1, deleteRecordBytes, whole)]), [])
    assert.equal(planCompaction([segment(1, 0, whole)]).length, 1)
  })
})

test('KeyedLock runAll() excludes overlapping sets and cannot wait for itself', async () => {
  const lock = new KeyedLock<string>()
  let inside = 0
  const work = async () => {
    inside++
    assert.equal(inside, 1)
    await new Promise(setImmediate)
    inside--
  }
  await Promise.all([
    lock.runAll(['a', 'b', 'b'], work),
    lock.runAll(['b', 'a'], work),
    lock.run('b', work),
    lock.runAll(['c', 'b'], work),
  ])
})
