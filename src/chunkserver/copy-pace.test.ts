import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Clock } from '../env/clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { CopyPace, mostCopiesAtOnce } from './copy-pace.ts'

/** A pace with a clock that the test moves, and requests that take as long as it says. */
class Paced {
  nowMs = 0
  readonly pace = new CopyPace({ monotonicMs: () => this.nowMs } as Clock)

  requests(count: number, durationMs: number): void {
    for (let done = 0; done < count; done++) {
      this.nowMs += 10
      this.pace.noteRequest('readChunk', durationMs)
    }
  }

  /** While a copy goes on that takes `tookMs` in the end. @returns its rest */
  copy(tookMs: number, meanwhile: () => void = () => undefined): number {
    this.pace.began()
    meanwhile()
    return this.pace.ended(tookMs)
  }
}

test('CopyPace lets as many copies go on as may where no client is slowed', () => {
  const paced = new Paced()
  assert.equal(paced.copy(100), 0)
  assert.equal(paced.pace.copiesAtOnce, mostCopiesAtOnce, 'nobody asks')
  paced.nowMs += 20_000
  paced.requests(200, 1)
  assert.equal(paced.pace.copiesAtOnce, 1, 'there are clients: it begins with one')
  assert.equal(
    paced.copy(100, () => paced.requests(500, 1.4)),
    0,
    'a little slower is tolerated',
  )
  assert.equal(paced.pace.copiesAtOnce, mostCopiesAtOnce)
})

test('CopyPace has copies rest while clients are slowed, the longer the more they are, and no longer than that', () => {
  const paced = new Paced()
  paced.requests(200, 1)
  const first = paced.copy(100, () => paced.requests(32, 5))
  const second = paced.copy(100, () => paced.requests(32, 5))
  assert.ok(first > 0)
  assert.ok(second > first, `${second} after ${first}`)
  assert.equal(
    paced.copy(100, () => paced.requests(2_000, 1)),
    0,
    'clients are served as usual again',
  )
})

test('CopyPace learns what is usual only while nothing is copied', () => {
  const paced = new Paced()
  paced.requests(200, 1)
  assert.ok(paced.copy(100, () => paced.requests(64, 5)) > 0)
  // Still slowed by the last copy.
  paced.requests(90, 5)
  paced.nowMs += 5_000
  paced.requests(20, 1)
  assert.ok(paced.copy(100, () => paced.requests(64, 5)) > 0)
})

test('CopyPace takes slowness that stays when copies rest for what is usual', () => {
  const paced = new Paced()
  paced.requests(200, 1)
  assert.ok(paced.copy(100, () => paced.requests(200, 10)) > 0)
  assert.equal(
    paced.copy(100, () => paced.requests(20_000, 10)),
    0,
  )
})

test('CopyPace never stops copies, whatever clients do', () => {
  const spans = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 300 }), fc.double({ min: 0.01, max: 1e4 })))
  fc.assert(
    fc.property(spans, (each) => {
      const paced = new Paced()
      for (const [isCopying, count, durationMs] of each) {
        if (!isCopying) paced.requests(count, durationMs)
        else {
          const restMs = paced.copy(100, () => paced.requests(count, durationMs))
          assert.ok(restMs >= 0 && restMs <= 301, `${restMs} ms`)
          assert.ok(paced.pace.copiesAtOnce >= 1 && paced.pace.copiesAtOnce <= mostCopiesAtOnce)
        }
      }
      assert.ok(paced.copy(3_600_000) <= 2_000)
    }),
  )
})

interface Machine {
  readonly servers: number
  readonly cores: number
  readonly requestsPerSecond: number
  readonly isPaced: boolean
}

/**
 * Chunk servers that share the cores of one machine, in order of arrival, and a disk each: clients ask at random for eight seconds,
 * then everybody copies as well for eighteen, each chunk in three steps of processor and disk.
 */
