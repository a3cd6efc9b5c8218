import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../test/cluster/manual-clock.ts'
import type { ChunkFacts } from '../base/digest.ts'
import type { ServerId } from '../base/ids.ts'
import type { Env } from '../env/env.ts'
import type { ChunkStore } from '../store/chunk-store.ts'
import type { Credentials } from '../wire/credentials.ts'
import type { CopyPace } from './copy-pace.ts'
import { Replicator } from './replicator.ts'

const facts = { id: '0'.repeat(32), length: 1, crc: 1 } as ChunkFacts
const source = { source: '1'.repeat(32) as ServerId, sourceAddress: '', readToken: Buffer.alloc(0) }

/** Whose copies take no time, since all chunks are there, and rest for `restMs`. */
function replicatorAt(clock: ManualClock, { copiesAtOnce, restMs }: { copiesAtOnce: number; restMs: number }) {
  const pace = { copiesAtOnce, began: () => undefined, ended: () => restMs } as unknown as CopyPace
  const store = { info: async () => facts } as unknown as ChunkStore
  const replicator = new Replicator({ env: { clock } as unknown as Env, store, credentials: {} as Credentials, pace })
  let done = 0
  return {
    done: () => done,
    copy: async (count: number, isUrgent = false) => {
      const { signal } = new AbortController()
      for (let each = 0; each < count; each++) {
        replicator.copy(facts, source, { isUrgent, signal }).then(() => done++, assert.fail)
      }
      await clock.advance(0)
    },
  }
}

test('copy() goes on in as many places as its pace says, each of which rests afterwards', async () => {
  const clock = new ManualClock()
  const one = replicatorAt(clock, { copiesAtOnce: 1, restMs: 100 })
  await one.copy(3)
  assert.equal(one.done(), 1, 'an answer does not wait for the rest')
  await clock.advance(100)
  assert.equal(one.done(), 2)
  const two = replicatorAt(clock, { copiesAtOnce: 2, restMs: 100 })
  await two.copy(5)
  assert.equal(two.done(), 2)
  await clock.advance(100)
  assert.equal(two.done(), 4)
})

test('copy() of what is urgent neither rests nor takes the place of others', async () => {
  const clock = new ManualClock()
  const rig = replicatorAt(clock, { copiesAtOnce: 1, restMs: 1_000_000 })
  await rig.copy(20, true)
  assert.equal(rig.done(), 20)
  await rig.copy(2)
  assert.equal(rig.done(), 21)
})
