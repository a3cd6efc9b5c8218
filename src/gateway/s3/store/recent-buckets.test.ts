import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../../test/cluster/manual-clock.ts'
import { S3Error } from '../rules/s3-error.ts'
import type { Bucket, Buckets } from './buckets.ts'
import { RecentBuckets } from './recent-buckets.ts'

const { signal } = new AbortController()

function start() {
  const clock = new ManualClock()
  const state = { reads: 0, ownerId: 'first' as string | undefined, gate: Promise.resolve() }
  const buckets = {
    open: async (name: string) => {
      state.reads++
      const { ownerId } = state
      await state.gate
      if (ownerId === undefined) throw new S3Error('NoSuchBucket', name)
      return { name, ownerId } as Bucket
    },
  } as unknown as Buckets
  return { clock, state, recent: new RecentBuckets(buckets, clock) }
}

test('open() reads a bucket once a second', async () => {
  const { clock, state, recent } = start()
  await recent.open('box', { signal })
  state.ownerId = 'second'
  await clock.advance(999)
  assert.equal((await recent.open('box', { signal })).ownerId, 'first')
  assert.equal(state.reads, 1)
  await clock.advance(1)
  assert.equal((await recent.open('box', { signal })).ownerId, 'second')
  assert.equal((await recent.open('other', { signal })).name, 'other')
})

test('open() does not remember that a bucket is not there', async () => {
  const { state, recent } = start()
  state.ownerId = undefined
  await assert.rejects(recent.open('box', { signal }), S3Error)
  state.ownerId = 'first'
  assert.equal((await recent.open('box', { signal })).ownerId, 'first')
})

test('forget() counts at once, also for what is being read', async () => {
  const { state, recent } = start()
  const gate = Promise.withResolvers<void>()
  state.gate = gate.promise
  const early = recent.open('box', { signal })
  state.ownerId = 'second'
  recent.forget('box')
  gate.resolve()
  assert.equal((await early).ownerId, 'first', 'it was asked before the change')
  assert.equal((await recent.open('box', { signal })).ownerId, 'second')
  state.ownerId = 'third'
  recent.forget('box')
  assert.equal((await recent.open('box', { signal })).ownerId, 'third')
})