function simulate({ servers, cores, requestsPerSecond, isPaced }: Machine) {
  const random = seededRandom(1)
  const drawn = (meanMs: number) => -meanMs * Math.log(1 - random.fraction())
  const copiesFromMs = 8_000
  const endMs = 26_000
  let nowMs = 0
  let coresFree = cores
  const waiting: { readonly tookMs: number; readonly done: () => void }[] = []
  /** What happens, by tenths of a millisecond: exact enough, and quick. */
  const due = new Map<number, (() => void)[]>()
  const after = (delayMs: number, then: () => void) => {
    const tick = Math.ceil((nowMs + delayMs) * 10)
    const others = due.get(tick)
    if (others === undefined) due.set(tick, [then])
    else others.push(then)
  }
  const compute = (tookMs: number, done: () => void) => {
    waiting.push({ tookMs, done })
    startNext()
  }
  const startNext = () => {
    for (; coresFree > 0 && waiting.length > 0; coresFree--) {
      const { tookMs, done } = waiting.shift() as (typeof waiting)[number]
      after(tookMs, () => {
        coresFree++
        done()
        startNext()
      })
    }
  }
  const paces = Array.from({ length: servers }, () => new CopyPace({ monotonicMs: () => nowMs } as Clock))
  const latencies = { before: [] as number[], during: [] as number[] }
  const ask = () => {
    after(drawn(1000 / requestsPerSecond), ask)
    const pace = paces[random.below(servers)] as CopyPace
    const askedMs = nowMs
    const answered = () => (askedMs < copiesFromMs ? latencies.before : latencies.during).push(nowMs - askedMs)
    compute(0.5, () => {
      const handledMs = nowMs
      after(drawn(0.5), () =>
        compute(drawn(0.2), () => {
          pace.noteRequest('readChunk', nowMs - handledMs)
          compute(0.3, answered)
        }),
      )
    })
  }
  let copies = 0
  const copyOn = (pace: CopyPace, slots: { used: number }) => {
    const needed = isPaced ? Math.ceil(mostCopiesAtOnce / pace.copiesAtOnce) : 1
    if (slots.used + needed > mostCopiesAtOnce) return after(1, () => copyOn(pace, slots))
    slots.used += needed
    pace.began()
    const beganMs = nowMs
    const step = (left: number) => {
      if (left > 0) return compute(drawn(0.8), () => after(drawn(1.3), () => step(left - 1)))
      copies++
      const restMs = pace.ended(nowMs - beganMs)
      return after(isPaced ? restMs : 0, () => {
        slots.used -= needed
        copyOn(pace, slots)
      })
    }
    return step(3)
  }
  ask()
  for (const pace of paces) {
    const slots = { used: 0 }
    for (let each = 0; each < mostCopiesAtOnce; each++) after(copiesFromMs, () => copyOn(pace, slots))
  }
  for (let tick = 0; tick < endMs * 10; tick++) {
    nowMs = tick / 10
    // One that is due at once is added while the others run.
    for (const then of due.get(tick) ?? []) then()
    due.delete(tick)
  }
  return { slowdown: p99(latencies.during) / p99(latencies.before), copies }
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] as number
}

test('CopyPace keeps the p99 of clients within three times what it was, where servers share two cores', (t) => {
  for (const requestsPerSecond of [200, 1_200]) {
    const machine = { servers: 5, cores: 2, requestsPerSecond }
    const free = simulate({ ...machine, isPaced: false })
    const paced = simulate({ ...machine, isPaced: true })
    const seen = JSON.stringify({ requestsPerSecond, free, paced })
    t.diagnostic(seen)
    assert.ok(free.slowdown > 6, `the model shows no harm: ${seen}`)
    assert.ok(paced.slowdown <= 3, seen)
    assert.ok(paced.copies > 0.4 * free.copies, seen)
  }
})

test('CopyPace costs little where nothing is short', () => {
  const machine = { servers: 2, cores: 8, requestsPerSecond: 200 }
  const free = simulate({ ...machine, isPaced: false })
  const paced = simulate({ ...machine, isPaced: true })
  assert.ok(paced.copies > 0.85 * free.copies, JSON.stringify({ free, paced }))
})
