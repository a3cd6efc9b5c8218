import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerId } from '../base/ids.ts'
import type { MemberDuty } from '../wire/types/cluster-map.ts'
import { type CopyRequest, CopySlots } from './copy-slots.ts'

const [a, b, c, d] = [...'abcd'].map((letter) => letter.repeat(32) as ServerId) as [
  ServerId,
  ServerId,
  ServerId,
  ServerId,
]

/** Copies that a test ends one by one. */
class Copies {
  readonly slots = new CopySlots()
  readonly started: string[] = []
  readonly ends: (() => void)[] = []
  readonly failures: unknown[] = []

  begin(name: string, request: Partial<CopyRequest> & { readonly duty?: MemberDuty } = {}): void {
    const { signal = new AbortController().signal } = request
    const whole: CopyRequest = { target: a, sources: [b], sizeBytes: 1, duty: 'repair', ...request, signal }
    this.slots
      .run(whole, (source) => {
        this.started.push(`${name}<${source[0]}`)
        return new Promise<void>((resolve) => this.ends.push(resolve))
      })
      .catch((error: unknown) => this.failures.push(error))
  }

  async settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await Promise.resolve()
  }
}

test('CopySlots bounds what one server sends and receives, and large chunks weigh more', async () => {
  const copies = new Copies()
  for (let count = 0; count < 12; count++) copies.begin(`small${count}`)
  await copies.settle()
  assert.equal(copies.started.length, 8)
  copies.begin('elsewhere', { target: c, sources: [d] })
  await copies.settle()
  assert.equal(copies.started.length, 9, 'other servers are not held up')
  const large = new Copies()
  for (let count = 0; count < 3; count++) large.begin(`large${count}`, { sizeBytes: 8 * 2 ** 20 })
  await large.settle()
  assert.equal(large.started.length, 2)
})

test('CopySlots takes the source with the least to do', async () => {
  const copies = new Copies()
  for (let count = 0; count < 4; count++) copies.begin('x', { sources: [b, c] })
  await copies.settle()
  assert.deepEqual(copies.started, ['x<b', 'x<c', 'x<b', 'x<c'])
})

test('CopySlots lets repair go first, and leaves it room', async () => {
  const copies = new Copies()
  for (let count = 0; count < 6; count++) copies.begin('rebalance', { duty: 'rebalance' })
  await copies.settle()
  assert.equal(copies.started.length, 4, 'what can wait gets half')
  for (let count = 0; count < 5; count++) copies.begin('repair')
  await copies.settle()
  assert.equal(copies.started.filter((name) => name.startsWith('repair')).length, 4)
  copies.ends[0]?.()
  await copies.settle()
  assert.equal(copies.started.filter((name) => name.startsWith('repair')).length, 5)
  assert.equal(copies.started.filter((name) => name.startsWith('rebalance')).length, 4)
})

test('CopySlots gives the room of a copy that failed, and of one that was cancelled while it waited, to the next', async () => {
  const copies = new Copies()
  await assert.rejects(
    copies.slots.run(
      { target: a, sources: [b], sizeBytes: 1, duty: 'repair', signal: new AbortController().signal },
      () => Promise.reject(new Error('failed')),
    ),
    /failed/,
  )
  for (let count = 0; count < 8; count++) copies.begin('x')
  const cancelling = new AbortController()
  copies.begin('cancelled', { signal: cancelling.signal })
  copies.begin('last')
  await copies.settle()
  assert.equal(copies.started.length, 8)
  cancelling.abort()
  await copies.settle()
  assert.equal(copies.failures.length, 1)
  copies.ends[0]?.()
  await copies.settle()
  assert.equal(copies.started.at(-1), 'last<b')
})

const MiB = 2 ** 20

// Else the large ones of a repair all come last: what is left of it in bytes would be untrue until then, and the time it takes too.
test('CopySlots lets no small copies pass a large one for ever, on either end', async () => {
  for (const busy of [{}, { target: c }, { sources: [d] }] as const) {
    const copies = new Copies()
    for (let count = 0; count < 8; count++) copies.begin('before', busy)
    copies.begin('large', { sizeBytes: 8 * MiB })
    copies.begin('behind', busy)
    for (let ended = 0; ended < 4; ended++) {
      copies.ends.shift()?.()
      await copies.settle()
      copies.begin(`later${ended}`, busy)
      await copies.settle()
    }
    assert.equal(copies.started.filter((name) => name.startsWith('large')).length, 1, JSON.stringify(busy))
    assert.equal(copies.started.length, 9, `${copies.started}`)
  }
})

test('CopySlots holds nobody up for a large copy of a less urgent duty, nor on servers that it does not wait for', async () => {
  const copies = new Copies()
  for (let count = 0; count < 8; count++) copies.begin('before')
  copies.begin('large', { sizeBytes: 8 * MiB, duty: 'rebalance' })
  copies.begin('elsewhere', { target: c, sources: [d] })
  await copies.settle()
  assert.equal(copies.started.length, 9)
  copies.ends.shift()?.()
  copies.begin('urgent')
  await copies.settle()
  assert.equal(copies.started.at(-1), 'urgent<b')
})
