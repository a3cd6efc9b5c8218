/** A repair in a model of five servers, on virtual time: what it tells of the time left, against what it takes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../base/ids.ts'
import type { Clock, Timer } from '../env/clock.ts'
import { seededRandom } from '../env/seeded-random.ts'
import { type Amount, CopyProgress } from './copy-progress.ts'
import { CopySlots } from './copy-slots.ts'

const MiB = 2 ** 20

interface Shape {
  readonly seed: number
  /** Of the 20 that are filled, four for each server. */
  readonly chunksOfGroup: number
  /** So many times as many in the groups of one server. Default: 1. */
  readonly skew?: number
  /** One chunk of so many is large. */
  readonly largeOneOf: number
  /** Of a server's disk, in a second, for repair. */
  readonly diskBytes: number
  /** How long a copy takes beside what its bytes take; times what `slowness` says of the moment. */
  readonly copyMs: number
  readonly slowness?: (nowMs: number) => number
  /** Between these times no copy begins. */
  readonly pausedMs?: readonly [number, number]
}

interface Told {
  readonly atMs: number
  /** Of what it took from then on. */
  readonly ratio: number
}

/** Virtual time, and timers in their order. */
class ModelClock implements Clock {
  nowMs = 0
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()
  monotonicMs = () => this.nowMs
  wallMs = () => this.nowMs
  soon = (callback: () => void) => queueMicrotask(callback)

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback }
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve))
  }

  next(): void {
    let first: { readonly atMs: number; readonly callback: () => void } | undefined
    for (const timer of this.#timers) if (first === undefined || timer.atMs < first.atMs) first = timer
    assert.ok(first !== undefined, 'nothing will ever happen any more')
    this.#timers.delete(first)
    this.nowMs = Math.max(this.nowMs, first.atMs)
    first.callback()
  }
}

const servers = [...'abcde'].map((letter) => letter.repeat(32) as ServerId)
const groups = 20
const nothing: Amount = { chunks: 0, bytes: 0 }
const copiesAtOnce = 16

async function repair(shape: Shape): Promise<{ readonly told: readonly Told[]; readonly endMs: number }> {
  const { seed, chunksOfGroup, largeOneOf, diskBytes, copyMs, slowness = () => 1, pausedMs = [0, 0], skew = 1 } = shape
  const random = seededRandom(seed)
  const clock = new ModelClock()
  const slots = new CopySlots({ clock, bytesPerSecond: () => diskBytes })
  const progress = new CopyProgress(clock)
  const { signal } = new AbortController()
  const fillings = Array.from({ length: groups }, (_, index) => {
    const target = servers[index % servers.length] as ServerId
    const sources = random.shuffled(servers.filter((server) => server !== target)).slice(0, 2)
    const chunks = Math.round(chunksOfGroup * (target === servers[0] ? skew : 1))
    const lengths = Array.from({ length: chunks }, () =>
      random.below(largeOneOf) === 0 ? 4 * MiB : 1 + random.below(32 * 1024),
    )
    return { target, sources, lengths, bytes: lengths.reduce((sum, length) => sum + length, 0), begun: 0, held: 0 }
  })
  const copyAll = async (filling: (typeof fillings)[number]) => {
    const { target, sources, lengths } = filling
    while (filling.begun < lengths.length) {
      const sizeBytes = lengths[filling.begun++] as number
      if (clock.nowMs >= pausedMs[0] && clock.nowMs < pausedMs[1]) await clock.sleep(pausedMs[1] - clock.nowMs)
      await slots.run({ target, sources, sizeBytes, duty: 'repair', signal }, async () => {
        const takesMs = (copyMs + (sizeBytes * 500) / diskBytes) * (0.7 + 0.6 * random.fraction())
        await clock.sleep(takesMs * slowness(clock.nowMs))
      })
      filling.held++
      progress.add(target, sizeBytes)
    }
  }
  let isOver = false
  const copying = Promise.all(
    fillings.flatMap((filling) => Array.from({ length: copiesAtOnce }, () => copyAll(filling))),
  )
  const ended = copying.then(() => {
    isOver = true
  })
  // As status does: by what members say they hold, which is a second old.
  const looks: { readonly atMs: number; readonly leftMs: number }[] = []
  let reported = fillings.map(({ held }) => held)
  const look = async () => {
    for (let count = 0; !isOver; count++) {
      if (count % 4 === 0) reported = fillings.map(({ held }) => held)
      await clock.sleep(250)
      const underWay = new Map<ServerId, Amount>()
      let chunksLeft = 0
      for (const [index, { target, lengths, bytes }] of fillings.entries()) {
        const chunks = lengths.length - (reported[index] ?? 0)
        const before = underWay.get(target) ?? nothing
        underWay.set(target, {
          chunks: before.chunks + chunks,
          bytes: before.bytes + (bytes * chunks) / lengths.length,
        })
        chunksLeft += chunks
      }
      const leftMs = progress.timeToCopyMs({ underWay, waiting: nothing })
      if (leftMs !== undefined && chunksLeft > 0) looks.push({ atMs: clock.nowMs, leftMs })
    }
  }
  const looking = look()
  while (!isOver) {
    clock.next()
    for (let turn = 0; turn < 12; turn++) await Promise.resolve()
  }
  const endMs = clock.nowMs
  clock.next()
  await Promise.all([ended, looking])
  const known = looks.filter(({ atMs }) => endMs - atMs > 1000)
  return { told: known.map(({ atMs, leftMs }) => ({ atMs, ratio: leftMs / (endMs - atMs) })), endMs }
}

function assertTrue(told: readonly Told[], what: string): void {
  const ratios = told.map(({ ratio }) => ratio).sort((one, other) => one - other)
  assert.ok(ratios.length > 4, `${what}: told ${ratios.length} times`)
  const median = ratios[ratios.length >> 1] as number
  assert.ok(median > 0.8 && median < 1.25, `${what}: ${median.toFixed(2)} of what it took, in the median`)
}

const mixed: Shape = { seed: 1, chunksOfGroup: 120, largeOneOf: 20, diskBytes: 20 * MiB, copyMs: 200 }

test('timeToCopyMs() tells what the rest takes, however many are large, whatever bounds the pace, and where one server has most to take', async () => {
  for (const largeOneOf of [10, 1000]) {
    for (const diskBytes of [10 * MiB, 1000 * MiB]) {
      const shape = { seed: 1, largeOneOf, diskBytes, copyMs: 400, chunksOfGroup: 60 }
      for (const skew of [1, 4]) assertTrue((await repair({ ...shape, skew })).told, JSON.stringify({ ...shape, skew }))
    }
  }
})

test('timeToCopyMs() is true again ten seconds after the pace has fallen, or risen', async () => {
  for (const [before, after] of [
    [1, 4],
    [4, 1],
  ] as const) {
    const changeMs = 4_000
    const shape = { ...mixed, diskBytes: 1000 * MiB, slowness: (nowMs: number) => (nowMs < changeMs ? before : after) }
    const { told } = await repair({ ...shape, chunksOfGroup: 150 })
    assertTrue(
      told.filter(({ atMs }) => atMs > changeMs + 10_000),
      `${before} to ${after}`,
    )
  }
})

test('timeToCopyMs() is true again soon after a stretch in which nothing was copied, and silent meanwhile', async () => {
  const pausedMs = [4_000, 64_000] as const
  const { told } = await repair({ ...mixed, chunksOfGroup: 120, pausedMs })
  const isSilent = told.every(({ atMs }) => atMs < pausedMs[0] + 30_000 || atMs > pausedMs[1])
  assert.ok(isSilent, 'it is not known how long it takes')
  const afterwards = told.filter(({ atMs }) => atMs > pausedMs[1])
  assert.ok(
    afterwards.every(({ atMs }) => atMs > pausedMs[1] + 2_000),
    'nor before a pace is seen',
  )
  assertTrue(afterwards, 'afterwards')
})
